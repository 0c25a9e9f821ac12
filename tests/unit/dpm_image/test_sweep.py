"""What a build left is removed, and nothing else: not what is mounted there, whatever its name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dpm_image.build import mounts, sweep
from tests.unit.dpm_image.builds import until

NAMES = {
    "plain": "plain",
    "blank": "with blank",
    "tab": "tab\there",
    "newline": "new\nline",
    "backslash": "back\\slash",
    "looks escaped": "\\040",
    "umlaut": "jürgen",
    "beyond latin-1": "キャッシュ",
    "no-break space": "no\u00a0break",
    "line separator": "line\u2028separator",
    "carriage return": "carriage\rreturn",
    "not UTF-8": os.fsdecode(b"raw\xff\xfc"),
}

PATH = os.environ["PATH"]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """A folder that is mounted where a build works; no mount of it is left after the test."""
    folder = tmp_path / "victim"
    (folder / "sub").mkdir(parents=True)
    (folder / "file").write_text("keep\n")
    (folder / "sub/file").write_text("keep\n")
    yield folder
    for mount in mounts.below(tmp_path):
        subprocess.run(["umount", "--lazy", mount], check=False)


def content(victim: Path) -> list[str]:
    return sorted(path.name for path in victim.rglob("*"))


@needs_root
@pytest.mark.parametrize("name", NAMES.values(), ids=list(NAMES))
def test_what_is_mounted_below_the_folder_survives(tmp_path: Path, victim: Path, name: str) -> None:
    folder = tmp_path / name / "build-1"
    (folder / "dib_build.x/mnt/dev").mkdir(parents=True)
    (folder / "file").write_text("of the build\n")
    subprocess.run(["mount", "--bind", victim, folder / "dib_build.x/mnt/dev"], check=True)

    sweep.sweep(folder, PATH)

    assert content(victim) == ["file", "file", "sub"]
    assert not folder.exists()
    assert mounts.below(tmp_path) == []


@needs_root
@pytest.mark.parametrize("name", NAMES.values(), ids=list(NAMES))
def test_removing_refuses_what_has_a_mount_and_names_it(
    tmp_path: Path, victim: Path, name: str
) -> None:
    folder = tmp_path / name
    (folder / "here").mkdir(parents=True)
    subprocess.run(["mount", "--bind", victim, folder / "here"], check=True)

    with pytest.raises(mounts.RemoveError, match="mounted there") as refusal:
        mounts.remove(folder, PATH)

    assert str(folder / "here") in refusal.value.args[0]
    assert content(victim) == ["file", "file", "sub"]
    assert (folder / "here").is_dir()


@needs_root
def test_a_mount_that_the_table_does_not_show_is_not_reached(
    tmp_path: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "build-1"
    (folder / "here").mkdir(parents=True)
    (folder / "file").touch()
    subprocess.run(["mount", "--bind", victim, folder / "here"], check=True)
    monkeypatch.setattr(mounts, "below", lambda folder: [])

    with pytest.raises(mounts.RemoveError, match="cannot be removed"):
        mounts.remove(folder, PATH)

    monkeypatch.undo()
    assert content(victim) == ["file", "file", "sub"]


@needs_root
def test_a_cache_behind_a_link_is_looked_for_by_its_real_name(tmp_path: Path, victim: Path) -> None:
    real = tmp_path / "real"
    (real / "build-1/here").mkdir(parents=True)
    (tmp_path / "link").symlink_to(real)
    subprocess.run(["mount", "--bind", victim, real / "build-1/here"], check=True)

    sweep.sweep(tmp_path / "link/build-1", PATH)

    assert content(victim) == ["file", "file", "sub"]
    assert not (real / "build-1").exists()


@needs_root
def test_a_loop_device_is_found_though_its_mount_namespace_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "with blank/build-1"
    folder.mkdir(parents=True)
    disk = folder / "image0.raw"
    disk.write_bytes(bytes(2**20))
    os.link(disk, tmp_path / "kept")
    script = 'mount --bind "$1" /mnt && losetup --find --show /mnt/image0.raw'
    made = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", folder],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()

    assert sweep.loops_below(folder, PATH) == [made]
    sweep.sweep(folder, PATH)

    # The kernel keeps it for as long as another program looks at it.
    until(lambda: not sweep.loops_below(tmp_path, PATH))


def test_a_loop_device_that_goes_while_it_is_listed_is_nobodys(tmp_path: Path) -> None:
    """Another build's: losetup has found it, and then can ask it nothing any more."""
    losetup = tmp_path / "bin/losetup"
    losetup.parent.mkdir()
    row = '{"name":"/dev/loop7","back-maj:min":null,"back-ino":null,"offset":null}'
    losetup.write_text(f"#!/bin/sh\necho '{{\"loopdevices\":[{row}]}}'\n")
    losetup.chmod(0o755)

    assert sweep.loops_below(tmp_path, f"{losetup.parent}:{PATH}") == []


