"""``nova-dpm-check``: will nova-compute start with this configuration, and if not, why."""

from __future__ import annotations

import argparse
import json
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from oslo_config import cfg

from dpm_hmc import table
from dpm_hmc.client import Hmc
from dpm_hmc.clock import Clock
from dpm_hmc.errors import DpmError
from dpm_hmc.finding import FAILED
from dpm_hmc.options import NEEDED_TO_ASK, unread
from nova_dpm import conf as options
from nova_dpm.check import report
from nova_dpm.check.everything import findings

_DESCRIPTION = """\
Looks whether nova-compute can start with the Nova driver for DPM: reads the options as nova-compute
does, and asks the HMC and the CPC that they name. Changes nothing on the HMC. Needs no Nova."""

_RESULTS = """\
results:
  ok       as it should be
  warning  nova-compute starts, but somebody should look at it
  failed   nova-compute would not start, or no server could be created or removed
  skipped  could not be looked at; the detail says why

exit code: 0 nothing failed, 1 something failed, 2 the command or the file was not understood"""

_PROJECT = "nova"
_PROGRAM = "nova-compute"


def main(argv: Sequence[str] | None = None, clock: Clock = time) -> int:
    """Run the command; 0: nothing failed, 1: something did, 2: usage."""
    arguments = _parser().parse_args(argv)
    try:
        conf = read_configuration(arguments.config_file, arguments.config_dir)
    except (cfg.Error, OSError) as error:
        print(f"nova-dpm-check: {unread(error)}", file=sys.stderr)
        return 2
    return table.ended(partial(_run, conf, clock, arguments), "dpm_hmc", "nova_dpm")


def read_configuration(files: Sequence[str], folders: Sequence[str]) -> cfg.ConfigOpts:
    """Read configuration files as nova-compute does, with the few options that matter here.

    Args:
        files: none: ``nova.conf`` where oslo.config finds it (``~/.nova``, ``~``, ``/etc/nova``,
            ``/etc``), and its ``nova.conf.d``
        folders: whose ``*.conf`` are read after them

    Raises:
        cfg.Error: a file is not there, or cannot be read.
    """
    conf = cfg.ConfigOpts()
    options.register(conf)
    # Of nova.conf.netconf and nova.conf.compute; Nova itself takes seconds to import.
    conf.register_opt(cfg.HostDomainOpt("host", default=socket.gethostname()))
    conf.register_opt(cfg.StrOpt("compute_driver"))
    conf.register_opt(cfg.BoolOpt("enabled", default=False), group="serial_console")
    arguments = [f"--config-file={file}" for file in files]
    arguments += [f"--config-dir={folder}" for folder in folders]
    _check_encoding(files, folders)
    conf(arguments, project=_PROJECT, prog=_PROGRAM)
    return conf


def _check_encoding(files: Sequence[str], folders: Sequence[str]) -> None:
    """Read what oslo.config reads next; its own error says neither why, nor of which file."""
    paths = [Path(file) for file in files or cfg.find_config_files(_PROJECT, _PROGRAM)]
    for folder in folders or cfg.find_config_dirs(_PROJECT, _PROGRAM):
        paths += sorted(Path(folder).glob("*.conf"))
    for path in paths:
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise cfg.Error(f"{path}: line {line} is not UTF-8") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nova-dpm-check",
        description=_DESCRIPTION,
        epilog=_RESULTS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config-file",
        action="append",
        default=[],
        metavar="FILE",
        help="as of nova-compute; more than once: later ones win (default: nova.conf where Nova "
        "looks for it)",
    )
    parser.add_argument(
        "--config-dir",
        action="append",
        default=[],
        metavar="DIR",
        help="as of nova-compute: its *.conf are read after the files",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="also write what the HMC answers to what the driver's assumptions rest on, to be "
        "sent to the project: a .tar.gz; names, addresses, ids and serial numbers are replaced",
    )
    parser.add_argument("--json", action="store_true", help="a JSON list instead of a table")
    return parser


def _run(conf: cfg.ConfigOpts, clock: Clock, arguments: argparse.Namespace) -> int:
    code = _report(conf, clock, as_json=arguments.json)
    if arguments.report is not None:
        code |= _write_report(conf, clock, arguments.report)
    return code


def _report(conf: cfg.ConfigOpts, clock: Clock, *, as_json: bool) -> int:
    if as_json:
        found = list(findings(conf, clock))
        print(json.dumps([asdict(each) for each in found], indent=2))
    else:
        found = table.show(findings(conf, clock))
    return int(any(each.result == FAILED for each in found))


def _write_report(conf: cfg.ConfigOpts, clock: Clock, path: Path) -> int:
    settings, errors = options.read_all(conf)
    unusable = [name for name in (*NEEDED_TO_ASK, "cpc_object_id") if name in errors]
    if unusable:
        first = ", ".join(unusable)
        print(f"nova-dpm-check: no report: first {first} has to be right", file=sys.stderr)
        return 1
    hmc = Hmc(settings.hmc, clock)
    try:
        hmc.api_version()
        report.write(report.collect(hmc, settings), path)
    except (DpmError, OSError) as error:
        print(f"nova-dpm-check: no report: {error}", file=sys.stderr)
        return 1
    finally:
        hmc.close()
    print(f"Report: {path}. Look through it before you send it.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
