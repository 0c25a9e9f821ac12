"""What is slow to make is made once, and anew when its inputs change."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpm_lab import cache


def make(path: Path, text: str, instead_of: str = "") -> bool:
    """Have a folder with a file in the cache; return whether it was made."""
    with cache.made_once(path, instead_of=instead_of) as new:
        if new is not None:
            (new / "file").write_text(text)
    return new is not None


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    place = tmp_path / "base-1"

    assert make(place, "first")
    assert not make(place, "second")
    assert (place / "file").read_text() == "first"


def test_a_failure_leaves_nothing_and_a_second_try_works(tmp_path: Path) -> None:
    place = tmp_path / "base-1"

    with pytest.raises(ValueError, match="x"), cache.made_once(place) as new:
        assert new is not None
        (new / "file").touch()
        raise ValueError("x")

    assert [path.name for path in tmp_path.iterdir()] == ["base-1.lock"]
    assert make(place, "second")


def test_what_was_made_of_other_inputs_goes_where_that_is_asked_for(tmp_path: Path) -> None:
    for name in ("base-1", "base-2.new", "other-1"):
        (tmp_path / name).mkdir()

    assert make(tmp_path / "base-3", "", instead_of="base-*")

    left = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert left == ["base-2.new", "base-3", "other-1"]


def test_a_moved_import_and_a_comment_do_not_change_what_a_program_does(tmp_path: Path) -> None:
    programs = {
        "one.py": "from a.b import run\n\nrun(1)\n",
        "two.py": "import c\nfrom a.d import run\n\nrun(1)  # why\n",
        "three.py": "from a.b import run\n\nrun(2)\n",
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(text)

    one, two, three = (cache.program(str(tmp_path / name)) for name in programs)

    assert one == two
    assert one != three


def test_keys_tell_parts_apart() -> None:
    assert cache.key("ab", "c") != cache.key("a", "bc")
    assert cache.key("ab", b"c") == cache.key("ab", "c")
