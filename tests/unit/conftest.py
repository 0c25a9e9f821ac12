"""Hypothesis tries the same examples in each run: what one run finds, the next one finds, too.

``tools/long-tests`` tries others, and more of them.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("same", derandomize=True)
settings.register_profile("others", max_examples=2000)
settings.load_profile("same")
