"""The command line of QEMU for a partition whose devices come and go, and those devices.

What is given at the start and what is plugged later is described the same way: QEMU's options take
the JSON that its monitor takes. QEMU has no qeth card and no zfcp adapter: a NIC is a virtio NIC at
the first of the three device numbers, and a LUN a virtio disk in a subchannel set of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dpm_lab.guests.disk import qcow2
from dpm_lab.guests.qemu.machine import PROGRAM, RANDOM_DEVNO, base, value

#: Where disks are: below it are devices that every guest has.
_DISKS = 0x100

CONSOLE, TERMINAL, MONITOR = "console", "ascii", "monitor"


@dataclass(frozen=True)
class Device:
    """A device with what stands behind it.

    Attributes:
        name: its id
        backend: what QEMU is told of the other side, a network or files
    """

    name: str
    kind: Literal["netdev", "blockdev"]
    backend: dict[str, Any]
    device: dict[str, Any]


@dataclass(frozen=True)
class Hardware:
    """What a partition has when it starts.

    Attributes:
        memory: MiB
    """

    memory: int
    processors: int
    devices: Sequence[Device]
    program: str = PROGRAM
    cpu: str = "max"
    sandbox: bool = True


@dataclass(frozen=True)
class Cable:
    """From a NIC to a switch: sockets of datagrams, a frame each.

    Attributes:
        end: the socket that QEMU makes
        switch: the one that it sends to
    """

    end: Path
    switch: Path


def nic(devno: str, mac: str, cable: Cable | None = None) -> Device:
    """Return a NIC at a device number; without a cable its network leads nowhere else."""
    name = f"nic{devno}"
    backend: dict[str, Any] = {"type": "user", "id": name, "restrict": True}
    if cable is not None:
        backend = {"type": "dgram", "id": name} | {
            "local": {"type": "unix", "path": str(cable.end)},
            "remote": {"type": "unix", "path": str(cable.switch)},
        }
    return Device(
        name,
        "netdev",
        backend,
        {"driver": "virtio-net-ccw", "id": f"d-{name}", "netdev": name, "mac": mac}
        | {"devno": f"fe.0.{devno}"},
    )


def disk(number: int, files: Sequence[Path], *, boot: bool = False) -> Device:
    """Return the disk that is the LUN `number`, of qcow2 files from the top down.

    Args:
        boot: whether the firmware loads from it
    """
    name = f"disk{number}"
    device: dict[str, Any] = {"driver": "virtio-blk-ccw", "id": f"d-{name}", "drive": name}
    device["devno"] = f"fe.3.{_DISKS + number:04x}"
    if boot:
        device["bootindex"] = 1
    backend = {"node-name": name, **qcow2.chain(files, writable=True)}
    return Device(name, "blockdev", backend, device)


def command(hardware: Hardware, folder: Path) -> list[str]:
    """Return the command line; console and monitor are in `folder`.

    The console is a socket that QEMU goes to, and a file with all that it says.

    A guest that reboots is loaded again from the same disk, with the parameters that are on it.
    """
    size = (hardware.processors, hardware.memory)
    words = base(hardware.program, hardware.cpu, *size, sandbox=hardware.sandbox)
    line, log = value(folder / TERMINAL), value(folder / CONSOLE)
    words += ["-chardev", f"socket,id=console,path={line},logfile={log}"]
    words += ["-device", "sclpconsole,chardev=console"]
    words += ["-chardev", f"socket,id=monitor,path={value(folder / MONITOR)}"]
    words += ["-mon", "chardev=monitor,mode=control"]
    words += ["-device", f"virtio-rng-ccw,devno={RANDOM_DEVNO}"]
    for each in hardware.devices:
        words += [f"-{each.kind}", json.dumps(each.backend), "-device", json.dumps(each.device)]
    return words
