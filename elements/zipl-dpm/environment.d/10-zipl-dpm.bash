# The last console is /dev/console. ttyS0: "Operating System Messages" on the HMC; ttysclp0: the
# integrated ASCII console, and QEMU's. A console that the partition does not have costs nothing.
export DIB_ZIPL_DEFAULT_CMDLINE=${DIB_ZIPL_DEFAULT_CMDLINE:-console=ttyS0 console=ttysclp0}
# Whether zipl writes signatures into the boot map, for secure boot.
export DIB_DPM_SECURE_BOOT=${DIB_DPM_SECURE_BOOT:-0}
# In addition to them, for one image.
export DIB_DPM_KERNEL_PARAMETERS=${DIB_DPM_KERNEL_PARAMETERS:-}
