"""What a cloud needs before the first server: image, flavors, networks, volume type, key pair."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from dpm_lab import cache
from dpm_lab.cloud.api import Api
from dpm_lab.cloud.errors import CloudError
from dpm_lab.cloud.machine import OUTER, inner, wiring
from dpm_lab.cloud.place import Host, Place
from dpm_lab.guests.disk import qcow2
from dpm_lab.hmc.wire.files import PUBLIC, SECRET, write_new
from dpm_lab.progress import Progress

#: The image, but where another one was asked for.
IMAGE = "debian-dpm"
KEY = "dpm"
VOLUME_TYPE = "fc"
#: Processors, and memory in MiB.
FLAVORS: Mapping[str, tuple[int, int]] = {"dpm.small": (1, 1024), "dpm.big": (4, 8192)}
#: Those of a cloud whose partitions are guests: what Linux needs, of this machine's memory.
BOOT_FLAVORS: Mapping[str, tuple[int, int]] = {"dpm.small": (1, 512), "dpm.big": (2, 1024)}
#: Where partitions boot nothing, there is nothing to boot in the image.
_EMPTY = bytes(1 << 20)
#: The image's property that says what it was made of.
_FILE = "dpm_lab_file"
_NOTHING = "nothing"
#: What `dpm-image build` has between the name of an image's kind and the suffix.
_HASH = re.compile(r"-[0-9a-f]{12}$")


@dataclass(frozen=True)
class Network:
    """A provider network and its subnet."""

    name: str
    physical: str
    cidr: str
    vlan: int | None = None


#: The network that each server can have a port on.
PROVIDER = Network("provider", OUTER, "192.0.2.0/24")
_VLAN = Network("vlan101", OUTER, "198.51.100.0/24", 101)


def hipersockets(host: Host) -> Network:
    """Return the network of a machine's HiperSockets."""
    cidr = f"203.0.113.{64 * (host.number - 1)}/26"
    return Network(host.own("hipersockets"), inner(host), cidr)


def networks(place: Place) -> list[Network]:
    """Return the networks of a cloud.

    Raises:
        MachineError: a machine is not there, or of no use.
    """
    own = [hipersockets(each) for each in place.hosts if inner(each) in wiring(each).networks]
    return [PROVIDER, _VLAN, *own]


def make(
    place: Place, api: Api, progress: Progress, image: Path | None = None, *, has_dhcp: bool
) -> str:
    """Make what is missing. Return its names.

    Args:
        image: the one that Glance shall have; default: the newest of the cache where partitions
            boot, and an empty one where they do not
        has_dhcp: whether somebody serves DHCP

    Raises:
        ApiError: a service refuses it.
    """
    name = _image(place, api, progress, image)
    flavors = BOOT_FLAVORS if place.boot else FLAVORS
    _flavors(api, flavors)
    _networks(place, api, has_dhcp=has_dhcp)
    if VOLUME_TYPE not in _names(api.get("cinder", "/types")["volume_types"]):
        about = {"name": VOLUME_TYPE, "extra_specs": {"volume_backend_name": "fc"}}
        api.post("cinder", "/types", {"volume_type": about})
    _key(place, api)
    zones = _zones(place, api)
    names = (each.name for each in networks(place))
    return ", ".join((name, *flavors, *names, VOLUME_TYPE, KEY, *zones))


def _names(items: Iterable[Mapping[str, Any]]) -> set[str]:
    return {str(each["name"]) for each in items}


def image(api: Api) -> Mapping[str, Any]:
    """Return the image of the cloud, as Glance shows it.

    Raises:
        ApiError: the cloud does not answer.
        CloudError: it has none.
    """
    images = _images(api)
    if not images:
        raise CloudError(f"the cloud has no image {IMAGE}: 'dpm-lab cloud up' makes it")
    return images[0]


def image_name(file: Path) -> str:
    """Return what an image is called that is made of a file.

    >>> image_name(Path("rhel-dpm-7dae4f9579b6.qcow2"))
    'rhel-dpm'
    """
    return _HASH.sub("", file.stem)


def _images(api: Api) -> list[dict[str, Any]]:
    there = api.get("glance", "/images?status=active")["images"]
    return [each for each in there if _FILE in each]


def flavor_ids(api: Api) -> dict[str, str]:
    """Return the ids of all flavors by their names.

    Raises:
        ApiError: the cloud does not answer.
    """
    return {str(each["name"]): str(each["id"]) for each in api.get("nova", "/flavors")["flavors"]}


def newest_image() -> Path | None:
    """Return the newest Debian image that `dpm-image build` has made and kept."""
    found = cache.folder("images").glob(f"{IMAGE}-*.qcow2")
    return max(found, key=lambda each: each.stat().st_mtime, default=None)


