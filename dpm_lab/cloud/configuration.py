"""The configuration of all services, as data: file, section, option.

It is what a real installation has, but for addresses, passwords and sizes. What is there for the
lab alone says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dpm_lab.cloud.machine import OUTER, Wiring, wiring
from dpm_lab.cloud.place import CONTROL_HOST, REGION, Host, Place
from dpm_lab.hmc.wire.files import SECRET, write_new

Value = str | int | Path | Sequence[str]
Section = Mapping[str, Value]
File = Mapping[str, Section]

#: oslo.log's own, and lines that come with each request and hide the others: neutronclient says
#: that it is deprecated, Keystone that it cuts passwords (of tokens) for bcrypt.
_LOG_LEVELS = ",".join(
    f"{name}={level}"
    for name, level in {
        "amqp": "WARN",
        "amqplib": "WARN",
        "sqlalchemy": "WARN",
        "oslo_messaging": "INFO",
        "oslo.messaging": "INFO",
        "iso8601": "WARN",
        "requests.packages.urllib3.connectionpool": "WARN",
        "urllib3.connectionpool": "WARN",
        "websocket": "WARN",
        "keystonemiddleware": "WARN",
        "routes.middleware": "WARN",
        "stevedore": "WARN",
        "taskflow": "WARN",
        "keystoneauth": "WARN",
        "oslo.cache": "INFO",
        "oslo_policy": "WARN",
        "dogpile.core.dogpile": "INFO",
        "neutronclient": "ERROR",
        "keystone.common.password_hashing": "ERROR",
    }.items()
)


def write(place: Place, environment: Path) -> None:
    """Write all files, mode 0600: most of them hold passwords."""
    for name, sections in files(place, environment).items():
        path = place.of("etc", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_new(path, text(sections), SECRET)
    write_new(place.of("etc", "rabbitmq.conf"), _rabbitmq(place), SECRET)
    # Else it is nobody, who cannot read again what is in the cloud's folder.
    write_new(place.of("etc", "neutron", "dnsmasq.conf"), "user=root\n", SECRET)
    paste = place.of("etc", "nova", "api-paste.ini")
    paste.unlink(missing_ok=True)
    paste.symlink_to(environment / "etc/nova/api-paste.ini")
    own = (each.own("nova-compute") for each in place.hosts)
    for name in ("images", "lock", "keystone", *own):
        place.of("state", name).mkdir(parents=True, exist_ok=True)


def text(sections: File) -> str:
    """Return a file's text; an option with several values is there several times."""
    lines: list[str] = []
    for section, options in sections.items():
        lines.append(f"[{section}]")
        for name, value in options.items():
            values = [value] if isinstance(value, str | int | Path) else value
            lines += [f"{name} = {each}" for each in values]
        lines.append("")
    return "\n".join(lines)


def files(place: Place, environment: Path) -> Mapping[str, File]:
    """Return all files by name.

    Raises:
        MachineError: a machine is not there, or of no use.
    """
    wires = {host: wiring(host) for host in place.hosts}
    segments = {
        network: str(segment)
        for each in reversed(wires.values())
        for network, segment in each.segments.items()
    }
    own = {
        f"{name}.conf": file
        for host, each in wires.items()
        for name, file in (
            (host.own("nova/compute"), _compute(place, host, each)),
            (host.own("neutron/dpm-agent"), _agent(place, host, each)),
        )
    }
    return {
        "keystone/keystone.conf": _keystone(place),
        "glance/glance-api.conf": _glance(place, environment),
        "placement/placement.conf": _placement(place),
        "nova/nova.conf": _nova(place, environment),
        # nova-compute refuses to start where it could reach the database.
        "nova/database.conf": {
            "api_database": {"connection": place.database("nova_api")},
            "database": {"connection": place.database("nova_cell1")},
        },
        "neutron/neutron.conf": _neutron(place, environment),
        "neutron/ml2.conf": _ml2(segments),
        "neutron/dhcp-agent.conf": _dhcp(place, segments),
        "neutron/metadata-agent.conf": _metadata(place),
        "cinder/cinder.conf": _cinder(place, environment),
        **own,
    }


def _default(place: Place, name: str, **options: Value) -> Section:
    return {
        "state_path": place.of("state", name),
        "default_log_levels": _LOG_LEVELS,
        # The lab's: the line has the request's id once.
        "logging_default_format_string": "%(asctime)s %(levelname)s %(name)s [-] %(message)s",
        **options,
    }


def _locks(place: Place) -> Section:
    return {"lock_path": place.of("state", "lock")}


