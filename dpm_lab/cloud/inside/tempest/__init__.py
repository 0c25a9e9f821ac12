"""What runs in Tempest's environment: the lab's plug-in, and what tells results."""
