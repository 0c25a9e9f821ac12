"""QEMU as a partition: boots an image, tells it what a cloud would, and hears what came of it."""
