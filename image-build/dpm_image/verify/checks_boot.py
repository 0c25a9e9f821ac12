"""Checks that an image boots: the file, the boot map, kernel parameters, the initramfs, growth."""

from __future__ import annotations

import re
from pathlib import PurePath

from dpm_guest import bootparams
from dpm_image.disk.bootentry import ENTRIES, fields
from dpm_image.disk.versions import machine_id, newest
from dpm_image.verify.checks import Image, Wrong, check
from dpm_lab.guests.disk import bootrecord
from dpm_lab.guests.disk.rawdisk import partitions

#: The largest file that is still what we promise, in MiB.
SIZES = {"debian": 200, "el": 1200}

#: What the root disk may be behind in a partition or under KVM: FCP, ECKD, virtio, NVMe.
DRIVERS = ("zfcp", "sd_mod", "dasd_mod", "dasd_eckd_mod", "virtio_blk", "nvme")

#: The HMC's "Operating System Messages", and its integrated ASCII console, which QEMU has too.
CONSOLES = ("ttyS0", "ttysclp0")

# What free space may cost in the file: metadata of the file system, clusters half used.
_SLACK = 64 * 2**20

_NEED_INITQUEUE = "lib/dracut/need-initqueue"

#: Where kernel-install takes the id from that it names entries by, before the machine's own.
_MACHINE_INFO = "etc/machine-info"
_ID = re.compile(r"^KERNEL_INSTALL_MACHINE_ID=[\"']?([0-9a-f]{32})[\"']?\s*$", re.MULTILINE)

_MODULE = re.compile(r"(?:^|/)lib/modules/[^/]+/.*/([^/]+)\.ko(?:\.[a-z0-9]+)?$")


@check("file format")
def is_qcow2_with_zstd(image: Image) -> str:
    """Compressed by zstd it is as small as by zlib, and made and read many times faster."""
    kind = image.info.get("format")
    compression = image.info.get("format-specific", {}).get("data", {}).get("compression-type")
    if kind != "qcow2" or compression != "zstd" or "backing-filename" in image.info:
        backing = " on another file" if "backing-filename" in image.info else ""
        raise Wrong(f"{kind}, compressed by {compression or 'nothing'}{backing}")
    return "qcow2, compressed by zstd"


@check("file size")
def is_small(image: Image) -> str:
    """It is copied to every compute node."""
    size = int(image.info.get("actual-size", 0)) / 2**20
    limit = SIZES.get(image.family, max(SIZES.values()))
    if not 0 < size <= limit:
        raise Wrong(f"{size:.0f} MiB; {limit} are enough")
    return f"{size:.0f} MiB (at most {limit})"


@check("free space")
def free_space_is_trimmed(image: Image) -> str:
    """Deleted files take no room in the file."""
    data = sum(int(part["length"]) for part in image.map if part.get("data"))
    if data > image.used + _SLACK:
        raise Wrong(f"{data >> 20} MiB are stored, {image.used >> 20} MiB are used")
    return f"{data >> 20} MiB are stored, {image.used >> 20} MiB are used"


@check("boot map")
def has_boot_map(image: Image) -> str:
    """What the firmware loads: zipl wrote it, with the parameters of its configuration."""
    if image.disk is None:
        raise Wrong("no disk to look at")
    with image.disk.open("rb") as disk:
        booted = bootrecord.parameters(disk)
    wanted = image.entry.parameters
    if booted.split() != wanted.split():
        raise Wrong(f"it boots with `{booted}`, its configuration says `{wanted}`")
    return "zIPL, with the configured kernel parameters"


@check("kernel parameters")
def parameters_fit_every_partition(image: Image) -> str:
    """Root by label, both consoles, and no partition's own devices."""
    text = image.entry.parameters
    words = text.split()
    wrong = [f"console={name} is missing" for name in CONSOLES if f"console={name}" not in words]
    if not any(word == f"root=LABEL={image.label}" for word in words):
        wrong.append(f"no root=LABEL={image.label}")
    tuples = bootparams.parse(text)
    if tuples.nics or tuples.damaged:
        wrong.append("tuples of devices")
    if wrong:
        raise Wrong(f"{'; '.join(wrong)}: `{text}`")
    return text


@check("kernel and initramfs")
def boot_files_exist(image: Image) -> str:
    """The files that the configuration names."""
    found = []
    for name in (image.entry.kernel, image.entry.initrd):
        status = image.tree.status(name) if image.tree.is_file(name) else None
        if status is None or not status.st_size:
            raise Wrong(f"{name} is missing")
        found.append(image.tree.path(name).name)
    return ", ".join(found)


@check("drivers in initramfs")
def initramfs_has_drivers(image: Image) -> str:
    """The root disk is reached before the root file system with all other drivers is."""
    there = {match[1] for name in image.initramfs if (match := _MODULE.search(name))}
    for name in image.files("usr/lib/modules/*/modules.builtin"):
        lines = image.read(name).splitlines()
        there |= {PurePath(line).name.removesuffix(".ko") for line in lines}
    there = {name.replace("-", "_") for name in there}
    if missing := [name for name in (*DRIVERS, _root_type(image)) if name not in there]:
        raise Wrong(f"no {', '.join(missing)}")
    return ", ".join((*DRIVERS, _root_type(image)))


