"""What a guest's program sends is what the host reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dpm_lab.guests.qemu import in_guest
from dpm_lab.guests.qemu.report import (
    Begin,
    CloudInit,
    End,
    Event,
    Exit,
    Output,
    Reader,
    ReportError,
)


def run_plan(folder: Path, *steps: tuple[str, str]) -> bytes:
    """Run the guest's program here, with a file in place of the port."""
    plan = folder / "plan.json"
    plan.write_text(
        json.dumps(
            {
                "poke": [],
                "steps": [{"name": name, "command": command} for name, command in steps],
                "power_off": False,
            }
        )
    )
    port = folder / "port"
    assert in_guest.main(str(plan), str(port)) == 0
    return port.read_bytes()


def output(events: list[Event], step: str) -> bytes:
    return b"".join(e.data for e in events if isinstance(e, Output) and e.step == step)


def test_commands_run_in_order_and_their_output_and_status_arrive(tmp_path: Path) -> None:
    data = run_plan(tmp_path, ("a", "echo one; echo two >&2; exit 3"), ("b", "true"))

    events = list(Reader().feed(data))

    assert [event for event in events if not isinstance(event, Output)] == [
        CloudInit(None, ""),
        Begin("a"),
        Exit("a", 3),
        Begin("b"),
        Exit("b", 0),
        End(),
    ]
    assert output(events, "a") == b"one\ntwo\n"


def test_any_bytes_arrive_as_they_were(tmp_path: Path) -> None:
    data = run_plan(tmp_path, ("bytes", r"printf '\377\000{\n}\n'; head -c 20000 /dev/zero"))

    assert output(list(Reader().feed(data)), "bytes") == b"\xff\0{\n}\n" + bytes(20000)


def test_a_signal_is_told_as_a_shell_tells_it(tmp_path: Path) -> None:
    data = run_plan(tmp_path, ("killed", "kill -TERM $$"))

    assert Exit("killed", 143) in list(Reader().feed(data))


def test_commands_do_not_take_the_port_for_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    data = run_plan(tmp_path, ("env", 'echo "${JOURNAL_STREAM-none} $HOME"'))

    assert output(list(Reader().feed(data)), "env") == b"none /root\n"


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_events_come_out_whole_in_whatever_pieces_they_come_in(tmp_path: Path, size: int) -> None:
    data = run_plan(tmp_path, ("a", "seq 100"))
    reader = Reader()

    events = [e for i in range(0, len(data), size) for e in reader.feed(data[i : i + size])]

    assert output(events, "a").split() == [str(i).encode() for i in range(1, 101)]
    assert events[-1] == End()


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
