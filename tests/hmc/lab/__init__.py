"""The lab's HMC, driven by a real zhmcclient over HTTPS."""
