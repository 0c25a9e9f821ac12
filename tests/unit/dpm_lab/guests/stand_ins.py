"""Programs in the place of emulators: a guest's own program runs in them, on this machine.

So both sides of what host and guest say to each other are the real ones. What a boot is, and what
is in an image, they can't show: tests/image and tests/osa do.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dpm_lab.guests.hercules import channel
from dpm_lab.guests.hercules.cards import Nic
from dpm_lab.guests.hercules.guest import Configuration, Parts
from dpm_lab.guests.hercules.guest import Guest as HerculesGuest
from dpm_lab.guests.qemu import in_guest
from dpm_lab.guests.qemu.guest import Guest as QemuGuest
from dpm_lab.guests.qemu.machine import DirectKernel
from dpm_lab.guests.qemu.nics import machine_nics, read_tuples
from dpm_lab.guests.qemu.prepare import Request
from tests.unit.dpm_lab.guests.disks import create

RUNNER = Path(channel.__file__).parent / "guest/runner"

TUPLES = "0600,1,0a0000000011;0700,0,0a0000000012;"

#: Of the NICs in `TUPLES` the one that the machine lacks.
ABSENT = "0700"

_LOAD = """\
#!{python} -I
import importlib.machinery, importlib.util, os, socket, sys
loader = importlib.machinery.SourceFileLoader("program", {program!r})
program = importlib.util.module_from_spec(importlib.util.spec_from_loader("program", loader))
loader.exec_module(program)
"""

_QEMU = """\
if "-version" in sys.argv:
    print("QEMU emulator version 10.0.2")
    sys.exit()
(port,) = (word.partition("id=report,path=")[2] for word in sys.argv if "id=report," in word)
(log,) = (word.partition("id=console,path=")[2] for word in sys.argv if "id=console," in word)
with open(log, "w") as console:
    console.write("Linux version 6.1\\r\\n" + os.environ.get("FATAL", ""))
with socket.socket(socket.AF_UNIX) as host:
    host.connect(port)
    stream = host.makefile("rwb", buffering=0)
    program.send(stream, "cloud-init", errors=[], datasource="x")
    program.serve(stream)
"""

_HERCULES = """\
configuration = open(sys.argv[sys.argv.index("-f") + 1]).read()
(name,) = (line.split()[2] for line in configuration.splitlines() if line.startswith("ff00 "))


class Disk:
    descriptor = os.open(name, os.O_RDWR)

    def read(self, block, length):
        return os.pread(self.descriptor, length, block * program.BLOCK)

    def write(self, block, data):
        size = -(-len(data) // program.BLOCK)
        os.pwrite(self.descriptor, data.ljust(size * program.BLOCK, b"\\0"), block * program.BLOCK)
        return size


disk = Disk()
replies = program.Replies(disk, os.path.getsize(name) // program.BLOCK // 2)
quiet, _ = os.pipe()
print("HHC00001I it introduces itself", flush=True)
for line in sys.stdin:
    print(line.strip(), flush=True)
    if line.startswith("ipl "):
        print("Linux version 6.1", flush=True)
        if "FATAL" in os.environ:
            sys.exit(os.environ["FATAL"])
        replies.send("hello", b"1.0")
    elif line.startswith(".request "):
        data = program.request(disk, int(line.split()[1]))
        count, data = data.split(b"\\0", 1)
        *arguments, given = data.split(b"\\0", int(count))
        program.run(arguments, given, replies, quiet)
"""


def program(folder: Path, name: str, inside: str, script: str) -> None:
    """Put a program there that has the file `inside` loaded as ``program``."""
    folder.mkdir(exist_ok=True)
    head = _LOAD.format(python=sys.executable, program=inside)
    (folder / name).write_text(head + script)
    (folder / name).chmod(0o755)


def qemu(folder: Path) -> QemuGuest:
    """A guest in QEMU whose emulator is :func:`install`'s."""
    nics = machine_nics(read_tuples(TUPLES), absent=[ABSENT])
    kernel = DirectKernel(folder / "kernel", folder / "initrd", "quiet")
    image = create(folder / "image.qcow2")
    return QemuGuest(Request(image, nics, direct=kernel, log=folder / "console"))


def hercules(folder: Path) -> HerculesGuest:
    """A guest in hercules whose emulator is :func:`install`'s; nothing of it is Debian's."""
    for name in ("card", "kernel", "archive"):
        (folder / name).write_text(name)
    nics = tuple(
        Nic(params, present=params.bus_id.devno != ABSENT) for params in read_tuples(TUPLES)
    )
    made = Parts(folder / "card", folder / "kernel", (folder / "archive",), "nothing")
    return HerculesGuest(Configuration(nics), made=made)


def install(folder: Path) -> str:
    """Put the stand-ins for both emulators there; return the PATH with them."""
    program(folder, "qemu-system-s390x", in_guest.__file__, _QEMU)
    program(folder, "hercules", str(RUNNER), _HERCULES)
    return os.pathsep.join([str(folder), os.environ["PATH"]])
