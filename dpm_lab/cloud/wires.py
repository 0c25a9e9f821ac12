"""DHCP and metadata on the lab's networks: whether they can be had here, and what they leave."""

from __future__ import annotations

import functools
import os
import re
import shutil
from pathlib import Path

from dpm_lab.cloud.place import Place
from dpm_lab.process import CommandError, ask, search_path

_PROGRAMS = {
    "ip": "iproute2",
    "dnsmasq": "dnsmasq-base",
    # Without it a port that has the address of one that is gone gets none: dnsmasq still leases it.
    "dhcp_release": "dnsmasq-utils",
    "haproxy": "haproxy",
}
_TUN = Path("/dev/net/tun")
_NAMESPACES = Path("/run/netns")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def namespace(network: str) -> str:
    """Return the namespace of a network's DHCP (neutron 29, ``agent/linux/dhcp.py``, NS_PREFIX)."""
    return f"qdhcp-{network}"


def is_here(network: str) -> bool:
    """Whether this machine has the namespace of a network's DHCP."""
    return (_NAMESPACES / namespace(network)).exists()


@functools.cache
def obstacle() -> str:
    """Return why this machine can have no DHCP and no metadata agent; nothing where it can."""
    if os.geteuid() != 0:
        return "only root can make network namespaces; run it as root to have them"
    missing = [
        package
        for program, package in _PROGRAMS.items()
        if not shutil.which(program, path=search_path())
    ]
    if missing:
        return f"missing: apt-get install --no-install-recommends {' '.join(missing)}"
    if not _TUN.exists():
        return f"this kernel has no {_TUN} (modprobe tun)"
    try:
        answer = ask(["unshare", "--net", "ip", "tuntap", "add", "dpm-lab", "mode", "tap"])
    except CommandError as error:
        return str(error)
    return f"no network namespaces, or no taps in them: {answer.errors}" if answer.code else ""


def remove(place: Place) -> None:
    """Remove the namespaces of the cloud's networks, in which nothing runs any more.

    The DHCP agent makes a folder for each network before its namespace, and removes it after; so
    what there are folders of is what is there, and the cloud's.
    """
    folders = place.of("state", "neutron", "dhcp")
    if os.geteuid() != 0 or not folders.is_dir():
        return
    for folder in folders.iterdir():
        if _ID.fullmatch(folder.name) and is_here(folder.name):
            ask(["ip", "netns", "delete", namespace(folder.name)])
    shutil.rmtree(place.networks / "taps", ignore_errors=True)
