"""The driver in a real Nova 34: API, scheduler, Placement, conductor and compute in one process.

`tests.nova.cloud` is that Nova, with the lab's HMC (`dpm_lab.hmc`, in a process of its own) behind
it, and with Cinder and Neutron as Nova's own functional tests have them. `tests.nova.mode` says how
Nova's threads are made; it has to be imported before anything of Nova.
"""
