"""The HMC's Web Services API: one logon, what is repeated, jobs, and errors that say what to do.

Whoever works with an HMC goes through `dpm_hmc.client.Hmc`: the Nova driver, and what else manages
the same partitions. `names` and the like are what they agree on there.
"""
