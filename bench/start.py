"""What the agent costs where nothing has to be done, beside an interpreter that does nothing.

The agent as it is installed (``tools/install-guest``, bytecode compiled), run by Debian's Python.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.measure import Row, medians

TOP = Path(__file__).parents[1]
PYTHON = "/usr/bin/python3"
ROUNDS = 41


def rows() -> Iterator[Row]:
    with _installed() as (agent, tree):
        places = ["--sysfs", str(tree), "--procfs", str(tree), "--cmdline", str(tree / "cmdline")]
        subjects = {
            "status": (["status"], 1.5),
            "setmac, already right": (["setmac", "0600"], 1.5),
            "configure, one NIC, already right": (["configure"], 2.0),
        }
        commands = [[agent, *words, *places] for words, _ in subjects.values()]
        floor, *found = medians(
            [_running([PYTHON, "-c", "pass"]), *map(_running, commands)], ROUNDS
        )
        for (name, (_, most)), seconds in zip(subjects.items(), found, strict=True):
            yield Row(f"dpm-guest {name}", "python3 -c pass", seconds, floor, most)


def _running(command: list[str]) -> Callable[[], None]:
    def run() -> None:
        subprocess.run(command, check=True, capture_output=True)

    return run


@contextmanager
def _installed() -> Iterator[tuple[str, Path]]:
    """The agent below a folder, and a tree with one NIC that is as wanted."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        subprocess.run([TOP / "tools/install-guest", root], check=True)
        library = root / "usr/lib/dpm-guest"
        launcher = root / "usr/bin/dpm-guest"
        launcher.write_text(launcher.read_text().replace("/usr/lib/dpm-guest", str(library)))
        subprocess.run([PYTHON, "-m", "compileall", "-q", library], check=True)
        group = root / "sys/devices/qeth/0.0.0600"
        interface = group / "net/enc600"
        interface.mkdir(parents=True)
        for file, text in {
            group / "layer2": "1",
            group / "portno": "1",
            group / "online": "1",
            interface / "address": "0a:00:00:00:00:11",
            interface / "ifindex": "7",
            root / "sys/cmdline": "ro 0600,1,0a0000000011;",
        }.items():
            file.write_text(f"{text}\n")
        devices = root / "sys/bus/ccwgroup/devices"
        devices.mkdir(parents=True)
        (devices / group.name).symlink_to(group)
        yield str(launcher), root / "sys"
