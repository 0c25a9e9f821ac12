"""What ``dpm-image build`` keeps is whole, private where it has to be, and made anew when asked."""

from __future__ import annotations

import gzip
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpm_image.build import base, durable
from tests.unit.dpm_image.builds import Builds

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts and namespaces need root"),
]

TARBALL = "debootstrap-debian-bookworm-s390x.tar.gz"


@pytest.fixture
def builds(tmp_path: Path) -> Builds:
    """Builds with a cache of their own."""
    return Builds(tmp_path)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def bases_made(builds: Builds) -> int:
    return builds.runs.read_text().count("base")


def the_base(builds: Builds) -> Path:
    (found,) = (builds.cache / "base").iterdir()
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def device(path: Path, minor: int) -> Path:
    """Return a device like those of /dev, which themselves a wrong program would spoil."""
    os.mknod(path, stat.S_IFCHR, os.makedev(1, minor))
    path.chmod(0o666)
    return path


def test_a_base_system_is_made_once(builds: Builds) -> None:
    assert builds.build("--size", "2")[0] == 0
    assert builds.build("--size", "3")[0] == 0

    assert bases_made(builds) == 1


def test_a_base_system_that_was_cut_off_is_made_anew(builds: Builds) -> None:
    assert builds.build("--size", "2")[0] == 0
    tarball = the_base(builds) / TARBALL
    tarball.write_bytes(tarball.read_bytes()[:-20])

    status, said = builds.build("--size", "3")

    assert status == 0, said
    assert "is damaged, and is made anew" in said
    assert bases_made(builds) == 2
    assert base.whole(the_base(builds))


def test_a_failure_after_the_base_system_does_not_cost_the_base_system(builds: Builds) -> None:
    secret = {"DIB_DEV_USER_PASSWORD": "hunter2"}
    assert builds.build(FAKE_FAILURE="1", **secret)[0] == 1

    assert builds.build(**secret)[0] == 0

    assert bases_made(builds) == 1


def test_force_makes_the_base_system_anew_too(builds: Builds) -> None:
    assert builds.build()[0] == 0
    before = (the_base(builds) / TARBALL).stat().st_ino

    assert builds.build("--force")[0] == 0

    assert bases_made(builds) == 2
    assert (the_base(builds) / TARBALL).stat().st_ino != before


def test_the_last_base_system_stays_when_the_archive_gives_no_new_one(builds: Builds) -> None:
    assert builds.build()[0] == 0
    before = (the_base(builds) / TARBALL).read_bytes()

    status, said = builds.build("--force", FAKE_NO_ARCHIVE="1")

    assert status == 1
    assert f"the former base system stays in {the_base(builds)}" in said
    assert (the_base(builds) / TARBALL).read_bytes() == before
    status, said = builds.build("--size", "3", FAKE_NO_ARCHIVE="1")
    assert status == 0, said


def test_a_swap_of_base_systems_that_was_cut_in_two_is_finished(builds: Builds) -> None:
    assert builds.build()[0] == 0
    place = the_base(builds)
    place.rename(place.with_name(place.name + ".old"))
    place.with_name(place.name + ".new").mkdir()

    status, said = builds.build("--size", "3")

    assert status == 0, said
    assert bases_made(builds) == 1
    assert the_base(builds) == place


@pytest.mark.parametrize(
    ("content", "is_whole"),
    [
        (gzip.compress(b"x" * 512 + bytes(1024)), True),
        (gzip.compress(b"x" * 512 + bytes(1024))[:-1], False),
        (gzip.compress(b"x" * 512), False),  # tar was killed, and gzip ended well
        (b"", False),
        (b"no gzip", False),
    ],
)
def test_whole_is_what_has_both_ends(tmp_path: Path, content: bytes, is_whole: bool) -> None:
    (tmp_path / TARBALL).write_bytes(content)

    assert base.whole(tmp_path) is is_whole


def test_what_has_changed_while_it_was_built_is_not_put_into_the_cache(
    builds: Builds, tmp_path: Path
) -> None:
    image = tmp_path / "local.qcow2"
    image.touch()

    status, said = builds.build(DIB_LOCAL_IMAGE=str(image), FAKE_TOUCHES=str(image))

    assert status == 1
    assert "have changed while" in said
    assert list((builds.cache / "images").glob("*.qcow2")) == []


