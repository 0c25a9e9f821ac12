"""Setting an interface's MAC: one netlink request, addressed by interface index.

By index and not by name, because udev renames interfaces: a name read a moment ago (``eth0``) may
belong to the next card by now.
"""

from __future__ import annotations

import errno
import struct

from dpm_guest.console import words
from dpm_guest.errors import InterfaceError
from dpm_guest.ids import Mac

# linux/rtnetlink.h, linux/netlink.h, linux/if_link.h
_RTM_NEWLINK = 16
_NLM_F_REQUEST_ACK = 0x01 | 0x04
_NLMSG_ERROR = 2
_IFLA_ADDRESS = 1
# linux/sockios.h, linux/ethtool.h
_SIOCETHTOOL = 0x8946
_ETHTOOL_GPERMADDR = 0x20
_NLMSGHDR = struct.Struct("=IHHII")
_IFINFOMSG = struct.Struct("=BxHiII")


# What a card's refusals are as errnos: qeth_l2_setdelmac_makerc in drivers/s390/net/qeth_l2_main.c.
_CURES = {
    errno.EADDRINUSE: "another partition on the adapter has this MAC (a server that is still there "
    "after it was rebuilt or evacuated?): stop that one, or give the Neutron port another MAC",
    errno.EADDRNOTAVAIL: "the adapter or the HMC does not let this partition have it: compare the "
    "MAC of the partition's NIC on the HMC, and stop and start the server",
    errno.ENOSPC: "the adapter's table of MACs is full: take MACs that are not needed off it "
    "(macvlan, bridges, other partitions), or put the NIC on another adapter",
}


def set_mac(ifindex: int, mac: Mac) -> None:
    """Give the interface with this index a MAC; the link may be up or down.

    Raises:
        InterfaceError: the kernel or the card refused it, or the interface is gone (ENODEV; also
            while its device is offline). The text says what to do where that is known.
    """
    import socket  # 5 ms that only those pay who set something

    attribute = struct.pack("=HH6sxx", 4 + 6, _IFLA_ADDRESS, bytes.fromhex(mac.bare))
    body = _IFINFOMSG.pack(socket.AF_UNSPEC, 0, ifindex, 0, 0) + attribute
    header = _NLMSGHDR.pack(_NLMSGHDR.size + len(body), _RTM_NEWLINK, _NLM_F_REQUEST_ACK, 1, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
            netlink.settimeout(10)
            netlink.send(header + body)
            answer = netlink.recv(4096)
    except OSError as error:
        raise InterfaceError(f"no answer from the kernel: {error.strerror or error}") from error
    _, kind, _, _, _ = _NLMSGHDR.unpack_from(answer)
    code = struct.unpack_from("=i", answer, _NLMSGHDR.size)[0] if kind == _NLMSG_ERROR else 0
    if code:
        raise refusal(mac, -code)


def permanent_mac(interface: str) -> Mac | None:
    """The MAC that an interface's device came with, None where it came with none.

    Raises:
        OSError: there is no such interface, or its driver doesn't tell.
    """
    import array
    import fcntl
    import socket

    # struct ethtool_perm_addr: command, size, address
    answer = array.array("B", struct.pack("=II32x", _ETHTOOL_GPERMADDR, 32))
    request = struct.pack("16sP16x", interface.encode(), answer.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        fcntl.ioctl(door, _SIOCETHTOOL, request)
    size = struct.unpack_from("=I", answer, 4)[0]
    return Mac.parse(answer[8:14].tobytes().hex()) if size == 6 and any(answer[8:14]) else None


def refusal(mac: Mac, number: int) -> InterfaceError:
    """What is said where the kernel refused a MAC with this errno."""
    return InterfaceError(
        f"the kernel refused {mac}: {words(OSError(number, ''))}", _CURES.get(number, "")
    )
