"""``nova-dpm-check``: whether nova-compute will start, and what HMC and CPC offer to it."""
