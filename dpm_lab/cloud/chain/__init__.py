"""The whole chain: a server is created in OpenStack, and a real Linux comes up with its network.

`dpm_lab.cloud.chain.command` is ``dpm-lab demo``, and `demo` its servers' life. What each link of
the chain says of a NIC is asked for by itself (`server`, `hmc`, `guest`), and compared by `links`.
"""
