"""Names and links of an image lead nowhere else, and what is no file is not read."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from dpm_image.disk.files import FileError, Files


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of the host, with a file that nobody may see."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "a.conf").write_text("secret of the host\n")
    return folder


@pytest.fixture
def tree(tmp_path: Path, outside: Path) -> Files:
    root = tmp_path / "root"
    (root / "etc/real.d").mkdir(parents=True)
    (root / "etc/real.d/b.conf").write_text("of the image\n")
    # What an absolute link to the host's folder means in the image: a folder of its own.
    return Files(root)


def link(tree: Files, name: str, target: str | Path) -> None:
    (tree.root / name).symlink_to(target)


@pytest.mark.parametrize(
    "target",
    ["{outside}/a.conf", "../../outside/a.conf", "../../../../../../../..{outside}/a.conf"],
)
def test_a_link_out_of_the_image_ends_at_its_root(tree: Files, outside: Path, target: str) -> None:
    link(tree, "etc/link", target.format(outside=outside))

    assert tree.read("etc/link") == ""
    assert not tree.exists("etc/link")
    assert tree.path("etc/link").is_relative_to(tree.root)


def test_a_name_with_dots_ends_at_the_root(tree: Files) -> None:
    assert tree.read("/../../outside/a.conf") == ""
    assert tree.read("/../../../../etc/real.d/b.conf") == "of the image\n"


def test_links_inside_are_followed(tree: Files) -> None:
    link(tree, "etc/absolute.d", "/etc/real.d")
    link(tree, "etc/relative.d", "./absolute.d/../real.d")

    assert tree.read("etc/absolute.d/b.conf") == "of the image\n"
    assert tree.read("etc/relative.d/b.conf") == "of the image\n"


def test_no_pattern_lists_a_folder_outside(tree: Files, outside: Path) -> None:
    link(tree, "etc/linked.d", outside)
    link(tree, "usr", "../outside")

    assert tree.matching("etc/linked.d/*.conf", "etc/*.d/a.conf", "usr/*", "**/a.conf") == []


def test_a_pattern_lists_through_links_inside_and_links_themselves(tree: Files) -> None:
    link(tree, "etc/linked.d", "/etc/real.d")
    link(tree, "etc/real.d/c.conf", "/nowhere")

    assert tree.matching("etc/linked.d/*.conf") == ["/etc/linked.d/b.conf", "/etc/linked.d/c.conf"]
    assert tree.matching("etc/*.d/b.conf") == ["/etc/linked.d/b.conf", "/etc/real.d/b.conf"]
    # Folders that are links are not gone into for **: they could name each other.
    assert tree.matching("etc/**/*.conf") == ["/etc/real.d/b.conf", "/etc/real.d/c.conf"]


def test_links_that_name_each_other_end(tree: Files) -> None:
    link(tree, "etc/a", "b")
    link(tree, "etc/b", "a")
    link(tree, "etc/self", "self/self/self")

    for name in ("etc/a", "etc/a/x", "etc/self"):
        with pytest.raises(FileError, match="more than 40 links"):
            tree.read(name)


def test_as_many_links_as_the_kernel_follows_are_followed_and_none_of_them_outside(
    tree: Files, outside: Path
) -> None:
    for number in range(40):
        link(tree, f"etc/l{number}", f"l{number + 1}")
    link(tree, "etc/l40", outside)

    assert not tree.exists("etc/l1/a.conf")
    with pytest.raises(FileError, match="more than 40 links"):
        tree.read("etc/l0/a.conf")


def fifo(path: Path) -> None:
    os.mkfifo(path)


def unix(path: Path) -> None:
    socket.socket(socket.AF_UNIX).bind(str(path))


@pytest.mark.parametrize(
    ("make", "kind"),
    [(fifo, "a pipe"), (unix, "a socket"), (Path.mkdir, "a folder")],
    ids=["pipe", "socket", "folder"],
)
def test_what_is_no_file_is_named_and_keeps_nobody_waiting(
    tree: Files, make: Callable[[Path], None], kind: str
) -> None:
    make(tree.root / "x")

    assert not tree.is_file("x")
    with pytest.raises(FileError, match=f"x is {kind}, not a file"):
        tree.read("x")
    with pytest.raises(FileError, match=f"x is {kind}, not a file"):
        tree.open("x", 1)


def test_a_device_is_not_read(tree: Files) -> None:
    # Nobody but root makes one, and reading /dev/zero would never end.
    link(tree, "zero", "/dev/zero")
    inside = Files(Path("/"))

    assert tree.read("zero") == ""
    with pytest.raises(FileError, match="/dev/zero is a device, not a file"):
        inside.read("/dev/zero")


def test_a_file_of_nothing_but_holes_is_not_read(tree: Files) -> None:
    with (tree.root / "huge").open("wb") as file:
        file.truncate(2**40)

    with pytest.raises(FileError, match="huge has 1099511627776 bytes"):
        tree.read("huge")


def test_bytes_that_are_no_text_are_no_error(tree: Files) -> None:
    (tree.root / "latin").write_bytes(b"gr\xfc\xdfe\n")

    assert tree.read("latin") == "gr\ufffd\ufffde\n"
