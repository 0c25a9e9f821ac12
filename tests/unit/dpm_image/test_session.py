"""A whole boot with a program in QEMU's place: what the guest of a hostile image could write."""

from __future__ import annotations

import io
import os
import sys
import tty
from pathlib import Path

import pytest

from dpm_image.__main__ import main
from dpm_image.boot import writer
from dpm_lab.guests.qemu import metadata_server
from tests.unit.dpm_lab.guests.disks import create

DONE = r'{"kind": "cloud-init", "errors": [], "datasource": "x"}'

#: It is asked for its version first, with the sandbox or without; then it gets the machine, and its
#: guest sends a report without having been asked. It comes to a command only after the question.
_QEMU = """\
#!{python} -I
import os, socket, sys
from pathlib import Path
if "-version" in sys.argv:
    sys.exit({version})
words = Path({words!r})
words.write_text(" ".join(sys.argv[1:]) + "\\n")
words.with_name("words.net").write_text(os.readlink("/proc/self/ns/net"))
(port,) = (word.partition("id=report,path=")[2] for word in sys.argv if "id=report," in word)
with socket.socket(socket.AF_UNIX) as guest:
    guest.connect(port)
    up, *answers = {report!r}
    guest.sendall(up)
    asked = guest.makefile("rb")
    asked.readline()
    guest.sendall(b"".join(answers))
    asked.read()
"""


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """Where the command line of the machine stands afterwards."""
    return tmp_path / "words"


def boot(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    report: list[str],
    *options: str,
    version: int = 0,
) -> int:
    """Boot an empty image with `report` as what its guest reports."""
    programs = folder / "bin"
    programs.mkdir()
    qemu = programs / "qemu-system-s390x"
    qemu.write_text(
        _QEMU.format(
            python=sys.executable,
            report=[f"{line}\n".encode() for line in report],
            words=str(folder / "words"),
            version=version,
        )
    )
    qemu.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    image = create(folder / "image.qcow2")
    return main(["boot", str(image), "--log", str(folder / "log"), *options])


@pytest.mark.parametrize("options", [[], ["--run", "id"]], ids=["look", "run"])
def test_a_report_without_the_answers_is_an_error(
    options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = boot(tmp_path, monkeypatch, [DONE, '{"kind": "end"}'], *options)

    assert status == 1
    assert "report ends without an answer to " in capsys.readouterr().err


@pytest.mark.parametrize(("version", "there"), [(0, True), (1, False)])
def test_qemu_is_in_its_sandbox_where_it_has_one(
    version: int, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Path
) -> None:
    report = [DONE, '{"kind": "exit", "step": "run", "code": 7}']

    status = boot(tmp_path, monkeypatch, report, "--run", "exit 7", version=version)

    assert status == 7
    assert ("-sandbox on," in words.read_text()) is there


REPORT = [DONE, '{"kind": "exit", "step": "run", "code": 0}']


@pytest.mark.parametrize(
    ("options", "apart"),
    [([], True), (["--config-drive"], False)],
    ids=["metadata service", "config drive"],
)
def test_the_machine_runs_where_its_metadata_service_is(
    options: list[str],
    apart: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: Path,
) -> None:
    assert boot(tmp_path, monkeypatch, REPORT, "--run", "true", *options) == 0

    ours = str(Path("/proc/self/ns/net").readlink())
    its = words.with_name("words.net").read_text().strip()
    assert (its != ours) is apart
    assert ("config-drive.iso" in words.read_text()) is not apart


def test_no_list_of_processes_shows_what_a_guest_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Path
) -> None:
    data = tmp_path / "user-data"
    data.write_text("#!/bin/sh\necho a-secret-of-the-guest\n")
    options = ["--user-data", str(data), "--run", "echo a-secret-of-the-guest"]

    assert boot(tmp_path, monkeypatch, REPORT, *options) == 0

    assert "-name nova-dpm" in words.read_text()
    assert "secret" not in words.read_text()


def test_a_machine_that_gives_no_namespace_is_an_error_with_its_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = tmp_path / "server.py"
    server.write_text("import sys\nsys.exit('Operation not permitted')\n")
    monkeypatch.setattr(metadata_server, "__file__", str(server))

    assert boot(tmp_path, monkeypatch, REPORT, "--run", "true") == 1

    said = capsys.readouterr().err
    assert "does not give: Operation not permitted" in said
    assert "--config-drive" in said


def test_a_commands_output_does_nothing_to_a_terminal_and_is_whole_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = "ä\n\x1b[2J".encode()
    ours, terminal = os.openpty()
    tty.setraw(terminal)
    binary = io.BytesIO()

    with os.fdopen(terminal, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        write = writer()
        for number in output:
            write(bytes([number]))
        write(b"\n")
        with os.fdopen(ours, encoding="utf-8") as screen:
            shown = [screen.readline(), screen.readline()]
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(binary))
    writer()(output)

    assert shown == ["ä\n", "\\x1b[2J\n"]
    assert binary.getvalue() == output
