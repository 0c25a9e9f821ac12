"""The Nova driver for IBM Z and LinuxONE machines in DPM mode.

``nova-compute`` finds it as ``compute_driver = dpm.DPMDriver`` (see `nova_dpm.import_hook`).
"""
