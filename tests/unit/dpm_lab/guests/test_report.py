"""What a guest's program sends is what the host reads."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from dpm_lab.guests.qemu import in_guest
from dpm_lab.guests.qemu.report import (
    End,
    Event,
    Exit,
    Output,
    Reader,
    ReportError,
)


def served(*commands: tuple[str, str]) -> bytes:
    """Have the guest's program run commands here; return what it sends."""
    host, port = socket.socketpair()
    requests = [{"step": name, "command": command} for name, command in commands]
    host.sendall(b"".join(json.dumps(one).encode() + b"\n" for one in requests))
    host.shutdown(socket.SHUT_WR)
    found = bytearray()
    reader = threading.Thread(target=lambda: found.extend(host.makefile("rb").read()))
    reader.start()
    with port, port.makefile("rwb", buffering=0) as stream:
        assert in_guest.serve(stream) is False
    reader.join()
    host.close()
    return bytes(found)


def output(events: list[Event], step: str) -> bytes:
    return b"".join(e.data for e in events if isinstance(e, Output) and e.step == step)


def test_commands_run_in_order_and_their_output_and_status_arrive() -> None:
    data = served(("a", "echo one; echo two >&2; exit 3"), ("b", "true"))

    events = list(Reader().feed(data))

    assert [event for event in events if not isinstance(event, Output)] == [
        Exit("a", 3),
        Exit("b", 0),
    ]
    assert output(events, "a") == b"one\ntwo\n"


def test_any_bytes_arrive_as_they_were() -> None:
    data = served(("bytes", r"printf '\377\000{\n}\n'; head -c 20000 /dev/zero"))

    assert output(list(Reader().feed(data)), "bytes") == b"\xff\0{\n}\n" + bytes(20000)


def test_a_command_of_many_lines_is_the_shells_as_it_is() -> None:
    command = "echo \"a 'quoted' $((6 * 7))\"; exit 3\nEND_OF_FILE\n"

    events = list(Reader().feed(served(("run", command))))

    assert output(events, "run") == b"a 'quoted' 42\n"
    assert events[-1] == Exit("run", 3)


def test_it_ends_when_it_is_asked_to_power_off() -> None:
    host, port = socket.socketpair()
    with host, port, port.makefile("rwb", buffering=0) as stream:
        host.sendall(b'{"power_off": true}\n')

        assert in_guest.serve(stream) is True

        assert list(Reader().feed(host.recv(100))) == [End()]


def test_a_signal_is_told_as_a_shell_tells_it() -> None:
    data = served(("killed", "kill -TERM $$"))

    assert Exit("killed", 143) in list(Reader().feed(data))


def test_commands_do_not_take_the_port_for_the_journal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    data = served(("env", 'echo "${JOURNAL_STREAM-none} $HOME"'))

    assert output(list(Reader().feed(data)), "env") == b"none /root\n"


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_events_come_out_whole_in_whatever_pieces_they_come_in(size: int) -> None:
    data = served(("a", "seq 100"))
    reader = Reader()

    events = [e for i in range(0, len(data), size) for e in reader.feed(data[i : i + size])]

    assert output(events, "a").split() == [str(i).encode() for i in range(1, 101)]
    assert events[-1] == Exit("a", 0)


@pytest.mark.parametrize("line", [b"noise", b"{}", b'{"kind": "other"}', b'{"kind": "exit"}', b"1"])
def test_a_damaged_line_is_an_error(line: bytes) -> None:
    with pytest.raises(ReportError, match="damaged"):
        list(Reader().feed(line + b"\n"))


def test_cloud_init_result_is_read_as_documented(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    result.write_text('{"v1": {"datasource": "DataSourceConfigDrive", "errors": ["boom"]}}')

    assert in_guest.cloud_init_result(result) == {
        "datasource": "DataSourceConfigDrive",
        "errors": ["boom"],
    }
    result.write_text("{")
    assert in_guest.cloud_init_result(result)["errors"] is None
