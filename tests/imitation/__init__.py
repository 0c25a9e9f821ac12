"""An s390x machine's network devices as sysfs shows them, with real interfaces and a real udevd.

What the imitation does is taken from observations of the kernel's qeth driver on Debian 12 and 13,
s390x (kernel 6.1 and 6.12, udev 252 and 257). The notes of these observations are cited as
``qeth.md`` with the section, and the kernel's source where that says more.

- ``cards`` describes machines, ``channel`` is the channel subsystem with ``cio_ignore``, ``qeth``
  the driver, ``links`` the network interfaces (veth);
- ``tree`` has the files, of ``nodes`` and the kernel's own ``interfaces``; ``filesystem`` is their
  FUSE side;
- ``namespace``, ``udevd`` and ``supervisor`` run one machine in namespaces of its own;
- ``machine`` is what a test uses.
"""
