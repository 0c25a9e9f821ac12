"""What goes over the wire, and what is written down of it."""

from __future__ import annotations

import io

from dpm_lab.hmc.wire.log import Request, RequestLog
from dpm_lab.hmc.wire.stomp import Frame, read_frame


def test_the_log_keeps_the_latest_requests_and_shows_all() -> None:
    shown = io.StringIO()
    log = RequestLog(shown)

    for number in range(10_001):
        log.add(Request("GET", f"/api/partitions/{number}", 200))

    assert [request.uri[16:] for request in log.requests()][:: 10_000 - 1] == ["1", "10000"]
    assert log.counts() == {"GET /api/partitions/{}": 10_000}
    assert shown.getvalue().count("\n") == 10_001


def test_a_line_of_the_log_has_nothing_that_a_terminal_obeys() -> None:
    line = Request("GET", "/api/\x1b[2J\x9bK\xe4", 403).line()

    assert line.endswith(r"GET /api/\x1b[2J\x9bKä")


def test_a_frame_is_read_as_it_was_written() -> None:
    frame = Frame("MESSAGE", {"name": "a:b\\c\nd", "other": "1"}, '{"x": 1}')

    assert read_frame(io.BytesIO(b"\n\n" + frame.encode())) == frame
    assert read_frame(io.BytesIO(b"MESSAGE\n\n")) is None
