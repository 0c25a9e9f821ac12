"""Whether the CPC can be used and the options fit it: what nova-compute checks at its start."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from oslo_log import log

from dpm_hmc import answers
from dpm_hmc.client import Hmc
from dpm_hmc.cpc import UP, WELL, Cpc, find_cpc, listing, object_id, require_dpm_mode
from dpm_hmc.errors import ConfigError, DpmError, HttpError, StateError
from dpm_hmc.finding import WARNING, Check, Finding, doubtful, fine
from dpm_hmc.networks import adapter_problem
from dpm_hmc.options import UNVERIFIED
from nova_dpm.conf import Settings, StoragePort

LOG = log.getLogger(__name__)

_NOT_CONFIGURED = "not-configured"
"""Type of a FICON adapter that is for FCP, or for FICON, once somebody has said so."""


def usable_cpc(hmc: Hmc, settings: Settings) -> Cpc:
    """Find the CPC, and check that it can be used.

    Raises:
        ConfigError: there is no such CPC, or it is not in DPM mode.
        StateError: it is down.
        HmcError: the HMC cannot be asked.
    """
    cpc = find_cpc(hmc, settings.cpc_object_id)
    for each in state_checks(cpc):
        each.run()
    return cpc


def state_checks(cpc: Cpc) -> Iterator[Check]:
    """Yield the checks whether the CPC can be used at all. No request."""
    yield Check("DPM mode", "cpc_object_id", lambda: _check_mode(cpc))
    yield Check("CPC status", "cpc_object_id", lambda: _check_status(cpc))


def option_checks(hmc: Hmc, settings: Settings, cpc: Cpc) -> Iterator[Check]:
    """Yield the checks whether the options fit the CPC."""
    limits = (
        ("max_processors", settings.max_processors, cpc.processors, "IFL processors"),
        ("max_memory", settings.max_memory, cpc.memory, "MiB of memory"),
    )
    for option, value, available, what in limits:
        yield Check(option, option, partial(_check_limit, option, value, available, what, cpc))
    option = "physical_storage_adapter_mappings"
    if not settings.storage_ports:
        yield Check("storage port", option, partial(_refuse_no_ports, hmc, cpc))
    for number, port in enumerate(settings.storage_ports, 1):
        run = partial(check_storage_port, hmc, cpc, port)
        yield Check(f"storage port {number}", option, run)


def check_options(hmc: Hmc, settings: Settings, cpc: Cpc) -> None:
    """Check the options against the CPC, and log what is doubtful.

    Raises:
        DpmError: of the first one that does not fit.
    """
    if settings.hmc.verify is False:
        LOG.warning(UNVERIFIED)
    for each in option_checks(hmc, settings, cpc):
        finding = each.run()
        if finding.result == WARNING:
            LOG.warning("%s: %s. %s", each.option, finding.detail, finding.cure)


def check_storage_port(hmc: Hmc, cpc: Cpc, port: StoragePort) -> Finding:
    """Check that a configured port is an FCP port of the CPC.

    HMC permission: access to the adapter.

    Raises:
        ConfigError: it is not.
        HmcError: the HMC cannot be asked.
    """

    def wrong(problem: str) -> ConfigError:
        return ConfigError(
            "physical_storage_adapter_mappings",
            str(port),
            problem,
            f"Name a port of an FCP adapter of the CPC; it has {_fcp_ports(hmc, cpc)}",
        )

    try:
        adapter = hmc.get(port.adapter_uri)
    except HttpError as error:
        if not error.is_hidden:
            raise
        raise wrong(f"HMC {hmc.address} shows no such adapter to this user") from None
    label = f"adapter {answers.text(adapter, 'name')}"
    if adapter.get("parent", cpc.uri) != cpc.uri:
        raise wrong(f"{label} is not one of CPC {cpc.name}")
    if adapter.get("type") != "fcp":
        raise wrong(f"{label} is of type {adapter.get('type')}, not fcp")
    if port.uri not in answers.uris(adapter, "storage-port-uris"):
        raise wrong(f"{label} has no port {port.port}")
    found = f"{port}, {label}"
    problem = adapter_problem(adapter)
    if problem:
        return doubtful(
            f"{found}, is {problem}",
            "No server gets to its volumes over it; look at the adapter on the HMC",
        )
    return fine(found)


def _check_mode(cpc: Cpc) -> Finding:
    require_dpm_mode(cpc)
    return fine(f"CPC {cpc.name} is in DPM mode")


def _check_status(cpc: Cpc) -> Finding:
    if cpc.status not in UP:
        raise StateError(
            f"CPC {cpc.name} ([dpm] cpc_object_id = {cpc.uri.rsplit('/', 1)[-1]}) is {cpc.status}",
            "Start it on the HMC, then start nova-compute again",
        )
    if cpc.status not in WELL:
        return doubtful(f"CPC {cpc.name} is {cpc.status}", "Look at its hardware messages")
    return fine(cpc.status)


def _fcp_ports(hmc: Hmc, cpc: Cpc) -> str:
    try:
        shown = answers.objects(hmc.get(f"{cpc.uri}/adapters?adapter-family=ficon"), "adapters")
        fcp = [each for each in shown if each.get("type") == "fcp"]
        unset = sum(each.get("type") == _NOT_CONFIGURED for each in shown)
        if not fcp and unset:
            return (
                f"none, but {unset} FICON adapters of type {_NOT_CONFIGURED}: one has to be given "
                "the type fcp on the HMC (zhmc adapter update --storage-type fcp)"
            )
        # The first port of each: so far there is no FCP adapter with more.
        return listing((answers.text(each, "name"), f"{object_id(each)}:0") for each in fcp)
    except DpmError as error:
        return f"none that is shown ({error.finding})"


def _check_limit(option: str, value: int, available: int, what: str, cpc: Cpc) -> Finding:
    if not available:
        raise ConfigError(
            option,
            value,
            f"CPC {cpc.name} has no {what}, or does not show them",
            "Choose a CPC that has; servers run on shared IFLs",
        )
    if value > available:
        raise ConfigError(
            option,
            value,
            f"CPC {cpc.name} has {available} {what}",
            f"Set it to {available} or less",
        )
    return fine(f"{value} of {available} {what}")


def _refuse_no_ports(hmc: Hmc, cpc: Cpc) -> Finding:
    raise ConfigError(
        "physical_storage_adapter_mappings",
        "(not set)",
        "servers boot from fibre channel volumes and need at least one port",
        f"Name one or more ports of FCP adapters of the CPC; it has {_fcp_ports(hmc, cpc)}",
    )
