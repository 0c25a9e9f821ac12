"""Time that only sleeping moves, and settings of an HMC that is not there."""

from __future__ import annotations

from dpm_hmc.settings import HmcSettings


class SimulatedTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)


SETTINGS = HmcSettings(("hmc",), 6794, "user", "password", True, 5, 30, 300, 60, 10, 600)
