"""Text of an image or a guest does nothing to a terminal, a table or a message."""

from __future__ import annotations

import pytest

from dpm_image import compare
from dpm_image.compare import Difference
from dpm_image.errors import ImageError
from dpm_image.verify import verify
from dpm_lab.guests.qemu.console import clean
from dpm_lab.plain import cut, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("an ordinary/name-1.0~ä.conf", "an ordinary/name-1.0~ä.conf"),
        ("x\nmachine-id  ok", r"x\nmachine-id  ok"),
        ("\x1b]0;title\x07\x1b[2J", r"\x1b]0;title\x07\x1b[2J"),
        ("\x9b2J\x85", r"\x9b2J\x85"),
        ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
        ("\u2028\u200b", r"\u2028\u200b"),
        # A name that is not UTF-8, as Python has it.
        (b"\xff".decode("utf-8", "surrogateescape"), r"\udcff"),
    ],
)
def test_what_does_not_print_as_itself_is_escaped(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_line_ends_stay_where_they_are_asked_for() -> None:
    assert plain("a\n\tb\x1b", keep="\n\t") == "a\n\tb\\x1b"


def test_a_long_text_is_cut_and_its_length_told() -> None:
    assert cut("x" * 10**6, 5) == "xxxxx... (1000000 characters)"


def test_an_error_says_what_an_image_put_into_it_in_plain_text() -> None:
    assert str(ImageError("a.qcow2:\n  \x1b[2J\u202e")) == "a.qcow2:\n  \\x1b[2J\\u202e"


def test_no_finding_makes_a_row_of_its_own() -> None:
    found = "/var/x\nmachine-id  ok  empty\x1b[2J"

    rows = verify.shown([verify.Result("build leftovers", False, found)]).splitlines()

    assert rows[1:] == [r"build leftovers  WRONG    /var/x\nmachine-id  ok  empty\x1b[2J"]


def test_no_path_makes_a_line_of_its_own() -> None:
    found = [Difference("/x\n\nno other difference in 3 paths\x1b[2J", ("content",))]

    assert compare.shown(found, 3).splitlines() == [
        r"content       /x\n\nno other difference in 3 paths\x1b[2J",
        "",
        "1 of 3 paths differ",
    ]


def test_a_console_moves_no_cursor() -> None:
    assert clean("\x1b[31mred\x1b[0m \x9b2Jx\x1b]0;y\u202e") == r"red \x9b2Jx]0;y\u202e"
