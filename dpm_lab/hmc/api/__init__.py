"""What the HMC does: resources, operations on them, users and permissions, faults to order."""
