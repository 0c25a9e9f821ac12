"""Stands in for QEMU: takes its options, speaks on its monitor, and does what a script says.

The script is the file beside it, ``script``: a line each, ``text ...`` for the console, ``event
{...}`` for the monitor, ``wait COMMAND`` until the monitor has had that command, ``echo``
a line that is typed, ``stay``. What the
monitor is told is written to ``orders``.
"""

from __future__ import annotations

import json
import os
import pathlib
import socket
import sys
import time


def put(program: pathlib.Path, *script: str) -> None:
    """Make the program, with its script beside it."""
    source = pathlib.Path(__file__).read_text()
    program.write_text(f"#!{sys.executable}\n{source}")
    program.chmod(0o755)
    (program.parent / "script").write_text("\n".join(script))


def main(arguments: list[str], folder: pathlib.Path) -> int:
    """Run the script."""
    if "-version" in arguments:
        return 0
    paths = {
        argument.split(",")[1]: pathlib.Path(argument.partition("path=")[2].partition(",")[0])
        for argument in arguments
        if "path=" in argument
    }
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(paths["id=monitor"]))
    stream = connection.makefile("rw")
    stream.write('{"QMP": {}}\n')
    stream.flush()
    (folder / "pid").write_text(str(os.getpid()))
    (folder / "arguments").write_text(json.dumps(arguments))
    seen: list[str] = []

    def answer() -> None:
        order = json.loads(stream.readline())
        seen.append(order["execute"])
        with (folder / "orders").open("a") as file:
            file.write(json.dumps(order) + "\n")
        refused = "refuse" in json.dumps(order)
        reply = {"error": {"desc": "no such device"}} if refused else {"return": {}}
        stream.write(json.dumps(reply) + "\n")
        stream.flush()

    answer()
    terminal = socket.socket(socket.AF_UNIX)
    terminal.connect(str(paths["id=console"]))
    keys = terminal.makefile("r")
    (logfile,) = (each.partition("logfile=")[2] for each in arguments if "logfile=" in each)
    with pathlib.Path(logfile).open("a") as text:
        for line in (folder / "script").read_text().splitlines():
            word, _, rest = line.partition(" ")
            if word == "text":
                text.write(rest + "\n")
                text.flush()
                terminal.sendall(rest.encode() + b"\r\n")
            elif word == "echo":
                terminal.sendall(keys.readline().encode())
            elif word == "event":
                stream.write(rest + "\n")
                stream.flush()
            elif word == "wait":
                while rest not in seen:
                    answer()
            elif word == "stay":
                while True:
                    time.sleep(1)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], pathlib.Path(__file__).parent))
