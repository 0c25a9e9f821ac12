"""Checks that an image carries nothing of the build, nor what two partitions must not share."""

from __future__ import annotations

import re

from dpm_image.verify.checks import Image, Wrong, check, none_of


@check("machine-id")
def machine_id_is_empty(image: Image) -> str:
    """An empty one is made at boot; a missing one, or "uninitialized", runs all presets anew."""
    if not image.tree.is_file("etc/machine-id"):
        raise Wrong("/etc/machine-id is missing")
    if text := image.read("etc/machine-id").strip():
        raise Wrong(f"/etc/machine-id: {text}")
    dbus = "/var/lib/dbus/machine-id"
    if image.tree.link(dbus) is None and image.read(dbus).strip():
        raise Wrong(f"{dbus} has one")
    return "empty"


@check("SSH host keys")
def no_host_keys(image: Image) -> str:
    """Two machines with one key cannot be told apart."""
    return none_of(image.files("etc/ssh/ssh_host_*"), "host keys")


@check("passwords")
def no_passwords(image: Image) -> str:
    """Whoever may log in comes with the partition's data, by key."""
    fields = (line.split(":") for line in image.read("etc/shadow").splitlines())
    return none_of(
        (parts[0] for parts in fields if len(parts) > 1 and not parts[1].startswith(("!", "*"))),
        "accounts with a password or without need of one",
    )


@check("logs")
def no_logs(image: Image) -> str:
    """The first line that an administrator reads should be the partition's."""
    # Links are part of packages: systemd's /var/log/README.
    written = (
        name
        for name in image.files("var/log/**/*", "root/*.log")
        if image.tree.link(name) is None
        and (status := image.tree.status(name)) is not None
        and status.st_size
    )
    return none_of(written, "log lines")


@check("package caches")
def no_package_caches(image: Image) -> str:
    """Lists and packages are fetched anew by who needs them."""
    apt = ("var/lib/apt/lists/**/*", "var/cache/apt/*.bin", "var/cache/apt/archives/*.deb")
    found = image.files(*apt, "var/cache/dnf/**/*", "var/cache/yum/**/*", "var/cache/libdnf5/**/*")
    return none_of((name for name in found if not name.endswith("/lock")), "package lists or files")


@check("cloud-init state")
def no_cloud_init_state(image: Image) -> str:
    """With it, cloud-init takes the first boot for a later one."""
    return none_of(
        image.files("var/lib/cloud/**/*", "run/cloud-init/**/*"), "files in /var/lib/cloud"
    )


@check("interface files")
def no_interface_configuration(image: Image) -> str:
    """Interfaces are described by cloud-init, once it knows which there are."""
    return none_of(
        image.files(
            "etc/network/interfaces.d/*",
            "etc/netplan/*",
            "etc/systemd/network/*",
            "etc/NetworkManager/system-connections/*",
            "etc/sysconfig/network-scripts/ifcfg-*",
            "etc/udev/rules.d/70-persistent-net.rules",
        ),
        "configuration of interfaces",
    )


@check("build leftovers")
def no_build_leftovers(image: Image) -> str:
    """What diskimage-builder and our elements put into the root for the time of the build."""
    return none_of(
        [
            *image.files("tmp/**/*", "var/tmp/**/*", "root/.bash_history", "root/.cache/**/*"),
            *image.files("usr/sbin/policy-rc.d", "usr/sbin/start-stop-daemon.REAL"),
            *image.files("lib/s390-tools/zipl_helper.loop", "lib/s390-tools/*.dpm-saved"),
            *image.files("etc/resolv.conf.ORIG", "etc/apt/apt.conf.d/60img-build-proxy"),
            *image.files("etc/dpkg/dpkg.cfg.d/02apt-speedup", "usr/sbin/update-initramfs.distrib"),
        ],
        "files of the build",
    )


@check("name servers")
def resolver_is_not_the_builders(image: Image) -> str:
    """The name servers of the machine that built the image mean nothing elsewhere."""
    if target := image.tree.link("etc/resolv.conf"):
        return f"a link to {target}"
    if servers := re.findall(r"^nameserver\s+(\S+)", image.read("etc/resolv.conf"), re.MULTILINE):
        raise Wrong(f"/etc/resolv.conf: {', '.join(servers)}")
    return "none"
