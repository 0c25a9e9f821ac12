"""User name, password and session id go to the HMC of the options, and to nobody else."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Self, cast

import pytest
import zhmcclient

from dpm_hmc.client import Hmc
from dpm_hmc.connection import HmcSession
from dpm_hmc.errors import AnswerError, CertificateError, DpmError, HmcError, LogonError
from dpm_hmc.finding import Finding
from dpm_hmc.session import PLAIN
from dpm_hmc.settings import HmcSettings
from dpm_lab.hmc import HmcServer
from nova_dpm.check.everything import findings
from nova_dpm.driver import DPMDriver
from tests.driver.haste import HASTY
from tests.driver.lab import CONF, Lab, configure
from tests.hmc.client.impostor import JSON, Heard, Impostor, Said

USER, PASSWORD = "an-operator", "s3cret-w0rd"
LOGON = Said(
    201,
    b'{"api-session": "SESSIONID", "session-credential": "C", "notification-topic": "n",'
    b' "job-notification-topic": "j"}',
)
VERSION = Said(200, b'{"api-major-version": 4, "api-minor-version": 1}')
NOBODY = 65534


@pytest.fixture
def elsewhere() -> Iterator[Impostor]:
    """A server at another address of loopback, which believes everybody."""
    with Impostor(as_hmc, "127.0.0.2") as server:
        yield server


def hmc_of(server: Impostor, *hosts: str, verify: bool | str | None = None) -> Hmc:
    """Return the driver's door to a server."""
    ca = str(server.ca_file) if verify is None else verify
    settings = HmcSettings(
        hosts or (server.host,), server.port, USER, PASSWORD, ca, 5, 30, 5, 5, 0, 0
    )
    return Hmc(settings, HASTY)


def as_hmc(heard: Heard) -> Said:
    """Answer as an HMC does."""
    return LOGON if heard.path == "/api/sessions" else VERSION


def redirecting(where: str, status: int, to: Callable[[], Impostor]) -> Callable[[Heard], Said]:
    """Return what redirects one path elsewhere, and is a well-behaved HMC else."""

    def answer(heard: Heard) -> Said:
        if heard.path == where:
            target = f"http://{to().host}:{to().port}{heard.path}"
            return Said(status, headers={**JSON, "Location": target})
        return as_hmc(heard)

    return answer


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("where", ["/api/sessions", "/api/version", "/api/cpcs/1"])
def test_no_redirect_is_followed(
    tmp_path: Path, elsewhere: Impostor, where: str, status: int
) -> None:
    with Impostor(redirecting(where, status, lambda: elsewhere), folder=tmp_path) as server:
        hmc = hmc_of(server)

        with pytest.raises(AnswerError, match=r"a redirect to http://127\.0\.0\.2"):
            hmc.update("/api/cpcs/1", {}) if where == "/api/cpcs/1" else hmc.api_version()
        with pytest.raises(AnswerError):
            hmc.get(where)

        assert sum(each.path == where for each in server.heard) == 2  # not repeated either
        hmc.close()
    assert elsewhere.heard == []


def test_no_redirect_of_a_logoff_is_followed(tmp_path: Path, elsewhere: Impostor) -> None:
    where = "/api/sessions/this-session"
    with Impostor(redirecting(where, 302, lambda: elsewhere), folder=tmp_path) as server:
        hmc = hmc_of(server)
        hmc.api_version()

        hmc.close()

        assert server.heard[-1].path == where
    assert elsewhere.heard == []


