"""The driver and Neutron's part in a stock OpenStack: ``dpm-lab cloud``."""
