"""Serves an OpenStack API: its WSGI module, in one process with some threads.

Any WSGI server does; this one is pure Python, so nothing has to be compiled. The module is imported
before the port is opened: who gets an answer gets a service's.
"""

from __future__ import annotations

import sys
from importlib import import_module

import waitress

_THREADS = 8


def main(module: str, host: str, port: str, *arguments: str) -> None:
    """Serve until SIGTERM.

    Args:
        module: has `application`
        arguments: that the module finds in ``sys.argv``
    """
    sys.argv = [module, *arguments]
    application = import_module(module).application
    waitress.serve(
        application,
        host=host,
        port=int(port),
        threads=_THREADS,
        ident="",
        # What is asked is on this machine, and may take long.
        channel_timeout=600,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