def _client(place: Place, user: str) -> Section:
    """How one service asks another."""
    return {
        "auth_url": f"{place.url('keystone')}/v3",
        "auth_type": "password",
        "project_domain_name": "Default",
        "user_domain_name": "Default",
        "project_name": "service",
        "username": user,
        "password": place.secrets.service,
        "region_name": REGION,
    }


def _asked(place: Place, user: str) -> Section:
    """How a service checks who asks it."""
    return {
        **_client(place, user),
        "www_authenticate_uri": place.url("keystone"),
        "service_token_roles": "service",
        "service_token_roles_required": "true",
    }


def _keystone(place: Place) -> File:
    return {
        "DEFAULT": {"default_log_levels": _LOG_LEVELS},
        "database": {"connection": place.database("keystone")},
        "token": {"provider": "fernet"},
        "fernet_tokens": {"key_repository": place.of("state", "keystone", "fernet")},
        "fernet_receipts": {"key_repository": place.of("state", "keystone", "fernet")},
        "credential": {"key_repository": place.of("state", "keystone", "credential")},
        # The lab's: passwords here are 96 random bits, which need no slow hash.
        "identity": {"password_hash_rounds": 4},
    }


def _glance(place: Place, environment: Path) -> File:
    return {
        "DEFAULT": _default(place, "glance", enabled_backends="file:file"),
        "database": {"connection": place.database("glance")},
        "glance_store": {"default_backend": "file"},
        "file": {"filesystem_store_datadir": place.of("state", "images")},
        "paste_deploy": {
            "flavor": "keystone",
            "config_file": environment / "etc/glance/glance-api-paste.ini",
        },
        "keystone_authtoken": _asked(place, "glance"),
        "oslo_concurrency": _locks(place),
    }


def _placement(place: Place) -> File:
    return {
        "DEFAULT": {"default_log_levels": _LOG_LEVELS},
        "placement_database": {"connection": place.database("placement")},
        "api": {"auth_strategy": "keystone"},
        "keystone_authtoken": _asked(place, "placement"),
    }


def _nova(place: Place, environment: Path) -> File:
    return {
        "DEFAULT": _default(
            place,
            "nova",
            transport_url=place.bus,
            my_ip=place.host,
            host=CONTROL_HOST,
            # The lab's: else the first look for new hosts is up to a minute late.
            periodic_fuzzy_delay=0,
        ),
        "api": {"auth_strategy": "keystone"},
        "wsgi": {"api_paste_config": environment / "etc/nova/api-paste.ini"},
        "keystone_authtoken": _asked(place, "nova"),
        "service_user": {"send_service_user_token": "true", **_client(place, "nova")},
        "placement": _client(place, "nova"),
        "neutron": {
            **_client(place, "nova"),
            "service_metadata_proxy": "true",
            "metadata_proxy_shared_secret": place.secrets.metadata,
        },
        "cinder": {
            **{
                name: each for name, each in _client(place, "nova").items() if name != "region_name"
            },
            "os_region_name": REGION,
            "catalog_info": "volumev3::publicURL",
        },
        "glance": {"api_servers": place.url("glance")},
        "oslo_concurrency": _locks(place),
        "conductor": {"workers": 1},
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 4},
        "vnc": {"enabled": "false"},
        "serial_console": {
            "enabled": "true",
            "base_url": f"ws://{place.host}:{place.ports['serial']}/",
            "serialproxy_host": place.host,
            "serialproxy_port": place.ports["serial"],
            "proxyclient_address": place.host,
        },
    }


def _compute(place: Place, host: Host, wires: Wiring) -> File:
    return {
        "DEFAULT": {
            "compute_driver": "dpm.DPMDriver",
            "host": host.name,
            # As the documents advise: in Nova's 600 s a server that has ended is ACTIVE.
            "sync_power_state_interval": 60,
            "state_path": place.of("state", host.own("nova-compute")),
        },
        "dpm": {
            **_hmc(place, wires),
            "max_processors": 16,
            "max_memory": 131072,
            "physical_storage_adapter_mappings": wires.storage_ports,
        },
    }


def _hmc(place: Place, wires: Wiring) -> Section:
    return {
        "hmc": place.host,
        "hmc_port": place.ports["hmc"],
        "hmc_username": "labuser",
        # Made with the HMC's folder, before any HMC runs.
        "hmc_password": place.hmc_password.read_text(encoding="ascii").strip(),
        "hmc_ca_file": place.of("hmc", "ca.pem"),
        # The lab's: its HMC shows a status 3 s late.
        "hmc_status_timeout": 15,
        "cpc_object_id": wires.cpc,
    }


