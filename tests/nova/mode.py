"""How Nova makes its threads: natively, as nova-compute does by default, or by eventlet.

``nova.tests.functional`` decides it when it is imported, for the whole process, by the variable
``OS_NOVA_DISABLE_EVENTLET_PATCHING`` (``nova/monkey_patch.py``), and its own default is eventlet.
"""

from __future__ import annotations

import os
import sys

from nova import monkey_patch

VARIABLE = "OS_NOVA_DISABLE_EVENTLET_PATCHING"
"""``1``: native threads; ``0``: eventlet."""

os.environ.setdefault(VARIABLE, "1")

if os.environ[VARIABLE] == "1" and "eventlet" in sys.modules:
    # Other tests of this process have imported it, through futurist, without using it. Nova would
    # refuse to start, to be sure that nobody does.
    monkey_patch.poison_eventlet = lambda: None

import nova.tests.functional  # noqa: E402, F401

uses_eventlet = bool(monkey_patch.is_patched())
