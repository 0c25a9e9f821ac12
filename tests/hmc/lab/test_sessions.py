"""Logon, certificates, expiry."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any

import pytest
import zhmcclient

from dpm_lab.hmc import Fault, HmcServer
from tests.hmc.lab.client import Lab, session


def get(lab: Lab, uri: str, headers: dict[str, str]) -> tuple[int, int]:
    context = ssl.create_default_context(cafile=str(lab.hmc.ca_file))
    connection = http.client.HTTPSConnection(lab.hmc.host, lab.hmc.port, context=context)
    connection.request("GET", uri, headers=headers)
    response = connection.getresponse()
    body = json.loads(response.read())
    connection.close()
    return response.status, body.get("reason", 0)


def test_a_wrong_password_is_refused_and_says_nothing_of_what_was_wrong(z16: Lab) -> None:
    wrong = session(z16.hmc, password="wrong")

    with pytest.raises(zhmcclient.ServerAuthError, match=r"403,0: Login failed"):
        wrong.logon()


def test_an_unknown_ca_is_not_trusted(z16: Lab) -> None:
    stranger = zhmcclient.Session(
        z16.hmc.host, z16.hmc.userid, z16.hmc.password, port=z16.hmc.port, verify_cert=True
    )

    with pytest.raises(zhmcclient.ConnectionError, match=r"(?i)certificate"):
        stranger.logon()


def test_only_the_version_is_told_without_a_session(z16: Lab) -> None:
    assert get(z16, "/api/version", {}) == (200, 0)
    assert get(z16, "/api/cpcs", {}) == (403, 4)
    assert get(z16, "/api/cpcs", {"X-API-Session": "made-up"}) == (403, 5)


def test_a_session_that_expired_is_renewed_by_zhmcclient(z16: Lab) -> None:
    z16.cpc.partitions.list()
    before = z16.session.session_id

    z16.control.expire_sessions()
    z16.cpc.partitions.list()

    assert z16.session.session_id != before
    assert z16.control.counts()["POST /api/sessions"] >= 1


def test_a_session_can_expire_at_one_request(z16: Lab) -> None:
    z16.cpc.partitions.list()
    z16.control.reset_log()
    z16.control.add_fault(Fault("POST", "/api/cpcs/.*/partitions", "expire-session"))

    z16.partition()

    statuses = [(request.method, request.status) for request in z16.control.requests()]
    assert statuses == [("POST", 403), ("POST", 200), ("POST", 200)]


def test_a_session_that_logged_off_is_of_no_use(z16: Lab) -> None:
    other = session(z16.hmc)
    other.logon()
    key = other.session_id

    other.logoff()

    assert get(z16, "/api/cpcs", {"X-API-Session": key}) == (403, 5)
    assert z16.cpc.partitions.list() == []


@pytest.mark.parametrize("limit", [{"idle": 0.0}, {"lifetime": 0.0}])
def test_sessions_end_by_themselves(limit: dict[str, Any]) -> None:
    with HmcServer("z13", **limit) as hmc:
        lab = Lab(hmc)
        lab.session.logon()

        assert get(lab, "/api/cpcs", {"X-API-Session": lab.session.session_id}) == (403, 5)


def test_the_first_hmc_that_answers_is_used(z16: Lab) -> None:
    both = zhmcclient.Session(
        ["127.0.0.77", z16.hmc.host],  # nobody listens on that port at the first one
        z16.hmc.userid,
        z16.hmc.password,
        port=z16.hmc.port,
        verify_cert=str(z16.hmc.ca_file),
        retry_timeout_config=zhmcclient.RetryTimeoutConfig(connect_retries=0),
    )

    both.logon()

    assert both.actual_host == z16.hmc.host


def test_several_machines_are_several_cpcs_of_one_hmc() -> None:
    with HmcServer("z13", "z17") as hmc:
        cpcs = zhmcclient.Client(session(hmc)).cpcs.list()

        assert [cpc.name for cpc in cpcs] == ["Z13", "Z17"]
