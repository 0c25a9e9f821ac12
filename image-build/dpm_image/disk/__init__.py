"""What is on an image's disk: its file system, its files, and what its boot loader boots."""
