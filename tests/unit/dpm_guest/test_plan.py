"""From what is to what is wanted: which steps, and which words."""

from __future__ import annotations

from typing import Any

import pytest

from dpm_guest import plan
from dpm_guest.bootparams import NicParams
from dpm_guest.ids import CcwId, Mac
from dpm_guest.sysfs import QETH, VIRTIO, Device

ID = CcwId.parse("0600")
NIC = NicParams(ID, 1, Mac.parse("0a0000000011"))
RIGHT = {
    "kind": QETH, "grouped": True, "layer2": 1, "port": 1, "online": True,
    "interface": "enc600", "mac": NIC.mac,
}  # fmt: skip
UNKNOWN = "the kernel does not say yet what it is"
GROUPED = {**RIGHT, "layer2": -1, "port": 0, "online": False, "interface": None, "mac": None}


def device(**attributes: Any) -> Device:
    made = Device(ID)
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("attributes", "steps", "reasons"),
    [
        (RIGHT, (), ()),
        (
            {"missing": ID.triple},
            ("appear", "group", "layer2", "port", "online", "mac"),
            ("no device 0.0.0600, 0.0.0601, 0.0.0602",),
        ),
        (
            {"kind": QETH, "missing": ID.triple[2:]},
            ("appear", "group", "layer2", "port", "online", "mac"),
            ("no device 0.0.0602",),
        ),
        ({"kind": QETH}, ("group", "layer2", "port", "online", "mac"), ("not grouped",)),
        (GROUPED, ("layer2", "port", "online", "mac"), ("port 0, not 1", "offline")),
        ({**GROUPED, "layer2": 1, "port": 1}, ("online", "mac"), ("offline",)),
        ({**RIGHT, "port": 0}, ("offline", "port", "online"), ("port 0, not 1",)),
        ({**RIGHT, "layer2": 0}, ("offline", "layer2", "online"), ("layer 3, not layer 2",)),
        (
            {**RIGHT, "layer2": 0, "port": 0},
            ("offline", "layer2", "port", "online"),
            ("layer 3, not layer 2", "port 0, not 1"),
        ),
        # a device whose layer nobody decided comes up as layer 2 and then says so; until then
        # it is not known
        ({**RIGHT, "layer2": -1, "online": False}, ("layer2", "online"), ("offline",)),
        ({**RIGHT, "interface": None, "mac": None}, ("interface", "mac"), ("no interface",)),
        (
            {**RIGHT, "mac": Mac.parse("0a0000000012")},
            ("mac",),
            ("MAC is 0a:00:00:00:00:12, not 0a:00:00:00:00:11",),
        ),
        ({"kind": VIRTIO, "online": True, "interface": "enc600", "mac": NIC.mac}, (), ()),
        ({"kind": VIRTIO, "online": True}, ("interface", "mac"), ("no interface",)),
        ({"kind": VIRTIO}, ("interface", "mac"), ("offline",)),
        ({}, ("appear", "group", "layer2", "port", "online", "mac"), (UNKNOWN,)),
    ],
)
def test_steps_and_reasons_follow_from_what_is(
    attributes: dict[str, Any], steps: tuple[str, ...], reasons: tuple[str, ...]
) -> None:
    found = device(**attributes)

    assert plan.steps(NIC, found) == steps
    assert plan.next_step(NIC, found) == next((step for step in steps if step != plan.MAC), None)
    assert plan.differences(NIC, found) == reasons
    assert plan.is_right(NIC, found) is (not reasons)
    assert plan.wrong_mac(NIC, found) is (plan.MAC in steps)


def test_a_tuple_without_mac_is_content_with_any() -> None:
    found = device(**{**RIGHT, "mac": Mac.parse("0a00000000ff")})

    assert plan.differences(NicParams(ID, 1), found) == ()


def test_a_hidden_device_is_not_called_missing() -> None:
    found = device(missing=ID.triple, hidden=True)

    (reason,) = plan.differences(NIC, found)

    assert "hidden by cio_ignore" in reason


def test_another_kind_of_device_is_named() -> None:
    found = device(kind="3990/e9")

    assert not plan.is_network_device(found)
    assert plan.differences(NIC, found) == ("0.0.0600 is no network device but 3990/e9",)


def test_a_mac_that_no_card_takes_says_which_bit() -> None:
    nic = NicParams(ID, 1, Mac.parse("010000000011"))

    (reason,) = plan.differences(nic, device(**RIGHT))

    assert "multicast MAC (bit 0x01" in reason


def test_every_step_has_words_and_something_to_look_at() -> None:
    for step in (*plan.steps(NIC, device(missing=ID.triple)), plan.OFFLINE, plan.INTERFACE):
        assert plan.describe(step, NIC)
        assert "{" not in plan.cure(step, NIC)


def test_a_mac_that_no_card_takes_is_not_announced_but_explained() -> None:
    nic = NicParams(ID, 1, Mac.parse("010000000011"))

    assert "multicast MAC" in plan.describe(plan.MAC, nic)
    for step in (*plan.steps(NIC, device())[:-1], plan.OFFLINE, plan.INTERFACE, plan.UDEV):
        assert plan.describe(step, nic) == plan.describe(step, NIC)
    assert plan.describe(plan.PORT, nic) == "setting port 1"
    assert plan.describe(plan.MAC, NIC) == "setting the MAC 0a:00:00:00:00:11"
    assert not plan.curable(nic, device(**RIGHT))
    assert plan.curable(nic, device(**GROUPED))
    assert plan.curable(NIC, device(**RIGHT))
    assert not plan.curable(NIC, device(kind="3990/e9"))