def _image(place: Place, api: Api, progress: Progress, image: Path | None) -> str:
    """Make the image, where it is not there; return its name."""
    found = _images(api)
    there = found[0][_FILE] if found else None
    if image is None and place.boot and there in (None, _NOTHING):
        image = newest_image()
        if image is None:
            progress.line(
                f"{IMAGE} is empty: 'dpm-image build debian' makes an image that boots, and"
                " 'dpm-lab cloud up' then takes it"
            )
    if found and (image is None or there == image.name):
        return str(found[0]["name"])
    if image is None:
        name = IMAGE
        _new_image(api, name, _NOTHING, "raw", io.BytesIO(_EMPTY))
    else:
        qcow2.check(image)
        name = image_name(image)
        progress.line(f"{image.name} becomes the image {name}")
        with image.open("rb") as file:
            _new_image(api, name, image.name, "qcow2", file)
    # Volumes that were made of it stay.
    for each in found:
        api.send("DELETE", "glance", f"/images/{each['id']}")
    return name


def _new_image(api: Api, name: str, source: str, form: str, file: BinaryIO) -> None:
    about = {"name": name, "disk_format": form, "container_format": "bare", _FILE: source}
    about |= {"visibility": "public", "hw_architecture": "s390x"}
    made = api.post("glance", "/images", about)
    api.send_file("glance", f"/images/{made['id']}/file", file)


def _flavors(api: Api, flavors: Mapping[str, tuple[int, int]]) -> None:
    there = _names(api.get("nova", "/flavors")["flavors"])
    for name, (processors, memory) in flavors.items():
        if name not in there:
            about = {"name": name, "vcpus": processors, "ram": memory, "disk": 0}
            api.post("nova", "/flavors", {"flavor": about})


def _zones(place: Place, api: Api) -> list[str]:
    """Have an availability zone for each machine, where there are several; return their names."""
    if len(place.hosts) == 1:
        return []
    there = {each["name"]: each for each in api.get("nova", "/os-aggregates")["aggregates"]}
    for host in place.hosts:
        zone = {"name": host.machine, "availability_zone": host.machine}
        found = there.get(host.machine)
        if found is None:
            found = api.post("nova", "/os-aggregates", {"aggregate": zone})["aggregate"]
        if host.name not in found.get("hosts", ()):
            path = f"/os-aggregates/{found['id']}/action"
            api.post("nova", path, {"add_host": {"host": host.name}})
    return [f"zone {each}" for each in place.machines]


def _networks(place: Place, api: Api, *, has_dhcp: bool) -> None:
    there = _names(api.get("neutron", "/networks")["networks"])
    wanted = networks(place)
    for network in wanted:
        if network.name in there:
            continue
        about: dict[str, Any] = {
            "name": network.name,
            "shared": True,
            "provider:network_type": "flat" if network.vlan is None else "vlan",
            "provider:physical_network": network.physical,
            # Nobody could enforce it between a partition and its adapter.
            "port_security_enabled": False,
        }
        if network.vlan is not None:
            about["provider:segmentation_id"] = network.vlan
        made = api.post("neutron", "/networks", {"network": about})["network"]
        subnet = {
            "name": network.name,
            "network_id": made["id"],
            "ip_version": 4,
            "cidr": network.cidr,
            # Where there is no DHCP agent, each port would say so.
            "enable_dhcp": has_dhcp,
        }
        api.post("neutron", "/subnets", {"subnet": subnet})
    names = {each.name for each in wanted}
    for found in api.get("neutron", "/subnets")["subnets"]:
        if found["name"] in names and found["enable_dhcp"] != has_dhcp:
            body = {"subnet": {"enable_dhcp": has_dhcp}}
            api.send("PUT", "neutron", f"/subnets/{found['id']}", body)


def _key(place: Place, api: Api) -> None:
    private, public = place.of("key"), place.of("key.pub")
    if not (private.exists() and public.exists()):
        key = ed25519.Ed25519PrivateKey.generate()
        write_new(
            private,
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            ),
            SECRET,
        )
        shown = key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        write_new(public, shown + b" dpm-lab\n", PUBLIC)
    there = _names(each["keypair"] for each in api.get("nova", "/os-keypairs")["keypairs"])
    if KEY not in there:
        text = public.read_text(encoding="ascii").strip()
        api.post(
            "nova", "/os-keypairs", {"keypair": {"name": KEY, "type": "ssh", "public_key": text}}
        )


def server_id(api: Api, server: str) -> str:
    """Return the id of a server, of whose name there may be one only.

    Args:
        server: name or id

    Raises:
        CloudError: there is none, or there are several.
    """
    found = api.get("nova", "/servers?all_tenants=1")["servers"]
    ids = [str(each["id"]) for each in found if server in (each["id"], each["name"])]
    if len(ids) != 1:
        raise CloudError(f"there are {len(ids)} servers {server!r}; 'openstack server list'")
    return ids[0]
