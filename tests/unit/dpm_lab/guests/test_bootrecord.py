"""The boot map on a disk: found, read, and given more kernel parameters."""

from __future__ import annotations

import io
import struct

import pytest

from dpm_lab.guests.disk.bootrecord import (
    BootRecordError,
    append_parameters,
    components,
    parameters,
)

KERNEL_EXTENTS = 70


def pointer(block: int, count: int = 1) -> bytes:
    return struct.pack(">QHH4x", block, 512, count - 1) if block else bytes(16)


def component(block: int, address: int, kind: int = 2) -> bytes:
    return pointer(block) + bytes(7) + bytes([kind]) + address.to_bytes(8, "big")


def disk(text: str = "root=LABEL=root", room: int = 1, parm_address: int = 0xE000) -> io.BytesIO:
    """A disk as zipl 2.16 leaves it, with a kernel in more pieces than one list holds."""
    blocks = {
        0: b"zIPL" + bytes(12) + pointer(10),
        10: b"zIPL" + bytes(12) + pointer(11),
        11: b"zIPL"
        + bytes(28)
        + component(20, 0xA000)
        + component(21, 0x9000)
        + component(22, 0x10000)
        + component(25, parm_address)
        + component(0, 0xA050, kind=1),
        20: pointer(30),
        21: pointer(31),
        22: b"".join(pointer(100 + i) for i in range(31)) + pointer(23),
        23: b"".join(pointer(200 + i) for i in range(31)) + pointer(24),
        24: b"".join(pointer(300 + i) for i in range(KERNEL_EXTENTS - 62)),
        25: pointer(40, room),
        31: (0xE000).to_bytes(8, "big"),
        40: text.encode() + b"\0",
    }
    data = bytearray(512 * 400)
    for number, content in blocks.items():
        data[number * 512 : number * 512 + len(content)] = content
    return io.BytesIO(bytes(data))


def test_the_parameters_are_those_that_stage_3_points_to() -> None:
    assert parameters(disk("root=LABEL=x console=ttysclp0")) == "root=LABEL=x console=ttysclp0"


def test_appended_text_follows_after_one_blank() -> None:
    image = disk("root=LABEL=x")

    assert append_parameters(image, "0001,0;") == "root=LABEL=x 0001,0;"
    assert parameters(image) == "root=LABEL=x 0001,0;"


def test_a_leading_equals_sign_replaces_the_parameters_as_the_firmware_has_it() -> None:
    image = disk("root=LABEL=x something long that goes away")

    append_parameters(image, "=0001,0;")

    assert parameters(image) == "0001,0;"


def with_block(number: int, content: bytes) -> io.BytesIO:
    image = disk()
    image.seek(number * 512)
    image.write(content.ljust(512, b"\0"))
    return image


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (with_block(22, pointer(100) * 31 + pointer(22)), "list of extents at 22 has no end"),
        (with_block(24, pointer(300) * 31 + pointer(22)), "list of extents at 22 has no end"),
        (with_block(25, pointer(2**62)), "block 4611686018427387904, which the disk does not have"),
        (with_block(11, b"zIPL" + bytes(28) + component(2**62, 0x9000)), "which the disk does not"),
        (with_block(25, pointer(40, 2**16)), "the boot map has 33554432 bytes of parameters"),
    ],
    ids=["names itself", "names a former one", "extent", "component", "length"],
)
def test_a_map_that_leads_nowhere_is_an_error(image: io.BytesIO, said: str) -> None:
    with pytest.raises(BootRecordError, match=said):
        parameters(image)


def test_parameters_that_are_no_text_are_an_error_where_something_is_appended() -> None:
    image = with_block(40, b"root=\xff\xfe")

    with pytest.raises(BootRecordError, match="are ASCII, and these are not"):
        append_parameters(image, "0001,0;")


def test_nothing_but_the_parameters_changes() -> None:
    before, image = disk().getvalue(), disk()

    append_parameters(image, "0001,0;")

    after = image.getvalue()
    assert {i // 512 for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b} == {40}


@pytest.mark.parametrize(("room", "length"), [(1, 511), (2, 895)])
def test_text_that_does_not_fit_is_refused_and_nothing_is_written(room: int, length: int) -> None:
    image = disk("r", room)
    before = image.getvalue()

    with pytest.raises(BootRecordError, match=f"room for {length + 1}"):
        append_parameters(image, "x" * (length - 1))
    assert image.getvalue() == before
    append_parameters(image, "x" * (length - 2))
    assert len(parameters(image)) == length


def test_a_list_of_extents_goes_on_in_further_blocks() -> None:
    kernel = next(part for part in components(disk()) if part.address == 0x10000)

    assert len(kernel.extents) == KERNEL_EXTENTS


def test_a_disk_without_boot_map_is_said_to_have_none() -> None:
    with pytest.raises(BootRecordError, match="was zipl run"):
        parameters(io.BytesIO(bytes(4096)))


def test_parameters_in_another_place_are_not_guessed() -> None:
    with pytest.raises(BootRecordError, match="another boot loader"):
        parameters(disk(parm_address=0xF000))


def test_a_pointer_beyond_the_disk_is_named() -> None:
    short = io.BytesIO(disk().getvalue()[: 512 * 11])

    with pytest.raises(BootRecordError, match="block 11"):
        parameters(short)
