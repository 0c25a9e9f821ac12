"""Neutron: ports of partitions are bound by mechanism driver ``dpm``.

`agent` is ``neutron-dpm-agent``: it says what is behind each physical network of a host. It imports
nothing of Neutron. `ml2` is the mechanism driver, which runs in neutron-server. `report` is what
the one tells the other.
"""
