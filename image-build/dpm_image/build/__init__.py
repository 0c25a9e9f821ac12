"""Making an image: what is to be run, on which machine, and what is kept."""
