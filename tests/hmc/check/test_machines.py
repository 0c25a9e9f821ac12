"""What nova-dpm-check says of an HMC and a CPC: on a z13, a z16 and a z17."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from oslo_config import cfg

from dpm_hmc.client import Hmc
from dpm_hmc.errors import ConfigError, DpmError
from dpm_hmc.finding import FAILED, OK, SKIPPED, WARNING
from dpm_hmc.settings import HmcSettings
from dpm_lab.hmc import Fault, HmcServer
from nova_dpm import conf
from nova_dpm.check import start
from nova_dpm.check.command import main, read_configuration
from tests.hmc.check.conftest import Bench, row_of

NOBODY = "00000000-0000-0000-0000-000000000001"


def test_nothing_fails_where_all_is_right(bench: Bench) -> None:
    code, rows = bench.check()

    assert code == 0
    assert {row.result for row in rows} == {OK}
    assert row_of(rows, "storage port 2").detail == f"{bench.adapter('FCP-B')}:0, adapter FCP-B"


def test_nothing_is_changed_on_the_hmc_and_no_session_stays(bench: Bench) -> None:
    bench.hmc.control.reset_log()

    bench.check()

    asked = [request for request in bench.hmc.control.requests() if request.method != "GET"]
    assert [(request.method, request.uri) for request in asked] == [
        ("POST", "/api/sessions"),
        ("DELETE", "/api/sessions/this-session"),
    ]


def test_the_rows_say_what_the_machine_offers(bench: Bench) -> None:
    _, rows = bench.check()

    said = {name: row_of(rows, name).detail for name in ("storage", "MACs", "VLANs", "network 1")}
    groups, settable, kind = {
        "Z13": (False, False, "dpm_vswitch"),
        "Z16": (True, True, "dpm_vswitch"),
        "Z17": (True, True, "dpm_adapter"),
    }[bench.hmc.machines[0].cpc["name"]]
    assert ("storage groups" in said["storage"]) is groups
    assert ("dpm-guest" in said["MACs"]) is not settable
    assert ("flat networks only" in said["VLANs"]) is not settable
    assert said["network 1"].startswith(f"{kind} object_id ")
    assert any(row.check == "storage groups" for row in rows) is groups


def test_the_object_ids_of_networks_are_those_that_the_hmc_knows(bench: Bench) -> None:
    _, rows = bench.check()

    ids = {
        match.group(1)
        for row in rows
        if (match := re.match(r"dpm_\w+ object_id (\S{36})", row.detail))
    }
    tree = bench.hmc.service.tree
    known = {switch.id for cpc in tree.cpcs() for switch in cpc.of("virtual-switch")}
    express = {f"NETX-{number:02d}" for number in range(1, 27)}
    assert ids == known or ids == {bench.adapter(name) for name in {"OSA-A", "HIPER-A", *express}}


# One row each: what is changed, the row that fails, what it says, what the cure says.
WRONG_OPTIONS = [
    ({"max_memory": "much"}, "option max_memory", "much", "Correct it"),
    ({"max_memory": 5}, "option max_memory", "= 5: ", "Correct it"),
    ({"max_processors": None}, "option max_processors", "(not set)", "Set it"),
    ({"hmc": None}, "option hmc", "(not set)", "Set it"),
    ({"hmc": "127.0.0.1:6794"}, "option hmc", "hmc_port", "Correct it"),
    ({"hmc_password": None}, "option hmc_password", "(not set)", "Set it"),
    ({"cpc_object_id": "Z16"}, "option cpc_object_id", "'Z16' is no object id", "Correct it"),
    (
        {"physical_storage_adapter_mappings": "FCP-A"},
        "option physical_storage_adapter_mappings",
        "FCP-A",
        "Correct it",
    ),
    ({"host": "a.name.of.18.chars"}, "option host", "[DEFAULT] host", "shorter"),
    ({"cpc_object_id": NOBODY}, "CPC", "shows no such CPC", "Take the object id"),
    ({"max_processors": 1000}, "max_processors", "IFL processors", "or less"),
    ({"max_memory": 99999999}, "max_memory", "MiB of memory", "or less"),
    ({"physical_storage_adapter_mappings": None}, "storage port", "(not set)", "(FCP-A)"),
    (
        {"physical_storage_adapter_mappings": f"{NOBODY}:0"},
        "storage port 1",
        "no such adapter",
        "(FCP-A)",
    ),
    ({"hmc_password": "wrong"}, "HMC 1 logon", "refused the logon", "hmc_password"),
    ({"hmc_ca_file": None}, "HMC 1 certificate", "cannot be verified", "Set hmc_ca_file"),
    ({"hmc_ca_file": "nowhere.pem"}, "HMC 1 certificate", "nowhere.pem", "Name a file"),
    ({"hmc": "127.0.0.2"}, "HMC 1", "Connection refused", "Check hmc and hmc_port"),
]


@pytest.mark.parametrize(("changes", "check", "said", "cure"), WRONG_OPTIONS)
def test_a_wrong_option_is_named_with_value_and_cure(
    bench: Bench, changes: dict[str, object], check: str, said: str, cure: str
) -> None:
    row = bench.failed(**changes)

    assert row.check == check
    assert said in row.detail
    assert cure in row.cure


@pytest.mark.parametrize("changes", [case[0] for case in WRONG_OPTIONS], ids=str)
def test_nova_compute_does_not_start_and_says_the_same(
    bench: Bench, changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dpm_hmc.tries.ATTEMPTS", 1)
    row = bench.failed(**changes)

    with pytest.raises(DpmError) as stopped:
        _start(read_configuration([str(bench.write(**changes))], []))

    if isinstance(stopped.value, ConfigError):
        assert (row.detail, row.cure) == (stopped.value.finding, stopped.value.cure)
    else:
        assert row.check.startswith("HMC 1")


def _start(configuration: cfg.ConfigOpts) -> None:
    """What the driver does before nova-compute goes on."""
    settings = conf.read(configuration)
    hmc = Hmc(replace(settings.hmc, busy_timeout=0))
    try:
        start.check_options(hmc, settings, start.usable_cpc(hmc, settings))
    finally:
        hmc.close()


def test_several_wrong_options_are_all_named_and_the_rest_is_still_looked_at(bench: Bench) -> None:
    osa = f"{bench.adapter('OSA-A')}:0"
    beyond = f"{bench.adapter('FCP-A')}:7"

    code, rows = bench.check(
        max_memory="much",
        max_processors=1000,
        physical_storage_adapter_mappings=[osa, f"{bench.adapter('FCP-B')}:0", beyond],
    )

    assert code == 1
    failed = {row.check: row.detail for row in rows if row.result == FAILED}
    assert set(failed) == {
        "option max_memory",
        "max_processors",
        "storage port 1",
        "storage port 3",
    }
    assert "is of type osd, not fcp" in failed["storage port 1"]
    assert "has no port 7" in failed["storage port 3"]
    assert row_of(rows, "max_memory").result == SKIPPED
    assert row_of(rows, "storage port 2").result == OK
    assert row_of(rows, "partitions").result == OK


def test_an_adapter_of_another_cpc_is_refused(tmp_path: Path) -> None:
    with HmcServer("z16", "z14") as hmc:
        other = next(
            adapter.properties["object-id"]
            for adapter in hmc.service.tree.cpcs()[1].of("adapter")
            if adapter.properties["type"] == "fcp"
        )
        settings = conf.Settings(
            "lab",
            HmcSettings(
                (hmc.host,), hmc.port, hmc.userid, hmc.password, str(hmc.ca_file), 5, 5, 5, 5, 5, 0
            ),
            hmc.machines[0].cpc_object_id,
            1,
            512,
            (conf.StoragePort(other, 0),),
            frozenset(),
        )
        door = Hmc(settings.hmc)

        with pytest.raises(ConfigError, match="is not one of CPC Z16"):
            start.check_options(door, settings, start.usable_cpc(door, settings))

        door.close()


def test_without_a_cpc_the_rows_name_those_that_there_are(bench: Bench) -> None:
    _, rows = bench.check(cpc_object_id=None)

    row = row_of(rows, "CPC")
    assert row.result == SKIPPED
    assert bench.hmc.machines[0].cpc_object_id in row.detail


@pytest.mark.parametrize(
    ("properties", "check", "said"),
    [
        ({"dpm-enabled": False}, "DPM mode", "is not in DPM mode"),
        ({"status": "not-operating"}, "CPC status", "is not-operating"),
        ({"status": "no-power"}, "CPC status", "is no-power"),
    ],
)
def test_a_cpc_that_cannot_be_used_ends_the_rows(
    bench: Bench, properties: dict[str, object], check: str, said: str
) -> None:
    bench.hmc.control.set_properties(bench.cpc_uri, properties)

    code, rows = bench.check()

    assert code == 1
    assert said in row_of(rows, check).detail
    assert [(row.check, row.result) for row in rows[-1:]] == [("all else", SKIPPED)]


def test_a_cpc_with_messages_is_a_warning(bench: Bench) -> None:
    bench.hmc.control.set_properties(bench.cpc_uri, {"status": "service-required"})

    code, rows = bench.check()

    assert code == 0
    assert row_of(rows, "CPC status").result == WARNING


def test_an_alternate_hmc_takes_the_place_of_one_that_is_down(bench: Bench) -> None:
    code, rows = bench.check(hmc="127.0.0.2,127.0.0.1")

    assert code == 0
    assert row_of(rows, "HMC 1").result == WARNING
    assert "127.0.0.2" in row_of(rows, "HMC 1").detail
    assert row_of(rows, "HMC 2 logon").result == OK
    assert row_of(rows, "CPC").result == OK


def test_an_alternate_hmc_that_is_down_is_a_warning(bench: Bench) -> None:
    code, rows = bench.check(hmc="127.0.0.1,127.0.0.2")

    assert code == 0
    assert row_of(rows, "HMC 2").result == WARNING
    assert row_of(rows, "CPC").result == OK


def test_both_hmcs_are_tried_the_first_is_used_and_no_session_stays(bench: Bench) -> None:
    bench.hmc.control.reset_log()

    code, rows = bench.check(hmc="localhost,127.0.0.1", cpc_object_id=NOBODY)

    methods = [request.method for request in bench.hmc.control.requests()]
    assert code == 1
    assert row_of(rows, "HMC 2 logon").result == OK
    assert "HMC localhost shows no such CPC" in row_of(rows, "CPC").detail
    assert methods.count("POST") == methods.count("DELETE") == 2


def test_all_hmcs_down_is_a_failure(bench: Bench) -> None:
    code, rows = bench.check(hmc="127.0.0.2,127.0.0.3")

    assert code == 1
    assert [row.check for row in rows if row.result == FAILED] == ["HMC 1", "HMC 2"]
    assert row_of(rows, "CPC").result == SKIPPED


def test_an_hmc_that_refuses_the_logon_is_not_passed_over(bench: Bench) -> None:
    """zhmcclient takes the first HMC that answers, whatever it answers to the logon."""
    code, rows = bench.check(hmc="127.0.0.1,127.0.0.2", hmc_password="wrong")

    assert code == 1
    assert row_of(rows, "HMC 1 logon").result == FAILED
    assert row_of(rows, "HMC 2").result == WARNING


def test_certificates_that_are_not_verified_are_a_warning(bench: Bench) -> None:
    code, rows = bench.check(hmc_verify_certificate="false", hmc_ca_file=None)

    assert code == 0
    assert row_of(rows, "certificates").result == WARNING
    assert "HMC 1 certificate" not in [row.check for row in rows]


@pytest.mark.parametrize("state", [{"state": "standby"}, {"status": "not-active"}])
def test_a_storage_adapter_that_is_not_ready_is_a_warning(
    bench: Bench, state: dict[str, str]
) -> None:
    bench.hmc.control.set_properties(f"/api/adapters/{bench.adapter('FCP-A')}", state)

    code, rows = bench.check()

    assert code == 0
    assert row_of(rows, "storage port 1").result == WARNING
    assert next(iter(state.values())) in row_of(rows, "storage port 1").detail
    assert row_of(rows, "storage port 2").result == OK


def test_a_network_adapter_that_is_not_ready_is_a_warning(bench: Bench) -> None:
    bench.hmc.control.set_properties(
        f"/api/adapters/{bench.adapter('HIPER-A')}", {"status": "not-active"}
    )

    code, rows = bench.check()

    assert code == 0
    (row,) = [row for row in rows if row.result == WARNING]
    assert "HIPER-A" in row.detail


def test_partitions_of_this_host_and_of_others_are_counted(bench: Bench) -> None:
    bench.hmc.control.add_partitions(2, "OpenStack-lab-00000000-0000-0000-0000-00000000000{}")
    bench.hmc.control.add_partitions(1, "OpenStack-lab-2-00000000-0000-0000-0000-00000000000{}")

    _, rows = bench.check()

    assert row_of(rows, "partitions").detail.startswith("2 of host lab, 3 of the CPC")


def test_a_full_cpc_is_a_warning(bench: Bench) -> None:
    bench.hmc.control.set_properties(bench.cpc_uri, {"maximum-partitions": 2})
    bench.hmc.control.add_partitions(2)

    code, rows = bench.check()

    assert code == 0
    assert row_of(rows, "partitions").result == WARNING


def test_partitions_that_may_not_be_listed_fail_and_the_rest_goes_on(bench: Bench) -> None:
    bench.hmc.control.add_fault(
        Fault("GET", "/api/cpcs/[^/]+/partitions", "status", status=403, reason=1, times=None)
    )

    code, rows = bench.check()

    assert code == 1
    assert row_of(rows, "partitions").result == FAILED
    assert "Give the user access" in row_of(rows, "partitions").cure
    assert row_of(rows, "class partition").result == OK


def test_networks_that_may_not_be_listed_fail_and_the_rest_goes_on(bench: Bench) -> None:
    bench.hmc.control.add_fault(
        Fault("GET", "/api/cpcs/[^/]+/adapters", "status", status=403, reason=1, times=None)
    )

    code, rows = bench.check()

    assert code == 1
    assert row_of(rows, "networks").result == FAILED
    assert row_of(rows, "partitions").result == OK


def test_the_table_holds_neither_password_nor_session(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["--config-file", str(bench.write())])

    out, _ = capsys.readouterr()
    assert code == 0
    assert bench.hmc.password not in out
    assert not re.search(r"\b[0-9a-f]{32}\b", out)
    assert re.search(r"^CPC status +ok +active$", out, re.MULTILINE)
    assert out.rstrip().endswith(" ok")


def test_what_is_in_the_table_is_not_logged_beside_it(bench: Bench) -> None:
    file = bench.write(hmc_password="wrong")

    done = subprocess.run(
        [sys.executable, "-m", "nova_dpm.check.command", "--config-file", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "refused the logon" in done.stdout
    assert done.stderr == ""
