"""The networks behind the adapters: sockets in a folder, and one switch for all of them.

Each port of an adapter leads to a network of its own, and so does each VLAN there: a `Segment`. It
is a folder, in which each port of the switch is a socket of datagrams, an Ethernet frame each. A
frame is sent to the socket ``switch`` of its folder, and the switch sends it on to the sockets
beside it. So nothing has to be configured, and nothing connected again when the switch is started
again. A guest gets to such a network without root: QEMU's network backend ``dgram`` is such a port.
Linux's own network gets there by a tap (`dpm_lab.network.taps`), for which the switch has to be
root.

Kernels that have no bridge and no Open vSwitch can have this.
"""

from __future__ import annotations

from dpm_lab.network.segments import NetworkError, Segment

__all__ = ["NetworkError", "Segment"]
