"""A metadata service at 169.254.169.254, in a network namespace that has nothing else in it.

``metadata`` runs this file by its path, without the package, and starts QEMU in its
namespace: QEMU's user networks lead guests to whatever that namespace has, which is this service.
Standard library only, and one thread at first: only such a process may make a user namespace.

Input is one line of JSON, the answers by path, so that no list of processes shows what a guest is
told. Output is a line ``ready``, and ``asked`` when a guest asks for the first time. The service
ends when its input does, and with that the namespace, once QEMU has left it.

Two arguments lead a port of the host to the same port of the namespace, where QEMU forwards it to
the guest: the descriptor of the host's listening socket, and the port.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ADDRESS = "169.254.169.254"
PORT = 80

# linux/sched.h, linux/sockios.h, linux/if.h. Python has unshare() since 3.12.
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
_IFF_UP = 0x1

#: What a guest can keep open at the same time.
_CONNECTIONS = 64
_SECONDS = 30.0


def isolate() -> None:
    """Give this process a network namespace of its own; others than root, a user namespace too."""
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET | (0 if uid == 0 else _CLONE_NEWUSER)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if uid != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))
        for request, address in ((_SIOCSIFADDR, ADDRESS), (_SIOCSIFNETMASK, "255.255.255.255")):
            sockaddr = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(handle, request, struct.pack("16s16s8x", b"lo:1", sockaddr))


class Service(ThreadingHTTPServer):
    """Answers GET, from what it was given and nothing else."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], answers: dict[str, str]) -> None:
        super().__init__(address, _Handler)
        self.answers = answers
        self._slots = threading.BoundedSemaphore(_CONNECTIONS)
        self._asked = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve in a thread, unless a guest has taken all of them."""
        if self._slots.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a guest may hang up whenever it likes."""

    def note(self) -> None:
        """Say that a guest asked, once."""
        if self._asked.acquire(blocking=False):
            print("asked", flush=True)


class _Handler(BaseHTTPRequestHandler):
    server: Service
    timeout = _SECONDS

    def do_GET(self) -> None:
        self.server.note()
        path = self.path.partition("?")[0]
        answer = self.server.answers.get("/" + path.strip("/"))
        if answer is None:
            self.send_error(404)
            return
        body = answer.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep no log: its length would be the guest's to choose."""


def forward(listener: socket.socket, port: int) -> None:
    """Lead each connection to a socket of the host to `port` of this namespace."""
    while True:
        outside, _ = listener.accept()
        try:
            inside = socket.create_connection(("127.0.0.1", port))
        except OSError:
            outside.close()
            continue
        for source, sink in ((outside, inside), (inside, outside)):
            threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        # One side is gone: so is the connection.
        for end in (source, sink):
            end.close()


def main(words: list[str]) -> int:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = json.loads(sys.stdin.readline())
    try:
        isolate()
        service = Service((ADDRESS, PORT), answers)
    except OSError as error:
        print(error.strerror, file=sys.stderr)
        return 1
    threading.Thread(target=service.serve_forever, daemon=True).start()
    if words:
        listener = socket.socket(fileno=int(words[0]))
        threading.Thread(target=forward, args=(listener, int(words[1])), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
