"""Setting an interface's MAC: one netlink request, addressed by interface index.

By index and not by name, because udev renames interfaces: a name read a moment ago (``eth0``) may
belong to the next card by now.
"""

from __future__ import annotations

import os
import struct

from dpm_guest.errors import InterfaceError
from dpm_guest.ids import Mac

# linux/rtnetlink.h, linux/netlink.h, linux/if_link.h
_RTM_NEWLINK = 16
_NLM_F_REQUEST_ACK = 0x01 | 0x04
_NLMSG_ERROR = 2
_IFLA_ADDRESS = 1
_NLMSGHDR = struct.Struct("=IHHII")
_IFINFOMSG = struct.Struct("=BxHiII")


def set_mac(ifindex: int, mac: Mac) -> None:
    """Give the interface with this index a MAC; the link may be up or down.

    Raises:
        InterfaceError: the kernel or the card refused it (EADDRNOTAVAIL for a multicast MAC), or
            the interface is gone (ENODEV; also while its device is offline).
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
        raise InterfaceError(f"the kernel refused {mac}: {os.strerror(-code)}")
