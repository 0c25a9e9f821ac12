"""Disks of guests: qcow2 files, what zipl wrote on them, and looking at them without a trace."""
