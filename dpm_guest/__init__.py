"""The nova-dpm guest agent: brings a DPM partition's NICs up as the kernel command line says."""

__version__ = "1.0.0"
