"""The small guest's base system: Debian's packages as an archive for the kernel, and its kernel.

mmdebstrap only unpacks the packages (variant "extract"): nothing of them has to run, so it takes
half a minute and needs no emulation. What a boot does not need is left out, because each byte of
the archive is copied by an emulated processor.
"""

from __future__ import annotations

import re
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dpm_lab import cache
from dpm_lab.debian.releases import BOOKWORM, NEWER, Release, choose
from dpm_lab.debian.system import System
from dpm_lab.errors import ToolError, UsageError
from dpm_lab.guests.hercules import modules
from dpm_lab.guests.hercules.cpio import Archive
from dpm_lab.process import run
from dpm_lab.progress import Progress

#: Stands for the best one of those that are newer than Debian 12.
ANY_NEWER = "newer"
RELEASES = (BOOKWORM.name, *(one.name for one in NEWER), ANY_NEWER)

PACKAGES = (
    "base-passwd",
    "bash",
    "coreutils",
    "dash",
    "findutils",
    "grep",
    "hostname",
    "iproute2",
    "kmod",
    "linux-image-s390x",
    "login",
    "mount",
    "python3",
    "python3-pyudev",
    "sed",
    "systemd",
    "systemd-sysv",
    "udev",
    "util-linux",
)

#: Loaded by the guest, the driver itself or a test, and what they depend on.
MODULES = ("qeth_l2", "qeth_l3", "dasd_fba_mod", "qdio", "bonding")

_LEFT_OUT = re.compile(
    r"""(
    boot | dev | proc | run | sys | tmp | var
    | usr/include | usr/games | usr/libexec
    | usr/share/(?!base-passwd|dbus-1|perl5|s390-tools)[^/]+
    | usr/bin/(dpkg.*|apt.*|tar|gpg.*|perl.*|openssl)
    | usr/sbin/tc
    | usr/lib/systemd/systemd-(networkd.*|logind|machined|nspawn|portabled|homed|resolved)
    | usr/lib/[^/]*/(perl|gconv|libicu.*|libsqlite3.*|libdb-.*)
    | usr/lib/python3[.0-9]*/(test|idlelib|lib2to3|ensurepip|tkinter|turtledemo|pydoc_data
        |unittest|config-.*|asyncio|sqlite3|curses|dbm|venv|wsgiref|xmlrpc|distutils)
    | usr/lib/python3/dist-packages/[^/]*-info
    | usr/lib/(klibc|valgrind|mime|kernel|binfmt\.d)
    | usr/lib/udev/hwdb.*
    | usr/lib/modules
    )(/|$)""",
    re.VERBOSE,
)
#: Enough to run the guest's own Python here, for compiling.
_INTERPRETER = re.compile(
    r"usr/(bin/python3[.0-9]*|lib/ld64.*|lib/s390x-linux-gnu/[^/]*|lib/python3.*)$"
)


@dataclass(frozen=True)
class Base:
    """A base system in the cache."""

    folder: Path

    @property
    def made_of(self) -> str:
        """The release that it was made of, and why of no better one."""
        return (self.folder / "made-of").read_text(encoding="utf-8")

    @property
    def kernel(self) -> Path:
        return self.folder / "kernel"

    @property
    def archive(self) -> Path:
        return self.folder / "base.cpio"

    @property
    def interpreter(self) -> Path:
        """A folder with the guest's Python and its libraries."""
        return self.folder / "interpreter"


def get(name: str, extra: tuple[str, ...], progress: Progress) -> Base:
    """Return a base system, making it where the cache has none.

    Args:
        name: one of :data:`RELEASES`
        extra: packages beyond the usual ones

    Raises:
        UsageError: an unknown release.
        ArchiveError: Debian's archive cannot give it today.
        ToolError: a program that is needed is missing or failed.
    """
    if name not in RELEASES:
        raise UsageError(f"no release {name!r}; there are: {', '.join(RELEASES)}")
    one = [release for release in (BOOKWORM, *NEWER) if release.name == name]
    system = _system(extra)
    choice = choose(
        one or NEWER,
        is_made=lambda release: _folder(release, system).is_dir(),
        missing=system.missing,
    )
    folder = _folder(choice.release, system)
    with cache.made_once(folder) as new:
        if new is not None:
            progress.line(f"base system: Debian {choice} for s390x (once)")
            _make(choice.release, system, new, progress)
            (new / "made-of").write_text(str(choice), encoding="utf-8")
    return Base(folder)


