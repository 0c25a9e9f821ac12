"""nova-dpm-check on HMCs that leave out what it reads: a row each, never a traceback."""

from __future__ import annotations

from typing import Any

import pytest
import zhmcclient

from dpm_hmc.finding import FAILED, OK, WARNING
from dpm_lab.hmc import Fault
from nova_dpm.check.command import main
from tests.hmc.check.conftest import Bench, row_of

#: What is left out, of whom, and the row that fails (None: it can do without).
MISSING = [
    ("/api/cpcs/", "name", "CPC"),
    ("/api/cpcs/", "status", "CPC"),
    ("/api/adapters/", "name", "storage port 1"),
    ("/api/virtual-switches/", "name", "network 1"),
    ("/api/virtual-switches/", "port", "network 1"),
    ("/api/virtual-switches/", "type", None),
    ("/api/version", "api-major-version", "HMC 1 logon"),
]


@pytest.mark.parametrize(("uri", "name", "check"), MISSING)
def test_what_is_missing_is_a_row_and_the_rest_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, uri: str, name: str, check: str | None
) -> None:
    if bench.hmc.machines[0].cpc["name"] == "Z17" and "switches" in uri:
        pytest.skip("a z17 has no virtual switches")
    get = zhmcclient.Session.get

    def less(session: zhmcclient.Session, asked: str, **options: Any) -> Any:
        answer = get(session, asked, **options)
        if asked.startswith(uri) and isinstance(answer, dict):
            answer.pop(name, None)
        return answer

    monkeypatch.setattr(zhmcclient.Session, "get", less)

    _, rows = bench.check()

    failed = [row for row in rows if row.result == FAILED]
    if check is None:
        assert failed == []
        assert "of unknown type" in row_of(rows, "network 1").detail
    else:
        assert check in [row.check for row in failed]
        assert all(name in row.detail for row in failed)
    if uri == "/api/virtual-switches/":
        assert row_of(rows, "partitions").result == OK


def test_ficon_cards_that_nobody_has_configured_are_told_from_none(bench: Bench) -> None:
    for cpc in bench.hmc.service.tree.cpcs():
        for adapter in cpc.of("adapter"):
            if adapter.properties["type"] == "fcp":
                adapter.properties["type"] = "not-configured"

    _, rows = bench.check(physical_storage_adapter_mappings=None)

    cure = row_of(rows, "storage port").cure
    assert "none, but 2 FICON adapters of type not-configured" in cure
    assert "zhmc adapter update" in cure


def test_a_cpc_without_ifls_is_not_told_to_be_given_none(bench: Bench) -> None:
    for cpc in bench.hmc.service.tree.cpcs():
        cpc.properties["processor-count-ifl"] = 0

    row = bench.failed()

    assert row.check == "max_processors"
    assert "has no IFL processors" in row.detail
    assert "or less" not in row.cure


@pytest.mark.parametrize("status", [403, 404])
def test_a_switch_that_the_user_may_not_see_hides_no_other(bench: Bench, status: int) -> None:
    if bench.hmc.machines[0].cpc["name"] == "Z17":
        pytest.skip("a z17 has no virtual switches")
    bench.hmc.control.add_fault(
        Fault("GET", "/api/virtual-switches/[^/]+", status=status, reason=1, times=1)
    )

    code, rows = bench.check()

    assert code == 0
    assert row_of(rows, "network 1").result == WARNING
    assert row_of(rows, "network 2").result == OK


def test_a_logon_that_no_hmc_answers_is_a_row(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zhmcclient.Session, "post", lambda *_, **__: {})

    assert bench.failed().check == "HMC 1 logon"


def test_a_name_does_nothing_to_the_terminal(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    get = zhmcclient.Session.get

    def hostile(session: zhmcclient.Session, asked: str, **options: Any) -> Any:
        answer = get(session, asked, **options)
        if asked.startswith("/api/adapters/") and "name" in answer:
            answer["name"] = "FCP\x1b[2J\udc80\u202e"
        return answer

    monkeypatch.setattr(zhmcclient.Session, "get", hostile)

    main(["--config-file", str(bench.write())])

    said = capsys.readouterr().out
    assert r"FCP\x1b[2J\udc80\u202e" in "".join(said.split())
    assert all(line.isprintable() for line in said.splitlines())
