# Before 10-rhel-distro-name, whose default is RHEL 8.
export DIB_RELEASE=${DIB_RELEASE:-9}
# The base element, which is part of every image without the option -n, would add an iSCSI initiator.
export DIB_SKIP_BASE_PACKAGE_INSTALL=${DIB_SKIP_BASE_PACKAGE_INSTALL:-1}
# Packages stay as new as the base image; the base element would update all of them. A kernel that comes by that leaves
# the older one to be removed again, after minutes in emulation.
export DIB_AVOID_PACKAGES_UPDATE=${DIB_AVOID_PACKAGES_UPDATE:-1}
