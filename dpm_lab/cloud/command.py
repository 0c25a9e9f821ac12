"""``dpm-lab cloud``: up, down, status, logs, console, ssh, shell, env; ``tempest`` is beside it."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dpm_lab.cloud.place import HOST, MACHINE, PORTS, Place, default_folder
from dpm_lab.cloud.tempest import command as tempest
from dpm_lab.errors import LabError, UsageError
from dpm_lab.plain import in_colour
from dpm_lab.progress import Progress

_DESCRIPTION = """\
A stock OpenStack on this machine, whose compute host is the lab's mainframe: Keystone, Glance,
Placement, Nova, Neutron and Cinder from PyPI, MariaDB and RabbitMQ of Debian, nova-compute with
nova-dpm's driver, neutron-dpm-agent, and the lab's HMC. For trying and for tests, not for
production: one process of each, one password for all services, nothing encrypted, all on a
loopback address that every user of this machine reaches."""

_EXAMPLES = """\
examples:
  dpm-lab cloud up
  dpm-lab cloud shell                         # a shell in which 'openstack' and 'zhmc' work
  dpm-lab cloud shell openstack server list   # or one command in it
  dpm-lab cloud ssh first                     # with 'up --boot': into a server of that name
  dpm-lab cloud logs nova-compute
  dpm-lab cloud down
