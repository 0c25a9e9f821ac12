"""Base systems from Debian's archive: which one can be made today, and making it."""
