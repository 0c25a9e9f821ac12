"""The first process of a build's own namespaces: whatever it starts ends when it does.

``dib`` runs this file as root under ``unshare --pid --mount``. The kernel ends every
process of a PID namespace with the first one, and with the last process its mounts go: nothing can
slip away, and the host never sees a mount of the build.

Two things are inherited, as standard input and output, because ``sudo`` closes all other files:

- Input is the cache's lock. It is held by whoever has the file open, so by us and by ``unshare``,
  which waits for us: it is free only when the last process of the build is gone, whatever has
  become of ``dpm-image``.
- Output is a pipe to ``dpm-image``. When nobody reads it any more, ``dpm-image`` has closed it to
  stop the build, or was killed: that is the end.

It is run by its path, without the package, and imports the standard library only.
"""

from __future__ import annotations

import os
import pwd
import select
import signal
import subprocess
import sys
import time

#: How long what the command left behind may go on writing its last words.
GRACE_SECONDS = 10.0


def main(words: list[str]) -> int:
    """Run ``UID COMMAND...`` and return its exit status."""
    wakes, awake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(awake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    poll = select.poll()
    poll.register(wakes, select.POLLIN)
    poll.register(sys.stdout.fileno(), 0)  # an error is always told, and having no reader is one
    child = _start(int(words[0]), words[1:])  # kept: what is forgotten, subprocess waits for
    status = None
    deadline = float("inf")
    while time.monotonic() < deadline:
        for descriptor, _ in poll.poll(1000):
            if descriptor == sys.stdout.fileno():
                return 128 + signal.SIGPIPE
            os.read(wakes, 4096)
        # Orphans are ours too: the child's status may come in the middle of theirs.
        for ended, how in _ended():
            if ended is None:
                return status if status is not None else 1
            if ended == child.pid:
                code = os.waitstatus_to_exitcode(how)
                status = code if code >= 0 else 128 - code
                deadline = time.monotonic() + GRACE_SECONDS
    return status if status is not None else 1


def _start(uid: int, command: list[str]) -> subprocess.Popen[bytes]:
    if uid == os.getuid():
        return subprocess.Popen(command, stdin=subprocess.DEVNULL)
    user = pwd.getpwuid(uid)
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, user=uid, group=user.pw_gid, extra_groups=groups
    )


def _ended() -> list[tuple[int | None, int]]:
    """Return the processes that ended, with their status; None is: there is none any more."""
    found: list[tuple[int | None, int]] = []
    while True:
        try:
            ended, how = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return [*found, (None, 0)]
        if ended == 0:
            return found
        found.append((ended, how))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
