"""``dpm-lab cloud ssh``: into a server's guest, from where Neutron serves one of its networks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dpm_lab.cloud import wires
from dpm_lab.cloud.api import Api
from dpm_lab.cloud.chain.guest import Ssh
from dpm_lab.cloud.chain.links import Port
from dpm_lab.cloud.chain.server import Server
from dpm_lab.cloud.chain.waiting import until
from dpm_lab.cloud.errors import CloudError
from dpm_lab.cloud.place import Place
from dpm_lab.cloud.things import server_id
from dpm_lab.errors import LabError
from dpm_lab.progress import Progress

#: A first boot takes four minutes of an emulated machine that others are busy with, too.
_BOOT = 900.0


def login(folder: Path, name: str, network: str, command: Sequence[str]) -> int:
    """Become ssh in a guest, once it answers.

    Args:
        folder: of the cloud
        name: of a server, or its id
        network: of the port by which to get in; "" for the first one that there is a way to
        command: to run in the guest; a shell where there is none

    Raises:
        LabError: there is no such server, it does not run, or there is no way to it.
    """
    place = Place.read(folder)
    if not place.boot:
        raise LabError("servers of this cloud boot nothing: it was made without 'up --boot'")
    if obstacle := wires.obstacle():
        raise LabError(f"there is no way to the networks of this cloud: {obstacle}")
    api = Api(place)
    server = Server(api, name, server_id(api, name))
    progress = Progress()

    def runs() -> bool:
        status = server.status()
        if status not in ("ACTIVE", "BUILD", "busy"):
            cure = f"; 'openstack server start {name}'" if status == "SHUTOFF" else ""
            raise CloudError(f"server {name} is {status or 'gone'}{cure}")
        return status == "ACTIVE"

    until(progress, f"server {name} ACTIVE", runs, _BOOT)
    ssh = Ssh(place.of("key"), way(server.ports(), network, name))
    where = f"ssh to {ssh.port.address}"
    until(progress, where, lambda: runs() and ssh.answers(), _BOOT, server.last_words)
    words = [*ssh.words(), *command]
    os.execvp(words[0], words)


def way(ports: Sequence[Port], network: str, server: str) -> Port:
    """Return the port of a server by which it is reached from this machine.

    Raises:
        CloudError: there is none.
    """
    reached = [each for each in ports if each.address and wires.is_here(each.network_id)]
    for port in reached:
        if network in ("", port.network):
            return port
    there = ", ".join(each.network for each in reached) or "none"
    wanted = f"network {network}" if network else "a network with DHCP"
    raise CloudError(f"server {server} has no port on {wanted}; it is reached by: {there}")