def _neutron(place: Place, environment: Path) -> File:
    return {
        "DEFAULT": _default(
            place,
            "neutron",
            transport_url=place.bus,
            host=CONTROL_HOST,
            core_plugin="ml2",
            # Else Nova asks for floating IPs that Neutron does not know, and both log it.
            service_plugins="router,segments",
            auth_strategy="keystone",
            notify_nova_on_port_status_changes="true",
            notify_nova_on_port_data_changes="true",
            api_workers=1,
            rpc_workers=1,
            rpc_state_report_workers=0,
            api_paste_config=environment / "etc/neutron/api-paste.ini",
        ),
        "database": {"connection": place.database("neutron")},
        "keystone_authtoken": _asked(place, "neutron"),
        "nova": _client(place, "neutron"),
        "placement": _client(place, "neutron"),
        "oslo_concurrency": _locks(place),
    }


def _ml2(networks: Iterable[str]) -> File:
    return {
        "ml2": {
            "type_drivers": "flat,vlan",
            "project_network_types": "vlan",
            # The lab's beside ours: it binds the ports of DHCP, on the host of all services.
            "mechanism_drivers": "dpm,dpm_lab",
            "extension_drivers": "port_security",
        },
        "ml2_type_flat": {"flat_networks": ",".join(sorted(networks))},
        "ml2_type_vlan": {"network_vlan_ranges": f"{OUTER}:100:199"},
    }


def _dhcp(place: Place, segments: Mapping[str, str]) -> File:
    return {
        "DEFAULT": {
            "interface_driver": "dpm_lab",
            "dhcp_driver": "dpm_lab.cloud.inside.wires.LabDnsmasq",
            "dnsmasq_config_file": place.of("etc", "neutron", "dnsmasq.conf"),
            # There is no router, so a guest gets to metadata by the namespace of DHCP.
            "force_metadata": "true",
            "metadata_proxy_socket": _metadata_socket(place),
        },
        "agent": {"root_helper": ""},
        # The lab's, for its interface driver.
        "lab": {
            "networks": place.networks,
            "segments": ",".join(f"{network}:{each}" for network, each in segments.items()),
        },
    }


def _metadata(place: Place) -> File:
    return {
        "DEFAULT": {
            "nova_metadata_host": place.host,
            "nova_metadata_port": place.ports["metadata"],
            "metadata_proxy_shared_secret": place.secrets.metadata,
            "metadata_proxy_socket": _metadata_socket(place),
            "metadata_workers": 4,
        },
    }


def _metadata_socket(place: Place) -> Path:
    return place.of("run", "metadata.sock")


def _agent(place: Place, host: Host, wires: Wiring) -> File:
    return {
        "DEFAULT": {
            "host": host.name,
            "transport_url": place.bus,
            "default_log_levels": _LOG_LEVELS,
        },
        "dpm": {
            **_hmc(place, wires),
            "physical_network_adapter_mappings": [
                f"{network}:{adapter}" for network, adapter in wires.networks.items()
            ],
        },
    }


def _cinder(place: Place, environment: Path) -> File:
    return {
        "DEFAULT": _default(
            place,
            "cinder",
            transport_url=place.bus,
            my_ip=place.host,
            host=CONTROL_HOST,
            auth_strategy="keystone",
            api_paste_config=environment / "etc/cinder/api-paste.ini",
            # By which Nova looks for attachments of a server.
            resource_query_filters_file=environment / "etc/cinder/resource_filters.json",
            enabled_backends="fc",
            default_volume_type="fc",
            glance_api_servers=place.url("glance"),
            rootwrap_config=environment / "etc/cinder/rootwrap.conf",
            # The lab's: what cinder-scheduler missed at the start it hears in seconds, not minutes.
            periodic_interval=10,
            periodic_fuzzy_delay=0,
            backend_stats_polling_interval=10,
        ),
        "fc": {
            "volume_driver": "dpm_lab.cloud.inside.volumes.LabFibreChannelDriver",
            "volume_backend_name": "fc",
            "lab_storage": place.storage,
        },
        "database": {"connection": place.database("cinder")},
        "keystone_authtoken": _asked(place, "cinder"),
        "service_user": {"send_service_user_token": "true", **_client(place, "cinder")},
        "nova": _client(place, "cinder"),
        # By which it learns in which file Glance has an image.
        "glance": _client(place, "cinder"),
        "oslo_concurrency": _locks(place),
    }


def _rabbitmq(place: Place) -> str:
    options = {
        "listeners.tcp.1": f"{place.host}:{place.ports['rabbitmq']}",
        "default_user": "openstack",
        "default_pass": place.secrets.bus,
        "log.console.level": "warning",
        "loopback_users": "none",
        # The lab's: a disk that is nearly full is no reason to stop.
        "disk_free_limit.absolute": "100MB",
    }
    return "".join(f"{name} = {value}\n" for name, value in options.items())
