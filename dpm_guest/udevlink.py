"""``.link`` files: how udev itself is told the MAC of an interface that is yet to come.

udev overwrites the first MAC of an interface with one of its own (``MACAddressPolicy=persistent``)
between the kernel's ``add`` and the rename. A ``.link`` file that is there before the device comes
online makes it set ours instead: no race, no process, and again when the device comes back.
See systemd.link(5).
"""

from __future__ import annotations

import os

from dpm_guest.bootparams import NicParams
from dpm_guest.sysfs import read

DIRECTORY = "/run/systemd/network"

# Where udev looks, the most important first: the first file of a name hides the others.
_SEARCHED = ("/etc/systemd/network", DIRECTORY, "/usr/lib/systemd/network", "/lib/systemd/network")
_DEFAULT = "99-default.link"
# systemd's own 99-default.link, for a system that ships none.
_FALLBACK = ("NamePolicy=keep kernel database onboard slot path",)


def path(nic: NicParams) -> str:
    return f"{DIRECTORY}/70-dpm-{nic.bus_id.devno}.link"


def text(nic: NicParams, policy: tuple[str, ...]) -> str:
    """The ``.link`` file for a NIC with a MAC.

    Only the first file that matches an interface counts, so it repeats the system's own naming
    policy. ID_PATH is ccwgroup-<bus id> for qeth, ccw-<bus id> for virtio.
    """
    lines = [
        "# Made by dpm-guest from the kernel command line, see dpm-guest(8).",
        "[Match]",
        f"Path=ccwgroup-{nic.bus_id} ccw-{nic.bus_id}",
        "",
        "[Link]",
        *policy,
        f"MACAddress={nic.mac}",
    ]
    return "\n".join(lines) + "\n"


def naming_policy(directories: tuple[str, ...] = _SEARCHED) -> tuple[str, ...]:
    """The system's ``[Link]`` settings for interfaces, without those about MACs."""
    for directory in directories:
        if not os.path.lexists(f"{directory}/{_DEFAULT}"):
            continue
        policy = []
        section = ""
        for raw in (read(f"{directory}/{_DEFAULT}") or "").splitlines():
            line = raw.strip()
            if line.startswith("["):
                section = line
            elif section == "[Link]" and line and not line.startswith(("#", ";", "MACAddress")):
                policy.append(line)
        return tuple(policy)  # empty where an administrator masked the file: names are kept
    return _FALLBACK


def write(nic: NicParams, policy: tuple[str, ...]) -> bool:
    """Write the file of a NIC that has a usable MAC; say whether anything changed.

    Raises:
        OSError: it cannot be written; the error has the name of the file.
    """
    if nic.mac is None or nic.mac.why_unusable():
        return False
    wanted = text(nic, policy)
    if read(path(nic)) == wanted.strip():
        return False
    temporary = path(nic) + ".new"
    try:
        os.makedirs(DIRECTORY, exist_ok=True)
        with open(temporary, "w", encoding="ascii") as file:
            file.write(wanted)
        os.replace(temporary, path(nic))
    except OSError as error:
        error.filename = error.filename or temporary  # write(2) to a full disk names none
        _remove(temporary)
        raise
    return True


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # it was not made
