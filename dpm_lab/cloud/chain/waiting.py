"""Waiting for something, with a word about it for the person who waits as well."""

from __future__ import annotations

import time
from collections.abc import Callable

from dpm_lab.cloud.errors import CloudError
from dpm_lab.progress import Progress


def until(
    progress: Progress,
    what: str,
    look: Callable[[], bool],
    limit: float,
    say: Callable[[], str] = lambda: "",
) -> None:
    """Return when `look` says so.

    Args:
        progress: is told what is waited for, and for how long
        what: is waited for
        look: whether it is there
        limit: seconds
        say: what else the person who waits wants to see

    Raises:
        CloudError: it does not come in time.
    """
    begin = time.monotonic()
    while not look():
        elapsed = time.monotonic() - begin
        if elapsed > limit:
            said = say()
            progress.clear()
            raise CloudError(f"not within {limit:.0f} s: {what}{said and f'; it says: {said}'}")
        progress.status(f"waiting {elapsed:.0f} s for: {what}  {say()}")
        time.sleep(1.0)
    progress.clear()
