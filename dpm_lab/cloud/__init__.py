"""``dpm-lab cloud``: a stock OpenStack on one machine, with the lab's mainframe."""
