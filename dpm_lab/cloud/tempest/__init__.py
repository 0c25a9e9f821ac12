"""Tempest against the cloud: what of it applies to such a host, and a run of that."""
