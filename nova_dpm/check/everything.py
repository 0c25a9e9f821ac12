"""All that nova-compute needs of options, HMC and CPC, looked at once: nova-dpm-check's findings.

Nothing is changed on the HMC. What nova-compute checks at its start is in `nova_dpm.conf`,
`dpm_hmc.cpc` and `nova_dpm.check.start`, and done here by the same functions; after a failure
this goes on with what can still be asked.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace

from oslo_config import cfg

from dpm_hmc import answers
from dpm_hmc.client import Hmc
from dpm_hmc.clock import Clock
from dpm_hmc.console import SINCE as SINCE_SERIAL
from dpm_hmc.cpc import Cpc, find_cpc, shown_cpcs
from dpm_hmc.errors import (
    CertificateError,
    ConfigError,
    DpmError,
    HmcError,
    UnreachableError,
)
from dpm_hmc.finding import (
    FAILED,
    OK,
    SKIPPED,
    WARNING,
    Check,
    Finding,
    answer,
    failed,
    fine,
)
from dpm_hmc.options import NEEDED_TO_ASK
from dpm_hmc.settings import HmcSettings
from nova_dpm import conf as options
from nova_dpm.check import contents, permissions, start
from nova_dpm.conf import Settings

DRIVER = "dpm.DPMDriver"


def findings(conf: cfg.ConfigOpts, clock: Clock = time) -> Iterator[Finding]:
    """Look at everything, one after the other.

    Args:
        conf: with the options of `nova_dpm.conf`, ``host`` and ``compute_driver``
        clock: for pauses and time-outs
    """
    settings, errors = options.read_all(conf)
    yield from _configuration(conf, settings, errors)
    unusable = [name for name in NEEDED_TO_ASK if name in errors]
    if unusable:
        yield Finding("HMC", SKIPPED, f"first {' and '.join(unusable)} have to be right")
        return
    if settings.hmc.verify is False:
        yield Finding(
            "certificates",
            WARNING,
            "are not verified: whoever answers at the HMC's address is given the password",
            "Set hmc_ca_file, and remove hmc_verify_certificate",
        )
    with ExitStack() as logons:
        used: Hmc | None = None
        for found, hmc in _hmcs(settings.hmc, clock, logons):
            yield from found
            used = hmc or used
        if used is None:
            yield Finding("CPC", SKIPPED, "no HMC can be asked")
            return
        yield from _cpc(used, settings, errors, _has_serial_consoles(conf))


def _configuration(
    conf: cfg.ConfigOpts, settings: Settings, errors: dict[str, ConfigError]
) -> Iterator[Finding]:
    files = [*(conf.config_file or ()), *(conf.config_dir or ())]
    if files:
        yield Finding("configuration", OK, ", ".join(files))
    else:
        yield Finding(
            "configuration",
            FAILED,
            "there is no nova.conf where it is looked for",
            "Name it: nova-dpm-check --config-file FILE",
        )
    try:
        driver = str(conf.compute_driver or "(not set)")
        cure = f"Set it to {DRIVER}"
    except (cfg.Error, ValueError, RecursionError):
        driver = "(unreadable)"
        cure = f"Set it to {DRIVER}, or write $$ for each $ of its value"
    if driver == DRIVER:
        yield Finding("compute driver", OK, DRIVER)
    else:
        yield Finding(
            "compute driver",
            WARNING,
            f"[DEFAULT] compute_driver = {driver.splitlines()[0]}: nova-compute uses "
            "another driver with this configuration",
            cure,
        )
    if "host" not in errors:
        yield Finding("host", OK, settings.host)
    for error in errors.values():
        yield failed(f"option {error.option}", error)
    if not errors:
        yield Finding("options", OK, f"all {len(options.OPTIONS)} of [dpm] can be read")


def _hmcs(
    settings: HmcSettings, clock: Clock, logons: ExitStack
) -> Iterator[tuple[list[Finding], Hmc | None]]:
    """Try each HMC of the list by itself; the one that nova-compute would use comes with it.

    That is the first that answers, whatever it answers. Others matter only when it is down, so
    what is wrong with them is a warning.
    """
    hmcs = [Hmc(replace(settings, addresses=(address,)), clock) for address in settings.addresses]
    for hmc in hmcs:
        logons.callback(hmc.close)
    failures = [_failure(hmc, settings) for hmc in hmcs]
    used = next(
        (at for at, error in enumerate(failures) if not isinstance(error, UnreachableError)), None
    )
    for at, (hmc, error) in enumerate(zip(hmcs, failures, strict=True)):
        found = list(_hmc(f"HMC {at + 1}", hmc, settings, error))
        if used is not None and at != used:
            found = [
                replace(each, result=WARNING) if each.result == FAILED else each for each in found
            ]
        yield found, hmc if at == used and error is None else None


def _hmc(name: str, hmc: Hmc, settings: HmcSettings, error: DpmError | None) -> Iterator[Finding]:
    place = f"{hmc.address} port {settings.port}"
    certificate = f"verified against {settings.verify}"
    if settings.verify is True:
        certificate = "verified against the certificates of Python's requests library"
    if isinstance(error, UnreachableError) and not isinstance(error, CertificateError):
        yield failed(name, error)
        return
    yield Finding(name, OK, f"{place} answers")
    if isinstance(error, CertificateError):
        yield failed(f"{name} certificate", error)
        return
    if settings.verify is not False:
        yield Finding(f"{name} certificate", OK, certificate)
    if error is not None:
        yield failed(f"{name} logon", error)
        return
    yield Finding(f"{name} logon", OK, f"as {settings.username}")
    yield answer(f"{name} API version", lambda: _versions(hmc))


def _versions(hmc: Hmc) -> Finding:
    answer = hmc.get("/api/version")
    api = ".".join(
        str(answers.number(answer, f"api-{part}-version")) for part in ("major", "minor")
    )
    return fine(f"{api}, of HMC {answer.get('hmc-version', 'unknown')}")


def _cpc(
    hmc: Hmc, settings: Settings, errors: dict[str, ConfigError], serial: bool
) -> Iterator[Finding]:
    if "cpc_object_id" in errors:
        shown = f"HMC {hmc.address} shows {shown_cpcs(hmc)}"
        yield Finding("CPC", SKIPPED, shown, "Set cpc_object_id to one of them")
        return
    try:
        cpc = find_cpc(hmc, settings.cpc_object_id)
    except DpmError as error:
        yield failed("CPC", error)
        return
    yield Finding("CPC", OK, f"{cpc.name}, SE version {cpc.se_version or 'unknown'}")
    found = [answer(each.name, each.run) for each in start.state_checks(cpc)]
    yield from found
    if any(each.result == FAILED for each in found):
        yield Finding("all else", SKIPPED, f"CPC {cpc.name} cannot be used so far")
        return
    yield from _options_fit(start.option_checks(hmc, settings, cpc), errors)
    yield from _contents(hmc, settings, cpc, serial)


def _options_fit(checks: Iterable[Check], errors: dict[str, ConfigError]) -> Iterator[Finding]:
    for each in checks:
        if each.option in errors:
            yield Finding(each.name, SKIPPED, f"first {each.option} has to be right")
        else:
            yield answer(each.name, each.run)


def _contents(hmc: Hmc, settings: Settings, cpc: Cpc, serial: bool) -> Iterator[Finding]:
    yield Finding("storage", OK, contents.storage(cpc))
    yield Finding("MACs", OK, contents.macs(cpc))
    yield Finding("VLANs", OK, contents.vlans(cpc))
    try:
        networks = contents.networks(hmc, cpc)
    except HmcError as error:
        yield failed("networks", error)
    else:
        for at, network in enumerate(networks, 1):
            yield answer(f"network {at}", network)
        if not networks:
            yield Finding("networks", WARNING, "there are none", "No server can have a NIC")
    yield answer("partitions", lambda: contents.partitions(hmc, cpc, settings.host))
    if cpc.has_storage_management:
        yield answer("storage groups", lambda: contents.storage_groups(hmc, settings.host))
    found = permissions.permissions(hmc, settings, cpc)
    yield from _permissions([each if serial else _off(each) for each in found])
    if cpc.api_version < SINCE_SERIAL:
        yield Finding(permissions.SERIAL_CONSOLE, OK, "this HMC has none (API 2.22 has)")


def _has_serial_consoles(conf: cfg.ConfigOpts) -> bool:
    """Return whether Nova gives serial consoles to users."""
    try:
        return bool(conf.serial_console.enabled)
    except (cfg.Error, ValueError, RecursionError):
        return False


def _off(found: Finding) -> Finding:
    """Say of a row about serial consoles that Nova gives none."""
    if found.check != permissions.SERIAL_CONSOLE:
        return found
    detail = "off ([serial_console] enabled)"
    if found.result != SKIPPED:
        detail += f"; {found.detail}"
    return replace(found, result=OK, detail=detail, cure="", command="")


def _permissions(found: list[Finding]) -> Iterator[Finding]:
    """Yield what can be said of the permissions, and one finding for all others."""
    yield from (each for each in found if each.result != SKIPPED)
    unknown = [each for each in found if each.result == SKIPPED]
    if unknown:
        yield Finding(
            "other permissions",
            SKIPPED,
            f"{', '.join(each.check for each in unknown)}: cannot be told by reading "
            f"({'; '.join(dict.fromkeys(each.detail for each in unknown))}). The first server that "
            "is created, stopped and deleted shows them: the log of nova-compute names what is "
            "missing",
        )


def _failure(hmc: Hmc, settings: HmcSettings) -> DpmError | None:
    """Return what is wrong with an HMC; a plain connection first, which fails fast and clearly."""
    try:
        place = hmc.address.strip("[]"), settings.port
        socket.create_connection(place, settings.connect_timeout).close()
        hmc.api_version()
    except OSError as error:
        return UnreachableError(f"{hmc.address} port {settings.port}: {error.strerror or error}")
    except DpmError as error:
        return error
    return None
