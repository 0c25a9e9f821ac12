"""A refused MAC is said with its errno and, where one is known, a cure."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from dpm_guest.ids import Mac
from dpm_guest.netdev import refusal

TOP = Path(__file__).parents[3]
MAC = Mac.parse("0a0000000011")

# Two interfaces of one card: the kernel itself refuses the second the MAC of the first
# (macvlan_sync_address in drivers/net/macvlan.c), with the errno that qeth has for it.
_TWICE = """
ip link add card type veth peer name cable && ip link set card up
ip link add first link card address 0a:00:00:00:00:11 type macvlan && ip link set first up
ip link add second link card type macvlan && ip link set second up
exec "$0" -c "$1"
"""
_SET = """
import socket
from dpm_guest.ids import Mac
from dpm_guest.netdev import set_mac
set_mac(socket.if_nametoindex("second"), Mac("0a:00:00:00:00:11"))
"""


def test_the_kernels_answer_comes_with_its_cure() -> None:
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", _TWICE, sys.executable, _SET],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(TOP)},
    )

    said = done.stderr.splitlines()[-1]
    assert said.startswith("dpm_guest.errors.InterfaceError")
    assert refusal(MAC, errno.EADDRINUSE) in said


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.EADDRINUSE, "another partition"),
        (errno.EADDRNOTAVAIL, "on the HMC"),
        (errno.ENOSPC, "table of MACs is full"),
    ],
)
def test_what_a_card_refuses_has_a_cure_of_its_own(number: int, cure: str) -> None:
    said = refusal(MAC, number)

    assert MAC in said
    assert errno.errorcode[number] in said
    assert cure in said


def test_any_other_refusal_is_said_in_the_kernels_words() -> None:
    assert refusal(MAC, errno.EPERM).endswith("Operation not permitted (EPERM)")