def test_logs_are_for_their_owner_only_wherever_they_are(builds: Builds, tmp_path: Path) -> None:
    (tmp_path / "own.log").touch(0o644)

    assert builds.build("--log", str(tmp_path / "own.log"))[0] == 0
    assert builds.build("--output", str(tmp_path / "out.qcow2"))[0] == 0

    (cached,) = (builds.cache / "images").glob("*.log")
    logs = [cached, tmp_path / "own.log", tmp_path / "out.log"]
    assert [mode(log) for log in logs] == [0o600] * 3
    assert all("root.d" in log.read_text() for log in logs)
    assert mode(tmp_path / "out.qcow2") != 0o600


def test_logs_of_a_former_version_become_private(builds: Builds) -> None:
    assert builds.build("--size", "2")[0] == 0
    (log,) = (builds.cache / "images").glob("*.log")
    log.chmod(0o644)

    assert builds.build("--size", "3")[0] == 0

    assert mode(log) == 0o600


def test_no_secret_is_in_logs_progress_or_last_words(builds: Builds, tmp_path: Path) -> None:
    secrets = {
        "DIB_DEV_USER_PASSWORD": 'it\'s "hunter2" $x',
        "REG_PASSWORD": "größe-zwei",
        "DIB_X_KEY": "first line\nsecond line",
        "REG_USER": "somebody",
    }
    log = tmp_path / "out.log"

    status, said = builds.build("--log", str(log), FAKE_FAILURE="1", **secrets)

    text = said + log.read_text(errors="replace")
    assert status == 1
    assert "E: failed with (redacted)" in said
    assert "DIB_DEV_USER_PASSWORD" in text
    for word in ("hunter2", "it's", "e-zwei", "first line", "second line", "somebody"):
        assert word not in text, word


def test_a_full_disk_is_one_sentence_and_leaves_what_was_there(
    builds: Builds, small: Path, tmp_path: Path
) -> None:
    output = small / "out.qcow2"
    output.write_text("the former image\n")
    (small / "filler").write_bytes(bytes(60 * 1024))

    status, said = builds.build("--output", str(output), "--log", str(tmp_path / "log"))

    assert status == 1
    assert f"dpm-image build: {output} cannot be written: No space left on device\n" in said
    assert "Traceback" not in said
    assert output.read_text() == "the former image\n"
    assert sorted(path.name for path in small.iterdir()) == ["filler", "out.qcow2"]


def test_a_log_that_cannot_be_written_is_one_sentence(builds: Builds, tmp_path: Path) -> None:
    log = device(tmp_path / "full", 7)

    status, said = builds.build("--log", str(log))

    assert status == 1
    assert said.endswith(f"dpm-image build: {log} cannot be written: No space left on device\n")
    assert builds.left() == []


def test_a_log_that_is_no_file_is_written_to_and_not_replaced(
    builds: Builds, tmp_path: Path
) -> None:
    log = device(tmp_path / "null", 3)

    assert builds.build("--log", str(log))[0] == 0
    assert builds.build("--log", str(log))[0] == 0

    assert stat.S_ISCHR(log.stat().st_mode)
    assert mode(log) == 0o666


def test_a_cache_that_cannot_be_written_is_one_sentence(builds: Builds, small: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)

    status, said = builds.build(XDG_CACHE_HOME=str(small))

    assert status == 1
    assert said.endswith(f"dpm-image build: {small}/nova-dpm: Read-only file system\n")
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["with blank", "do;this", "$HOME", "a*"])
def test_a_cache_that_shell_scripts_would_take_apart_is_refused(
    builds: Builds, tmp_path: Path, name: str
) -> None:
    status, said = builds.build(XDG_CACHE_HOME=str(tmp_path / name))

    assert status == 1
    assert "set XDG_CACHE_HOME to another folder" in said
    assert not (tmp_path / name).exists()


def test_a_cache_with_letters_beyond_ascii_is_as_good(builds: Builds, tmp_path: Path) -> None:
    status, said = builds.build(XDG_CACHE_HOME=str(tmp_path / "jürgen"))

    assert status == 0, said
    assert list((tmp_path / "jürgen/nova-dpm").glob("build-*")) == []


def test_parts_that_a_killed_build_left_beside_the_output_go(
    builds: Builds, tmp_path: Path
) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = tmp_path / f".out.qcow2.{ended.pid}"
    left.touch()
    foreign = tmp_path / ".out.qcow2.bak"
    foreign.touch()

    assert builds.build("--output", str(tmp_path / "out.qcow2"))[0] == 0

    assert not left.exists()
    assert foreign.exists()


def test_a_file_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        done.append(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        fsync(descriptor)

    def noted_replace(source: Path, target: Path) -> Path:
        done.append("rename")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    (tmp_path / "new").write_text("x")

    durable.rename(tmp_path / "new", tmp_path / "name")

    assert done == ["fsync new", "rename", f"fsync {tmp_path.name}"]
