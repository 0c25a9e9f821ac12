"""Hypothesis tries the same examples in each run: what one run finds, the next one finds, too.

``tools/long-tests`` tries others, and more of them.
"""

from __future__ import annotations

from hypothesis import settings

# A busy machine is no reason to fail, so no example has a deadline.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("others", max_examples=2000, deadline=None)
settings.load_profile("same")
