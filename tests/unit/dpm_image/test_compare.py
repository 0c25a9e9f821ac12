"""What ``dpm-image compare`` sees, says, and lets pass."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dpm_image import compare
from dpm_image.__main__ import main
from dpm_image.compare import Difference, Entry, Named
from dpm_lab.source import CHECKOUT


def filled(root: Path) -> Path:
    """A folder with something of every type that needs no device."""
    (root / "etc").mkdir(parents=True)
    (root / "etc/hostname").write_text("debian\n")
    (root / "etc/shadow").write_text("root:*\n")
    (root / "etc/shadow").chmod(0o640)
    (root / "etc/resolv.conf").symlink_to("../run/resolv.conf")
    (root / "bin").symlink_to("usr/bin")
    os.mkfifo(root / "pipe")
    for path in (*root.rglob("*"), root):
        os.utime(path, ns=(10**18, 10**18), follow_symlinks=False)
    return root


def found(a: Path, b: Path) -> dict[str, tuple[str, ...]]:
    return {one.path: one.kinds for one in compare.differences(compare.tree(a), compare.tree(b))}


def test_a_copy_is_the_same(tmp_path: Path) -> None:
    assert found(filled(tmp_path / "a"), filled(tmp_path / "b")) == {}


def test_every_path_is_seen_links_to_folders_too(tmp_path: Path) -> None:
    assert set(compare.tree(filled(tmp_path / "a"))) == {
        "/", "/bin", "/etc", "/etc/hostname", "/etc/resolv.conf", "/etc/shadow", "/pipe",
    }  # fmt: skip


def keep_times(change: Callable[[Path], None], root: Path) -> None:
    """Make a change and set all times back, so that nothing else differs."""
    change(root)
    for path in (*root.rglob("*"), root):
        os.utime(path, ns=(10**18, 10**18), follow_symlinks=False)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda root: (root / "etc/hostname").write_text("ubuntu\n"), ("content",)),
        (lambda root: (root / "etc/hostname").chmod(0o600), ("mode",)),
        (lambda root: (root / "etc/hostname").unlink(), ("only in A",)),
        (
            lambda root: os.setxattr(root / "etc/hostname", "user.label", b"x"),
            ("attributes",),
        ),
        (
            lambda root: (
                (root / "etc/hostname").unlink(),
                (root / "etc/hostname").symlink_to("shadow"),
            ),
            ("type", "content", "mode"),
        ),
    ],
)
def test_each_kind_of_difference_is_told(
    tmp_path: Path, change: Callable[[Path], None], expected: tuple[str, ...]
) -> None:
    a, b = filled(tmp_path / "a"), filled(tmp_path / "b")

    keep_times(change, b)

    assert found(a, b) == {"/etc/hostname": expected}


def test_another_owner_time_or_target_is_told(tmp_path: Path) -> None:
    entry = Entry("link", "a", "0777", "0:0", "", 1)
    a = {"/x": entry, "/y": entry, "/z": entry}
    b = {
        "/x": Entry("link", "a", "0777", "0:42", "", 1),
        "/y": Entry("link", "a", "0777", "0:0", "", 2),
        "/z": Entry("link", "b", "0777", "0:0", "", 1),
        "/only": entry,
    }

    assert compare.differences(a, b) == [
        Difference("/only", ("only in B",)),
        Difference("/x", ("owner",)),
        Difference("/y", ("mtime",)),
        Difference("/z", ("content",)),
    ]


def test_only_the_kinds_that_the_table_names_may_differ() -> None:
    table = (Named("/*", "mtime", "time"), Named("/boot/map", "content", "blocks"))
    differences = [
        Difference("/boot/map", ("content", "mtime")),
        Difference("/boot/other", ("content", "mtime")),
        Difference("/boot/map", ("mode",)),
        Difference("(disk) partitions", ("content",)),
    ]

    assert compare.unnamed(differences, table) == [
        Difference("/boot/other", ("content",)),
        Difference("/boot/map", ("mode",)),
        Difference("(disk) partitions", ("content",)),
    ]


def test_a_file_that_only_one_has_is_never_let_pass() -> None:
    differences = [Difference(path, ("only in A",)) for path in ("/boot/bootmap", "/etc/x")]

    assert compare.unnamed(differences) == differences


def compared(
    monkeypatch: pytest.MonkeyPatch, first: dict[str, Entry], second: dict[str, Entry], *words: str
) -> int:
    """Run the command on trees in place of images."""
    trees = {Path("a.qcow2"): first, Path("b.qcow2"): second}
    monkeypatch.setattr(compare, "read", trees.__getitem__)
    return main(["compare", "a.qcow2", "b.qcow2", *words])


def test_the_exit_status_is_0_where_all_that_differs_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = {"/boot/bootmap": Entry("file", "x", mtime=1)}
    second = {"/boot/bootmap": Entry("file", "y", mtime=2)}

    assert compared(monkeypatch, first, second) == 0
    text = capsys.readouterr().out
    assert text.startswith("Named in the table of what may differ:\n")
    assert "1 x content of /boot/bootmap\n         zipl's list" in text
    assert text.endswith("\nno other difference in 1 paths\n")

    assert compared(monkeypatch, first, second, "--all") == 0
    assert capsys.readouterr().out.startswith("content, mtime  /boot/bootmap\n")


def test_the_exit_status_is_1_where_something_else_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = {"/etc/fstab": Entry("file", "x", mtime=1)}
    second = {"/etc/fstab": Entry("file", "y", mtime=2)}

    assert compared(monkeypatch, first, second) == 1
    text = capsys.readouterr().out
    assert text.startswith("content       /etc/fstab\n")
    assert text.endswith("\n1 of 1 paths differ\n")


def test_usage_is_status_2() -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["compare", "a.qcow2"])

    assert stopped.value.code == 2


def test_the_documents_show_the_table_as_it_is() -> None:
    text = (CHECKOUT / "doc/source/reproducible.rst").read_text()

    table = text.split(".. list-table::", 1)[1].split("\n\nWhat this", 1)[0]
    rows = [
        tuple(" ".join(cell.split()).strip("`") for cell in row.split("\n     - "))
        for row in table.split("\n   * - ")[2:]
    ]
    assert rows == [(row.pattern, row.kind, row.reason) for row in compare.NAMED]
