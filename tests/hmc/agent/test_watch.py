"""What Neutron's agent finds behind physical networks, and says when that changes."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from dpm_hmc.networks import ADAPTER, VSWITCH
from dpm_lab.hmc import Fault
from networking_dpm.report import Backing
from tests.hmc.agent.conftest import Bench

NOBODY = "00000000-0000-0000-0000-000000000001"
SWITCH_0, SWITCH_1 = "vswitch OSA-A port 0", "vswitch OSA-A port 1"


def found(bench: Bench, *mappings: str) -> dict[str, Backing]:
    """What a first look finds; nothing may be wrong."""
    watch = bench.watch(*mappings)
    watch.look()
    assert bench.said() == []
    assert watch.report.problems == {}
    return dict(watch.report.backings)


def hidden(bench: Bench, uri: str, status: int = 404) -> None:
    """Have the HMC say that something is not there."""
    bench.hmc.control.add_fault(Fault("GET", uri, status=status, reason=1, times=None))


def test_to_z16_an_adapter_stands_for_the_virtual_switches_of_its_ports(z16: Bench) -> None:
    osa, hiper = z16.adapter("OSA-A"), z16.adapter("HIPER-A")

    assert found(z16, f"a:{osa}", f"b:{osa}:1", f"c:{hiper}:0") == {
        "a": Backing(VSWITCH, z16.switch(SWITCH_0), 0),
        "b": Backing(VSWITCH, z16.switch(SWITCH_1), 1),
        "c": Backing(VSWITCH, z16.switch("vswitch HIPER-A port 0"), 0),
    }


def test_a_virtual_switch_can_be_named_itself(z16: Bench) -> None:
    switch = z16.switch(SWITCH_1)

    assert found(z16, f"a:{switch}") == {"a": Backing(VSWITCH, switch, 1)}


def test_on_a_z17_ports_of_adapters_are_found(z17: Bench) -> None:
    osa, hiper, express = (z17.adapter(name) for name in ("OSA-A", "HIPER-A", "NETX-01"))

    assert found(z17, f"a:{osa}:1", f"b:{hiper}", f"c:{express}") == {
        "a": Backing(ADAPTER, osa, 1),
        "b": Backing(ADAPTER, hiper, 0),
        "c": Backing(ADAPTER, express, 0),
    }


def test_two_physical_networks_can_have_the_same_port(z16: Bench) -> None:
    osa = z16.adapter("OSA-A")

    both = found(z16, f"a:{osa}:1", f"b:{osa}:1")

    assert both["a"] == both["b"]


def test_the_first_look_says_what_is_where(z16: Bench) -> None:
    z16.watch(f"physnet1:{z16.adapter('OSA-A')}:1").look()

    [line] = [each for each in z16.said(logging.INFO) if each.startswith("Physical network")]
    switch = z16.switch(SWITCH_1)
    assert line == (
        f"Physical network physnet1: virtual switch {SWITCH_1} ({switch}) on port 1 of adapter "
        "OSA-A (osd)"
    )


def test_between_two_looks_nothing_is_asked_and_there_is_one_logon(z16: Bench) -> None:
    hmc = z16.door()
    watch = z16.watch(f"a:{z16.adapter('OSA-A')}:1", f"b:{z16.switch(SWITCH_0)}", hmc=hmc)
    control = z16.hmc.control
    control.reset_log()
    stop, looked = threading.Event(), threading.Semaphore(0)
    thread = threading.Thread(target=watch.run, args=(stop, 3600, looked.release))
    thread.start()
    looked.acquire()

    asked = [(request.method, request.uri.partition("?")[0]) for request in control.requests()]

    assert asked.count(("POST", "/api/sessions")) == 1
    stop.set()
    control.reset_log()
    watch.look()  # as after 3600 s
    known = sorted(request.uri.partition("?")[0] for request in control.requests())
    cpc = z16.hmc.machines[0].uri
    assert [uri for uri in known if not uri.startswith(cpc)] == sorted(
        [
            "/api/version",
            f"/api/adapters/{z16.adapter('OSA-A')}",
            f"/api/virtual-switches/{z16.switch(SWITCH_0)}",
            f"/api/virtual-switches/{z16.switch(SWITCH_1)}",
        ]
    )
    assert "/api/sessions" not in known
    assert f"{cpc}/virtual-switches" not in known, "what is known is not searched again"
    hmc.close()


def test_an_adapter_that_is_gone_is_withdrawn_said_once_and_taken_again(z16: Bench) -> None:
    osa, hiper = z16.adapter("OSA-A"), z16.adapter("HIPER-A")
    watch = z16.watch(f"a:{osa}", f"b:{hiper}")
    assert watch.look()
    z16.said()
    hidden(z16, f"/api/adapters/{osa}")

    assert watch.look()
    [line] = z16.said()
    assert not watch.look()

    assert z16.said() == []
    assert list(watch.report.backings) == ["b"]
    assert "shows no such adapter or virtual switch to this user" in watch.report.problems["a"]
    assert f"there is {osa} (OSA-A), {hiper} (HIPER-A)" in line
    z16.hmc.control.clear_faults()
    assert watch.look()
    assert sorted(watch.report.backings) == ["a", "b"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"type": "osm"}, "is of type osm"),
        ({"network_port_uris": []}, "has no port 0"),
        ({"parent": f"/api/cpcs/{NOBODY}"}, "is not one of CPC Z16"),
    ],
)
def test_an_adapter_that_takes_no_nics_any_more_is_withdrawn(
    z16: Bench, changed: dict[str, Any], said: str
) -> None:
    osa = z16.adapter("OSA-A")
    watch = z16.watch(f"a:{osa}")
    watch.look()
    z16.change(f"/api/adapters/{osa}", **changed)

    assert watch.look()

    assert watch.report.backings == {}
    [line] = z16.said()
    assert f"adapter OSA-A {said}" in line
    assert said in watch.report.problems["a"]


def test_an_fcp_adapter_is_none_for_networks(z17: Bench) -> None:
    watch = z17.watch(f"a:{z17.adapter('FCP-A')}")

    watch.look()

    assert "is of type fcp" in watch.report.problems["a"]


def test_another_virtual_switch_on_the_adapters_port_is_followed(z16: Bench) -> None:
    osa = z16.adapter("OSA-A")
    watch = z16.watch(f"a:{osa}:0")
    watch.look()
    z16.change(f"/api/virtual-switches/{z16.switch(SWITCH_0)}", port=1)
    z16.change(f"/api/virtual-switches/{z16.switch(SWITCH_1)}", port=0)

    assert watch.look()

    assert watch.report.backings == {"a": Backing(VSWITCH, z16.switch(SWITCH_1), 0)}
    [line] = z16.said()
    assert f"was virtual switch {SWITCH_0}" in line
    assert f"is now virtual switch {SWITCH_1}" in line


def test_a_virtual_switch_that_is_named_is_followed_to_another_adapter(z16: Bench) -> None:
    switch, hiper = z16.switch(SWITCH_0), z16.adapter("HIPER-A")
    watch = z16.watch(f"a:{switch}")
    watch.look()
    z16.change(f"/api/virtual-switches/{switch}", backing_adapter_uri=f"/api/adapters/{hiper}")

    watch.look()
    [line] = z16.said()
    watch.look()

    assert "on port 0 of adapter OSA-A (osd), and is now" in line
    assert "on port 0 of adapter HIPER-A (hipersockets)" in line
    assert z16.said() == []
    assert watch.report.backings == {"a": Backing(VSWITCH, switch, 0)}


def test_a_port_without_a_virtual_switch_is_said(z16: Bench) -> None:
    other = f"/api/adapters/{z16.adapter('HIPER-A')}"
    z16.change(f"/api/virtual-switches/{z16.switch(SWITCH_0)}", port=1, backing_adapter_uri=other)
    z16.change(f"/api/virtual-switches/{z16.switch(SWITCH_1)}", port=0)
    watch = z16.watch(f"a:{z16.adapter('OSA-A')}:1")

    watch.look()

    assert "shows no virtual switch of this adapter's port" in watch.report.problems["a"]


def test_a_virtual_switch_of_another_cpc_is_a_mistake(z16: Bench) -> None:
    switch = z16.switch(SWITCH_0)
    z16.change(f"/api/virtual-switches/{switch}", parent=f"/api/cpcs/{NOBODY}")
    watch = z16.watch(f"a:{switch}")

    watch.look()

    assert watch.report.backings == {}
    assert f"virtual switch {SWITCH_0} is not one of CPC Z16" in watch.report.problems["a"]


def test_a_mistake_is_said_where_the_hmc_does_not_list_adapters(z16: Bench) -> None:
    hidden(z16, ".*/adapters", 403)
    watch = z16.watch(f"a:{NOBODY}")

    watch.look()

    [line] = z16.said()
    assert "shows no such adapter or virtual switch to this user" in line
    assert "there is none that is shown (GET /api/cpcs/" in line


def test_a_virtual_switch_with_a_port_is_a_mistake(z16: Bench) -> None:
    watch = z16.watch(f"a:{z16.switch(SWITCH_1)}:1")

    watch.look()

    assert "knows its port itself" in watch.report.problems["a"]
    assert z16.said()[0].endswith("Leave the port out")


def test_a_virtual_switch_whose_adapter_is_hidden_is_used_and_doubted(z16: Bench) -> None:
    hidden(z16, f"/api/adapters/{z16.adapter('OSA-A')}", 403)
    watch = z16.watch(f"a:{z16.switch(SWITCH_1)}")

    watch.look()

    assert watch.report.backings["a"].port == 1
    assert "is on an adapter that this user may not see" in z16.said()[0]


def test_an_adapter_that_does_not_work_is_said_and_stays(z17: Bench) -> None:
    osa = z17.adapter("OSA-A")
    watch = z17.watch(f"a:{osa}")
    watch.look()
    z17.said(logging.INFO)
    z17.change(f"/api/adapters/{osa}", status="not-active")

    assert not watch.look()
    assert not watch.look()
    [line] = z17.said()
    z17.change(f"/api/adapters/{osa}", status="active")
    watch.look()

    assert "port 0 of adapter OSA-A (osd) is not-active" in line
    assert any("works again" in each for each in z17.said(logging.INFO))


@pytest.mark.parametrize("kind", ["drop-before", "status"])
def test_what_was_found_stays_while_the_hmc_is_away(z16: Bench, kind: str) -> None:
    hmc = z16.door()
    watch = z16.watch(f"a:{z16.adapter('OSA-A')}", hmc=hmc)
    watch.look()
    before = watch.report
    z16.said(logging.INFO)
    z16.hmc.control.add_fault(Fault(".*", ".*", kind, status=503, reason=1, times=None))

    assert not watch.look()
    assert not watch.look()

    [line] = z16.said()
    assert line.startswith("Physical networks stay as they were: ")
    assert watch.report == before
    z16.hmc.control.clear_faults()
    assert not watch.look()
    assert any("answers again" in each for each in z16.said(logging.INFO))
    assert watch.report == before
    hmc.close()


def test_an_hmc_that_is_away_at_the_start_is_waited_for(z16: Bench) -> None:
    watch = z16.watch(f"a:{z16.adapter('OSA-A')}")
    z16.hmc.control.add_fault(Fault(".*", ".*", "drop-before", times=None))

    watch.look()

    assert watch.report.backings == {}
    assert "No HMC answers" in watch.report.problems["a"]
    z16.hmc.control.clear_faults()
    assert watch.look()
    assert list(watch.report.backings) == ["a"]
    assert watch.report.problems == {}


def test_an_answer_that_cannot_be_used_hides_no_other_network(z16: Bench) -> None:
    osa, hiper = z16.adapter("OSA-A"), z16.adapter("HIPER-A")
    watch = z16.watch(f"a:{osa}", f"b:{hiper}")
    z16.change(f"/api/adapters/{osa}", name=None)

    watch.look()
    watch.look()

    assert list(watch.report.backings) == ["b"]
    assert "The HMC's answer cannot be used" in watch.report.problems["a"]
    [line] = z16.said()
    assert line.startswith("Physical network a stays as it was: The HMC's answer cannot be used")


def test_a_request_that_the_hmc_fails_keeps_what_was_found(z16: Bench) -> None:
    osa = z16.adapter("OSA-A")
    watch = z16.watch(f"a:{osa}")
    watch.look()
    fault = Fault("GET", f"/api/adapters/{osa}", status=409, reason=1, times=None)
    z16.hmc.control.add_fault(fault)

    assert not watch.look()
    assert not watch.look()

    assert list(watch.report.backings) == ["a"]
    [line] = z16.said()
    assert "409,1" in line
    z16.hmc.control.clear_faults()
    watch.look()
    z16.hmc.control.add_fault(fault)
    watch.look()
    assert z16.said() == [line], "it is said once each time"


@pytest.mark.parametrize(
    ("properties", "said"),
    [({"dpm_enabled": False}, "not in DPM mode"), ({"status": "no-power"}, "is no-power")],
)
def test_a_cpc_that_does_not_work_changes_nothing(
    z16: Bench, properties: dict[str, Any], said: str
) -> None:
    watch = z16.watch(f"a:{z16.adapter('OSA-A')}")
    watch.look()
    z16.change(z16.hmc.machines[0].uri, **properties)

    assert not watch.look()

    assert said in z16.said()[0]
    assert list(watch.report.backings) == ["a"]


def test_something_unforeseen_ends_nothing(z16: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = z16.watch(f"a:{z16.adapter('OSA-A')}")
    looks, stop = [], threading.Event()

    def look() -> bool:
        looks.append(1)
        if len(looks) == 2:
            stop.set()
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(watch, "look", look)
    reports: list[int] = []

    watch.run(stop, 0, lambda: reports.append(1))

    assert len(looks) == 2
    assert len(reports) == 1, "a heartbeat goes out after the first look, whatever became of it"
