"""Whether the emulator runs what its guest has written last: a program of a few instructions."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from dpm_lab.guests.qemu import emulator
from dpm_lab.guests.qemu import machine as qemu

# Of z/Architecture's Principles of Operation; addresses are absolute, as register 0 is no base.
_MAIN = (
    "a719 1080"  # lghi %r1,0x1080      the routine
    "a739 1000"  # lghi %r3,0x1000      the block that it is in
    "0de1"  # basr %r14,%r1             run it
    "d2ff 3000 2000"  # mvc 0(256,%r3),0(%r2): overwrite the block; register 2 is set by the routine
    "0de1"  # basr %r14,%r1             run it again
    "e320 0408 0024"  # stg %r2,0x408   its number is the address ...
    "b2b2 0400"  # lpswe 0x400          ... that the machine stops at
)
_STOPPED = "0002 0001 8000 0000"  # a PSW that waits for nothing, up to its address
_OLD, _NEW = 0x2000, 0x3000


def _routine(result: int) -> str:
    return f"a729 {result:04x} 07fe"  # lghi %r2,result; br %r14


def _kernel(file: Path) -> Path:
    """What QEMU loads to 0 and starts where the address at 4 says (hw/s390x/ipl.c)."""
    memory = bytearray(0x4000)
    for address, code in (
        (0, "0008 0000 8000 0200"),
        (0x200, _MAIN),
        (0x400, _STOPPED),
        (0x1080, _routine(_OLD)),
        (_OLD + 0x80, _routine(_NEW)),
    ):
        data = bytes.fromhex(code)
        memory[address : address + len(data)] = data
    file.write_bytes(memory)
    return file


def _stops_at(program: str, folder: Path) -> int:
    """Run it, and return the address at which the machine stopped."""
    words = [program, "-machine", "s390-ccw-virtio,accel=tcg", "-nodefaults", "-display", "none"]
    words += ["-S", "-qmp", "stdio", "-kernel", str(_kernel(folder / "kernel"))]
    requests = [{"execute": "qmp_capabilities"}, {"execute": "cont"}]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as machine:
        assert machine.stdin is not None and machine.stdout is not None
        machine.stdin.write("".join(map(json.dumps, requests)))
        machine.stdin.flush()
        events = [json.loads(line) for line in machine.stdout]
    panic = next(event["data"] for event in events if event.get("event") == "GUEST_PANICKED")
    return int(panic["info"]["psw-addr"])


def test_guests_run_in_an_emulator_that_sees_what_they_write(
    sound_emulator: str, tmp_path: Path
) -> None:
    assert _stops_at(sound_emulator, tmp_path) == _NEW


def test_the_version_that_is_at_fault_is_known_as_such(tmp_path: Path) -> None:
    """Of the QEMU that is installed; whether it is at fault depends on the machine."""
    installed = shutil.which(qemu.PROGRAM)
    assert installed is not None

    sound = emulator.is_sound(emulator.version(Path(installed)))

    assert _stops_at(installed, tmp_path) == (_NEW if sound else _OLD)
