"""The console log: the operating system messages of a server's partition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from nova.exception import ConsoleNotAvailable, InstanceNotFound

from dpm_lab.hmc import Fault
from tests.driver.compute import Compute, Server, server
from tests.driver.lab import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("z16") as lab:
        yield lab


def said(lab: Lab, subject: Server, *texts: str, **fields: Any) -> None:
    uri = lab.control.inventory()["partitions"][subject.partition]["object-uri"]
    for text in texts:
        lab.control.add_os_message(uri, text, **fields)


def log(compute: Compute, subject: Server) -> bytes:
    return compute.driver.get_console_output(compute.context, subject.instance)


def test_it_is_what_the_guest_said_line_by_line(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    said(lab, subject, "Linux version 6.1", "two lines\nof one message\n", "\xac1873|: it starts")

    assert log(compute, subject) == (
        b"Linux version 6.1\ntwo lines\nof one message\n?1873|: it starts\n"
    )


def test_a_server_that_has_said_nothing_has_an_empty_one(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)

    assert log(compute, subject) == b""


def test_what_the_hmc_has_dropped_is_said(lab: Lab) -> None:
    """The lab's HMC keeps 500 messages; how many another one keeps is not written anywhere."""
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    said(lab, subject, "held", **{"is-held": True})
    said(lab, subject, *(f"line {number}" for number in range(1, 511)))

    lines = log(compute, subject).decode().splitlines()

    assert lines[:3] == ["held", "[10 messages are not on the HMC any more]", "line 11"]
    assert lines[-1] == "line 510"


def test_it_begins_anew_with_a_start(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    said(lab, subject, "before")
    compute.reboot(subject)
    said(lab, subject, "after")

    assert log(compute, subject) == b"after\n"


def test_a_machine_without_a_list_says_so() -> None:
    with Lab("z13") as lab:
        compute, subject = Compute(lab), server(lab)
        compute.build(subject)

        with pytest.raises(ConsoleNotAvailable, match=r"lists no operating system messages.*2\.14"):
            log(compute, subject)


def test_a_server_without_a_partition_has_none(lab: Lab) -> None:
    with pytest.raises(InstanceNotFound):
        log(Compute(lab), server(lab))


def test_a_refusal_is_the_operators_business(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    lab.control.add_fault(Fault("GET", ".*/list-os-messages", status=403, reason=1, times=None))

    with pytest.raises(
        ConsoleNotAvailable, match="an operator finds the reason in the log"
    ) as found:
        log(compute, subject)

    assert "403" not in str(found.value)
    assert "Operating System Messages" in caplog.text


def test_an_answer_that_is_none_is_an_error_and_not_a_traceback(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    said(lab, subject, "text", **{"sequence-number": "first"})

    with pytest.raises(ConsoleNotAvailable):
        log(compute, subject)
