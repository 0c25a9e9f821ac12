"""Mounts that die with this process, and no network: where an image's file system is looked at.

A mount in a namespace of its own is seen by nobody else, and goes when the last process in it does,
its loop device with it: whatever ends this process, SIGKILL too, nothing is left to tidy up. The
programs that are started in it die with it by themselves (:func:`dying_with_us`).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dpm_lab.errors import LabError

# linux/sched.h and linux/mount.h. Python has unshare() and setns() since 3.12.
_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18

_NAMESPACES = {"mnt": _CLONE_NEWNS, "net": _CLONE_NEWNET}


class ApartError(LabError):
    """The kernel does not give this process namespaces of its own."""


@contextmanager
def apart() -> Iterator[None]:
    """Give this thread, and what it starts, mounts and network of its own; root only.

    Afterwards it is back where it was. Other users mount nothing but over FUSE, and stay.
    """
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    former = {
        kind: os.open(f"/proc/thread-self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        for name, kind in _NAMESPACES.items()
    }
    # To enter a mount namespace is to stand at its root.
    root, folder = (os.open(place, os.O_PATH | os.O_CLOEXEC) for place in ("/", "."))
    try:
        _ask(libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET))
        try:
            _ask(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
            yield
        finally:
            for kind, descriptor in former.items():
                _ask(libc.setns(descriptor, kind))
            os.fchdir(root)
            os.chroot(".")
            os.fchdir(folder)
    finally:
        for descriptor in (*former.values(), root, folder):
            os.close(descriptor)


def _ask(answer: int) -> None:
    if answer:
        reason = os.strerror(ctypes.get_errno())
        raise ApartError(f"looking into an image takes a mount namespace of its own: {reason}")


def dying_with_us(command: Sequence[str]) -> list[str]:
    """Return `command` in a form that ends when this process does, whatever ends it."""
    # The signal comes with the death of a parent; the shell sees one that was dead before.
    script = '[ "$PPID" = "$0" ] && exec "$@"'
    return [
        *("setpriv", "--pdeathsig", "KILL", "--"),
        *("sh", "-c", script, str(os.getpid()), *command),
    ]
