"""tempest.conf of a cloud, as data: what such a host has, and what it has not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dpm_lab.cloud.api import Api
from dpm_lab.cloud.configuration import File, Section, text
from dpm_lab.cloud.place import REGION, Place
from dpm_lab.cloud.things import FLAVORS, PROVIDER, VOLUME_TYPE, flavor_ids, image
from dpm_lab.hmc.wire.files import SECRET, write_new

#: Options of ``[compute-feature-enabled]`` and the section of the support matrix
#: (``doc/source/support-matrix.ini``) that says whether the driver has it.
FEATURES: Mapping[str, tuple[str, bool]] = {
    "change_password": ("set-password", False),
    "cold_migration": ("resize", False),
    "config_drive": ("config-drive", False),
    "console_output": ("console-log", True),
    "disk_config": ("disk-config", False),
    "interface_attach": ("attach-interface", True),
    "live_migration": ("live-migration", False),
    "pause": ("pause", False),
    "personality": ("inject-files", False),
    "rescue": ("rescue", False),
    "resize": ("resize", False),
    "serial_console": ("serial-console", True),
    "shelve": ("shelve", True),
    "snapshot": ("snapshot", True),
    "spice_console": ("graphical-consoles", False),
    "stable_rescue": ("rescue", False),
    "suspend": ("suspend", False),
    "swap_volume": ("swap-volume", False),
    "vnc_console": ("graphical-consoles", False),
    "volume_multiattach": ("multiattach-volume", False),
}

#: For which Tempest waits for anything: what a lab's host does takes a tenth of it.
SECONDS = 120


@dataclass(frozen=True)
class Things:
    """Ids of what Tempest makes its servers of."""

    image: str
    small: str
    big: str


def things(api: Api) -> Things:
    """Return what the cloud has.

    Raises:
        ApiError: the cloud does not answer.
        CloudError: it has no image.
    """
    image_id, flavors = str(image(api)["id"]), flavor_ids(api)
    small, big = (flavors[name] for name in FLAVORS)
    return Things(image_id, small, big)


def write(place: Place, api: Api) -> None:
    """Write it to ``tempest/etc`` of the cloud's folder, mode 0600: it holds a password."""
    folder = place.of("tempest", "etc")
    folder.mkdir(parents=True, exist_ok=True)
    write_new(folder / "tempest.conf", text(configuration(place, things(api))), SECRET)


def configuration(place: Place, has: Things) -> File:
    """Return all sections."""
    return {
        "DEFAULT": {"log_file": place.of("tempest", "tempest.log"), "debug": "true"},
        "oslo_concurrency": {"lock_path": place.of("tempest", "lock")},
        "auth": {
            "admin_username": "admin",
            "admin_password": place.secrets.admin,
            "admin_project_name": "admin",
            "admin_domain_name": "Default",
            "use_dynamic_credentials": "true",
            "create_isolated_networks": "true",
        },
        "identity": {"uri_v3": f"{place.url('keystone')}/v3", "region": REGION},
        "service_available": {"swift": "false", "horizon": "false"},
        "dpm_lab": {"volume_backed": "true"},
        "compute": {
            "image_ref": has.image,
            "image_ref_alt": has.image,
            "flavor_ref": has.small,
            "flavor_ref_alt": has.big,
            "min_compute_nodes": 1,
            # Of projects that Tempest makes without a network of their own: they see three.
            "fixed_network_name": PROVIDER.name,
            "min_microversion": "2.1",
            "max_microversion": "latest",
            "build_timeout": SECONDS,
        },
        "compute-feature-enabled": {
            **{option: str(has_it).lower() for option, (_, has_it) in FEATURES.items()},
            "attach_encrypted_volume": "false",
            "ide_bus": "false",
            "metadata_service": "false",
        },
        "image": {"build_timeout": SECONDS},
        # Partitions of the lab boot nothing, so nobody answers.
        "validation": {"run_validation": "false"},
        "network": {
            "project_network_cidr": "10.100.0.0/16",
            "build_timeout": SECONDS,
        },
        "network-feature-enabled": {"floating_ips": "false", "ipv6": "false"},
        "volume": _volume(),
        "volume-feature-enabled": {
            "backup": "false",
            "extend_attached_volume": "false",
            "snapshot": "true",
        },
    }


def _volume() -> Section:
    return {
        "catalog_type": "volumev3",
        "volume_type": VOLUME_TYPE,
        "backend_names": VOLUME_TYPE,
        "storage_protocol": "FC",
        "vendor_name": "dpm-lab",
        "min_microversion": "3.0",
        "max_microversion": "latest",
        "build_timeout": SECONDS,
    }
