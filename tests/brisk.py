"""The lab's HMC as it is, but with seconds that are hundredths.

What takes a person's time at ``dpm-lab hmc`` takes next to none in a test. All of it still happens:
a client that looks at once sees a job run, and a status that is not there yet.
"""

from __future__ import annotations

from dpm_lab.hmc.jobs import DURATIONS

BLINK = 0.01

TIMES = {name: BLINK if seconds else 0.0 for name, seconds in DURATIONS.items()}

OPTIONS = tuple(
    word for name, seconds in TIMES.items() for word in ("--duration", f"{name}={seconds}")
)
"""The same for `dpm_lab.hmc.HmcProcess`."""
