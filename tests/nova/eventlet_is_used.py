"""Run by test_modes beside the tests that it has chosen."""

from __future__ import annotations

from tests.nova import mode


def test_this_process_is_patched_by_eventlet() -> None:
    import socket

    from eventlet.patcher import is_monkey_patched  # type: ignore[import-untyped]

    assert mode.uses_eventlet
    assert is_monkey_patched(socket)
