"""Neither the HMC's password nor a session's id is logged, and no fault has anything of the HMC."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
import zhmcclient
from nova.conf import CONF

from dpm_lab.hmc import Fault
from tests.nova.machine import on

if TYPE_CHECKING:
    from tests.nova.cloud import Cloud


@pytest.fixture
def everything() -> Iterator[io.StringIO]:
    """Return what all loggers of the process say, those of zhmcclient and urllib3 too."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def sessions() -> Iterator[set[str]]:
    """Return the ids of all sessions that are begun."""
    ids: set[str] = set()
    logon = zhmcclient.Session.logon

    def noted(session: zhmcclient.Session, *arguments: Any, **named: Any) -> None:
        logon(session, *arguments, **named)
        ids.add(session.session_id)

    with mock.patch.object(zhmcclient.Session, "logon", noted):
        yield ids


@on("z13", "z16")
def test_no_password_and_no_session_id_is_in_the_log_of_a_whole_life(
    cloud: Cloud, everything: io.StringIO, sessions: set[str]
) -> None:
    cloud.restart_compute()
    port = cloud.port()
    server = cloud.boot([port])
    cloud.control.expire_sessions()
    cloud.act(server, "os-stop")
    cloud.until_status(server, "SHUTOFF")
    cloud.control.add_fault(Fault("POST", ".*/operations/start", kind="job-fails"))
    cloud.act(server, "os-start")
    cloud.until_failed(server, "start")
    cloud.control.add_fault(Fault("GET", "/api/partitions/.*", kind="drop-after"))
    cloud.act(server, "os-start")
    cloud.until_status(server, "ACTIVE")
    cloud.boot_in_vain([cloud.port(vif_type="ovs")])
    cloud.delete(server)

    text = everything.getvalue()
    assert "zhmcclient.hmc" in text
    assert "X-API-Session" in text
    assert len(sessions) >= 3  # at the start, at the first request, after the end of the session
    for secret in (cloud.password, *sessions):
        assert secret
        assert secret not in text


@on("z13", "z16")
@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST", "/api/cpcs/[^/]+/partitions", status=400, reason=1, times=None),
        Fault("POST", ".*/nics", status=400, reason=1, times=None),
        Fault("POST", ".*/operations/start", kind="job-fails", times=None),
    ],
    ids=["partition", "nic", "start"],
)
def test_the_fault_of_a_build_says_nothing_of_the_hmc(cloud: Cloud, fault: Fault) -> None:
    # With more attempts Nova's own words take the place of the last reason.
    CONF.set_override("max_attempts", 1, "scheduler")
    cloud.control.add_fault(fault)

    shown = cloud.boot_in_vain([cloud.port()])["fault"]["message"]

    assert "in the log of nova-compute" in shown
    assert not re.findall(r"127\.0\.0\.1|/api/|ordered by the lab", shown)
    assert "ordered by the lab" in cloud.log
