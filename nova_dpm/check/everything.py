"""All that nova-compute needs of options, HMC and CPC, looked at once: the rows of nova-dpm-check.

Nothing is changed on the HMC. What nova-compute checks at its start is in `nova_dpm.conf`,
`nova_dpm.host` and `nova_dpm.check.start`, and done here by the same functions; after a failure
this goes on with what can still be asked.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from http import HTTPStatus

from oslo_config import cfg

from dpm_hmc import answers
from dpm_hmc.client import Hmc
from dpm_hmc.errors import (
    AnswerError,
    CertificateError,
    ConfigError,
    DpmError,
    HmcError,
    HttpError,
    LogonError,
    StateError,
    UnreachableError,
)
from dpm_hmc.settings import HmcSettings
from nova_dpm import conf as options
from nova_dpm import host
from nova_dpm.check import contents, permissions, start
from nova_dpm.check.permissions import Grant, State
from nova_dpm.conf import Settings
from nova_dpm.host import Check, Cpc, Finding

OK = "ok"
WARNING = "warning"
FAILED = "failed"
SKIPPED = "skipped"

DRIVER = "dpm.DPMDriver"

HMC_OPTIONS = ("hmc", "hmc_port", "hmc_username", "hmc_password", "hmc_verify_certificate")


@dataclass(frozen=True)
class Row:
    """The answer to one check.

    Args:
        check: what was looked at
        result: `OK`; `WARNING`: nova-compute starts, but somebody should look; `FAILED`; `SKIPPED`
        detail: what was found
        cure: what to do about it, where `detail` does not say it
        command: that does it, where there is one
    """

    check: str
    result: str
    detail: str
    cure: str = ""
    command: str = ""


def survey(conf: cfg.ConfigOpts) -> Iterator[Row]:
    """Look at everything, one after the other.

    Args:
        conf: with the options of `nova_dpm.conf`, ``host`` and ``compute_driver``
    """
    settings, errors = options.read_all(conf)
    yield from _configuration(conf, settings, errors)
    unusable = [name for name in HMC_OPTIONS if name in errors]
    if unusable:
        yield Row("HMC", SKIPPED, f"first {' and '.join(unusable)} have to be right")
        return
    if settings.hmc.verify is False:
        yield Row(
            "certificates",
            WARNING,
            "are not verified: whoever answers at the HMC's address is given the password",
            "Set hmc_ca_file, and remove hmc_verify_certificate",
        )
    with ExitStack() as logons:
        used: Hmc | None = None
        for rows, hmc in _hmcs(settings.hmc, logons):
            yield from rows
            used = hmc or used
        if used is None:
            yield Row("CPC", SKIPPED, "no HMC can be asked")
            return
        yield from _cpc(used, settings, errors)


def _configuration(
    conf: cfg.ConfigOpts, settings: Settings, errors: dict[str, ConfigError]
) -> Iterator[Row]:
    files = [*(conf.config_file or ()), *(conf.config_dir or ())]
    if files:
        yield Row("configuration", OK, ", ".join(files))
    else:
        yield Row(
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
        yield Row("compute driver", OK, DRIVER)
    else:
        yield Row(
            "compute driver",
            WARNING,
            f"[DEFAULT] compute_driver = {driver.splitlines()[0]}: nova-compute uses "
            "another driver with this configuration",
            cure,
        )
    if "host" not in errors:
        yield Row("host", OK, settings.host)
    for error in errors.values():
        yield Row(f"option {error.option}", FAILED, error.finding, error.cure)
    if not errors:
        yield Row("options", OK, f"all {len(options.OPTIONS)} of [dpm] can be read")


def _hmcs(settings: HmcSettings, logons: ExitStack) -> Iterator[tuple[list[Row], Hmc | None]]:
    """Try each HMC of the list by itself; the one that nova-compute would use comes with it.

    That is the first that answers, whatever it answers. Others matter only when it is down, so
    what is wrong with them is a warning.
    """
    hmcs = [Hmc(replace(settings, hosts=(address,))) for address in settings.hosts]
    for hmc in hmcs:
        logons.callback(hmc.close)
    failures = [_failure(hmc, settings) for hmc in hmcs]
    used = next(
        (at for at, error in enumerate(failures) if not isinstance(error, UnreachableError)), None
    )
    for at, (hmc, error) in enumerate(zip(hmcs, failures, strict=True)):
        rows = list(_hmc(f"HMC {at + 1}", hmc, settings, error))
        if used is not None and at != used:
            rows = [replace(row, result=WARNING) if row.result == FAILED else row for row in rows]
        yield rows, hmc if at == used and error is None else None


def _hmc(name: str, hmc: Hmc, settings: HmcSettings, error: DpmError | None) -> Iterator[Row]:
    place = f"{hmc.host} port {settings.port}"
    certificate = f"verified against {settings.verify}"
    if settings.verify is True:
        certificate = "verified against the certificates of Python's requests library"
    is_certificate = isinstance(error, CertificateError)
    if isinstance(error, UnreachableError) and not is_certificate:
        yield Row(
            name,
            FAILED,
            str(error),
            "Check hmc and hmc_port, the network between here and there, and that the Web Services "
            "API is enabled on the HMC",
        )
        return
    yield Row(name, OK, f"{place} answers")
    if settings.verify is not False:
        detail = str(error) if is_certificate else certificate
        yield Row(f"{name} certificate", FAILED if is_certificate else OK, detail)
    if is_certificate:
        return
    if error is not None:
        yield Row(f"{name} logon", FAILED, str(error), _cure(error))
        return
    yield Row(f"{name} logon", OK, f"as {settings.username}")
    yield _row(f"{name} API version", lambda: _versions(hmc))


def _versions(hmc: Hmc) -> Finding:
    answer = hmc.get("/api/version")
    api = ".".join(
        str(answers.number(answer, f"api-{part}-version")) for part in ("major", "minor")
    )
    return Finding(f"{api}, of HMC {answer.get('hmc-version', 'unknown')}")


def _cpc(hmc: Hmc, settings: Settings, errors: dict[str, ConfigError]) -> Iterator[Row]:
    if "cpc_object_id" in errors:
        shown = f"HMC {hmc.host} shows {host.shown_cpcs(hmc)}"
        yield Row("CPC", SKIPPED, shown, "Set cpc_object_id to one of them")
        return
    try:
        cpc = host.find(hmc, settings.cpc_object_id)
    except DpmError as error:
        yield _failed("CPC", error)
        return
    yield Row("CPC", OK, f"{cpc.name}, SE version {cpc.se_version or 'unknown'}")
    rows = [_row(each.name, each.run) for each in host.state_checks(cpc)]
    yield from rows
    if any(row.result == FAILED for row in rows):
        yield Row("all else", SKIPPED, f"CPC {cpc.name} cannot be used so far")
        return
    yield from _fits(start.fit_checks(hmc, settings, cpc), errors)
    yield from _offers(hmc, settings, cpc)


def _fits(checks: Iterable[Check], errors: dict[str, ConfigError]) -> Iterator[Row]:
    for each in checks:
        if each.option in errors:
            yield Row(each.name, SKIPPED, f"first {each.option} has to be right")
        else:
            yield _row(each.name, each.run)


def _offers(hmc: Hmc, settings: Settings, cpc: Cpc) -> Iterator[Row]:
    yield Row("storage", OK, contents.storage(cpc))
    yield Row("MACs", OK, contents.macs(cpc))
    yield Row("VLANs", OK, contents.vlans(cpc))
    try:
        networks = contents.networks(hmc, cpc)
    except HmcError as error:
        yield _failed("networks", error)
    else:
        for at, network in enumerate(networks, 1):
            yield _row(f"network {at}", network)
        if not networks:
            yield Row("networks", WARNING, "there are none", "No server can have a NIC")
    yield _row("partitions", lambda: contents.partitions(hmc, cpc, settings.host))
    if cpc.has_storage_management:
        yield _row("storage groups", lambda: contents.storage_groups(hmc, settings.host))
    yield from _permissions(permissions.look(hmc, settings, cpc))


def _permissions(found: list[Grant]) -> Iterator[Row]:
    """Yield a row for each permission of which something can be said, and one for all others."""
    results = {State.GRANTED: OK, State.MISSING: FAILED, State.DOUBTFUL: WARNING}
    for each in found:
        if each.state is not State.UNKNOWN:
            yield Row(each.what, results[each.state], each.text, each.cure, each.command)
    unknown = [each for each in found if each.state is State.UNKNOWN]
    if unknown:
        yield Row(
            "other permissions",
            SKIPPED,
            f"{', '.join(each.what for each in unknown)}: cannot be told by reading "
            f"({'; '.join(dict.fromkeys(each.text for each in unknown))}). The first server that "
            "is created, stopped and deleted shows them: the log of nova-compute names what is "
            "missing",
        )


def _failure(hmc: Hmc, settings: HmcSettings) -> DpmError | None:
    """Return what is wrong with an HMC; a plain connection first, which fails fast and clearly."""
    try:
        address = hmc.host.strip("[]"), settings.port
        socket.create_connection(address, settings.connect_timeout).close()
        hmc.api_version()
    except OSError as error:
        return UnreachableError(f"{hmc.host} port {settings.port}: {error.strerror or error}")
    except DpmError as error:
        return error
    return None


def _row(name: str, run: Callable[[], Finding]) -> Row:
    try:
        finding = run()
    except DpmError as error:
        return _failed(name, error)
    return Row(name, WARNING if finding.doubt else OK, finding.text, finding.doubt)


def _failed(name: str, error: DpmError) -> Row:
    if isinstance(error, ConfigError):
        return Row(name, FAILED, error.finding, error.cure)
    return Row(name, FAILED, str(error), _cure(error))


def _cure(error: DpmError) -> str:
    if isinstance(error, HttpError):
        if error.status == HTTPStatus.FORBIDDEN:
            return "Give the user access to the CPC, its adapters and its partitions on the HMC"
        return "Look up the answer in the HMC's book of its Web Services API, and at the HMC's logs"
    if isinstance(error, AnswerError | LogonError | StateError):
        return ""  # the message says it
    return "Try again; if it stays so, look at the HMC and the network between here and there"