@check("IPL hook in initramfs")
def initramfs_has_ipl_hook(image: Image) -> str:
    """It brings the FCP disk online that the partition was booted from."""
    hooks = sorted(name for name in image.initramfs if "dpm-ipl" in PurePath(name).name)
    if not hooks:
        raise Wrong("no file dpm-ipl")
    # dracut goes through its initqueue only where a module asked for it (dracut-initqueue.sh).
    queued = [name for name in hooks if PurePath(name).parent.match("hooks/initqueue")]
    if queued and not any(name.endswith(_NEED_INITQUEUE) for name in image.initramfs):
        raise Wrong(f"/{queued[0]} is never run: there is no /{_NEED_INITQUEUE}")
    return f"/{hooks[0]}"


@check("file system table")
def nothing_by_device_name(image: Image) -> str:
    """The root disk is sda, vdb or dasda, as it comes."""
    lines = [line.split() for line in image.read("etc/fstab").splitlines()]
    entries = [words for words in lines if len(words) > 2 and not words[0].startswith("#")]
    root = [words[0] for words in entries if words[1] == "/"]
    named = [words[0] for words in entries if words[0].startswith("/dev/")]
    if named or root != [f"LABEL={image.label}"]:
        raise Wrong(f"{', '.join(named or root) or 'no root'}; root has to be LABEL={image.label}")
    return ", ".join(f"{words[1]} {words[0]}" for words in entries)


@check("growth")
def grows_to_its_volume(image: Image) -> str:
    """growpart and resizefs at the first boot, of a root partition that has nothing behind it."""
    tools = {"ext4": "resize2fs", "xfs": "xfs_growfs"}
    wanted = ("growpart", "sfdisk", tools.get(_root_type(image), "resize2fs"))
    places = ("usr/bin", "usr/sbin", "bin", "sbin")
    missing = [
        tool for tool in wanted if not any(image.tree.exists(f"{place}/{tool}") for place in places)
    ]
    modules, _ = image.cloud.get("cloud_init_modules", ([], ""))
    modules = modules if isinstance(modules, list) else []
    # A module may be given with its frequency, as a list of both.
    listed = [module[0] if isinstance(module, list) and module else module for module in modules]
    missing += [name for name in ("growpart", "resizefs") if name not in listed]
    if image.disk is not None:
        with image.disk.open("rb") as disk:
            count = len(partitions(disk))
        missing += ["a single partition"] if count != 1 else []
    if missing:
        raise Wrong(f"no {', '.join(missing)}")
    return f"{', '.join(wanted)}; the root partition is the only one"


def _root_type(image: Image) -> str:
    for line in image.read("etc/fstab").splitlines():
        words = line.split()
        if len(words) > 2 and words[1] == "/" and not words[0].startswith("#"):
            return words[2]
    return "ext4"


@check("boot entries", "el")
def entries_name_what_is_there(image: Image) -> str:
    """An entry whose kernel is gone is a boot that fails, one day."""
    entries = image.files(ENTRIES)
    if not entries:
        raise Wrong(f"no /{ENTRIES}")
    for entry in entries:
        said = fields(image.read(entry))
        for name in (word for key in ("linux", "initrd") for word in said.get(key, "").split()[:1]):
            if not image.tree.is_file(name) and not image.tree.is_file(f"boot/{name}"):
                raise Wrong(f"{PurePath(entry).name} names {name}, which is missing")
        if f"root=LABEL={image.label}" not in said.get("options", "").split():
            raise Wrong(f"{PurePath(entry).name} has no root=LABEL={image.label}")
    return f"{len(entries)}, all of whose files are there"


@check("entries' id", "el")
def kernel_install_finds_its_entries(image: Image) -> str:
    """kernel-install removes a kernel's entry by its name, with the id of machine-info in it.

    With an id of the machine that built the image the entry outlives its kernel, and zipl fails
    from then on. A partition's own machine-id is made at its first boot: it is in no entry.
    """
    match = _ID.search(image.read(_MACHINE_INFO))
    if match is None:
        raise Wrong(f"/{_MACHINE_INFO} has no KERNEL_INSTALL_MACHINE_ID")
    names = [PurePath(entry).name for entry in image.files(ENTRIES)]
    if others := [name for name in names if machine_id(name) != match[1]]:
        raise Wrong(f"{others[0]} is not {match[1]}'s, whose are those of later kernels")
    return match[1]


@check("newest kernel", "el")
def newest_kernel_is_booted(image: Image) -> str:
    """Of several kernels, zipl's default is the newest one."""
    name = newest(image.files(ENTRIES))
    if name is None:
        raise Wrong("no entry but for rescue")
    kernel = fields(image.read(name)).get("linux", "no kernel")
    if PurePath(kernel).name != PurePath(image.entry.kernel).name:
        raise Wrong(f"{image.entry.kernel} is booted, {kernel} is newer")
    return PurePath(kernel).name
