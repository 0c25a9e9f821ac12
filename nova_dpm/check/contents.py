"""What this host has on the CPC, in words: storage, networks, partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import quote

from dpm_hmc import answers, names
from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from dpm_hmc.cpc import Cpc, object_id
from dpm_hmc.errors import HttpError
from dpm_hmc.finding import Finding, doubtful, fine
from dpm_hmc.networks import ADAPTER, VSWITCH, adapter_problem, takes_nics
from nova_dpm.network import Abilities


def storage(cpc: Cpc) -> str:
    """Say how volumes are connected."""
    if cpc.has_storage_management:
        return "storage groups: each server gets one"
    return "HBAs: each server gets one on each storage port"


def macs(cpc: Cpc) -> str:
    """Say who sets a NIC's MAC."""
    if Abilities.of(cpc).macs:
        return "the HMC gives a NIC the MAC of its port"
    return (
        "a NIC's MAC cannot be set here: the agent in the guest does (dpm-guest), and ports are "
        "attached to stopped servers only"
    )


def vlans(cpc: Cpc) -> str:
    """Say whether a NIC can have a VLAN."""
    if Abilities.of(cpc).vlans:
        return "a NIC can have a VLAN id"
    return "this HMC knows no VLANs of NICs: flat networks only"


def networks(hmc: Hmc, cpc: Cpc) -> list[Callable[[], Finding]]:
    """Return what a NIC can be plugged into, with the ids that Neutron's agent maps.

    Each is read when it is called, so that one whose answer lacks something hides no other.

    HMC permission: access to the adapters, and to the virtual switches where the CPC has them.

    Raises:
        HmcError: the HMC cannot be asked.
    """
    shown = answers.objects(hmc.get(f"{cpc.uri}/adapters"), "adapters")
    adapters = {answers.uri(each, "object-uri"): each for each in shown}
    if cpc.has_virtual_switches:
        return list(_switches(hmc, cpc, adapters))
    return list(_ports(hmc, adapters))


def partitions(hmc: Hmc, cpc: Cpc, host: str) -> Finding:
    """Count the partitions that the user sees.

    HMC permission: access to them.

    Raises:
        HmcError: they cannot be listed.
    """
    listed = answers.objects(hmc.get(f"{cpc.uri}/partitions"), "partitions")
    shown = [answers.text(each, "name") for each in listed]
    ours = [name for name in shown if names.instance_uuid(host, name) is not None]
    text = f"{len(ours)} of host {host}, {len(shown)} of the CPC shown to this user"
    if cpc.maximum_partitions is None:
        return fine(text)
    text += f", {cpc.maximum_partitions} at most"
    if len(shown) >= cpc.maximum_partitions:
        return doubtful(text, "No server can be created before a partition is deleted")
    return fine(text)


def storage_groups(hmc: Hmc, host: str) -> Finding:
    """Count the storage groups of this host.

    Raises:
        HmcError: they cannot be listed.
    """
    return fine(f"{len(host_groups(hmc, host))} of host {host}")


def host_groups(hmc: Hmc, host: str) -> list[Properties]:
    """List the storage groups of this host.

    HMC permission: access to them. HMC version: API 2.23 (z14 with storage management).

    Raises:
        HmcError: they cannot be listed.
    """
    pattern = names.partition_pattern(host)
    answer = hmc.get(f"/api/storage-groups?name={quote(pattern)}")
    shown = answers.objects(answer, "storage-groups")
    return [
        each for each in shown if names.instance_uuid(host, answers.text(each, "name")) is not None
    ]


def _switches(
    hmc: Hmc, cpc: Cpc, adapters: dict[str, Properties]
) -> Iterator[Callable[[], Finding]]:
    answer = hmc.get(f"{cpc.uri}/virtual-switches")
    for listed in answers.objects(answer, "virtual-switches"):
        yield partial(_switch, hmc, listed, adapters)


def _switch(hmc: Hmc, listed: Properties, adapters: dict[str, Properties]) -> Finding:
    try:
        switch = hmc.get(answers.uri(listed, "object-uri"))
    except HttpError as error:
        if not error.is_hidden:
            raise
        return doubtful(
            f"virtual switch {object_id(listed)} is listed and not shown ({error.status},"
            f"{error.reason})",
            "Give the user access to it if servers shall have NICs there",
        )
    backing_uri = answers.uri(switch, "backing-adapter-uri")
    backing = adapters.get(backing_uri, {})
    kind = answers.optional_text(switch, "type") or "of unknown type"
    text = (
        f"{VSWITCH} object_id {object_id(listed)}: {answers.text(switch, 'name')}, {kind}, port "
        f"{answers.number(switch, 'port')} of adapter {backing.get('name', 'unknown')}"
    )
    if not backing:
        return doubtful(
            f"{text} ({backing_uri.rsplit('/', 1)[-1]}), which is not shown to this user",
            "Give the user access to the adapter: a NIC needs it",
        )
    return _network(text, backing)


def _ports(hmc: Hmc, adapters: dict[str, Properties]) -> Iterator[Callable[[], Finding]]:
    for uri, listed in adapters.items():
        if not takes_nics(listed):
            continue
        adapter = hmc.get(uri)
        for port_uri in answers.uris(adapter, "network-port-uris"):
            yield partial(_port, listed, adapter, port_uri)


def _port(listed: Properties, adapter: Properties, port_uri: str) -> Finding:
    return _network(
        f"{ADAPTER} object_id {object_id(listed)}, port {port_uri.rsplit('/', 1)[-1]}: adapter "
        f"{answers.text(adapter, 'name')}, {answers.text(adapter, 'type')}",
        adapter,
    )


def _network(text: str, adapter: Properties) -> Finding:
    problem = adapter_problem(adapter)
    if problem:
        return doubtful(
            f"{text}, which is {problem}", "NICs there have no network; look at the adapter"
        )
    return fine(text)
