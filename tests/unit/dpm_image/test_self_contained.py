"""No command opens what an image names."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpm_image.__main__ import main
from tests.unit.dpm_lab.guests.disks import create


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """A port of this machine, that somebody may come to."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        yield listening


@pytest.mark.parametrize(
    "command",
    [
        ["verify", "{image}"],
        ["compare", "{image}", "{image}"],
        ["boot", "{image}", "--run", "true"],
        ["boot", "{image}", "--run", "true", "--ipl", "kernel"],
        ["boot", "{image}", "--console"],
    ],
    ids=" ".join,
)
def test_no_command_opens_what_an_image_names(
    command: list[str],
    tmp_path: Path,
    server: socket.socket,
    capsys: pytest.CaptureFixture[str],
) -> None:
    port = server.getsockname()[1]
    other = f'json:{{"driver": "nbd", "host": "127.0.0.1", "port": "{port}"}}'
    made = create(tmp_path / "image.qcow2", "-u", "-b", other, "-F", "raw")

    log = ["--log", str(tmp_path / "log")] if command[0] == "boot" else []
    status = main([*(word.format(image=made) for word in command), *log])

    said = capsys.readouterr()
    with pytest.raises(BlockingIOError):
        server.accept()
    assert status == 1
    assert "it has a backing file, json:" in said.out + said.err


def test_a_disk_that_was_kept_of_another_image_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, base = create(tmp_path / "other.qcow2"), create(tmp_path / "base.qcow2")
    kept = create(tmp_path / "kept.qcow2", "-b", str(other), "-F", "qcow2", size="")

    status = main(["boot", str(base), "--keep", str(kept), "--log", str(tmp_path / "log")])

    assert status == 1
    assert "other.qcow2, not" in capsys.readouterr().err
