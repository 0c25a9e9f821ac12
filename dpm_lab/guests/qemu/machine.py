"""The command line of QEMU for a machine like a DPM partition: decided here, run elsewhere."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dpm_lab.guests.disk import qcow2
from dpm_lab.guests.qemu.in_guest import PORT_NAME
from dpm_lab.guests.qemu.nics import GuestNic

PROGRAM = "qemu-system-s390x"

#: Our own devices sit in subchannel set 3: every device number of set 0 can be a NIC's.
ROOT_DEVNO = "fe.3.0001"
DRIVE_DEVNO = "fe.3.0002"
SERIAL_DEVNO = "fe.3.0003"
RANDOM_DEVNO = "fe.3.0004"

#: What a guest that has taken QEMU over cannot do: start programs, become somebody else, or get at
#: processor time and memory of others. QEMU's emulation is no boundary by QEMU's own word
#: (docs/system/security.rst), so this is one more, not the one.
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

#: Bytes that are recorded of each frame: its addresses are in the first twelve.
CAPTURED = 64


@dataclass(frozen=True)
class DirectKernel:
    """Kernel, initial RAM disk and kernel parameters that QEMU loads itself."""

    kernel: Path
    initrd: Path
    parameters: str


#: The emulated processor without what QEMU emulates slowest: vector registers, which glibc's string
#: functions use, and the cryptographic instructions, which the kernel tests one by one. The Debian
#: image boots with it 8 s sooner. RHEL is built for processors that have vector registers, and
#: Debian's kernel 6.12 fills in wrong TCP checksums without them.
LEAN_CPU = ",".join(["max", "vx=off", *(f"msa{n or ''}=off" for n in range(6))])

#: MiB of translated code that QEMU keeps before it throws all of it away and begins anew. Its own
#: choice is 1 GiB, or an eighth of the machine's memory (``tcg/region.c``), and a boot fills that.
#: With 128 the Debian image takes 0.35 GB in place of 1.27, for 3 % more of processor time (with
#: 64: 12 %).
_TRANSLATED = 128


@dataclass(frozen=True)
class Machine:
    """Everything that the command line is made of."""

    disk: Path
    console_log: Path
    report: Path
    nics: Sequence[GuestNic]
    #: A config drive. Without one the machine has to be started where its networks lead to a
    #: metadata service and nowhere else (:mod:`dpm_lab.guests.qemu.metadata`).
    drive: Path | None = None
    #: The image that `disk` is an overlay on.
    backing: Path | None = None
    direct: DirectKernel | None = None
    memory: int = 1024
    #: A second processor costs more than it brings where each is emulated: the Debian image's boot
    #: took 64 s and 59 s of processor time with one, 86 s and 85 s with two (QEMU 7.2, two cores).
    smp: int = 1
    cpu: str = "max"
    #: Connect the console to the terminal, with QEMU's monitor behind Ctrl-A c.
    interactive: bool = False
    #: Port of 127.0.0.1 that leads to the guest's port 22, over its first NIC.
    ssh_port: int | None = None
    #: Folder for one capture file per NIC.
    captures: Path | None = None
    #: Whether this QEMU can have the kernel refuse it what it has no need of.
    sandbox: bool = True
    program: str = PROGRAM


def capture_file(folder: Path, nic: GuestNic) -> Path:
    """Return where the packets of `nic` are recorded."""
    return folder / f"{nic.params.bus_id.devno}.pcap"


def command(machine: Machine) -> list[str]:
    """Return the command line.

    A network backend of its own for each NIC. With a config drive it is ``restrict=on``: the guest
    can talk to QEMU's side of that network and to nothing else.
    """
    words = base(machine.program, machine.cpu, machine.smp, machine.memory, sandbox=machine.sandbox)
    # A guest that reboots would start all over; it ends here instead, as one that panics does.
    words += ["-no-reboot"]
    words += _console(machine)
    words += [
        *("-device", f"virtio-serial-ccw,devno={SERIAL_DEVNO}"),
        *("-chardev", _report(machine)),
        *("-device", f"virtserialport,chardev=report,name={PORT_NAME}"),
        *("-device", f"virtio-rng-ccw,devno={RANDOM_DEVNO}"),
        *("-blockdev", json.dumps(_root(machine))),
        *("-device", f"virtio-blk-ccw,drive=root,devno={ROOT_DEVNO},bootindex=1"),
    ]
    if machine.drive is not None:
        words += [
            *("-drive", f"if=none,id=drive,format=raw,readonly=on,file={value(machine.drive)}"),
            *("-device", f"virtio-blk-ccw,drive=drive,devno={DRIVE_DEVNO}"),
        ]
    for nic in machine.nics:
        if nic.present:
            words += _nic(machine, nic)
    if machine.direct is not None:
        words += ["-kernel", str(machine.direct.kernel), "-initrd", str(machine.direct.initrd)]
        words += ["-append", machine.direct.parameters]
    return words


def _root(machine: Machine) -> dict[str, object]:
    return {
        "node-name": "root",
        # The overlay is thrown away, or the guest powers off before it is kept: no flushes.
        "cache": {"direct": False, "no-flush": True},
        **qcow2.blockdev(machine.disk, writable=True, backing=machine.backing),
    }


def has_kvm() -> bool:
    """Whether guests run on this machine's own processors, not on emulated ones."""
    return platform.machine() == "s390x" and os.access("/dev/kvm", os.W_OK)


