"""udev reads the project's rule file as it is meant.

A veth has no ccw device among its parents, so a machine shows only that the rules are valid, and
start nothing for an interface that is not ours. What they start is asked of udev itself
(``udevadm test``), of devices that are plain files where it looks for them.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from .cards import Card
from .machine import ROOT, Machine

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


# What udev would start

OSA, SECOND, FCP, CTC, VIRTIO = "0.0.0600", "0.0.0700", "0.0.0a00", "0.0.0c00", "0.0.0001"
GROUP = f"qeth/{OSA}"
CCW = f"css0/0.0.0005/{SECOND}"
NET = f"{GROUP}/net/enc600"
VIRTIO_CCW = f"css0/0.0.0000/{VIRTIO}"
VIRTIO_NET = f"{VIRTIO_CCW}/virtio0/net/enc1"
#: Path below ``/sys/devices``: subsystem, driver, control unit.
DEVICES = {
    GROUP: ("ccwgroup", "qeth", ""),
    NET: ("net", "", ""),
    CCW: ("ccw", "qeth", "1731/01"),
    f"css0/0.0.0006/{FCP}": ("ccw", "zfcp", "1731/03"),
    f"ctcm/{CTC}": ("ccwgroup", "ctcm", ""),
    f"ctcm/{CTC}/net/slc0": ("net", "", ""),
    VIRTIO_CCW: ("ccw", "virtio_ccw", "3832/01"),
    VIRTIO_NET: ("net", "", ""),
    f"virtual/other/{OSA}": ("other", "", ""),
    "virtual/net/eth0": ("net", "", ""),
}

_TEST = """
mount --bind "$0/rules" /usr/lib/udev/rules.d
mount --bind "$0/empty" /etc/udev
mount --bind "$0/run" /run
mount --rbind "$0/sys" /sys
exec udevadm test --action="$1" "/sys/devices/$2"
"""


def started(
    folder: Path,
    device: str,
    *markers: str,
    action: str = "add",
    line: str = "ro quiet",
    synthetic: bool = False,
) -> list[str]:
    """What udev would start by the rules for an event of a device."""
    for path, (subsystem, driver, cutype) in DEVICES.items():
        place = folder / "sys/devices" / path
        place.mkdir(parents=True, exist_ok=True)
        text = f"INTERFACE={place.name}\n" if subsystem == "net" else ""
        (place / "uevent").write_text(text + ("SYNTH_UUID=0\n" if synthetic else ""))
        if cutype:
            (place / "cutype").write_text(f"{cutype}\n")
        for link, name in (("subsystem", ""), ("driver", f"drivers/{driver}" if driver else None)):
            if name is not None:
                above = "class" if subsystem == "net" else "bus"
                target = folder / "sys" / above / subsystem / name
                target.mkdir(parents=True, exist_ok=True)
                (place / link).symlink_to(os.path.relpath(target, place))
    for name in ("rules", "empty", "run"):
        (folder / name).mkdir()
    for marker in markers:
        (folder / "run/dpm-guest" / marker).mkdir(parents=True)
    (folder / "rules/80-dpm-guest.rules").write_text(RULES)
    told = {"SYSTEMD_PROC_CMDLINE": line, "SYSTEMD_DEVICE_VERIFY_SYSFS": "0"}
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-e", "-c", _TEST, str(folder), action, device],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_LOG_LEVEL": "info", **told},
    )
    lines = (done.stdout + done.stderr).splitlines()
    assert f"DEVPATH=/devices/{device}" in lines
    properties = dict(one.split("=", 1) for one in lines if "=" in one)
    if "SYSTEMD_WANTS" in properties:
        assert ":systemd:" in properties["TAGS"], "systemd looks only at devices with its tag"
    runs = [one[6:-1] for one in lines if one.startswith("run: ")]
    return [*properties.get("SYSTEMD_WANTS", "").split(), *runs]


@pytest.mark.parametrize(
    ("device", "markers", "wanted"),
    [
        (GROUP, (OSA,), [f"dpm-guest@{OSA}.service"]),
        (VIRTIO_CCW, (VIRTIO,), [f"dpm-guest@{VIRTIO}.service"]),
        (CCW, (SECOND,), [f"dpm-guest@{SECOND}.service"]),
        (CCW, ("done",), [f"dpm-guest@{SECOND}.service"]),
        (NET, (OSA,), [f"/usr/bin/dpm-guest setmac {OSA}"]),
        (VIRTIO_NET, (VIRTIO,), [f"/usr/bin/dpm-guest setmac {VIRTIO}"]),
    ],
)
def test_a_nic_that_comes_has_the_agent_started_for_it(
    tmp_path: Path, device: str, markers: tuple[str, ...], wanted: list[str]
) -> None:
    assert started(tmp_path, device, *markers) == wanted


@pytest.mark.parametrize(
    ("device", "markers"),
    [
        (GROUP, ()),
        (GROUP, ("done",)),
        (GROUP, (SECOND,)),
        (CCW, ()),
        (CCW, (OSA,)),
        (NET, ("done", SECOND)),
        (VIRTIO_CCW, ("done",)),
        (VIRTIO_NET, ("done", OSA)),
        (f"css0/0.0.0006/{FCP}", ("done",)),
        (f"ctcm/{CTC}/net/slc0", ("done", CTC)),
        (f"virtual/other/{OSA}", ("done", OSA)),
        ("virtual/net/eth0", ("done", OSA, "eth0")),
    ],
)
def test_nothing_is_started_for_other_devices(
    tmp_path: Path, device: str, markers: tuple[str, ...]
) -> None:
    assert started(tmp_path, device, *markers) == []


@pytest.mark.parametrize("device", [GROUP, CCW, NET, VIRTIO_NET])
@pytest.mark.parametrize(
    ("action", "line"), [("remove", "ro"), ("move", "ro"), ("add", "ro dpm_guest=off")]
)
def test_nothing_is_started_at_other_times_and_where_it_is_switched_off(
    tmp_path: Path, device: str, action: str, line: str
) -> None:
    markers = ("done", OSA, SECOND, VIRTIO)

    assert started(tmp_path, device, *markers, action=action, line=line) == []


@pytest.mark.parametrize(("device", "marker", "wanted"), [(CCW, "done", 0), (GROUP, OSA, 1)])
def test_a_coldplug_is_for_named_nics_only(
    tmp_path: Path, device: str, marker: str, wanted: int
) -> None:
    assert len(started(tmp_path, device, marker, synthetic=True)) == wanted
