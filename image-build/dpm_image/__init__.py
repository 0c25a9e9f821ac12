"""Building, checking and booting disk images for DPM partitions."""
