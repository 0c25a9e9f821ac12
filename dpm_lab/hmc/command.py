"""``dpm-lab hmc``: an HMC in the foreground."""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from dpm_lab.errors import UsageError

#: Where HMCs listen (zhmcclient's constants of these names).
DEFAULT_HMC_PORT = 6794
DEFAULT_STOMP_PORT = 61612

if TYPE_CHECKING:
    from dpm_lab.hmc.server import HmcServer

_DESCRIPTION = """\
An HMC with a machine in DPM mode: the Web Services API over HTTPS, to work against with nova-dpm,
zhmc or anything else that uses zhmcclient. Its partitions boot nothing; they only change their
status. With --boot they are guests in QEMU. It ends with Ctrl-C, and the guests with it."""

_EXAMPLES = """\
examples:
  dpm-lab hmc
  dpm-lab hmc --machine z13 --port 6794 --latency 0.1 -v
  dpm-lab hmc --fault 'POST /api/partitions/.*/operations/start status status=409 reason=2 times=3'
  dpm-lab hmc --boot --disks ~/disks
  dpm-lab hmc --fault 'POST /api/cpcs/.*/partitions drop-after'

faults: 'METHOD URI KIND [name=value ...]'; METHOD and URI are regular expressions for the whole of
it; KIND is one of
  delay (seconds=), drop-before, drop-after, status and status-after (status=, reason=, message=),
  expire-session, job-fails (status=, reason=, message=), job-never-ends, nothing-loaded;
  all: after= (spare so many), times=N|all

After SIGUSR1 it answers nobody, as one that is away, until SIGUSR2, which also ends all faults.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``dpm-lab hmc``."""
    parser = subparsers.add_parser(
        "hmc",
        help="an HMC with a machine in DPM mode",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--list", action="store_true", help="list the machines, and end")
    parser.add_argument(
        "--machine",
        action="append",
        default=[],
        metavar="NAME",
        help="a machine of the lab, or a file: the lab's own format, an HMC definition of"
        " zhmcclient, what 'zhmc cpc dpm-export' writes; more than once for more CPCs"
        " (default: z16)",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=DEFAULT_HMC_PORT,
        metavar="N",
        help=f"default: {DEFAULT_HMC_PORT}, the only one that zhmc knows; 0: any that is free",
    )
    parser.add_argument(
        "--stomp-port",
        type=int,
        default=DEFAULT_STOMP_PORT,
        metavar="N",
        help=f"for notifications (default: {DEFAULT_STOMP_PORT}); 0: any that is free",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="an address of this machine (default: 127.0.0.1)",
    )
    parser.add_argument("--user", default="labuser", metavar="NAME", help="default: labuser")
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE", help="default: one is made in the folder"
    )
    parser.add_argument(
        "--users",
        type=Path,
        metavar="FILE",
        help="YAML: what users may do and see, by name (default: one, who may do everything)",
    )
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="for certificates (default: a temporary one)"
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="keep password, certificates and all that is on the machines in --folder, and go on"
        " with what is there",
    )
    parser.add_argument(
        "--latency", type=float, default=0.0, metavar="SECONDS", help="of each request"
    )
    parser.add_argument(
        "--session-idle",
        type=float,
        metavar="SECONDS",
        help="a session ends after so long without a request (default: never)",
    )
    parser.add_argument(
        "--session-lifetime",
        type=float,
        metavar="SECONDS",
        help="a session ends after so long in any case (default: never)",
    )
    parser.add_argument(
        "--fault", action="append", default=[], metavar="TEXT", help="see below; more than once"
    )
    parser.add_argument(
        "--behaviour",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="how it behaves where HMCs differ; more than once; '--behaviour list' lists all",
    )
    parser.add_argument(
        "--duration",
        action="append",
        default=[],
        metavar="NAME=SECONDS",
        help="how long something takes; more than once; '--duration list' lists all",
    )
    parser.add_argument(
        "--boot",
        action="store_true",
        help="a started partition is a guest in QEMU, booted from the LUN that its HBA or its"
        " storage volume leads to (default: it only changes its status)",
    )
    parser.add_argument(
        "--disks",
        type=Path,
        metavar="DIR",
        help="with --boot: the storage subsystem's folder (default: 'disks' in --folder)",
    )
    parser.add_argument(
        "--networks",
        type=Path,
        metavar="DIR",
        help="run the networks behind the adapters' ports: sockets in this folder, which NICs of"
        " guests lead to (default: each NIC is alone with QEMU's DHCP server)",
    )
    parser.add_argument(
        "--cable",
        action="append",
        default=[],
        metavar="PORT=PORT",
        help="with --networks: have an adapter's port lead to the network of another one, such as"
        " Z13/OSA-A.0=Z16/OSA-A.0; more than once (default: each port has a network of its own)",
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="write the requests to a file")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show the requests on standard error"
    )
    # For HmcProcess: takes the token for orders from this file, writes ready.json, ends with stdin.
    parser.add_argument("--serve-parent", type=Path, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    # Late: the other subcommands do without all of it.
    from dpm_lab.hmc.api.behaviour import Behaviour
    from dpm_lab.hmc.api.faults import Fault
    from dpm_lab.hmc.api.jobs import DURATIONS, durations
    from dpm_lab.hmc.machines.machine import Machine, names
    from dpm_lab.hmc.server import HmcServer
    from dpm_lab.hmc.wire.files import SECRET, write_new
    from dpm_lab.storage import Storage

    if args.list:
        for name in names():
            machine = Machine.load(name)
            version = ".".join(map(str, machine.api_version))
            print(f"{name}  {machine.description}; HMC {machine.hmc_version}, API {version}")
        return 0
    if "list" in args.behaviour:
        print("\n".join(Behaviour.lines()))
        return 0
    if "list" in args.duration:
        print("\n".join(f"{name}={seconds:g}" for name, seconds in DURATIONS.items()))
        return 0
    if args.keep and args.folder is None:
        raise UsageError("--keep needs --folder: where what is kept is")
    behaviour = Behaviour.parse(args.behaviour)
    times = dict(text.partition("=")[::2] for text in args.duration)
    durations(times)
    _check_together(args)
    faults = [Fault.parse(text) for text in args.fault]
    with contextlib.ExitStack() as stack:
        folder = args.folder
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dpm-hmc-")))
        folder.mkdir(parents=True, exist_ok=True)
        password_file = args.password_file
        if password_file is None:
            password_file = folder / "password"
            if not (args.keep and password_file.is_file()):
                write_new(password_file, secrets.token_urlsafe(12), SECRET)
        logs: list[TextIO] = [sys.stderr] if args.verbose else []
        if args.log is not None:
            logs.append(stack.enter_context(args.log.open("a", encoding="utf-8")))
        hmc = HmcServer(
            *args.machine,
            host=args.host,
            port=args.port,
            stomp_port=args.stomp_port,
            userid=args.user,
            password=_read(password_file),
            folder=folder,
            latency=args.latency,
            idle=args.session_idle,
            lifetime=args.session_lifetime,
            logs=tuple(logs),
            behaviour=behaviour,
            durations=times,
            users_file=args.users,
            keep=args.keep,
            storage=Storage(args.disks or folder / "disks") if args.boot else None,
            networks=args.networks,
            cabled=args.cable,
        )
        for fault in faults:
            hmc.control.add_fault(fault)
        if args.serve_parent is not None:
            hmc.token = _read(args.serve_parent)
            return _serve_parent(hmc)
        with hmc:
            signals = _signals()
            _introduce(hmc, password_file)
            _obey(hmc, signals)
    return 0


def _check_together(args: argparse.Namespace) -> None:
    """Check that no option is given without one that it needs.

    Raises:
        UsageError: one is.
    """
    for option, needed in (("disks", "boot"), ("cable", "boot"), ("cable", "networks")):
        if getattr(args, option) and not getattr(args, needed):
            raise UsageError(f"--{option} without --{needed}: say --{needed}, too")


def _signals() -> socket.socket:
    """Return where the numbers of signals can be read, from now on.

    The kernel gives a signal to any thread, and if it is not the main one, nothing else that the
    main one waits for would end.
    """
    numbers, caught = socket.socketpair()
    caught.setblocking(False)
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(caught.detach())
    return numbers


def _obey(hmc: HmcServer, signals: socket.socket) -> None:
    """Answer nobody from SIGUSR1 to SIGUSR2, while guests run on. Does not return."""
    from dpm_lab.hmc.api.faults import Fault

    while True:
        for number in signals.recv(16):
            if number == signal.SIGUSR1:
                hmc.control.add_fault(Fault(kind="drop-before", times=None))
            elif number == signal.SIGUSR2:
                hmc.control.clear_faults()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


def _serve_parent(hmc: HmcServer) -> int:
    with hmc:
        place = hmc.folder / "ready.json"
        made = place.with_suffix(".new")
        made.write_text(json.dumps({"port": hmc.port, "stomp-port": hmc.stomp_port}))
        made.rename(place)
        sys.stdin.read()  # until the parent closes it, or is no more
    return 0


def _introduce(hmc: HmcServer, password_file: Path) -> None:
    machine = next((m for m in hmc.machines if m.cpc.get("dpm-enabled", True)), hmc.machines[0])
    print(
        f"""\
An HMC at https://{hmc.host}:{hmc.port}
  CA file:   {hmc.ca_file}
  user:      {hmc.userid}
  password:  in {password_file}"""
    )
    for each in hmc.machines:
        print(f"  CPC {each.cpc['name']}:   {each.description}")
    for note in [note for each in hmc.machines for note in each.notes]:
        print(f"  - {note}")
    if hmc.port == DEFAULT_HMC_PORT:
        print(
            f"""
With zhmc:
  export ZHMC_HOST={hmc.host} ZHMC_USERID={hmc.userid} ZHMC_CA_CERTS={hmc.ca_file}
  export ZHMC_PASSWORD="$(cat {password_file})"
  zhmc partition list {machine.cpc["name"]}"""
        )
    else:
        print(f"\nzhmc knows no port but {DEFAULT_HMC_PORT}, so it cannot be used with this HMC.")
    print(
        f"""
In nova.conf:
  [dpm]
  hmc = {hmc.host}
  hmc_port = {hmc.port}
  hmc_username = {hmc.userid}
  hmc_password = (what is in the file above)
  hmc_ca_file = {hmc.ca_file}
  cpc_object_id = {machine.cpc_object_id}

Ctrl-C ends it.""",
        flush=True,
    )
