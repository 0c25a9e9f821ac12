"""``neutron-dpm-agent``: a heartbeat that says what is behind each physical network of its host.

`backings` asks the HMC, `watch` says what has changed, `heartbeat` reports to neutron-server,
`command` runs both. The HMC plugs a NIC in the request that makes it, and nova-compute reads the
answer: so there are no NICs to look for, and no ports to report.
"""
