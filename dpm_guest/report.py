"""``dpm-guest report``: what the agent's assumptions rest on, in one archive for the project.

The archive's ``sys`` and ``proc`` are trees as the agent itself can read them: ``dpm-guest status
--sysfs sys --procfs proc --cmdline proc/cmdline``.
"""

from __future__ import annotations

import io
import os
import stat

from dpm_guest.console import Console, words
from dpm_guest.errors import DpmGuestError
from dpm_guest.inventory import Inventory
from dpm_guest.sysfs import Sysfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dpm_guest.options import Options

FILE = "dpm-guest-report.tar.gz"
TOP = "dpm-guest-report"

README = """\
What this is: what a guest of a partition in DPM mode shows of its network devices, made by
'dpm-guest report' for the nova-dpm project, which had no machine to look at.

What was replaced: MACs and unusual names of interfaces by others, the same for the same one (a MAC
keeps the two bits that say multicast and locally administered); all else that is not known to be
harmless by its shape, x for a letter and 0 for a digit. LIST names all that was looked at, and why
something was not read.

What we want to learn                               Where it stands
the boot parameters come behind the boot loader's   proc/cmdline; sys/firmware/ipl/scp_data, parm
ones, with a blank between them
a partition has a UUID, and by that DPM is known    proc/sysinfo
a NIC is three device numbers in a row on one       sys/devices/css0, sys/bus/ccw
CHPID, and the first is the tuple's
layer 2 and the port can be set, and stay           sys/devices/qeth: layer2, portno, state; journal
which cards there are                               sys/devices/qeth: card_type; ccw: cutype
the firmware's data for Linux has the layer, and    firmware-devices
perhaps the port, never the MAC
without a boot parameter an interface has the MAC   sys/devices/*/net: address, addr_assign_type
of the HMC's NIC
the permanent MAC is the firmware's, or none; by    permanent-macs; versions
it NetworkManager finds no interface
udev's ID_PATH is ccwgroup-<bus id>, and our .link  udev: ID_PATH, ID_NET_LINK_FILE
file is the one that counts
how long a card takes to come online                journal
nobody else sets NICs up at the same time           journal, status; udev: ID_NET_*
how Network Express (z17) looks                     sys/devices/pci*: pft, port, uid
what Linux does when it is stopped, or restarted    sys/firmware/shutdown_actions
"""


def report(options: Options, tree: Sysfs, console: Console) -> int:
    """Make the archive; 0 when it is written.

    Raises:
        DpmGuestError: it is there already, cannot be written, or was interrupted.
    """
    path = options.operands[0] if options.operands else FILE
    if options.dry_run:
        print("\n".join(Inventory(options, tree, console).everything().lines))
        return 0
    # First: whoever cannot write it need not wait.
    temporary = f"{path}.{os.getpid()}.new" if options.force else path
    if options.force and os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
        raise DpmGuestError(f"{path} is no file that could be replaced")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise DpmGuestError(f"{path} is there already; --force replaces it") from error
    except OSError as error:
        raise DpmGuestError(f"{path}: {words(error)}") from error
    try:
        with open(descriptor, "wb") as file:
            file.write(_archive(Inventory(options, tree, console).everything()))
        if temporary != path:
            os.replace(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, KeyboardInterrupt):
            raise DpmGuestError(f"interrupted, {path} was not written") from error
        if isinstance(error, OSError):
            raise DpmGuestError(f"{path}: {words(error)}") from error
        raise
    console.notice(f"{path}: look through it before you send it: tar -xzf {path}; grep -r . {TOP}")
    return 0


def _archive(found: Inventory) -> bytes:
    """A compressed tar archive, the same for the same findings."""
    import gzip
    import tarfile

    listed = "\n".join(found.lines) + "\n"
    members = {"README": README.encode(), "LIST": listed.encode(), **found.files}
    made = io.BytesIO()
    packed = gzip.GzipFile("", "wb", fileobj=made, mtime=0)
    with packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        for name in sorted({*members, *found.links}):
            info = tarfile.TarInfo(f"{TOP}/{name}")
            info.mode = 0o600
            if name in found.links:
                info.type, info.linkname = tarfile.SYMTYPE, found.links[name]
                tar.addfile(info)
            else:
                info.size = len(members[name])
                tar.addfile(info, io.BytesIO(members[name]))
    return made.getvalue()
