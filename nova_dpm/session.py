"""One logon at the HMC, shared by all threads, and renewed by whichever notices that it is needed.

zhmcclient logs on again by itself where it is let; several threads cannot do that to one session at
once.
"""

from __future__ import annotations

import threading
import time

import requests
import urllib3
import zhmcclient
from oslo_log import log

from nova_dpm.conf import HmcSettings
from nova_dpm.errors import HmcError, LogonError, UnreachableError
from nova_dpm.failures import (
    cause,
    certificate_error,
    http_error,
    is_busy,
    is_certificate,
    is_failure,
)

LOG = log.getLogger(__name__)

ATTEMPTS = 4
"""How often a request is sent at most while connections break or the HMC fails."""

CONNECTIONS = 64
"""Connections kept open at most: more than nova-compute has builds and audits at once."""


class SharedSession:
    """The session with the first HMC of the list that answers.

    Args:
        settings: addresses, user, certificates, time-outs
    """

    def __init__(self, settings: HmcSettings) -> None:
        self._settings = settings
        self._session: zhmcclient.Session | None = None
        self._logon_lock = threading.Lock()
        self._vain_logons = 0
        self._no_answer = ""

    @property
    def host(self) -> str:
        """Address of the HMC in use, or of all that may be."""
        session = self._session
        return str(session.actual_host) if session else ", ".join(self._settings.hosts)

    def get(self) -> zhmcclient.Session:
        """Return the session; log on where there is none.

        Raises:
            HmcError: the logon failed.
        """
        return self._session or self.renew(None)

    def close(self) -> None:
        """Log off, if it can be done."""
        with self._logon_lock:
            session, self._session = self._session, None
        if session is not None:
            try:
                session.logoff()
            except zhmcclient.Error as error:
                LOG.debug("Logoff failed: %s", error)

    def renew(self, failed: zhmcclient.Session | None) -> zhmcclient.Session:
        """Return a session other than `failed`: another thread's, or a new one.

        Where no HMC answers, all threads that wait for the logon fail with the one that tried:
        one after the other they would wait for hours.

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
            session = self._log_on()
            # The session's own pool keeps 10 connections; each further thread would pay for a new
            # one.
            session.session.mount(
                "https://", requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS)
            )
            LOG.info("Logged on to HMC %s", session.actual_host)
            self._session = session
            return session

    def _log_on(self) -> zhmcclient.Session:
        busy_until = time.monotonic() + self._settings.busy_timeout
        failures = 0
        while True:
            session = self._new_session()
            try:
                session.logon()
                return session
            except zhmcclient.ServerAuthError as error:
                raise LogonError(
                    f"HMC {session.actual_host} refused the logon of user "
                    f"{self._settings.username}: {error}. Check hmc_username and hmc_password"
                ) from None
            except zhmcclient.HTTPError as error:
                failures += not is_busy(error)
                if not is_worth_repeating(error, True, failures, busy_until):
                    raise http_error("Logon", error) from None
            except zhmcclient.ConnectionError as error:
                failures += 1
                if is_certificate(error):
                    raise certificate_error(session.actual_host, error) from None
                if failures >= ATTEMPTS:
                    self._vain_logons += 1
                    self._no_answer = (
                        f"tried {', '.join(self._settings.hosts)} port {self._settings.port} "
                        f"{failures} times: {cause(error)}. Check hmc and hmc_port, and that the "
                        "Web Services API is enabled on the HMC"
                    )
                    raise UnreachableError(f"No HMC answers: {self._no_answer}") from None
            except zhmcclient.Error as error:
                raise HmcError(f"Logon to HMC {session.actual_host}: {error}") from None
            pause(0, least=0.3 * (failures + 1))

    def _new_session(self) -> zhmcclient.Session:
        settings = self._settings
        if settings.verify is False:
            # Said once at the start, not with each request (urllib3's warning is for each).
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        return zhmcclient.Session(
            list(settings.hosts),
            userid=settings.username,
            password=settings.password,
            port=settings.port,
            verify_cert=settings.verify,
            retry_timeout_config=zhmcclient.RetryTimeoutConfig(
                connect_timeout=settings.connect_timeout,
                read_timeout=settings.read_timeout,
                connect_retries=0,
                read_retries=0,
            ),
        )


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
