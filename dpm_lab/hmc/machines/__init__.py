"""Machines as data: those of the lab (YAML beside this), and files that others wrote."""