def _system(extra: tuple[str, ...]) -> System:
    merged = "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"
    return System("s390x", "extract", tuple(sorted({*PACKAGES, *extra})), (merged,))


def _folder(release: Release, system: System) -> Path:
    key = cache.key(repr(release), repr(system), cache.program(__file__))
    return cache.folder("osa", f"base-{release.name}-{key}")


def _make(release: Release, system: System, folder: Path, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(prefix="dpm-lab-", dir=folder) as temporary:
        tar = Path(temporary, "base.tar")
        system.make(release, tar)
        with tarfile.open(tar) as packed:
            progress.line("base system: Python's bytecode")
            interpreter = folder / "interpreter"
            _extract(packed, interpreter)
            compile_python(interpreter, interpreter / "usr/lib")
            progress.line("base system: archive")
            _pack(packed, folder)


def compile_python(interpreter: Path, folder: Path) -> None:
    """Compile the Python files below a folder with the guest's own Python, as an image does.

    Bytecode that is never checked against its source, like in ``elements/dpm-guest``.
    """
    program = next(iter(sorted((interpreter / "usr/bin").glob("python3.[0-9]*"))))
    command = ["qemu-s390x-static", "-L", str(interpreter), str(program), "-I", "-m", "compileall"]
    command += ["-q", "--invalidation-mode", "unchecked-hash", "-s", str(interpreter), str(folder)]
    run(command, "does qemu-s390x-static run here?")


def _extract(packed: tarfile.TarFile, folder: Path) -> None:
    """Unpack Python, without what is left out of the archive anyway."""
    for member in packed:
        name = _name(member)
        if _INTERPRETER.match(name) and not _LEFT_OUT.match(name):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if member.issym():
                target.symlink_to(member.linkname)
            elif member.isreg():
                target.write_bytes(_data(packed, member))
                target.chmod(0o755)
    lib = folder / "lib"  # the program's own interpreter is /lib/ld64.so.1
    lib.symlink_to("usr/lib")


def _pack(packed: tarfile.TarFile, folder: Path) -> None:
    with (folder / "base.cpio").open("wb") as stream:
        archive = Archive(stream)
        for name in ("proc", "sys", "dev", "run", "var", "root"):
            archive.folder(name)
        archive.folder("tmp", 0o1777)
        archive.character_device("dev/console", 5, 1)
        archive.character_device("dev/null", 1, 3, 0o666)
        for member in packed:
            name = _name(member)
            if re.match(r"boot/vmlinuz-", name) and member.isreg():
                (folder / "kernel").write_bytes(_data(packed, member))
            if name and not _LEFT_OUT.match(name):
                _add(archive, packed, member, name)
        for path in sorted((folder / "interpreter").rglob("*.pyc")):
            archive.file(str(path.relative_to(folder / "interpreter")), path.read_bytes())
        modules.add(archive, packed, MODULES)
        for name in ("passwd", "group"):  # what base-passwd's postinst does
            data = _find(packed, f"usr/share/base-passwd/{name}.master")
            archive.file(f"etc/{name}", data)
        archive.close()


def _add(archive: Archive, packed: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> None:
    mode = member.mode & 0o7777
    if member.isdir():
        archive.folder(name, mode)
    elif member.issym():
        archive.link(name, member.linkname)
    elif member.islnk():
        archive.link(name, "/" + member.linkname.removeprefix("./"))
    elif member.isreg():
        archive.file(name, _data(packed, member), mode)


def _name(member: tarfile.TarInfo) -> str:
    return member.name.removeprefix("./").strip("/").removeprefix(".")


def _data(packed: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = packed.extractfile(member)
    if stream is None:
        raise ToolError(f"{member.name} is no file")
    with stream:
        return stream.read()


def _find(packed: tarfile.TarFile, name: str) -> bytes:
    for member in packed:
        if _name(member) == name:
            return _data(packed, member)
    raise ToolError(f"the base system has no {name}")
