"""``neutron-dpm-agent``: one for each OpenStack host."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from oslo_config import cfg
from oslo_log import log
from oslo_service import backend

from dpm_hmc import table
from dpm_hmc.client import Hmc
from dpm_hmc.clock import Clock
from dpm_hmc.cpc import shown_cpcs
from dpm_hmc.errors import ConfigError, DpmError
from dpm_hmc.finding import FAILED, OK, SKIPPED, WARNING, Finding, answer, doubtful, failed, fine
from dpm_hmc.options import NEEDED_TO_ASK, UNVERIFIED, unread
from networking_dpm import conf as options
from networking_dpm.agent.backings import Look, usable_cpc
from networking_dpm.agent.watch import Watch
from networking_dpm.conf import Mapping, Settings
from networking_dpm.report import BINARY

if TYPE_CHECKING:
    from networking_dpm.agent.heartbeat import Heartbeat

LOG = log.getLogger(__name__)

_DESCRIPTION = """Tells neutron-server what is behind each physical network of one OpenStack host on
a CPC, until SIGTERM. Exit status: 0 ended by a signal, or nothing failed; 1 it cannot start, or
something failed; 2 the command or a file was not understood."""

_CHECK = cfg.BoolOpt(
    "check",
    default=False,
    help="look whether the options can be read and fit HMC and CPC, print a table, and end with 0 "
    "where nothing failed, else 1",
)
_STOPPED_WITHIN = 5.0
"""Seconds that a logoff may take when the agent ends."""


def main(
    argv: Sequence[str] | None = None, conf: cfg.ConfigOpts = cfg.CONF, clock: Clock = time
) -> int:
    """Run the agent, or the check.

    Args:
        argv: options of the command line
        conf: to read; for the agent no other than the process' own, since oslo.messaging 18 looks
            for some of its options there
        clock: for pauses and time-outs

    Returns:
        0: ended by a signal, or nothing failed; 1: it cannot start, or something failed; 2: usage.
    """
    options.register(conf)
    conf.register_cli_opt(_CHECK)
    log.register_options(conf)
    try:
        conf(argv, "neutron", BINARY, version("nova-dpm"), description=_DESCRIPTION)
    except (cfg.Error, OSError, UnicodeDecodeError) as error:
        print(f"{BINARY}: {unread(error)}", file=sys.stderr)
        return 2
    if conf.check:
        return table.ended(partial(_show, conf, clock), "dpm_hmc", "networking_dpm")
    log.setup(conf, "neutron")
    try:
        settings = options.read(conf)
    except ConfigError as error:
        LOG.critical("neutron-dpm-agent cannot start: %s", error)
        return 1
    # Before oslo.messaging is imported, for which oslo.service would take eventlet and warn of it.
    # --check needs neither.
    backend.init_backend(backend.BackendType.THREADING)
    from networking_dpm.agent.heartbeat import BUS_FAILURES, Heartbeat

    try:
        heartbeat = Heartbeat(conf, settings.host, settings.report_interval)
    except BUS_FAILURES as error:
        LOG.critical("neutron-dpm-agent cannot start: [DEFAULT] transport_url: %s", error)
        return 1
    serve(heartbeat, settings, clock)
    return 0


def _show(conf: cfg.ConfigOpts, clock: Clock) -> int:
    return int(any(each.result == FAILED for each in table.show(check(conf, clock))))


def serve(heartbeat: Heartbeat, settings: Settings, clock: Clock) -> None:
    """Look and report, each in a thread of its own, until SIGTERM or SIGINT.

    An HMC or a message bus that hangs stops neither the other thread nor the end.
    """
    stop, news = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    LOG.info("Host %s is a subset of CPC %s", settings.host, settings.cpc_object_id)
    if settings.hmc.verify is False:
        LOG.warning(UNVERIFIED)
    hmc = Hmc(settings.hmc, clock)
    watch = Watch(hmc, settings.cpc_object_id, settings.mappings)
    _start(partial(watch.run, stop, settings.check_interval, news.set))
    _start(partial(heartbeat.run, stop, news, lambda: watch.report))
    stop.wait()
    _start(hmc.close).join(_STOPPED_WITHIN)


def check(conf: cfg.ConfigOpts, clock: Clock = time) -> Iterator[Finding]:
    """Look at everything that the agent needs of options, HMC and CPC, one after the other."""
    settings, errors = options.read_all(conf)
    files = [*(conf.config_file or ()), *(conf.config_dir or ())]
    if files:
        yield Finding("configuration", OK, ", ".join(files))
    else:
        cure = f"Name it: {BINARY} --check --config-file FILE"
        yield Finding("configuration", FAILED, "there is none where it is looked for", cure)
    if "host" not in errors:
        yield Finding("host", OK, settings.host)
    for error in errors.values():
        yield failed(f"option {error.option}", error)
    unusable = [name for name in NEEDED_TO_ASK if name in errors]
    if unusable:
        yield Finding("HMC", SKIPPED, f"first {' and '.join(unusable)} have to be right")
        return
    hmc = Hmc(settings.hmc, clock)
    try:
        yield from _on_hmc(hmc, settings, errors)
    finally:
        hmc.close()


def _on_hmc(hmc: Hmc, settings: Settings, errors: dict[str, ConfigError]) -> Iterator[Finding]:
    found = answer("HMC", partial(_hmc, hmc, settings))
    yield found
    if found.result == FAILED:
        return
    if "cpc_object_id" in errors:
        shown = f"HMC {hmc.address} shows {shown_cpcs(hmc)}"
        yield Finding("CPC", SKIPPED, shown, "Set cpc_object_id to one of them")
        return
    try:
        cpc = usable_cpc(hmc, settings.cpc_object_id)
    except DpmError as error:
        yield failed("CPC", error)
        return
    yield Finding("CPC", OK, f"{cpc.name}, SE version {cpc.se_version or 'unknown'}")
    look = Look(hmc, cpc, {})
    for mapping in settings.mappings:
        yield answer(mapping.physical_network, partial(_network, look, mapping))
    if not settings.mappings:
        yield Finding("networks", WARNING, f"there could be {look.adapters()}")


def _hmc(hmc: Hmc, settings: Settings) -> Finding:
    major, minor = hmc.api_version()
    text = f"{hmc.address} port {settings.hmc.port}: logged on as {settings.hmc.username}, API "
    text += f"{major}.{minor}"
    if settings.hmc.verify is False:
        return doubtful(
            f"{text}; certificates are not verified",
            "Set hmc_ca_file, and remove hmc_verify_certificate",
        )
    return fine(text)


def _network(look: Look, mapping: Mapping) -> Finding:
    found = look.find(mapping)
    text = f"{found.words}: {found.backing.vif_type} {found.backing.object_id}"
    if found.doubt:
        text = f"{text} is {found.doubt}"
        return doubtful(text, "NICs there have no network; look at the adapter")
    return fine(text)


def _start(run: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


if __name__ == "__main__":
    sys.exit(main())
