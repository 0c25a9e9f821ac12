"""When the host is taken out of scheduling and in, and how often it is said."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import pytest
from nova import exception
from oslo_messaging.exceptions import MessagingTimeout

from dpm_hmc.errors import UnreachableError
from nova_dpm.scheduling import Scheduling

AWAY = UnreachableError("No HMC answers: tried 192.0.2.9")


@dataclass
class Service:
    """As Nova's database has it."""

    disabled: bool = False
    disabled_reason: str | None = None
    saved: list[tuple[bool, str | None]] = field(default_factory=list)

    def save(self) -> None:
        self.saved.append((self.disabled, self.disabled_reason))


def scheduling(service: Service, asked: list[str]) -> Scheduling:
    subject = Scheduling("compute-1")

    def find(context: Any, host: str) -> Service:
        assert context.is_admin
        asked.append(host)
        return service

    subject._find = find
    return subject


def test_the_service_is_disabled_once_and_enabled_once(caplog: pytest.LogCaptureFixture) -> None:
    service, asked = Service(), list[str]()
    subject = scheduling(service, asked)
    caplog.set_level(logging.INFO)

    for _ in range(3):
        subject.hmc_fails(AWAY)
    for _ in range(3):
        subject.hmc_answers()

    assert service.saved == [(True, f"AUTO: {AWAY}"), (False, None)]
    assert asked == ["compute-1", "compute-1"]
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("ERROR", f"No server can be built: {AWAY}"),
        ("WARNING", "Host compute-1 is out of scheduling until the HMC answers"),
        ("INFO", "The HMC answers again"),
        ("INFO", "Host compute-1 is in scheduling again"),
    ]


def test_what_another_nova_compute_has_disabled_is_enabled() -> None:
    service = Service(disabled=True, disabled_reason="AUTO: No HMC answers")

    scheduling(service, []).hmc_answers()

    assert service.saved == [(False, None)]


@pytest.mark.parametrize("reason", ["new firmware", "", None])
def test_what_an_operator_has_disabled_is_left_alone(reason: str | None) -> None:
    service = Service(disabled=True, disabled_reason=reason)
    subject = scheduling(service, [])

    subject.hmc_answers()
    subject.hmc_fails(AWAY)
    subject.hmc_answers()

    assert service.saved == []


def test_a_reason_fits_into_the_database() -> None:
    service = Service()

    scheduling(service, []).hmc_fails(UnreachableError("x" * 400))

    assert service.disabled_reason is not None
    assert len(service.disabled_reason) == 255


@pytest.mark.parametrize(
    "error", [MessagingTimeout("no conductor"), exception.ComputeHostNotFound(host="compute-1")]
)
def test_what_nova_could_not_be_told_is_told_at_the_next_look(error: Exception) -> None:
    service, asked = Service(), list[str]()
    subject = scheduling(service, asked)
    found = subject._find

    def away(context: Any, host: str) -> Service:
        raise error

    subject._find = away
    subject.hmc_fails(AWAY)
    subject._find = found
    subject.hmc_fails(AWAY)

    assert service.saved == [(True, f"AUTO: {AWAY}")]
