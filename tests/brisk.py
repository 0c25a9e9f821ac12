"""The lab's HMC as it is, but with seconds that are hundredths.

What takes a person's time at ``dpm-lab hmc`` takes next to none in a test. All of it still happens:
a client that looks at once sees a job run, and a status that is not there yet.
"""

from __future__ import annotations

from dpm_lab.hmc import DURATIONS, Behaviour

BLINK = 0.01
_HMC = Behaviour()

TIMES = {name: BLINK if seconds else 0.0 for name, seconds in DURATIONS.items()}

LATE = {
    name: f"{shown.status}:{BLINK}"
    for name, shown in (("after-start", _HMC.after_start), ("after-stop", _HMC.after_stop))
    if shown is not None
}
"""What is shown after the jobs of start and stop."""

OPTIONS = (
    *(f"--duration={name}={seconds}" for name, seconds in TIMES.items()),
    *(f"--behaviour={name}={shown}" for name, shown in LATE.items()),
)
"""The same for `dpm_lab.hmc.HmcProcess`."""
