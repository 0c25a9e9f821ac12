"""LUNs in a folder, with the real qemu-img."""

from __future__ import annotations

import errno
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


# -- images that are kept


def test_an_image_that_is_kept_is_there_when_its_own_file_is_gone_and_goes_with_its_last_lun(
    storage: Storage, image: Path
) -> None:
    storage.create_from_image("boot", image, keep_as="an-image")
    assert storage.has_image("an-image")
    assert storage.files("boot")[1].stat().st_ino == image.stat().st_ino
    image.unlink()

    storage.create_from_image("other", None, 2 * MIB, keep_as="an-image")

    assert content(storage, "other") == b"image"
    storage.delete("boot")
    assert storage.has_image("an-image")
    storage.delete("other")
    assert not storage.has_image("an-image")
    assert list((storage.folder / "images").iterdir()) == []


def test_an_image_on_another_file_system_is_copied(
    storage: Storage, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_names: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr("os.link", refuses)

    storage.create_from_image("boot", image, keep_as="an-image")

    assert content(storage, "boot") == b"image"
    assert storage.files("boot")[1].stat().st_ino != image.stat().st_ino


def test_a_raw_image_is_converted(storage: Storage, tmp_path: Path) -> None:
    raw = tmp_path / "image.raw"
    # What it begins with says nothing: it is raw.
    raw.write_bytes(b"QFI\xfb".ljust(MIB, b"\0"))

    storage.create_from_image("boot", raw, keep_as="an-image", form="raw")

    assert content(storage, "boot") == b"QFI\xfb\0"
    assert storage.size("boot") == MIB


def test_an_image_that_names_another_file_is_not_kept(storage: Storage, image: Path) -> None:
    overlay = create(image.with_name("overlay.qcow2"), "-b", str(image), "-F", "qcow2", size="")

    with pytest.raises(qcow2.NotSelfContainedError):
        storage.create_from_image("boot", overlay, keep_as="an-image")

    assert not storage.has_image("an-image")
    assert list((storage.folder / "images").iterdir()) == []


def test_an_image_that_is_neither_given_nor_kept_is_said_so(storage: Storage) -> None:
    with pytest.raises(StorageError, match="no image 'an-image'"):
        storage.create_from_image("boot", None, keep_as="an-image")


def test_a_lun_can_get_another_image_and_stays_where_it_is(storage: Storage, image: Path) -> None:
    before = storage.create("boot", 2 * MIB)
    put(storage.files("boot"), b"guest")
    storage.mask("boot", [HOST])
    storage.note_parameters("boot", "root=x", "root=x 0001,0;")

    storage.put_image("boot", image, keep_as="an-image", form="qcow2")

    after = storage.lun("boot")
    assert content(storage, "boot") == b"image"
    assert (after.number, after.size, after.masked) == (before.number, 2 * MIB, (HOST,))
    assert after.parameters == ()
    assert len(list((storage.folder / "luns").iterdir())) == 1
    with opened(storage.files("boot")[0]), pytest.raises(InUseError):
        storage.put_image("boot", None, keep_as="an-image", form="qcow2")


def test_a_lun_is_written_to_a_file_that_stands_alone(
    storage: Storage, image: Path, tmp_path: Path
) -> None:
    storage.create_from_image("boot", image)
    copy = tmp_path / "copy.qcow2"

    storage.write_to("boot", copy, "qcow2")

    qcow2.check(copy)
    with exported_chain([copy]) as raw:
        assert raw.read_bytes()[:5] == b"image"
    with opened(storage.files("boot")[0]), pytest.raises(InUseError):
        storage.write_to("boot", copy, "raw")
