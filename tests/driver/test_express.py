"""Network Express: NICs that are PCI functions, of which the guest is told nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from nova import exception

from tests.driver.compute import Compute, express_port, port, server, wrongs
from tests.driver.lab import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("z17") as lab:
        yield lab


def types(lab: Lab) -> list[str]:
    [partition] = lab.control.inventory()["partitions"].values()
    return sorted(nic["type"] for nic in partition["nics"])


def test_a_server_lives_with_network_express_and_an_osa_port(lab: Lab) -> None:
    compute = Compute(lab)
    subject = replace(server(lab), ports=(express_port(lab, 1), port(lab), express_port(lab, 26)))

    compute.build(subject)

    assert not wrongs(lab, subject)
    assert types(lab) == ["neth", "neth", "osd"]

    compute.restart()
    compute.reboot(subject)
    assert not wrongs(lab, subject)


def test_a_port_on_network_express_comes_and_goes(lab: Lab) -> None:
    compute, subject, new = Compute(lab), server(lab), express_port(lab, 7)
    compute.build(subject)

    compute.driver.attach_interface(compute.context, subject.instance, None, new)
    assert not wrongs(lab, replace(subject, ports=(*subject.ports, new)))

    compute.driver.detach_interface(compute.context, subject.instance, new)
    assert not wrongs(lab, subject)


def test_nics_that_the_guest_is_not_told_of_need_no_room_in_the_boot_parameters(lab: Lab) -> None:
    compute = Compute(lab)
    express = tuple(express_port(lab, number) for number in range(1, 15))
    subject = replace(server(lab), ports=(*server(lab, ports=12).ports, *express))

    compute.build(subject)

    assert not wrongs(lab, subject)
    assert types(lab) == ["neth"] * 14 + ["osd"] * 12


def test_thirteen_that_need_room_are_refused_whatever_else_there_is(lab: Lab) -> None:
    compute = Compute(lab)
    subject = replace(server(lab), ports=(express_port(lab, 1), *server(lab, ports=13).ports))

    with pytest.raises(exception.InstanceUnacceptable, match="do not fit"):
        compute.build(subject)

    assert not lab.left()
