"""The networks behind the lab's adapters."""