def test_with_several_hmcs_none_is_asked_outside_of_the_session(
    tmp_path: Path, elsewhere: Impostor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{elsewhere.host}:{elsewhere.port}")
    with Impostor(redirecting("/api/version", 302, lambda: elsewhere), folder=tmp_path) as server:
        hmc = hmc_of(server, "127.0.0.3", server.host)

        with pytest.raises(AnswerError):
            hmc.api_version()

        assert hmc.address == server.host
        assert server.heard[0].path == "/api/sessions"
        hmc.close()
    assert elsewhere.heard == []


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_no_proxy_of_the_environment_is_used(
    tmp_path: Path, elsewhere: Impostor, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, f"http://{elsewhere.host}:{elsewhere.port}")
    monkeypatch.setenv("NO_PROXY", "")
    with Impostor(lambda heard: LOGON if heard.method == "POST" else VERSION, folder=tmp_path) as (
        server
    ):
        hmc = hmc_of(server)

        assert hmc.api_version() == (4, 1)
        hmc.close()
    assert elsewhere.heard == []


def test_no_password_of_a_netrc_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Impostor(lambda heard: LOGON if heard.method == "POST" else VERSION, folder=tmp_path) as (
        server
    ):
        hmc = hmc_of(server)

        hmc.api_version()
        hmc.close()

        assert len(server.heard) == 3
        assert not any("Authorization" in each.headers for each in server.heard)


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_without_hmc_ca_file_no_file_of_the_environment_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with Impostor(lambda heard: LOGON, folder=tmp_path) as server:
        monkeypatch.setenv(name, str(server.ca_file))

        with pytest.raises(CertificateError, match="Set hmc_ca_file"):
            hmc_of(server, verify=True).api_version()

        assert server.heard == []


@pytest.mark.parametrize(
    "said",
    [
        Said(200, b"<html><title>Console</title></html>", {"Content-Type": "text/html"}),
        Said(200, b"{}"),
        Said(200, b"[]"),
        Said(200, b"7"),
        Said(200, b"null"),
        Said(200, b""),
        Said(200, b"[" * 100_000),
        Said(200, b"\xff\xfe", {"Content-Type": "text/html"}),
        Said(200, b"{}", {"Content-Type": "image/png"}),
        Said(200, b"x", {"Content-Type": "application/vnd.ibm-z-zmanager-metrics"}),
        Said(201, b'{"api-session": 5}'),
        Said(204),
        Said(202, b"{}"),
        Said(401, b"[]"),
        Said(401, b"<html></html>", {"Content-Type": "text/html"}),
        Said(403, b"[]"),
        Said(500, b'"no"'),
        Said(500, b'{"http-status": "high", "reason": [], "message": {}}'),
    ],
    ids=lambda said: f"{said.status} {said.body[:20]!r} {said.headers.get('Content-Type')}",
)
@pytest.mark.parametrize("where", ["/api/sessions", "/api/version"])
def test_whatever_answers_it_is_our_own_error(tmp_path: Path, said: Said, where: str) -> None:
    def answer(heard: Heard) -> Said:
        if heard.path == where:
            return said
        return LOGON if heard.method == "POST" else VERSION

    with Impostor(answer, folder=tmp_path) as server:
        hmc = hmc_of(server)

        with pytest.raises(DpmError) as caught:
            hmc.api_version()
        if where == "/api/version":
            with pytest.raises(DpmError):
                hmc.create(where, {}, lambda: None)
        hmc.close()

    assert PASSWORD not in str(caught.value)
    assert "SESSIONID" not in str(caught.value)


def test_an_operation_whose_answer_cannot_be_read_may_have_been_carried_out(tmp_path: Path) -> None:
    def answer(heard: Heard) -> Said:
        return LOGON if heard.path == "/api/sessions" else Said(202, b"{}")

    with Impostor(answer, folder=tmp_path) as server:
        hmc = hmc_of(server)
        found = iter(["/api/partitions/found"])

        uri = hmc.create("/api/cpcs/1/partitions", {}, lambda: next(found))

        assert uri == "/api/partitions/found"
        hmc.close()


def test_a_ca_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    with Impostor(lambda heard: LOGON, folder=tmp_path) as server:
        secret = tmp_path / "ca.pem"
        secret.chmod(0)
        is_root = os.geteuid() == 0
        if is_root:
            for folder in (tmp_path, *tmp_path.parents[:3]):
                folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
            os.seteuid(NOBODY)
        try:
            with pytest.raises(CertificateError) as caught:
                hmc_of(server, verify=str(secret)).api_version()
        finally:
            if is_root:
                os.seteuid(0)

    assert "hmc_ca_file" in str(caught.value)
    assert str(secret) in str(caught.value)
    assert "Permission denied" in str(caught.value)


def test_a_ca_file_that_is_removed_while_it_is_used_is_our_own_error(tmp_path: Path) -> None:
    with Impostor(as_hmc, folder=tmp_path) as server:
        hmc = hmc_of(server)
        hmc.api_version()
        server.ca_file.unlink()

        with pytest.raises(CertificateError, match=r"ca\.pem"):
            hmc.api_version()


def test_a_certificate_of_another_name_has_its_own_cure(tmp_path: Path) -> None:
    with Impostor(lambda heard: LOGON, "127.0.0.2", tmp_path, "hmc.example.com") as server:
        with pytest.raises(CertificateError, match=r"mismatch.* Write the HMC in hmc as its cert"):
            hmc_of(server).api_version()

        assert server.heard == []


@pytest.mark.parametrize("content", [b"", b"x"])
def test_a_ca_file_without_a_certificate_is_named(tmp_path: Path, content: bytes) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_bytes(content)
    with Impostor(as_hmc, folder=tmp_path) as server:
        with pytest.raises(CertificateError, match=r"^hmc_ca_file .*empty\.pem has no certificate"):
            hmc_of(server, verify=str(empty)).api_version()

        assert server.heard == []


def test_an_expired_certificate_has_its_own_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Past(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Self:
            return cls(2020, 1, 1, tzinfo=tz)

    monkeypatch.setattr("dpm_lab.hmc.certificates.datetime", Past)
    with (
        Impostor(as_hmc, folder=tmp_path) as server,
        pytest.raises(CertificateError, match=r"expired\. Renew the certificate on the HMC"),
    ):
        hmc_of(server).api_version()


def test_an_hmc_whose_certificate_is_not_good_is_passed_over_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("good", "other"):
        (tmp_path / name).mkdir()
    with (
        Impostor(as_hmc, folder=tmp_path / "good") as good,
        Impostor(as_hmc, "127.0.0.2", tmp_path / "other", port=good.port) as other,
    ):
        hmc = hmc_of(good, other.host, good.host)

        assert hmc.api_version() == (4, 1)

        assert hmc.address == good.host
        assert other.heard == []
        assert "The certificate of HMC 127.0.0.2 cannot be verified" in caplog.text
        hmc.close()


def test_a_path_that_names_another_host_does_not_lead_there(tmp_path: Path) -> None:
    with (
        Impostor(as_hmc, folder=tmp_path) as server,
        Impostor(as_hmc, "127.0.0.2", tmp_path, server.host) as trap,
    ):
        hmc = hmc_of(server, verify=False)
        hmc.api_version()

        with pytest.raises(HmcError):
            hmc.get(f"@{trap.host}:{trap.port}/api/version")

        assert trap.heard == []
        hmc.close()


def test_a_zhmcclient_that_makes_its_connections_otherwise_is_given_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HmcSession, "_new_session", staticmethod(zhmcclient.Session._new_session))
    with Impostor(as_hmc, folder=tmp_path) as server:
        with pytest.raises(HmcError, match=r"Install zhmcclient 1\.26"):
            hmc_of(server).api_version()

        assert server.heard == []


def logged_on(lab: Lab) -> int:
    """Return how many sessions the HMC has."""
    assert isinstance(lab.server, HmcServer)
    return lab.server.service.sessions.count


def test_what_is_replaced_is_logged_off(lab: Lab) -> None:
    hmc = lab.hmc()
    sessions = hmc._sessions
    for _ in range(5):
        sessions.renew(sessions.get())

    assert logged_on(lab) == 1
    hmc.close()
    assert logged_on(lab) == 0


def test_a_thread_that_still_has_a_replaced_session_goes_on_with_the_new_one(lab: Lab) -> None:
    hmc = lab.hmc()
    old = hmc._sessions.get()
    hmc._sessions.renew(old)
    used = iter([old])

    answer = hmc._send("", lambda session: next(used, session).get("/api/cpcs", **PLAIN))

    assert answer["cpcs"]
    assert old.session is not None  # zhmcclient would use the bare requests library
    hmc.close()


def test_a_nova_compute_that_cannot_start_logs_off(lab: Lab) -> None:
    configure({**lab.options(), "max_memory": 1 << 40})

    with pytest.raises(SystemExit):
        DPMDriver(None)

    assert lab.control.counts()["POST /api/sessions"] == 1
    assert logged_on(lab) == 0


def test_a_survey_that_is_interrupted_logs_off(lab: Lab) -> None:
    configure(lab.options())
    rows = cast(Generator[Finding, None, None], findings(CONF))

    while "logon" not in next(rows).check:
        pass
    rows.close()

    assert lab.control.counts()["POST /api/sessions"] == 1
    assert logged_on(lab) == 0


def test_a_session_with_an_hmc_that_is_away_is_logged_off_when_it_is_back(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    hmc = lab.hmc(addresses=("127.0.0.1", "localhost"))
    sessions = hmc._sessions
    first = sessions.get()
    monkeypatch.setattr(first, "_actual_host", "127.0.0.9")

    second = sessions.renew(first)

    assert logged_on(lab) == 2
    monkeypatch.undo()
    sessions.renew(second)
    assert logged_on(lab) == 1
    hmc.close()


def test_a_refused_logon_is_said_of_the_hmc_that_refused_it(lab: Lab) -> None:
    hmc = lab.hmc(addresses=("127.0.0.3", "127.0.0.1"), password="wrong")

    with pytest.raises(LogonError, match=r"HMC 127\.0\.0\.1 refused"):
        hmc.api_version()
