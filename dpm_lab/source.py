"""Where the sources of an image are: the elements, the agent, its units and what installs them.

In a checkout they are the checkout's own folders. A wheel has no checkout around it: it carries
these folders, in the same layout, beside this module (``setup.cfg``: ``dpm_lab.checkout``).
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent
_AROUND = _HERE.parent

#: The folder that has ``elements``, ``dpm_guest``, ``systemd``, ``udev`` and ``tools``.
CHECKOUT = _AROUND if (_AROUND / "tools/install-guest").exists() else _HERE / "checkout"
