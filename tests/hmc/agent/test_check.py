"""``neutron-dpm-agent --check``: the options against HMC and CPC."""

from __future__ import annotations

from typing import Any

import pytest
from oslo_config import cfg

from dpm_hmc.finding import FAILED, OK, SKIPPED, WARNING, Finding
from networking_dpm import conf as options
from networking_dpm.agent.command import check, main
from tests.driver.haste import HASTY
from tests.hmc.agent.conftest import Bench


def findings(bench: Bench, *mappings: str, **changes: object) -> dict[str, Finding]:
    """The rows of the check, by name."""
    conf = cfg.ConfigOpts()
    options.register(conf)
    path = bench.write(*mappings, **changes)
    conf([f"--config-file={path}"], project="neutron", prog="neutron-dpm-agent")
    return {each.check: each for each in check(conf, HASTY)}


def test_all_rows_are_ok_where_all_is_right_and_no_session_stays(z16: Bench) -> None:
    z16.hmc.control.reset_log()

    rows = findings(z16, f"physnet1:{z16.adapter('OSA-A')}:1")

    assert {name: row.result for name, row in rows.items()} == {
        "configuration": OK,
        "host": OK,
        "HMC": OK,
        "CPC": OK,
        "physnet1": OK,
    }
    switch = z16.switch("vswitch OSA-A port 1")
    assert rows["physnet1"].detail.endswith(f": dpm_vswitch {switch}")
    changes = [each.method for each in z16.hmc.control.requests() if each.method != "GET"]
    assert changes == ["POST", "DELETE"]


def test_each_thing_that_is_wrong_has_a_row_with_its_cure(z17: Bench) -> None:
    osa, fcp = z17.adapter("OSA-A"), z17.adapter("FCP-A")

    rows = findings(z17, f"a:{osa}:2", f"b:{fcp}", f"c:{osa}")

    assert [rows[name].result for name in "abc"] == [FAILED, FAILED, OK]
    assert "adapter OSA-A has no port 2" in rows["a"].detail
    assert f"{osa} (OSA-A)" in rows["b"].cure


def test_an_adapter_that_does_not_work_is_a_warning(z17: Bench) -> None:
    osa = z17.adapter("OSA-A")
    z17.change(f"/api/adapters/{osa}", state="standby")

    row = findings(z17, f"a:{osa}")["a"]

    assert (row.result, "is standby" in row.detail) == (WARNING, True)


def test_without_a_cpc_or_mappings_the_rows_name_those_that_there_are(z17: Bench) -> None:
    missing = findings(z17, "a:no-id", cpc_object_id=None)
    assert missing["CPC"].result == SKIPPED
    assert z17.hmc.machines[0].cpc_object_id in missing["CPC"].detail

    rows = findings(z17)

    assert rows["option physical_network_adapter_mappings"].result == FAILED
    assert f"{z17.adapter('OSA-A')} (OSA-A)" in rows["networks"].detail


def test_a_logon_that_is_refused_is_a_row(z17: Bench) -> None:
    rows = findings(z17, f"a:{z17.adapter('OSA-A')}", hmc_password="wrong")

    assert rows["HMC"].result == FAILED
    assert "refused the logon" in rows["HMC"].detail
    assert "CPC" not in rows


def test_certificates_that_are_not_verified_are_a_warning(z17: Bench) -> None:
    mapping = f"a:{z17.adapter('OSA-A')}"

    rows = findings(z17, mapping, hmc_verify_certificate=False, hmc_ca_file=None)

    assert rows["HMC"].result == WARNING
    assert "certificates are not verified" in rows["HMC"].detail
    assert rows["a"].result == OK


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"dpm_enabled": False}, "not in DPM mode"), ({"status": "no-power"}, "is no-power")],
)
def test_a_cpc_that_cannot_be_used_is_the_last_row(
    z17: Bench, changed: dict[str, Any], said: str
) -> None:
    z17.change(z17.hmc.machines[0].uri, **changed)

    rows = findings(z17, f"a:{z17.adapter('OSA-A')}")

    assert (rows["CPC"].result, said in rows["CPC"].detail) == (FAILED, True)
    assert "a" not in rows


def test_the_table_ends_with_1_where_something_failed_and_holds_no_password(
    z17: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    for mapping, code in ((f"a:{z17.adapter('OSA-A')}", 0), (f"a:{z17.adapter('FCP-A')}", 1)):
        path = z17.write(mapping)

        ended = main([f"--config-file={path}", "--check"], cfg.ConfigOpts(), HASTY)

        out = capsys.readouterr().out
        assert ended == code
        assert out.splitlines()[0].split() == ["CHECK", "RESULT", "DETAIL"]
        assert z17.hmc.password not in out
