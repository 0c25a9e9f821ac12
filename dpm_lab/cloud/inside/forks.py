"""Python loads it in each service, as ``sitecustomize``: services that fork share more memory.

A worker has all pages of its parent, until one of the two writes to them, and the garbage collector
writes to each object that it looks at. It looks at none that was there before the first fork, as
the documentation of ``gc.freeze`` has it.
"""

from __future__ import annotations

import functools
import gc
import os


@functools.cache
def _freeze() -> None:
    gc.collect()
    gc.freeze()


os.register_at_fork(before=_freeze)
