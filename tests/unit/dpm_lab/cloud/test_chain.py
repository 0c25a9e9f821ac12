"""What the demo makes of the links of a chain: one that differs is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dpm_lab.cloud.chain import guest
from dpm_lab.cloud.chain.demo import networks, screen
from dpm_lab.cloud.chain.links import Guest, HmcNic, Port, judge
from dpm_lab.cloud.place import Host
from dpm_lab.process import Answer

PORT = Port("f3a1", "provider", "n1", "fa:16:3e:00:00:11", "192.0.2.17", "ACTIVE")
NIC = HmcNic("OpenStack_Port_f3a1", "0001", "fa:16:3e:00:00:11", "vswitch OSA-A port 0")
PARAMETERS = "quiet 0001,0,fa163e000011;"
ROW: dict[str, Any] = {
    "devno": "0001",
    "ok": True,
    "reasons": [],
    "actual": {"interface": "enc1", "mac": "fa:16:3e:00:00:11"},
}
GUEST = Guest(
    cmdline="root=LABEL=x quiet 0001,0,fa163e000011;",
    status={"ok": True, "nics": [ROW]},
    addresses={"fa:16:3e:00:00:11": ["192.0.2.17"]},
    cloud_init="done",
)


def problems(
    port: Port = PORT,
    nics: tuple[HmcNic, ...] = (NIC,),
    parameters: str = PARAMETERS,
    guest: Guest = GUEST,
) -> str:
    (link,) = judge([port], nics, parameters, guest)
    return "; ".join(link.problems)


def test_a_nic_that_is_right_has_no_problem_and_every_link_of_it_is_shown() -> None:
    (link,) = judge([PORT], (NIC,), PARAMETERS, GUEST)

    assert not link.problems
    shown = screen([link], GUEST)
    assert "NIC on provider: right from end to end" in shown
    for text in ("192.0.2.17  ACTIVE", "device number 0001", "0001,0,fa163e000011;", "enc1"):
        assert text in shown


def test_a_mac_of_firmware_is_no_problem_where_the_guest_has_the_ports() -> None:
    """A z13 has no other: it is what the agent is for."""
    assert not problems(nics=(replace(NIC, mac="02:00:00:00:00:01"),))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"port": replace(PORT, status="DOWN")}, "its port is DOWN"),
        ({"nics": ()}, "the HMC has no NIC of it"),
        ({"parameters": "quiet"}, "do not name its device number"),
        ({"parameters": "0001,0,0a0000000099;"}, "the boot parameters have another MAC"),
        ({"guest": replace(GUEST, cmdline="quiet")}, "the guest's kernel was not told of it"),
        ({"guest": replace(GUEST, status={"nics": []})}, "dpm-guest does not know it"),
        ({"guest": replace(GUEST, addresses={})}, "does not have its address"),
    ],
)
def test_the_link_that_differs_is_named(changed: dict[str, Any], said: str) -> None:
    assert said in problems(**changed)


def test_what_the_agent_says_is_passed_on() -> None:
    row = {**ROW, "ok": False, "reasons": ["not online"], "actual": {}}
    said = problems(guest=replace(GUEST, status={"nics": [row]}))

    assert "dpm-guest: not online" in said
    assert "another MAC" in said


def test_what_a_guest_writes_cannot_control_the_terminal() -> None:
    row = {**ROW, "actual": {"interface": "\x1b[2Jenc1", "mac": PORT.mac}}
    guest = replace(GUEST, status={"nics": [row]})

    assert "\x1b" not in screen(judge([PORT], (NIC,), PARAMETERS, guest), guest)


def test_a_guest_of_another_distribution_is_reached_as_its_own_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """EL's guest lets in cloud-user."""

    def ask(words: list[str]) -> Answer:
        let_in = "cloud-user@192.0.2.17" in words
        return Answer(0, "", "") if let_in else Answer(255, "", "Permission denied (publickey).")

    monkeypatch.setattr(guest, "ask", ask)
    ssh = guest.Ssh(Path("key"), PORT)

    assert ssh.answers()
    assert ssh.command[-1] == "cloud-user@192.0.2.17"


def test_a_guest_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def ask(words: list[str]) -> Answer:
        asked.append(words)
        return Answer(255, "", "No route to host")

    monkeypatch.setattr(guest, "ask", ask)

    assert not guest.Ssh(Path("key"), PORT).answers()
    assert len(asked) == 1


def test_a_server_has_a_port_on_hipersockets_where_the_hmc_knows_no_vlans() -> None:
    assert networks(Host(1, "z13"), (2, 1)) == ("provider", "hipersockets")
    assert networks(Host(2, "z13"), (2, 1)) == ("provider", "hipersockets-2")
    assert networks(Host(1, "z13"), (4, 10)) == ("provider", "vlan101")
    assert networks(Host(1, "z16"), (4, 10)) == ("provider", "vlan101")
