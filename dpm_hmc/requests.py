"""One request to the HMC: sent over `zhmcclient`, and again where that is safe.

Requests are made by URI through one `zhmcclient.Session` (`dpm_hmc.session`), not through
zhmcclient's resource objects: those fetch properties on their own, and wait for jobs with 10 s
between polls.

What is sent again (`dpm_hmc.tries`; which failure is which: `dpm_hmc.classify`):

- The session has expired. The request was not carried out: log on, send it again.
- The HMC or the object is busy. Not carried out: again for a while.
- No connection: not carried out. Again, from the first HMC of the list that answers; inside of
  `Requests.patience` for as long as an HMC takes to restart.
- A connection that broke after the request was sent, and other failures of the HMC itself (5xx):
  again with reads, updates and deletions, which can be done twice. A creation or an operation is
  not sent again here: `UnansweredError` tells the caller, who looks whether it was carried out.
- The logon: wherever it did not fail for user name, password or certificate.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import zhmcclient
from oslo_log import log

from dpm_hmc import answers
from dpm_hmc.answers import Properties
from dpm_hmc.classify import FAILURES, as_ours, no_answer_of_an_hmc
from dpm_hmc.clock import Clock, pause
from dpm_hmc.errors import HmcError, Kind, NotFoundError, UnansweredError, UnreachableError
from dpm_hmc.session import PLAIN, SharedSession
from dpm_hmc.settings import HmcSettings
from dpm_hmc.tries import NOT_CARRIED_OUT, Tries

LOG = log.getLogger(__name__)

_PLAIN_POST: dict[str, Any] = {**PLAIN, "wait_for_completion": False}

_Request = Callable[[zhmcclient.Session], Any]


class Requests:
    """Requests to the first HMC that answers, from any thread.

    No lock is held during a request, but for the logon.

    Args:
        settings: addresses, user, certificates, time-outs
        clock: for pauses and time-outs
    """

    def __init__(self, settings: HmcSettings, clock: Clock = time) -> None:
        self._settings = settings
        self._clock = clock
        self._sessions = SharedSession(settings, clock)
        self._threads = threading.local()

    @property
    def address(self) -> str:
        """Address of the HMC in use, or of all that may be."""
        return self._sessions.address

    def api_version(self) -> tuple[int, int]:
        """Return the version of the Web Services API, for which nobody has to be logged on.

        Raises:
            HmcError: it cannot be read.
        """
        answer = self.get("/api/version")
        major, minor = ("api-major-version", "api-minor-version")
        return answers.number(answer, major), answers.number(answer, minor)

    def get(self, uri: str) -> Properties:
        """Return what `uri` shows.

        HMC permission: access to the object. What the user may not see is not found.

        Raises:
            NotFoundError: there is nothing at `uri`.
            HmcError: any other failure.
        """
        result = self._get(uri)
        if not isinstance(result, dict):
            raise no_answer_of_an_hmc(f"GET {uri}")
        return result

    def get_list(self, uri: str) -> list[Any]:
        """Return the list that `uri` shows.

        Raises:
            HmcError: as `get`.
        """
        result = self._get(uri)
        if not isinstance(result, list):
            raise no_answer_of_an_hmc(f"GET {uri}")
        return result

    def update(self, uri: str, body: Properties) -> None:
        """Set properties. Sent again where the connection breaks: the same can be set twice.

        HMC permission: the task of the object (`dpm_hmc.permissions`), and access to it.

        Raises:
            HmcError: it failed.
        """
        self._send(f"POST {uri}", lambda session: session.post(uri, body=body, **_PLAIN_POST))

    def post(self, uri: str, body: Properties) -> Any:
        """Ask for an operation that must not be done twice; return its result, or a
        `zhmcclient.Job`.

        HMC permission: the task of the operation (`dpm_hmc.permissions`), and access to the object.

        Raises:
            UnansweredError: it may have been carried out, or not.
            ConflictError: the object's state does not allow it.
            HmcError: any other failure.
        """
        return self._send(
            f"POST {uri}",
            lambda session: session.post(uri, body=body, **_PLAIN_POST),
            repeatable=False,
        )

    def delete(self, uri: str) -> None:
        """Delete something; that it is gone already is also fine.

        HMC permission: the task of the object (`dpm_hmc.permissions`), and access to it.

        Raises:
            HmcError: it failed.
        """
        try:
            self._send(f"DELETE {uri}", lambda session: session.delete(uri, **PLAIN))
        except NotFoundError:
            LOG.debug("%s was not there any more", uri)

    def close(self) -> None:
        """Log off, if it can be done."""
        self._sessions.close()

    @contextmanager
    def patience(self) -> Iterator[None]:
        """Have this thread wait inside for an HMC that restarts, up to hmc_outage_timeout."""
        before = self._is_patient
        self._threads.is_patient = True
        try:
            yield
        finally:
            self._threads.is_patient = before

    @property
    def _is_patient(self) -> bool:
        return bool(getattr(self._threads, "is_patient", False))

    def _get(self, uri: str) -> Any:
        return self._send(f"GET {uri}", lambda session: session.get(uri, **PLAIN))

    def _send(self, what: str, request: _Request, repeatable: bool = True) -> Any:
        """Send a request; wait for an HMC where the thread is patient."""
        begin: float | None = None
        while True:
            try:
                return self._try(what, request, repeatable)
            except (UnreachableError, UnansweredError) as error:
                begin = self._clock.monotonic() if begin is None else begin
                elapsed = self._clock.monotonic() - begin
                away = error.kind is Kind.NOT_SENT or (repeatable and error.kind is Kind.UNANSWERED)
                if not (self._is_patient and away) or elapsed > self._settings.outage_timeout:
                    raise
                LOG.info("%s: waiting for an HMC (option hmc_outage_timeout)", what)
                pause(self._clock, elapsed, least=2.0)

    def _try(self, what: str, request: _Request, repeatable: bool) -> Any:
        tries = Tries(self._clock, self._settings.busy_timeout, repeatable)
        while True:
            session = self._sessions.get()
            try:
                result = request(session)
                # What zhmcclient makes of HTML, with whatever status.
                if isinstance(result, dict) and "http-status" in result:
                    raise zhmcclient.ParseError(str(result.get("message")))
                return result
            except FAILURES as error:
                LOG.debug("%s: %s: %s", what, type(error).__name__, error)
                ours: HmcError = as_ours(what, str(session.actual_host), error)
            tries.next(ours)
            if ours.kind in NOT_CARRIED_OUT:
                self._sessions.renew(session)
