"""Volumes: what Cinder makes of images, of other volumes and of snapshots, in the lab's storage."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dpm_lab.guests.disk.rawdisk import exported_chain
from tests.cloud.user import User, until

pytestmark = pytest.mark.slow

MIB = 2**20


def _raw(folder: Path, text: bytes) -> Path:
    path = folder / "image.raw"
    path.write_bytes(text.ljust(MIB, b"\0"))
    return path


def _made(form: str, folder: Path, text: bytes) -> Path:
    path = folder / f"image.{form}"
    convert = ["qemu-img", "convert", "-f", "raw", "-O", form]
    subprocess.run([*convert, str(_raw(folder, text)), str(path)], check=True)
    return path


@pytest.fixture
def image(user: User, tmp_path: Path) -> Iterator[Any]:
    """Return an image in Glance, a qcow2 that begins with a word."""
    made = _upload(user, _made("qcow2", tmp_path, b"image"), "qcow2")
    yield made
    user.sdk.image.delete_image(made.id, ignore_missing=True)


def _upload(user: User, file: Path, form: str) -> Any:
    return user.sdk.image.create_image(
        "test",
        filename=str(file),
        disk_format=form,
        container_format="bare",
        validate_checksum=True,
    )


def _volume(user: User, status: str = "available", **made_of: str) -> str:
    made = user.sdk.block_storage.create_volume(size=1, name="test", **made_of)
    ends = {"available", "error"}
    until("volume", lambda: user.volume_status(made.id) in ends)
    assert user.volume_status(made.id) == status
    return str(made.id)


def _content(user: User, volume: str) -> bytes:
    with exported_chain(user.storage.files(f"volume-{volume}")) as raw, raw.open("rb") as file:
        return file.read(5)


def _put(user: User, volume: str, text: bytes) -> None:
    files = user.storage.files(f"volume-{volume}")
    with exported_chain(files, writable=True) as raw, raw.open("r+b") as file:
        file.write(text)


def _delete(user: User, volume: str) -> None:
    user.sdk.block_storage.delete_volume(volume)
    until("volume gone", lambda: user.sdk.block_storage.find_volume(volume) is None or None)


@contextmanager
def _open(user: User, volume: str) -> Iterator[None]:
    """Have a volume open, as a guest has it that runs."""
    with exported_chain(user.storage.files(f"volume-{volume}"), writable=True):
        yield


def test_volumes_of_an_image_share_glances_file_and_outlive_it(user: User, image: Any) -> None:
    first, second = (_volume(user, image_id=image.id) for _ in range(2))
    stored = user.place.of("state", "images", image.id)
    kept = user.storage.files(f"volume-{first}")[-1]
    assert kept.stat().st_ino == stored.stat().st_ino
    assert user.storage.files(f"volume-{second}")[-1] == kept

    user.sdk.image.delete_image(image.id)

    assert not stored.exists()
    assert _content(user, first) == _content(user, second) == b"image"
    _delete(user, first)
    assert kept.exists()
    _delete(user, second)
    assert not kept.exists()


def test_a_raw_image_is_converted(user: User, tmp_path: Path) -> None:
    image = _upload(user, _raw(tmp_path, b"plain"), "raw")

    volume = _volume(user, image_id=image.id)

    assert _content(user, volume) == b"plain"
    user.sdk.image.delete_image(image.id)


def test_an_image_in_a_format_that_the_storage_does_not_take_is_refused(
    user: User, tmp_path: Path
) -> None:
    image = _upload(user, _made("vdi", tmp_path, b"other"), "vdi")

    mark = user.mark("cinder-volume")
    _volume(user, "error", image_id=image.id)

    assert "the lab's storage takes qcow2 and raw" in user.said("cinder-volume", mark)
    user.sdk.image.delete_image(image.id)


def test_clones_and_snapshots_have_what_was_there_then(user: User, image: Any) -> None:
    storage = user.sdk.block_storage
    volume = _volume(user, image_id=image.id)
    snapshot = storage.create_snapshot(volume_id=volume, name="test")
    until("snapshot", lambda: storage.get_snapshot(snapshot.id).status == "available")
    _put(user, volume, b"later")

    clone = _volume(user, source_volume_id=volume)
    old = _volume(user, snapshot_id=snapshot.id)

    assert _content(user, clone) == b"later"
    assert _content(user, old) == b"image"
    storage.extend_volume(clone, 2)
    until("extended", lambda: user.volume_status(clone) == "available")
    assert user.storage.lun(f"volume-{clone}").size == 2 * 1024 * MIB
    storage.delete_snapshot(snapshot.id)
    until("snapshot gone", lambda: not list(storage.snapshots()))
    assert user.storage.snapshots() == ()


def test_what_a_guest_has_open_is_not_copied_and_the_user_reads_why(user: User) -> None:
    storage = user.sdk.block_storage
    volume = _volume(user)

    with _open(user, volume):
        snapshot = storage.create_snapshot(volume_id=volume, name="test", is_forced=True)
        until("snapshot", lambda: storage.get_snapshot(snapshot.id).status == "error")
        clone = _volume(user, "error", source_volume_id=volume)

    for metadata in (
        storage.get_snapshot(snapshot.id).metadata,
        storage.get_volume(clone).metadata,
    ):
        assert "a guest has LUN" in metadata["refused"]
    storage.delete_snapshot(snapshot.id)
    until("snapshot gone", lambda: not list(storage.snapshots()))


def test_a_volume_becomes_an_image(user: User, image: Any) -> None:
    volume = _volume(user, image_id=image.id)

    made = user.sdk.block_storage.upload_volume_to_image(
        volume, "copy", disk_format="qcow2", container_format="bare"
    )

    copy = made["image_id"]
    until("image", lambda: user.sdk.image.get_image(copy).status == "active")
    other = _volume(user, image_id=copy)
    assert _content(user, other) == b"image"
    user.sdk.image.delete_image(copy)


def test_a_rebuild_gives_a_volume_another_image(user: User, image: Any) -> None:
    volume = user.volume()
    server = user.server(volume=volume)
    before = user.storage.lun(f"volume-{volume}")
    assert _content(user, volume) == bytes(5)

    user.sdk.compute.rebuild_server(server, image=image.id)
    user.becomes(server, "ACTIVE")

    after = user.storage.lun(f"volume-{volume}")
    assert _content(user, volume) == b"image"
    assert (after.number, after.masked) == (before.number, before.masked)
    user.delete(server)
    user.nothing_is_left()


def test_volumes_are_made_side_by_side(user: User, image: Any) -> None:
    storage = user.sdk.block_storage

    made = [storage.create_volume(size=1, name="test", image_id=image.id).id for _ in range(6)]

    for volume in made:
        until("volume", lambda each=volume: user.volume_status(each) == "available")  # type: ignore[misc]
    numbers = {user.storage.lun(f"volume-{each}").number for each in made}
    assert len(numbers) == len(made)
