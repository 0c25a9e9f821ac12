"""What a NIC can be plugged into. What machines have of it, `tests/driver` tries with the lab's."""

from __future__ import annotations

from typing import Any, cast

import pytest

from dpm_hmc.client import Hmc
from dpm_hmc.errors import AnswerError
from dpm_hmc.networks import ADAPTER, VSWITCH
from nova_dpm.network.backings import KINDS, Backing, plugged_into

SWITCH, PORT = "/api/virtual-switches/s", "/api/adapters/a/network-ports/1"


class Shows:
    """An HMC that shows one object, and counts how often."""

    def __init__(self, uri: str, **properties: Any) -> None:
        self.asked = 0
        self._uri = uri
        self._properties = {name.replace("_", "-"): value for name, value in properties.items()}

    def get(self, uri: str) -> dict[str, Any]:
        assert uri == self._uri
        self.asked += 1
        return self._properties


def ask(kind: str, uri: str, hmc: Shows, nic_type: str = "") -> Backing:
    said = [nic_type] if nic_type else []
    return KINDS[kind].ask(cast(Hmc, hmc), uri, *said)


def test_a_port_of_neutron_names_a_uri() -> None:
    assert KINDS[VSWITCH].uri("s", 5) == SWITCH
    assert KINDS[ADAPTER].uri("a", 1) == PORT


@pytest.mark.parametrize(("kind", "is_late"), [("osd", False), ("hipersockets", True)])
def test_a_virtual_switch_knows_its_port(kind: str, is_late: bool) -> None:
    found = ask(VSWITCH, SWITCH, Shows(SWITCH, type=kind, port=1))

    assert found == Backing(SWITCH, {"virtual-switch-uri": SWITCH}, 1, True, is_late)


@pytest.mark.parametrize("port", [16, -1, None, "1"])
def test_a_virtual_switch_on_a_port_that_the_guest_cannot_be_told_is_no_answer(port: Any) -> None:
    with pytest.raises(AnswerError, match="port is"):
        ask(VSWITCH, SWITCH, Shows(SWITCH, type="osd", port=port))


@pytest.mark.parametrize(
    ("properties", "is_ccw", "is_late", "nic_type"),
    [
        ({"adapter_family": "osa", "type": "osd"}, True, False, None),
        ({"adapter_family": "osa", "type": "something"}, True, False, None),
        ({"adapter_family": "hipersockets", "type": "hipersockets"}, True, True, None),
        ({"adapter_family": "network-express", "type": "neth"}, False, False, "neth"),
        ({"adapter_family": "network-express", "type": "x"}, False, False, "neth"),
        ({"adapter_family": "roce", "type": "roce"}, False, False, None),
        ({"adapter_family": "roce", "type": "osd"}, False, False, None),
        ({"type": "osd"}, True, False, None),
        ({"type": "hipersockets"}, True, True, None),
        ({"type": "neth"}, False, False, "neth"),
        ({"type": "network-express-hybrid"}, False, False, "neth"),
        ({"type": "roce"}, False, False, None),
    ],
)
def test_an_adapter_is_known_by_its_family_or_where_it_has_none_by_its_type(
    properties: dict[str, Any], is_ccw: bool, is_late: bool, nic_type: str | None
) -> None:
    found = ask(ADAPTER, PORT, Shows("/api/adapters/a", **properties))

    told = {"type": nic_type} if nic_type else {}
    wanted = {"network-adapter-port-uri": PORT, **told}
    assert found == Backing(PORT, wanted, 1, is_ccw, is_late)


@pytest.mark.parametrize(
    ("nic_type", "is_ccw"), [("osd", True), ("iqd", True), ("neth", False), ("roce", False)]
)
def test_a_nic_that_is_there_tells_what_it_is_on_without_a_request(
    nic_type: str, is_ccw: bool
) -> None:
    hmc = Shows("/api/adapters/a")

    assert ask(ADAPTER, PORT, hmc, nic_type).is_ccw is is_ccw
    assert hmc.asked == 0


def test_an_adapter_without_family_and_type_is_no_answer() -> None:
    with pytest.raises(AnswerError, match="type is missing"):
        ask(ADAPTER, PORT, Shows("/api/adapters/a"))


@pytest.mark.parametrize("element", ["16", "01", "x", "", "1/2"])
def test_a_port_that_the_guest_cannot_be_told_is_no_answer(element: str) -> None:
    uri = f"/api/adapters/a/network-ports/{element}"

    with pytest.raises(AnswerError, match=f"{uri} names no port from 0 to 15"):
        ask(ADAPTER, uri, Shows("/api/adapters/a"), "osd")


@pytest.mark.parametrize("element", [0, 9, 10, 15])
def test_ports_to_15_can_be_told(element: int) -> None:
    uri = KINDS[ADAPTER].uri("a", element)

    assert ask(ADAPTER, uri, Shows("/api/adapters/a"), "osd").port == element


@pytest.mark.parametrize(
    ("properties", "plugged"),
    [
        ({"virtual-switch-uri": SWITCH, "network-adapter-port-uri": None}, (VSWITCH, SWITCH)),
        ({"virtual-switch-uri": None, "network-adapter-port-uri": PORT}, (ADAPTER, PORT)),
        ({"network-adapter-port-uri": PORT}, (ADAPTER, PORT)),
    ],
)
def test_a_nic_says_what_it_is_plugged_into(
    properties: dict[str, Any], plugged: tuple[str, str]
) -> None:
    kind, uri = plugged

    assert plugged_into(properties) == (KINDS[kind], uri)


def test_a_nic_may_be_plugged_into_nothing() -> None:
    assert plugged_into({"virtual-switch-uri": None}) is None
