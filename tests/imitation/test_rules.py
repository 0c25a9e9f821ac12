"""udev reads the project's rule file as it is meant.

A veth has no ccw device among its parents, so what the rules do then is for a machine with a real
qeth driver to show; here they must be valid, and start nothing for an interface that is not ours.
"""

from __future__ import annotations

import pytest

from .cards import Card
from .machine import ROOT, Machine

pytestmark = pytest.mark.imitation

RULES = (ROOT / "udev/80-dpm-guest.rules").read_text()


def test_udevd_complains_about_a_rule_that_is_none() -> None:
    """What the next test relies on."""
    with Machine([Card("0600", start="online")], rules={"80-bad.rules": "NONSENSE\n"}) as machine:
        assert "80-bad.rules" in machine.udevd_log


def test_udevd_takes_the_rules_without_a_word() -> None:
    rules = {"80-dpm-guest.rules": RULES}
    with Machine([Card("0600", start="online")], rules=rules) as machine:
        assert "80-dpm-guest.rules" not in machine.udevd_log


def test_an_interface_that_is_not_ours_starts_nothing() -> None:
    rules = {"80-dpm-guest.rules": RULES}
    with Machine([Card("0600"), Card("0700")], rules=rules) as machine:
        machine.run("configure", tuples="0600,0,0a0000000011;")
        machine.group("0700")
        machine.shell("udevadm control --log-level=debug")
        machine.set("0700", "online", 1)
        machine.wait_for_udev("0700")

        assert "enc700" in machine.udevd_log
        assert "dpm-guest setmac" not in machine.udevd_log
        assert "SYSTEMD_WANTS" not in machine.announced("0700").properties
