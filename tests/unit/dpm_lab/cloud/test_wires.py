"""Whether DHCP can be had here, and that no namespace of a cloud stays behind."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpm_lab.cloud import wires
from dpm_lab.cloud.place import MACHINE, PORTS, Place
from dpm_lab.cloud.services import SERVICES, here
from tests import networks
from tests.networks import CAN_TAP


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path / "cloud", "127.0.0.12", [MACHINE], PORTS)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Have each test look anew."""
    wires.obstacle.cache_clear()
    yield
    wires.obstacle.cache_clear()


def test_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert "only root" in wires.obstacle()


def test_what_is_missing_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ip").symlink_to("/bin/true")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(wires, "search_path", lambda: str(tmp_path))

    said = "missing: apt-get install --no-install-recommends dnsmasq-base dnsmasq-utils haproxy"
    assert wires.obstacle() == said


def test_a_kernel_without_taps_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(wires, "_PROGRAMS", {})
    monkeypatch.setattr(wires, "_TUN", tmp_path / "tun")

    assert "modprobe tun" in wires.obstacle()


def test_without_dhcp_there_are_all_other_services(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    left_out = [each.name for each in SERVICES if each not in here(place)]

    assert left_out == ["neutron-dhcp-agent", "neutron-metadata-agent"]


@pytest.mark.skipif(not CAN_TAP, reason="namespaces need root and iproute2")
def test_namespaces_of_a_cloud_go_and_no_others(place: Place) -> None:
    mine, others = str(uuid.uuid4()), str(uuid.uuid4())
    for name in (mine, "101", str(uuid.uuid4())):
        place.of("state", "neutron", "dhcp", name).mkdir(parents=True)
    networks.ip("netns", "add", f"qdhcp-{mine}")
    with networks.namespace(f"qdhcp-{others}"):
        wires.remove(place)

        there = networks.ip("netns", "list")
    assert mine not in there
    assert others in there
