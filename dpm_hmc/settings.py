"""How the HMC is reached: the values of the options that are about it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class HmcSettings:
    """How the HMC is reached. Times are in seconds."""

    addresses: tuple[str, ...]
    port: int
    username: str
    password: str = field(repr=False)
    verify: bool | str
    connect_timeout: float
    read_timeout: float
    operation_timeout: float
    status_timeout: float
    busy_timeout: float
    outage_timeout: float
