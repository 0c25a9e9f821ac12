"""One logon at the HMC, shared by all threads, and renewed by whichever notices that it is needed.

zhmcclient logs on again by itself where it is let; several threads cannot do that to one session at
once.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import zhmcclient
from oslo_log import log

from dpm_hmc.classify import (
    UNREADABLE,
    cause,
    certificate_error,
    http_error,
    is_busy,
    is_certificate,
    is_failure,
    is_redirect,
    no_answer_of_an_hmc,
)
from dpm_hmc.connection import HmcSession, new_session
from dpm_hmc.errors import CertificateError, HmcError, LogonError, UnreachableError
from dpm_hmc.settings import HmcSettings

LOG = log.getLogger(__name__)

ATTEMPTS = 4
"""How often a request is sent at most while connections break or the HMC fails."""

FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3600.0
"""Seconds without another logon after the first one that the HMC refused, and at most."""

_CURES = {
    40: "The user is disabled, as an HMC does after a few wrong passwords: enable it on the HMC",
    41: "Give the user access to the Web Services management interfaces on the HMC (zhmc user "
    "update --allow-management-interfaces true)",
}
"""By the reason of a 403 (HMC Web Services API, "Logon")."""

#: A request as it is: logging on and repeating is done here.
PLAIN: dict[str, Any] = {"logon_required": False, "renew_session": False}


class SharedSession:
    """The session with the first HMC of the list that answers.

    Args:
        settings: addresses, user, certificates, time-outs
    """

    def __init__(self, settings: HmcSettings) -> None:
        self._settings = settings
        self._session: HmcSession | None = None
        self._replaced: list[HmcSession] = []
        self._logon_lock = threading.Lock()
        self._vain_logons = 0
        self._no_answer = ""
        self._refused: LogonError | None = None
        self._refused_until = 0.0
        self._pause = FIRST_PAUSE

    @property
    def host(self) -> str:
        """Address of the HMC in use, or of all that may be."""
        session = self._session
        return str(session.actual_host) if session else ", ".join(self._settings.hosts)

    def get(self) -> HmcSession:
        """Return the session; log on where there is none.

        Raises:
            HmcError: the logon failed.
        """
        return self._session or self.renew(None)

    def close(self) -> None:
        """Log off, if it can be done."""
        with self._logon_lock:
            sessions = [*self._replaced, self._session]
            self._session, self._replaced = None, []
        for session in sessions:
            if session is not None:
                _log_off(session)

    def renew(self, failed: HmcSession | None) -> HmcSession:
        """Return a session other than `failed`: another thread's, or a new one.

        The HMC keeps a session that nobody uses until it is idle for long, and has room for so
        many: what is replaced is logged off, at once where its HMC answers, else at the end.

        Where no HMC answers, all threads that wait for the logon fail with the one that tried:
        one after the other they would wait for hours. Where the HMC refuses, nobody tries again
        before a growing time has gone by: an HMC disables a user after a few wrong passwords.

        Raises:
            LogonError: the HMC refused user name and password.
            UnreachableError: no HMC answers.
            HmcError: any other failure.
        """
        tries_seen = self._vain_logons
        with self._logon_lock:
            if self._session is not None and self._session is not failed:
                return self._session
            if self._vain_logons != tries_seen:
                raise UnreachableError(f"No HMC answers: {self._no_answer}")
            session = self._log_on_where_not_refused()
            LOG.info("Logged on to HMC %s", session.actual_host)
            if self._session is not None:
                self._replaced.append(self._session)
            self._session = session
            ended = [each for each in self._replaced if each.actual_host == session.actual_host]
            self._replaced = [each for each in self._replaced if each not in ended]
        for each in ended:
            _log_off(each)
        return session

    def _log_on_where_not_refused(self) -> HmcSession:
        if self._refused is not None and time.monotonic() < self._refused_until:
            raise LogonError(str(self._refused))
        try:
            session = self._log_on()
        except LogonError as error:
            LOG.error("%s. No other logon is tried for %d s", error, self._pause)
            self._refused, self._refused_until = error, time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            raise
        self._refused, self._pause = None, FIRST_PAUSE
        return session

    def _log_on(self) -> HmcSession:
        busy_until = time.monotonic() + self._settings.busy_timeout
        failures = 0
        while True:
            try:
                return self._log_on_to_any()
            except zhmcclient.HTTPError as error:
                failures += not is_busy(error)
                if not is_worth_repeating(error, True, failures, busy_until):
                    raise http_error("Logon", error) from None
            except _NoAnswerError as error:
                failures += 1
                if error.certificate and (error.is_lasting or failures >= ATTEMPTS):
                    raise error.certificate from None
                if failures >= ATTEMPTS:
                    self._vain_logons += 1
                    self._no_answer = (
                        f"tried {', '.join(self._settings.hosts)} port {self._settings.port} "
                        f"{failures} times: {error}. Check hmc and hmc_port, and that the "
                        "Web Services API is enabled on the HMC"
                    )
                    raise UnreachableError(f"No HMC answers: {self._no_answer}") from None
            pause(0, least=0.3 * (failures + 1))

    def _log_on_to_any(self) -> HmcSession:
        """Log on to the first HMC that answers, whatever it answers."""
        found: dict[str, str] = {}
        certificates: list[CertificateError] = []
        for host in self._settings.hosts:
            session = new_session(self._settings, host)
            try:
                session.logon()
                if not isinstance(session.session_id, str):
                    raise TypeError(f"session id {type(session.session_id)}")
                for passed_over in certificates:
                    LOG.warning("%s", passed_over)
                return session
            except zhmcclient.ServerAuthError as error:
                raise _refusal(host, self._settings.username, error) from None
            except zhmcclient.ConnectionError as error:
                if is_redirect(error):
                    raise no_answer_of_an_hmc(f"Logon to HMC {host}", error) from None
                if is_certificate(error):
                    certificates.append(certificate_error(host, error))
                found[host] = cause(error)
            except zhmcclient.HTTPError:
                raise
            except UNREADABLE as error:
                raise no_answer_of_an_hmc(f"Logon to HMC {host}", error) from None
            except zhmcclient.Error as error:
                raise HmcError(f"Logon to HMC {host}: {error}") from None
        raise _NoAnswerError(found, certificates)


def _refusal(host: str, user: str, error: zhmcclient.ServerAuthError) -> LogonError:
    details = error.details
    reason = details.reason if isinstance(details, zhmcclient.HTTPError) else None
    cure = _CURES.get(reason or 0, "Check hmc_username and hmc_password")
    return LogonError(f"HMC {host} refused the logon of user {user}: {error}. {cure}")


class _NoAnswerError(Exception):
    """No HMC answered.

    Args:
        found: what stood against it, by address
        certificates: where it was a certificate
    """

    def __init__(self, found: dict[str, str], certificates: list[CertificateError]) -> None:
        all_found = [f"{host}: {why}" for host, why in found.items()]
        super().__init__("; ".join(all_found if len(found) > 1 else found.values()))
        self.certificate = next(iter(certificates), None)
        self.is_lasting = len(certificates) == len(found)


def _log_off(session: HmcSession) -> None:
    """End a session on the HMC, and leave the object as it is: a thread may be using it."""
    try:
        session.delete("/api/sessions/this-session", **PLAIN)
    except (zhmcclient.Error, *UNREADABLE) as error:
        LOG.debug("Logoff from HMC %s failed: %s", session.actual_host, error)


def pause(elapsed: float, least: float = 0.1, most: float = 10.0) -> None:
    """Sleep a tenth of the seconds gone by, in bounds."""
    time.sleep(min(max(elapsed / 10, least), most))


def is_worth_repeating(
    error: zhmcclient.HTTPError, repeatable: bool, failures: int, busy_until: float
) -> bool:
    """Whether to send a request again that the HMC has answered with an error.

    Args:
        error: the answer
        repeatable: whether the request can be done twice
        failures: how often it has failed, this time included
        busy_until: as long as the HMC may be busy, in the time of `time.monotonic`
    """
    if is_busy(error):
        return time.monotonic() < busy_until
    return is_failure(error) and repeatable and failures < ATTEMPTS