@needs_root
def test_the_programs_of_the_build_are_those_that_sweep(tmp_path: Path) -> None:
    folder = tmp_path / "build-1"
    folder.mkdir()
    (folder / "image0.raw").write_bytes(bytes(2**20))
    made = subprocess.run(
        ["losetup", "--find", "--show", folder / "image0.raw"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    programs = tmp_path / "bin"
    programs.mkdir()
    said = tmp_path / "said"
    (programs / "kpartx").write_text(f'#!/bin/sh\necho "$@" >>{said}\n')
    (programs / "kpartx").chmod(0o755)

    sweep.sweep(folder, os.pathsep.join([str(programs), PATH]))

    assert said.read_text() == f"-d {made}\n"


def test_only_the_kernels_own_escapes_are_read(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    folder = tmp_path / "x"
    folder.mkdir()
    line = "44 43 254:0 / {} rw - ext4 /dev/vda rw\n"
    table.write_text(
        line.format(rf"{folder}/a\040b\011c\012d\134e") + line.format(f"{folder}/\\x41\\n")
    )

    assert set(mounts.below(folder, table)) == {
        folder / "a b\tc\nd\\e",
        folder / "\\x41\\n",
    }


def test_what_is_mounted_in_a_mount_comes_before_it(tmp_path: Path) -> None:
    folder = tmp_path / "build-1"
    folder.mkdir()
    table = tmp_path / "mountinfo"
    # A target below another comes after it in the kernel's table, but for one that was moved.
    targets = ["mnt/dev/pts", "mnt", "", "mnt/dev", "mnt/dev/pts/deeper", "other"]
    table.write_text(
        "".join(f"1 2 8:1 / {folder / target} rw - ext4 /dev/x rw\n" for target in targets)
    )

    found = mounts.below(folder, table)

    assert len(found) == len(targets)
    for number, target in enumerate(found):
        assert not any(later.is_relative_to(target) for later in found[number + 1 :]), found


@needs_root
def test_a_process_whose_root_is_below_is_ended_and_no_other(tmp_path: Path) -> None:
    """What a killed build left in its chroot keeps its mounts busy."""
    script = "import os, sys, time; os.chroot(sys.argv[1]); print('there', flush=True)"
    command = [sys.executable, "-I", "-c", f"{script}; time.sleep(1000)"]
    folder, other = tmp_path / "build-1", tmp_path / "build-10"
    (folder / "mnt").mkdir(parents=True)
    other.mkdir()

    with ExitStack() as stack:
        started = []
        for root in (folder / "mnt", other):
            process = subprocess.Popen([*command, root], stdout=subprocess.PIPE)
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == b"there\n"
            started.append(process)
        ours, others = started
        found = sweep.processes_below(folder)
        sweep.sweep(folder, PATH)
        status = ours.wait(60)
        untouched = others.poll() is None

    assert found == [ours.pid]
    assert status == -signal.SIGKILL
    assert untouched
    assert not folder.exists()
