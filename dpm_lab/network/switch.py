"""The switch of all segments: sends each frame on to where its receiver was last heard, or to all.

``python -m dpm_lab.network.switch FOLDER`` serves until its standard input ends, and so no longer
than whoever started it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import selectors
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TextIO

from dpm_lab.network import taps
from dpm_lab.network.segments import CONTROL, SILENT, SWITCH
from dpm_lab.network.taps import Tap

#: A frame is never longer than what a tap gives: linux/if_ether.h, with room for what is odd.
_LONGEST = 1 << 16
#: Destination and source, six bytes each, and two that say what follows.
_SHORTEST = 14
#: Seconds between two looks at the folder, where nobody asks for one.
_LOOK = 1.0
#: Frames that are taken from one port before another has its turn.
_TURN = 64
#: Seconds after which a socket that nobody listens at is taken for left behind.
_STALE = 60.0
#: Seconds for which another switch of the folder may take to end.
_PATIENCE = 5.0

#: A port of a segment: the path of a socket, or a tap.
Port = str | Tap


class Ports:
    """The ports of one segment, and behind which of them each MAC was last heard."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = _listening(folder / SWITCH)
        self.taps: dict[Tap, int] = {}
        self._heard: dict[bytes, Port] = {}
        self._silent = folder / SILENT

    def close(self) -> None:
        """Take no more frames from its socket."""
        self.socket.close()

    def take(self, frame: bytes, source: Port) -> None:
        """Send a frame on."""
        if len(frame) < _SHORTEST or self._silent.exists():
            return
        receiver, sender = frame[:6], frame[6:12]
        if not sender[0] & 1:
            self._heard[sender] = source
        port = None if receiver[0] & 1 else self._heard.get(receiver)
        if port is None:
            ports: list[Port] = [*self._sockets(), *self.taps]
            for each in ports:
                if each != source:
                    self._send(frame, each)
        elif port != source and not self._send(frame, port):
            del self._heard[receiver]

    def _sockets(self) -> list[str]:
        with os.scandir(self.folder) as entries:
            return [each.path for each in entries if each.name != SWITCH and _is_socket(each)]

    def _send(self, frame: bytes, port: Port) -> bool:
        """Send a frame out of a port; return False where there is nobody any more."""
        try:
            if isinstance(port, Tap):
                os.write(self.taps[port], frame)
            else:
                self.socket.sendto(frame, port)
        except KeyError:
            return False
        except OSError as error:
            # One that does not keep up loses frames, as on any switch.
            if error.errno == errno.ECONNREFUSED:
                _remove_stale(Path(str(port)))
            return error.errno in (errno.EAGAIN, errno.ENOBUFS)
        return True


def _is_socket(entry: os.DirEntry[str]) -> bool:
    try:
        return stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode)
    except OSError:  # it went just now
        return False


def _listening(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        made.bind(str(path))
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


def _locked(folder: Path) -> TextIO:
    """Return what keeps other switches away from a folder; wait for one that is about to end."""
    lock = (folder / ".lock").open("w", encoding="ascii")
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                lock.close()
                raise
            time.sleep(0.05)
        else:
            return lock


def _remove_stale(path: Path) -> None:
    # QEMU leaves its sockets. One that was just made may be about to be listened at.
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > _STALE:
            path.unlink()


class Switch:
    """All segments of a folder."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        self._said: dict[str, str] = {}
        self._segments: dict[str, Ports] = {}
        self._selector = selectors.DefaultSelector()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _locked(folder)
        self._control = _listening(folder / CONTROL)
        self._selector.register(self._control, selectors.EVENT_READ, self._asked)

    def serve(self, until: int) -> None:
        """Serve until there is something to read, or the end, at a descriptor."""
        self._selector.register(until, selectors.EVENT_READ, None)
        looked = 0.0
        while True:
            if time.monotonic() - looked > _LOOK:
                self.look()
                looked = time.monotonic()
            for key, _ in self._selector.select(_LOOK):
                if key.data is None:
                    return
                key.data()

    def close(self) -> None:
        """Let go of everything."""
        for segment in self._segments.values():
            segment.close()
            for descriptor in segment.taps.values():
                os.close(descriptor)
        self._control.close()
        self._selector.close()
        self._lock.close()

    def _asked(self) -> None:
        self._control.recv(_LONGEST)
        self.look()

    def look(self) -> None:
        """Serve what is in the folder now, and nothing that is there no more."""
        wanted = {str(each.relative_to(self._folder)) for each in self._folder.glob("*/*.*/")}
        for name in wanted - self._segments.keys():
            self._try(name, partial(self._serve, name))
        for name in self._segments.keys() - wanted:
            gone = self._segments.pop(name)
            for tap in list(gone.taps):
                self._let_go(gone, tap)
            self._selector.unregister(gone.socket)
            gone.close()
        plugged = taps.plugged(self._folder)
        for segment in self._segments.values():
            for tap in segment.taps.keys() - plugged:
                self._let_go(segment, tap)
        for tap in plugged:
            known = self._segments.get(tap.segment)
            if known is not None and tap not in known.taps:
                self._try(tap.device, partial(self._plug, known, tap))

    def _try(self, about: str, what: Callable[[], None]) -> None:
        try:
            what()
            self._said.pop(about, None)
        except OSError as error:
            if self._said.get(about) != str(error):
                self._said[about] = str(error)
                self._say(f"{about}: {error}")

    def _serve(self, name: str) -> None:
        made = self._segments[name] = Ports(self._folder / name)
        self._selector.register(made.socket, selectors.EVENT_READ, lambda: self._from_sockets(made))

    def _plug(self, segment: Ports, tap: Tap) -> None:
        descriptor = segment.taps[tap] = taps.opened(tap)
        self._selector.register(
            descriptor, selectors.EVENT_READ, lambda: self._from_tap(segment, tap, descriptor)
        )

    def _let_go(self, segment: Ports, tap: Tap) -> None:
        descriptor = segment.taps.pop(tap)
        self._selector.unregister(descriptor)
        os.close(descriptor)

    def _from_sockets(self, segment: Ports) -> None:
        for _ in range(_TURN):
            try:
                frame, source = segment.socket.recvfrom(_LONGEST)
            except OSError:
                return
            # What has no name could get no answer.
            if source:
                segment.take(frame, source)

    def _from_tap(self, segment: Ports, tap: Tap, descriptor: int) -> None:
        for _ in range(_TURN):
            try:
                frame = os.read(descriptor, _LONGEST)
            except BlockingIOError:
                return
            except OSError:  # the interface is gone
                if tap in segment.taps:
                    self._let_go(segment, tap)
                return
            segment.take(frame, tap)


def main(folder: str) -> None:
    """Serve until standard input ends."""

    def say(text: str) -> None:
        print(f"networks: {text}", file=sys.stderr, flush=True)

    # Ctrl-C goes to a whole group of processes, and whoever started this one ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        switch = Switch(Path(folder), say)
    except BlockingIOError:
        sys.exit(f"networks: another switch serves {folder}")
    print("serves", flush=True)
    switch.serve(sys.stdin.fileno())


if __name__ == "__main__":
    main(*sys.argv[1:])