"""

_BOOTS = "Servers are guests in QEMU; 'openstack console log show' has what they write."
_BOOTS_NOTHING = """\
Partitions of the lab boot nothing, so the image is empty. With 'up --boot' they are guests in
QEMU."""

_PORTS = ", ".join(f"{name}={port}" for name, port in PORTS.items())


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``dpm-lab cloud``."""
    parser = subparsers.add_parser(
        "cloud",
        help="a stock OpenStack on this machine, with the lab's mainframe",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_folder(parser, None)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    up = actions.add_parser(
        "up",
        help="start it, or what is missing of it",
        description="Start the cloud, or what is missing of it. The first start makes it; what"
        " --host, --machine, --port and --boot say then stays until 'down --purge'.",
    )
    up.add_argument("--host", metavar="ADDRESS", help=f"all listen on it (default: {HOST})")
    up.add_argument(
        "--machine",
        action="append",
        default=[],
        metavar="NAME",
        help="'dpm-lab hmc --list' shows them; more than once for a host on each, all with one"
        f" HMC (default: {MACHINE})",
    )
    up.add_argument(
        "--port",
        action="append",
        default=[],
        metavar="NAME=N",
        help=f"of a service; more than once (default: {_PORTS})",
    )
    up.add_argument(
        "--boot",
        action="store_true",
        help="servers are guests in QEMU (default: partitions only change their status)",
    )
    up.add_argument(
        "--image",
        type=Path,
        metavar="FILE",
        help="with --boot: what becomes the image in Glance, a qcow2 of 'dpm-image build' (default:"
        " the newest Debian image that it has made)",
    )
    up.add_argument("--quiet", action="store_true", help="show nothing but failures")
    down = actions.add_parser(
        "down",
        help="end it",
        description="End the cloud, or some of its services. What it has stays for the next 'up'.",
    )
    down.add_argument("service", nargs="*", metavar="SERVICE", help="only these")
    down.add_argument(
        "--purge",
        action="store_true",
        help="remove its folder too: servers, volumes, passwords, logs",
    )
    actions.add_parser("status", help="show what runs; 0: all services answer, 1: one does not")
    logs = actions.add_parser("logs", help="show a service's log, or the last errors of all")
    logs.add_argument("service", nargs="?", metavar="SERVICE")
    logs.add_argument("-n", "--lines", type=int, default=50, metavar="N", help="default: 50")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
    console = actions.add_parser(
        "console",
        help="a terminal at a server's serial console",
        description="Be at a server's serial console, over nova-serialproxy. Ctrl-] ends it.",
    )
    console.add_argument("server", metavar="SERVER", help="name or id")
    ssh = actions.add_parser(
        "ssh",
        help="with --boot: a shell in a server, or a command in it",
        description="Log in to a server by ssh with the cloud's key, from where Neutron's DHCP"
        " serves one of its networks, once it answers. The exit status is ssh's. Needs root.",
    )
    ssh.add_argument(
        "--network", default="", metavar="NAME", help="by which to get in (default: the first)"
    )
    ssh.add_argument("server", metavar="SERVER", help="name or id")
    ssh.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND ...")
    tempest.add_parser(actions)
    shell = actions.add_parser(
        "shell",
        help="a shell in which openstack and zhmc know the cloud; or a command in it",
        description="Start your shell ($SHELL), or a command, with what the clients of OpenStack"
        " and of the HMC read: addresses, user, password, PATH. Its exit status is this command's.",
    )
    shell.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND ...")
    actions.add_parser("env", help='print what a shell needs: eval "$(dpm-lab cloud env)"')
    for action in actions.choices.values():
        _add_folder(action, argparse.SUPPRESS)


def _add_folder(parser: argparse.ArgumentParser, default: str | None) -> None:
    """Have a parser take ``--folder``, which may stand before an action and after it."""
    parser.add_argument(
        "--folder",
        type=Path,
        default=default,
        metavar="DIR",
        help="where the cloud is (default: ~/.cache/nova-dpm/cloud/default)",
    )


def run(args: argparse.Namespace) -> int:
    """Do it."""
    folder = (args.folder or default_folder()).expanduser().absolute()
    actions: Mapping[str, Callable[[Path, argparse.Namespace], int]] = {
        "up": _up,
        "down": _down,
        "status": _status,
        "logs": _logs,
        "shell": _shell,
        "env": _env,
        "console": _console,
        "ssh": _ssh,
        "tempest": tempest.run,
    }
    return actions[args.action](folder, args)


def _up(folder: Path, args: argparse.Namespace) -> int:
    from dpm_lab.cloud import things
    from dpm_lab.cloud.api import Api
    from dpm_lab.cloud.machine import check
    from dpm_lab.cloud.start import Start
    from dpm_lab.guests.disk import qcow2

    ports = _ports(args.port)
    check(args.machine)
    place = Place.chosen(folder, args.host, args.machine, ports, boot=args.boot)
    image = None if args.image is None else args.image.expanduser().absolute()
    if image is not None and not place.boot:
        raise UsageError("--image without --boot: nothing boots in this cloud")
    if image is not None:
        qcow2.check(image)
    progress = Progress(quiet=args.quiet)
    progress.line(f"a cloud in {folder}, on {place.host}, with {place.about}")
    Start(place, progress, image).run()
    progress.line("up")
    if not args.quiet:
        _introduce(place, things.image(Api(place)))
    return 0


def _ports(given: list[str]) -> dict[str, int]:
    ports: dict[str, int] = {}
    for text in given:
        name, _, number = text.partition("=")
        if name not in PORTS or not number.isdecimal() or not 0 < int(number) < 65536:
            raise UsageError(f"--port {text}: it is NAME=N with one of {', '.join(PORTS)}")
        ports[name] = int(number)
    return ports


def _introduce(place: Place, image: Mapping[str, Any]) -> None:
    from dpm_lab.cloud.things import networks
    from dpm_lab.cloud.wires import obstacle

    size = -(-(image.get("virtual_size") or 1) // 2**30)  # GiB, rounded up
    bold, plain = ("\033[1;36m", "\033[0m") if in_colour(sys.stdout) else ("", "")
    commands = (
        f". {place.of('openrc')}",
        f"openstack volume create --image {image['name']} --size {size} --bootable root",
        "openstack server create --flavor dpm.small --volume root --network provider"
        " --key-name dpm --wait first",
        *([place.command("ssh first")] if place.boot and not obstacle() else []),
        "openstack network agent list",
        *(f"zhmc partition list {each.upper()}" for each in place.machines),
    )
    print("\nTry it:")
    for command in commands:
        print(f"  {bold}{command}{plain}")
    names = ", ".join(each.name for each in networks(place))
    print(
        f"""
Networks: {names}. Flavors: dpm.small, dpm.big.{_zones(place)}
Key: {place.of("key")}
{_BOOTS if place.boot else _BOOTS_NOTHING}
'dpm-lab cloud status', 'logs', 'shell', 'down', 'down --purge'.
This is for trying and testing: everybody on this machine reaches {place.host}."""
    )


def _zones(place: Place) -> str:
    if len(place.machines) == 1:
        return ""
    named = " or ".join(f"--availability-zone {each}" for each in place.machines)
    return f"\nA server's machine: {named}."


def _down(folder: Path, args: argparse.Namespace) -> int:
    from dpm_lab.cloud import processes
    from dpm_lab.cloud.end import end

    place = Place.read(folder)
    names = _names(place, args.service)
    if names and args.purge:
        raise UsageError("--purge removes all of it, not some services")
    if names:
        processes.stop(place, names)
    else:
        end(place)
    if args.purge:
        place.purge()
    return 0


def _names(place: Place, given: list[str]) -> list[str]:
    from dpm_lab.cloud.services import services

    there = [each.name for each in services(place)]
    for name in given:
        if name not in there:
            raise UsageError(f"no service {name!r}: there are {', '.join(there)}")
    return given


def _status(folder: Path, _args: argparse.Namespace) -> int:
    from dpm_lab.cloud import processes
    from dpm_lab.cloud.api import Api
    from dpm_lab.cloud.services import Service, here

    place = Place.read(folder)
    api = Api(place)
    services = here(place)

    def row(service: Service) -> tuple[str, str, str, str, str, str]:
        process = processes.runs(place, service.name)
        if process is None:
            was = processes.record(place, service.name) is not None
            return (service.name, "ended" if was else "stopped", "-", "-", "-", service.what)
        state = "answers" if service.answers(place, api) else "silent"
        minutes = int(time.time() - process.create_time()) // 60
        size = f"{processes.memory(place, service.name) // 1_000_000} MB"
        return (service.name, state, str(process.pid), f"{minutes} min", size, service.what)

    with ThreadPoolExecutor(max_workers=len(services)) as pool:
        rows = list(pool.map(row, services))
    head = ("SERVICE", "STATE", "PID", "FOR", "MEMORY", "WHAT")
    widths = [max(len(each[at]) for each in (head, *rows)) for at in range(len(head))]
    for each in (head, *rows):
        cells = (cell.ljust(width) for cell, width in zip(each, widths, strict=True))
        print("  ".join(cells).rstrip())
    return int(any(each[1] != "answers" for each in rows))


def _logs(folder: Path, args: argparse.Namespace) -> int:
    from dpm_lab.cloud import causes
    from dpm_lab.cloud.services import services

    place = Place.read(folder)
    if args.service is None:
        for service in services(place):
            log = place.log(service.name)
            if not log.exists():
                continue
            text = log.read_text(encoding="utf-8", errors="replace")
            print(f"== {service.name}: {log}")
            for line in causes.telling(text)[-3:]:
                print(f"   {line}")
        return 0
    log = place.log(args.service)
    if not log.exists():
        there = sorted(path.stem for path in place.of("log").glob("*.log"))
        raise LabError(f"no log of {args.service!r}: there are {', '.join(there) or 'none'}")
    if args.follow:
        os.execvp("tail", ["tail", "-n", str(args.lines), "-F", str(log)])
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[-args.lines :]:
        print(line)
    return 0


def _shell(folder: Path, args: argparse.Namespace) -> int:
    variables = _openrc(folder)
    shell = os.environ.get("SHELL") or "/bin/sh"
    words = _words(args)
    if not words and sys.stdin.isatty():
        print(f"'openstack' and 'zhmc' know the cloud in {folder}; 'exit' ends this shell.")
    sys.stdout.flush()
    # A file, not text: a password is not for the list of processes.
    script = '. "$1" && shift && exec "$@"'
    os.execv("/bin/sh", ["sh", "-c", script, "sh", str(variables), *(words or [shell])])


def _console(folder: Path, args: argparse.Namespace) -> int:
    from dpm_lab.cloud import console

    return console.run(folder, args.server)


def _ssh(folder: Path, args: argparse.Namespace) -> int:
    from dpm_lab.cloud.chain import login

    return login.login(folder, args.server, args.network, _words(args))


def _words(args: argparse.Namespace) -> list[str]:
    words: list[str] = args.words
    return words[1:] if words[:1] == ["--"] else words


def _env(folder: Path, _args: argparse.Namespace) -> int:
    print(_openrc(folder).read_text(encoding="utf-8"), end="")
    return 0


def _openrc(folder: Path) -> Path:
    path = Place.read(folder).of("openrc")
    if not path.exists():
        raise LabError("the cloud was never up: 'dpm-lab cloud up'")
    return path
