"""Machines with a guest in them: QEMU for whole images, hercules for the kernel's qeth driver."""
