"""The guest's NICs as these tests want them, and as sysfs (not the agent) shows them."""

from __future__ import annotations

import time
from dataclasses import dataclass

from dpm_lab.guests import tuples
from dpm_lab.guests.hercules.cards import Nic, row
from dpm_lab.guests.hercules.guest import Guest

#: Wanted port of each; the cards have ports 0 and 1.
PORTS = (1, 0, 1, 0)
MACS = tuple(f"0a00000000{number}" for number in (11, 12, 13, 14))
NICS = tuple(map(Nic.asking, row(4), PORTS, MACS))
TUPLES = tuples(NICS)

#: Seconds.
_PATIENCE = 600.0

_GROUPS = "/sys/bus/ccwgroup/devices"
_READ = f"""
cd {_GROUPS} && for id in *; do
    set -- "$id"/net/*
    echo "$id $(cat "$id/layer2") $(cat "$id/portno") $(cat "$id/online") ${{1##*/}}" \\
        "$(cat "$1/address" 2>/dev/null || echo -)" "$(cat "$1/ifindex" 2>/dev/null || echo 0)"
done
"""
#: From any state to the one before everything: nothing grouped, nothing of the agent's in /run.
_RESET = f"""
for group in {_GROUPS}/*; do
    [ -e "$group" ] || continue
    [ "$(cat "$group/online")" = 0 ] || echo 0 > "$group/online"
    echo 1 > "$group/ungroup"
done
rm -rf /run/systemd/network /run/dpm-guest
udevadm control --reload
udevadm settle
"""


@dataclass(frozen=True)
class State:
    """What the kernel shows of a NIC."""

    layer2: int
    port: int
    online: bool
    interface: str
    mac: str
    ifindex: int


def states(guest: Guest) -> dict[str, State]:
    """All qeth devices, by bus id."""
    found = {}
    for line in guest.run(_READ).output.splitlines():
        bus_id, layer2, port, online, interface, mac, ifindex = line.split()
        name = "" if interface == "*" else interface
        found[bus_id] = State(int(layer2), int(port), online == "1", name, mac, int(ifindex))
    return found


def reset(guest: Guest) -> None:
    """Back to before anything was done."""
    guest.check(_RESET)


def colons(mac: str) -> str:
    """0a0000000011 as the kernel writes it."""
    return ":".join(mac[i : i + 2] for i in range(0, len(mac), 2))


def assert_as_wanted(guest: Guest, nics: tuple[Nic, ...] = NICS) -> dict[str, State]:
    """All of the NICs are in layer 2, on their ports, online and have their MACs.

    On a machine that is busy with other things a boot's time limit may come first: what the agent
    then tries in the background is waited for.
    """
    guest.check("udevadm settle")
    wanted = {
        nic.bus_id: (1, port, True, colons(mac))
        for nic, port, mac in zip(NICS, PORTS, MACS, strict=True)
        if nic in nics
    }
    until = time.monotonic() + _PATIENCE
    while True:
        found = states(guest)
        shown = {
            bus_id: (state.layer2, state.port, state.online, state.mac)
            for bus_id, state in found.items()
            if bus_id in wanted
        }
        trying = guest.run("systemctl is-active dpm-guest-retry.service").output.strip()
        if shown == wanted or trying != "active" or time.monotonic() > until:
            break
        time.sleep(5)
    assert shown == wanted
    return found
