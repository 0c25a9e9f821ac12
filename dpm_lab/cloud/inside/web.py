"""Serves an OpenStack API: its WSGI module, in one process with some threads, or two of them.

Any WSGI server does; this one is pure Python, so nothing has to be compiled. The module is imported
before the port is opened: who gets an answer gets a service's.
"""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from typing import Any

import waitress

_THREADS = 8
_ALSO = "--also"


def main(module: str, host: str, port: str, *arguments: str) -> None:
    """Serve until SIGTERM.

    Args:
        module: has `application`
        arguments: that the module finds in ``sys.argv``; or `_ALSO`, and another module and its
            port: two APIs of one service in one process take little more memory than one
    """
    also: tuple[str, ...] = ()
    if arguments[:1] == (_ALSO,):
        also, arguments = arguments[1:3], arguments[3:]
    sys.argv = [module, *arguments]
    servers = [_server(module, host, port)]
    if also:
        servers.append(_server(also[0], host, also[1]))
    for each in servers[1:]:
        threading.Thread(target=each.run, daemon=True).start()
    servers[0].run()


def _server(module: str, host: str, port: str) -> Any:
    return waitress.create_server(
        import_module(module).application,
        host=host,
        port=int(port),
        threads=_THREADS,
        ident="",
        # What is asked is on this machine, and may take long.
        channel_timeout=600,
        # An image may be as large as a volume; waitress takes 1 GiB where it is not told.
        max_request_body_size=1 << 44,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
