"""Checks that only images of the EL family have to pass."""

from __future__ import annotations

import re
from configparser import ConfigParser
from configparser import Error as ConfigError
from pathlib import PurePath

from dpm_image.verify.checks import Image, Wrong, check, none_of

#: In /etc/sysconfig/network: what names one machine, or one interface of it.
_OF_ONE_MACHINE = re.compile(r"^\s*(HOSTNAME|GATEWAY|GATEWAYDEV|IPADDR|HWADDR)=", re.MULTILINE)

#: Where rhel-dpm puts the program that gives profiles the names of interfaces.
_BY_MAC = "usr/libexec/rhel-dpm/interfaces-by-mac"


@check("sysconfig", "el")
def sysconfig_is_of_no_machine(image: Image) -> str:
    """Interfaces are described in NetworkManager's profiles, by cloud-init."""
    files = image.files("etc/sysconfig/network-scripts/ifcfg-*")
    found = [name for name in files if not name.endswith("/ifcfg-lo")]
    network = image.read("etc/sysconfig/network")
    found += [f"/etc/sysconfig/network: {match[1]}" for match in _OF_ONE_MACHINE.finditer(network)]
    return none_of(found, "interface, host name or gateway")


@check("device lists", "el")
def no_devices_of_a_machine(image: Image) -> str:
    """The IPL device comes from the firmware, other disks from who adds them."""
    found = [*image.files("etc/udev/rules.d/41-*.rules")]
    for name in ("/etc/zfcp.conf", "/etc/dasd.conf"):
        lines = (line.partition("#")[0].strip() for line in image.read(name).splitlines())
        found += [f"{name}: {line}" for line in lines if line]
    return none_of(found, "FCP devices or DASDs of another machine")


@check("subscription", "el")
def no_subscription(image: Image) -> str:
    """Partitions that share an identity are one machine to Red Hat."""
    return none_of(
        image.files("etc/pki/consumer/*", "etc/pki/entitlement/*", "etc/yum.repos.d/redhat.repo"),
        "identity or entitlement",
    )


@check("interfaces by MAC", "el")
def network_manager_finds_interfaces(image: Image) -> str:
    """NetworkManager's own match of MACs is by the permanent one, which is not the wanted one."""
    renderers = _renderers(image)
    if renderers[:1] != ["network-manager"]:
        raise Wrong(f"cloud-init's renderers: {', '.join(renderers) or 'its default'}")
    program = image.tree.status(_BY_MAC)
    if program is None or not image.tree.is_file(_BY_MAC) or not program.st_mode & 0o111:
        raise Wrong(f"/{_BY_MAC} is missing, or not a program")
    drop_ins = image.files("etc/systemd/system/cloud-init-local.service.d/*.conf")
    if not any(f"ExecStartPost=/{_BY_MAC}" in image.read(name) for name in drop_ins):
        raise Wrong(f"cloud-init-local.service does not run /{_BY_MAC}")
    if not image.files("etc/systemd/system/*.wants/NetworkManager.service"):
        raise Wrong("NetworkManager.service is not enabled")
    if unmanaged := _unmanaged(image):
        raise Wrong(unmanaged)
    return "profiles of NetworkManager, for the interface that has the MAC"


def _renderers(image: Image) -> list[str]:
    # cloud-init merges mappings: a later file's system_info need not have the list.
    found: list[str] = []
    for system in image.cloud_values("system_info"):
        network = system.get("network") if isinstance(system, dict) else None
        listed = network.get("renderers") if isinstance(network, dict) else None
        if isinstance(listed, list):
            found = [name if isinstance(name, str) else "no name" for name in listed]
    return found


def _unmanaged(image: Image) -> str:
    names = image.files("etc/NetworkManager/*.conf", "etc/NetworkManager/conf.d/*.conf")
    for name in [*image.files("usr/lib/NetworkManager/conf.d/*.conf"), *names]:
        config = ConfigParser(interpolation=None, strict=False, delimiters=("=",))
        try:
            config.read_string(image.read(name))
        except ConfigError as error:
            raise Wrong(f"{name}: {error}") from error
        for section in config.sections():
            if section.startswith("device") and config[section].get("managed") in {"0", "false"}:
                return f"{name}: [{section}] is not managed"
            if section == "keyfile" and config[section].get("unmanaged-devices"):
                return f"{name}: unmanaged-devices"
    return ""


@check("later kernels", "el")
def later_kernels_boot_alike(image: Image) -> str:
    """kernel-install takes the parameters from a file, dracut what it puts in from another."""
    parameters = image.read("etc/kernel/cmdline").strip()
    if parameters != image.entry.parameters:
        raise Wrong(f"/etc/kernel/cmdline: `{parameters}`, not `{image.entry.parameters}`")
    config = "".join(image.read(name) for name in image.files("etc/dracut.conf.d/*.conf"))
    if not re.search(r"^add_dracutmodules\+=.*\bdpm\b", config, re.MULTILINE):
        raise Wrong("no file in /etc/dracut.conf.d adds the module dpm")
    if not re.search(r"^hostonly=[\"']?no", config, re.MULTILINE):
        raise Wrong("no file in /etc/dracut.conf.d says hostonly=no")
    if re.search(r"^omit_dracutmodules\+=.*\bmultipath\b", config, re.MULTILINE):
        raise Wrong("/etc/dracut.conf.d leaves multipath out")
    return "the same kernel parameters, and an initramfs for any partition"


#: What file_contexts of the policy leave without a label in there (files.fc: <<none>>).
_WITHOUT_LABEL = "/usr/lib/debug/"

#: dracut's module `selinux` loads the policy before the real root starts, and lets all pass until
#: the files have their labels.
_LOADS_POLICY = "selinux-loadpolicy.sh"


@check("SELinux labels", "el")
def files_have_labels(image: Image) -> str:
    """What has no label cannot be started where SELinux enforces, the program that labels neither.

    Since EL 10 the kernel's own domain is confined (selinux-policy, kernel.te): the first process
    starts nothing that has no label, so no first boot labels anything.
    """
    mode = re.search(r"^SELINUX=(\w+)", image.read("etc/selinux/config"), re.MULTILINE)
    if mode is None or mode[1] == "disabled":
        return "SELinux is off"
    names = [
        name for name in image.files("usr/**/*", "etc/**/*") if not name.startswith(_WITHOUT_LABEL)
    ]
    if not (bare := [name for name in names if not image.tree.label(name)]):
        return f"{mode[1]}; {len(names)} files of /usr and /etc have one"
    count = f"{len(bare)} of {len(names)} files of /usr and /etc have no label"
    if not image.tree.exists(".autorelabel"):
        raise Wrong(f"{mode[1]}; {count}, such as {bare[0]}, and nothing will give them one")
    loads = any(PurePath(name).name.endswith(_LOADS_POLICY) for name in image.initramfs)
    if mode[1] == "enforcing" and not loads:
        raise Wrong(f"{mode[1]}; {count}, such as {bare[0]}: the first boot starts nothing")
    return f"{mode[1]}; the first boot labels all files"
