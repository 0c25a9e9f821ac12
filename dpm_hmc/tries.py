"""Whether something that failed is tried once more, and the pause before it.

For a request and for a logon. (`tenacity` reads the time itself, and counts all failures as one: a
clock could not be handed in, and there would be more to write.)
"""

from __future__ import annotations

from oslo_log import log

from dpm_hmc.clock import Clock
from dpm_hmc.errors import HmcError, Kind

LOG = log.getLogger(__name__)

ATTEMPTS = 4
"""How often a request is sent at most while connections break or the HMC fails."""

NOT_CARRIED_OUT = (Kind.SESSION_GONE, Kind.NOT_SENT)
MAYBE_CARRIED_OUT = (Kind.UNANSWERED, Kind.FAILED)


class Tries:
    """The tries of one request or logon.

    Args:
        clock: to pause on
        busy_timeout: seconds for which the HMC may be busy
        repeatable: whether it can be done twice
    """

    def __init__(self, clock: Clock, busy_timeout: float, repeatable: bool = True) -> None:
        self._clock = clock
        self._busy_until = clock.monotonic() + busy_timeout
        self._repeatable = repeatable
        self._expired = self._failed = 0

    def next(self, error: HmcError) -> None:
        """Return when it is time for another try.

        Args:
            error: how the last one ended

        Raises:
            HmcError: `error`, where there is no other try.
        """
        if not self._is_worth_it(error.kind):
            raise error from None
        LOG.info("%s; again", error.finding)
        if error.kind is not Kind.SESSION_GONE:
            self._clock.sleep(0.3 * (self._failed + 1))

    def _is_worth_it(self, kind: Kind) -> bool:
        if kind is Kind.BUSY:
            return self._clock.monotonic() < self._busy_until
        if kind is Kind.SESSION_GONE:
            self._expired += 1
            return self._expired < ATTEMPTS
        self._failed += 1
        may_repeat = kind in NOT_CARRIED_OUT or (self._repeatable and kind in MAYBE_CARRIED_OUT)
        return may_repeat and self._failed < ATTEMPTS
