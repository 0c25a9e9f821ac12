"""LUNs in a folder, with the real qemu-img."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dpm_lab.guests.disk import qcow2
from dpm_lab.guests.disk.rawdisk import exported_chain
from dpm_lab.storage import TARGETS, InUseError, NoSuchLunError, Storage, StorageError
from tests.unit.dpm_lab.guests.disks import create

HOST, OTHER = "c05076ff00000001", "c05076ff00000002"
MIB = 2**20


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "storage")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    made = create(tmp_path / "image.qcow2")
    put((made,), b"image")
    return made


def put(files: tuple[Path, ...], data: bytes) -> None:
    with exported_chain(files, writable=True) as raw, raw.open("r+b") as file:
        file.write(data)


def content(storage: Storage, name: str) -> bytes:
    with exported_chain(storage.files(name)) as raw, raw.open("rb") as file:
        return file.read(5)


def layers(storage: Storage) -> set[str]:
    return {path.name.partition(".")[0] for path in (storage.folder / "luns").iterdir()}


@contextmanager
def opened(file: Path) -> Iterator[None]:
    """Have a program of QEMU write to a file, as a guest does."""
    command = ["qemu-io", "-f", "qcow2", str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"length\n")
        process.stdin.flush()
        # It has answered, so it has the file open.
        process.stdout.readline()
        yield
        process.stdin.close()


def test_a_lun_from_an_image_has_its_content_and_copies_nothing(
    storage: Storage, image: Path
) -> None:
    storage.create_from_image("boot", image, 8 * MIB)

    assert content(storage, "boot") == b"image"
    assert storage.size("boot") == 8 * MIB
    assert storage.files("boot")[1:] == (image,)
    put(storage.files("boot"), b"guest")
    assert content(storage, "boot") == b"guest"
    with exported_chain((image,)) as raw:
        assert raw.read_bytes()[:5] == b"image"


def test_an_image_that_names_another_file_is_refused(storage: Storage, image: Path) -> None:
    overlay = create(image.with_name("overlay.qcow2"), "-b", str(image), "-F", "qcow2", size="")

    with pytest.raises(qcow2.NotSelfContainedError):
        storage.create_from_image("boot", overlay)
    assert storage.luns() == ()


def test_an_image_that_is_larger_than_the_lun_is_refused(storage: Storage, image: Path) -> None:
    with pytest.raises(StorageError, match="too few"):
        storage.create_from_image("boot", image, MIB // 2)
    assert storage.luns() == ()


def test_a_clone_and_its_source_go_apart(storage: Storage, image: Path) -> None:
    storage.create_from_image("boot", image)
    storage.note_parameters("boot", "root=x", "root=x 0001,0;")

    clone = storage.clone("boot", "clone")

    put(storage.files("boot"), b"later")
    assert content(storage, "clone") == b"image"
    put(storage.files("clone"), b"clone")
    assert content(storage, "boot") == b"later"
    assert clone.parameters == ("root=x", "root=x 0001,0;")


def test_a_snapshot_keeps_what_was_there_and_can_become_a_lun(storage: Storage) -> None:
    storage.create("data", MIB)
    put(storage.files("data"), b"first")
    storage.snapshot("data", "then")
    put(storage.files("data"), b"later")

    storage.create_from_snapshot("then", "old", 2 * MIB)

    assert content(storage, "old") == b"first"
    assert content(storage, "data") == b"later"
    assert storage.size("old") == 2 * MIB
    assert storage.snapshots() == ("then",)


def test_files_go_when_nothing_stands_on_them_any_more(storage: Storage, image: Path) -> None:
    storage.create_from_image("boot", image)
    storage.snapshot("boot", "then")
    storage.create_from_snapshot("then", "copy")
    storage.delete("boot")
    storage.delete_snapshot("then")
    assert content(storage, "copy") == b"image"
    assert layers(storage) == {"boot", "copy"}

    storage.delete("copy")

    assert layers(storage) == set()
    assert image.exists()


def test_a_lun_is_seen_by_those_it_is_masked_to(storage: Storage) -> None:
    lun = storage.create("data", MIB)
    storage.mask("data", ["0xC05076FF00000001", OTHER])

    assert storage.find(HOST, TARGETS[1], lun.fcp_lun) == storage.lun("data")
    assert storage.find(HOST, "5005076300000000", lun.fcp_lun) is None
    assert storage.find(HOST, TARGETS[0], "0002000000000000") is None
    storage.unmask("data", [HOST])
    assert storage.seen_by(HOST) == ()
    assert storage.find(HOST, TARGETS[0], lun.fcp_lun) is None
    assert storage.seen_by(HOST, OTHER) == (storage.lun("data"),)
    storage.unmask("data")
    assert storage.lun("data").masked == ()


def test_a_lun_that_hosts_see_is_not_deleted(storage: Storage) -> None:
    storage.create("data", MIB)
    storage.mask("data", [HOST])

    with pytest.raises(InUseError, match=HOST):
        storage.delete("data")

    assert storage.lun("data").masked == (HOST,)


def test_what_a_guest_writes_to_is_left_alone(storage: Storage) -> None:
    storage.create("data", MIB)

    with opened(storage.files("data")[0]):
        for change in (
            lambda: storage.snapshot("data", "then"),
            lambda: storage.clone("data", "clone"),
            lambda: storage.extend("data", 2 * MIB),
            lambda: storage.delete("data"),
        ):
            with pytest.raises(InUseError, match="stop its partition"):
                change()
        assert storage.size("data") == MIB

    storage.extend("data", 2 * MIB)
    assert storage.size("data") == 2 * MIB
    assert [lun.name for lun in storage.luns()] == ["data"]


def test_a_lun_does_not_shrink(storage: Storage) -> None:
    storage.create("data", 2 * MIB)

    with pytest.raises(StorageError, match="more than"):
        storage.extend("data", MIB)


def test_numbers_are_given_out_again_and_are_written_as_zfcp_writes_them(
    storage: Storage,
) -> None:
    assert [storage.create(name, MIB).number for name in ("a", "b", "c")] == [1, 2, 3]
    storage.delete("b")

    assert storage.create("d", MIB).fcp_lun == "0002000000000000"


@pytest.mark.parametrize("name", ["", "../out", "a/b", ".hidden", "x" * 129])
def test_a_name_is_fit_for_a_file(storage: Storage, name: str) -> None:
    with pytest.raises(StorageError, match="no name of a LUN"):
        storage.create(name, MIB)


def test_what_is_not_there_is_said_so(storage: Storage) -> None:
    for ask in (
        lambda: storage.delete("gone"),
        lambda: storage.files("gone"),
        lambda: storage.delete_snapshot("gone"),
        lambda: storage.create_from_snapshot("gone", "new"),
    ):
        with pytest.raises(NoSuchLunError, match="gone"):
            ask()


def test_names_are_taken_once(storage: Storage) -> None:
    storage.create("data", MIB)
    storage.snapshot("data", "then")

    with pytest.raises(StorageError, match="already"):
        storage.create("data", MIB)
    with pytest.raises(StorageError, match="already"):
        storage.snapshot("data", "then")


def test_a_wwpn_has_sixteen_digits(storage: Storage) -> None:
    storage.create("data", MIB)

    with pytest.raises(StorageError, match="no WWPN"):
        storage.mask("data", ["c05076"])


def test_another_process_sees_the_same_and_a_damaged_folder_says_so(storage: Storage) -> None:
    storage.create("data", MIB)
    assert Storage(storage.folder).luns() == storage.luns()

    (storage.folder / "state.json").write_text("{")

    with pytest.raises(StorageError, match="damaged"):
        storage.luns()
