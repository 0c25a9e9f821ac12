"""The mechanism driver: runs in neutron-server."""
