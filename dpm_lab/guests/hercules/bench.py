"""How long a NIC takes from nothing to its MAC on the true driver: our agent beside other ways.

``python3 -m dpm_lab.guests.hercules.bench [--rounds N] [--json]``. One boot, times taken by the
guest's own clock, medians. "By hand" is the floor: plain writes to sysfs, ``udevadm settle``, and
the MAC by ``ip``. chzdev and znetconf set no MAC.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from dpm_lab.errors import GuestError, LabError
from dpm_lab.guests.hercules.cards import Nic
from dpm_lab.guests.hercules.guest import Configuration, Guest
from dpm_lab.progress import Progress

_QUICK = Nic.parse("0600").asking(0, "0a0000000011")
_SLOW = tuple(Nic.parse(f"{devno},delay=2") for devno in ("0700", "0800", "0900", "0a00"))
_GROUPS = "/sys/bus/ccwgroup"

_RESET = f"""
for group in {_GROUPS}/devices/*; do
    [ -e "$group" ] || continue
    [ "$(cat "$group/online")" = 0 ] || echo 0 > "$group/online"
    echo 1 > "$group/ungroup"
done
rm -rf /run/systemd/network /run/dpm-guest
udevadm control --reload
udevadm settle
"""
_BY_HAND = f"""
echo 0.0.0600,0.0.0601,0.0.0602 > {_GROUPS}/drivers/qeth/group
echo 1 > {_GROUPS}/devices/0.0.0600/layer2
echo 1 > {_GROUPS}/devices/0.0.0600/online
udevadm settle
ip link set enc600 address 0a:00:00:00:00:11
"""


@dataclass(frozen=True)
class Way:
    """A way to bring NICs up.

    Attributes:
        online: which ones it brings up
        sets_mac: whether it gives 0600 its MAC
    """

    name: str
    command: str
    online: tuple[Nic, ...] = (_QUICK,)
    sets_mac: bool = True


WAYS = (
    Way("by hand, then udevadm settle", _BY_HAND),
    Way("dpm-guest configure 0600", "dpm-guest configure 0600"),
    Way("chzdev -e -a", "chzdev -e -a -q qeth 0.0.0600 layer2=1 && udevadm settle", sets_mac=False),
    Way("znetconf -a", "znetconf -a 0600 -o layer2=1 && udevadm settle", sets_mac=False),
    Way("dpm-guest, one card that takes 2 s", "dpm-guest configure 0700", _SLOW[:1], False),
    Way(
        "dpm-guest, four cards that take 2 s",
        "dpm-guest configure 0700 0800 0900 0a00",
        _SLOW,
        False,
    ),
)


def measure(guest: Guest, way: Way) -> float:
    """Seconds of one go.

    Raises:
        GuestError: it did not do what it is measured for.
    """
    guest.check(_RESET)
    script = f"begin=${{EPOCHREALTIME/./}}; {{ {way.command}\n}} >/dev/null || exit; "
    result = guest.run(["bash", "-c", script + "echo $((${EPOCHREALTIME/./} - begin))"])
    if result.code:
        raise GuestError(f"{way.name}: exit code {result.code}: {result.errors}")
    for nic in way.online:
        guest.check(f"[ $(cat {_GROUPS}/devices/{nic.bus_id}/online) = 1 ]")
    if way.sets_mac:
        guest.check("udevadm settle; grep -q 0a:00:00:00:00:11 /sys/class/net/enc600/address")
    return int(result.output.split()[-1]) / 1e6


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. Exit status 1 where something failed."""
    parser = argparse.ArgumentParser(prog="dpm_lab.guests.hercules.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="goes of each way (default: 5)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args(argv)
    nics = (_QUICK, *_SLOW)
    configuration = Configuration(nics, packages=("s390-tools", "gawk"))
    progress = Progress()
    times: dict[str, list[float]] = {way.name: [] for way in WAYS}
    try:
        with Guest(configuration, progress=progress) as guest:
            # The packages were only unpacked, so nobody chose an awk; znetconf needs one.
            guest.check("ln -sf gawk /usr/bin/awk; modprobe -a qeth qeth_l2")
            for number in range(args.rounds + 1):
                for way in WAYS:
                    seconds = measure(guest, way)
                    if number:  # the first go loads what later ones find in memory
                        times[way.name].append(seconds)
                progress.line(f"round {number} of {args.rounds}")
    except LabError as error:
        print(f"dpm_lab.guests.hercules.bench: {error}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(times, indent=2))
    for way in WAYS if not args.json else ():
        found = times[way.name]
        print(
            f"{statistics.median(found):6.2f} s  {min(found):6.2f} to {max(found):.2f}  {way.name}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
