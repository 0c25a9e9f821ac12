"""One logon at the HMC, shared by all threads, and renewed by whichever notices that it is needed.

zhmcclient logs on again by itself where it is let; several threads cannot do that to one session at
once.
"""

from __future__ import annotations

import threading
from typing import Any

import zhmcclient
from oslo_log import log

from dpm_hmc import cures
from dpm_hmc.classify import FAILURES, as_ours, cause, reason_of
from dpm_hmc.clock import Clock
from dpm_hmc.connection import HmcSession, new_session
from dpm_hmc.errors import HmcError, Kind, LogonError, UnreachableError
from dpm_hmc.settings import HmcSettings
from dpm_hmc.tries import ATTEMPTS, Tries

LOG = log.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3600.0
"""Seconds without another logon after the first one that the HMC refused, and at most."""

#: A request as it is: logging on and repeating is done here.
PLAIN: dict[str, Any] = {"logon_required": False, "renew_session": False}


class SharedSession:
    """The session with the first HMC of the list that answers.

    Args:
        settings: addresses, user, certificates, time-outs
        clock: for pauses and time-outs
    """

    def __init__(self, settings: HmcSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._session: HmcSession | None = None
        self._replaced: list[HmcSession] = []
        self._logon_lock = threading.Lock()
        self._no_answer: UnreachableError | None = None
        self._refused: LogonError | None = None
        self._refused_until = 0.0
        self._pause = FIRST_PAUSE

    @property
    def address(self) -> str:
        """Address of the HMC in use, or of all that may be."""
        session = self._session
        return str(session.actual_host) if session else ", ".join(self._settings.addresses)

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
        seen = self._no_answer
        with self._logon_lock:
            if self._session is not None and self._session is not failed:
                return self._session
            if self._no_answer is not None and self._no_answer is not seen:
                raise _again(self._no_answer)
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
        if self._refused is not None and self._clock.monotonic() < self._refused_until:
            raise _again(self._refused)
        try:
            session = self._log_on()
        except LogonError as error:
            LOG.error("%s. No other logon is tried for %d s", error, self._pause)
            self._refused, self._refused_until = error, self._clock.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            raise
        except UnreachableError as error:
            self._no_answer = error
            raise
        self._refused, self._pause = None, FIRST_PAUSE
        return session

    def _log_on(self) -> HmcSession:
        tries = Tries(self._clock, self._settings.busy_timeout)
        while True:
            try:
                return self._log_on_to_any()
            except HmcError as error:
                tries.next(error)

    def _log_on_to_any(self) -> HmcSession:
        """Log on to the first HMC that answers, whatever it answers."""
        found: dict[str, str] = {}
        certificates: list[HmcError] = []
        for host in self._settings.addresses:
            session = new_session(self._settings, host)
            try:
                session.logon()
                if not isinstance(session.session_id, str):
                    raise TypeError(f"session id {type(session.session_id)}")
            except zhmcclient.ServerAuthError as error:
                raise _refusal(host, self._settings.username, error) from None
            except FAILURES as error:
                ours = as_ours(f"Logon to HMC {host}", host, error)
                if ours.kind is Kind.CERTIFICATE:
                    certificates.append(ours)
                elif ours.kind not in (Kind.NOT_SENT, Kind.UNANSWERED):
                    raise ours from None
                found[host] = cause(error)
            else:
                for passed_over in certificates:
                    LOG.warning("%s", passed_over)
                return session
        if certificates:
            first = certificates[0]
            # The other HMCs may answer soon.
            first.kind = Kind.CERTIFICATE if len(certificates) == len(found) else Kind.NOT_SENT
            raise first
        raise self._nobody(found)

    def _nobody(self, found: dict[str, str]) -> UnreachableError:
        tried = f"tried {', '.join(found)} port {self._settings.port} {ATTEMPTS} times"
        all_found = [f"{host}: {why}" for host, why in found.items()]
        error = UnreachableError(
            f"No HMC answers: {tried}: {'; '.join(all_found if len(found) > 1 else found.values())}"
        )
        error.kind = Kind.NOT_SENT
        return error


def _again(error: HmcError) -> HmcError:
    """Return an error like one that another thread has raised, and may still be raising."""
    again = type(error)(error.finding, error.cure)
    again.kind = error.kind
    return again


def _refusal(host: str, user: str, error: zhmcclient.ServerAuthError) -> LogonError:
    return LogonError(
        f"HMC {host} refused the logon of user {user}: {error}",
        cures.logon(reason_of(error.details)),
    )


def _log_off(session: HmcSession) -> None:
    """End a session on the HMC, and leave the object as it is: a thread may be using it."""
    try:
        session.delete("/api/sessions/this-session", **PLAIN)
    except FAILURES as error:
        LOG.debug("Logoff from HMC %s failed: %s", session.actual_host, error)
