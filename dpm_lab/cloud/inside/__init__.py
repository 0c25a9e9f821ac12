"""What runs in the cloud's own virtual environment, and imports OpenStack's services."""
