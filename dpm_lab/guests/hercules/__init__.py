"""The kernel's own qeth driver on a desk: Debian's hercules with an OSA card of ours.

QEMU has no OSA. Hercules boots an unmodified Debian kernel, and a module of ours (``card/``) makes
its stub of an OSA answer as far as the driver needs to group it and bring it online. No packets.
"""