def base(program: str, cpu: str, smp: int, memory: int, *, sandbox: bool) -> list[str]:
    """Return how each command line begins: a machine without devices, and without a screen."""
    words = [program, "-name", "nova-dpm", *_accelerator(cpu)]
    words += ["-smp", _processors(smp), "-m", str(memory)]
    words += ["-sandbox", SANDBOX] if sandbox else []
    return [*words, "-nodefaults", "-display", "none"]


def _processors(count: int) -> str:
    """Return how many there are, and room for two in any case, so that no interrupt is lost.

    Where there can be one only, no emulated instruction is atomic, not even towards QEMU's own
    threads (``accel/tcg/tcg-accel-ops-mttcg.c``: ``max_cpus > 1``). A virtio device interrupts by a
    bit in a word in which Linux clears the bits of others meanwhile
    (``drivers/s390/cio/airq.c``, ``airq_iv_scan``). Once in some 100,000 interrupts a bit was lost
    so, and its queue stood still for ever.
    """
    return f"{count},maxcpus={max(count, 2)}"


def _accelerator(cpu: str) -> list[str]:
    """Return the options for the processors: this machine's own where they can be had."""
    if has_kvm():
        return ["-machine", "s390-ccw-virtio,accel=kvm", "-cpu", "host"]
    return ["-machine", "s390-ccw-virtio", "-accel", f"tcg,tb-size={_TRANSLATED}", "-cpu", cpu]


def _console(machine: Machine) -> list[str]:
    log = value(machine.console_log)
    if machine.interactive:
        chardev = f"stdio,id=console,mux=on,signal=off,logfile={log}"
        monitor = ["-mon", "chardev=console"]
    else:
        chardev = f"file,id=console,path={log}"
        monitor = []
    return ["-chardev", chardev, *monitor, "-device", "sclpconsole,chardev=console"]


def _report(machine: Machine) -> str:
    # Nobody asks a guest for anything while a person is at its console.
    if machine.interactive:
        return "null,id=report"
    return f"socket,id=report,path={value(machine.report)}"


def _nic(machine: Machine, nic: GuestNic) -> list[str]:
    name = f"nic{nic.number}"
    restrict = "off" if machine.drive is None else "on"
    backend = f"user,id={name},restrict={restrict},net={nic.network}"
    if machine.ssh_port is not None and nic is next(n for n in machine.nics if n.present):
        backend += f",hostfwd=tcp:127.0.0.1:{machine.ssh_port}-{nic.address}:22"
    words = ["-netdev", backend]
    if machine.captures is not None:
        target = value(capture_file(machine.captures, nic))
        words += [
            "-object",
            f"filter-dump,id=dump{nic.number},netdev={name},file={target},maxlen={CAPTURED}",
        ]
    device = (
        f"virtio-net-ccw,netdev={name},mac={nic.firmware_mac},devno=fe.0.{nic.params.bus_id.devno}"
    )
    return [*words, "-device", device]


def outputs(machine: Machine) -> tuple[Path, ...]:
    """Return the files that a guest writes to, its disk left out."""
    captured = machine.nics if machine.captures is not None else ()
    captures = (capture_file(machine.captures or Path(), nic) for nic in captured)
    return (machine.console_log, *captures)


def value(path: Path) -> str:
    """Return a path as the value of an option, which a comma would end: QEMU has it doubled."""
    return str(path).replace(",", ",,")
