"""How one sees that a service answers."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from datetime import UTC, datetime

from dpm_lab.cloud import processes
from dpm_lab.cloud.api import Api
from dpm_lab.cloud.errors import ApiError
from dpm_lab.cloud.place import Host, Place

#: Whether a service answers now; a place and the cloud's APIs are given.
Answers = Callable[[Place, Api], bool]
_SECONDS = 5.0


def port(name: str, host: str = "") -> Answers:
    """Somebody takes connections at a port."""

    def takes(place: Place, _api: Api) -> bool:
        try:
            address = (host or place.host, place.ports[name])
            with socket.create_connection(address, timeout=_SECONDS):
                return True
        except OSError:
            return False

    return takes


def web(name: str) -> Answers:
    """The program behind a port answers a request, whatever it says."""

    def says(place: Place, _api: Api) -> bool:
        connection = http.client.HTTPConnection(place.host, place.ports[name], timeout=_SECONDS)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return says


def both(one: Answers, other: Answers) -> Answers:
    """Two things answer."""

    def do(place: Place, api: Api) -> bool:
        return one(place, api) and other(place, api)

    return do


def runs(_place: Place, _api: Api) -> bool:
    """Nobody can ask it anything: that it runs has to be enough."""
    return True


def forked(name: str) -> Answers:
    """It has started its worker, which takes what is sent to it from then on."""

    def has_child(place: Place, _api: Api) -> bool:
        process = processes.runs(place, name)
        return process is not None and bool(process.children())

    return has_child


def _reports(name: str, service: str, path: str, key: str, when: str) -> Answers:
    """A service's API lists it as up, since it was started: an earlier life of it counts not."""

    def does(place: Place, api: Api) -> bool:
        process = processes.runs(place, name)
        try:
            items = api.get(service, path)[key] if process else []
        except ApiError:
            return False
        for each in items:
            is_up = each.get("alive", each.get("state") == "up")
            if process and is_up and each[when] and _time(each[when]) >= process.create_time() - 1:
                return True
        return False

    return does


def _time(text: str) -> float:
    """Return seconds since the epoch; what the services say is UTC, whatever its form."""
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC).timestamp()


def nova(binary: str, host: Host | None = None) -> Answers:
    """Nova has it among its services, up."""
    name, of_host = _on(binary, host)
    path = f"/os-services?binary={binary}{of_host}"
    return _reports(name, "nova", path, "services", "updated_at")


def cinder(binary: str) -> Answers:
    """Cinder has it among its services, up."""
    path = f"/os-services?binary={binary}"
    return _reports(binary, "cinder", path, "services", "updated_at")


def volumes(place: Place, api: Api) -> bool:
    """Cinder-volume is up, and cinder-scheduler knows of it.

    At their start each tells or asks the other one, once, and what the other does not listen to
    yet is lost. Until it is said again, each volume ends in ``error``.
    """
    # Asked for pools, cinder-api waits for cinder-scheduler as long as its callers have patience.
    if not cinder("cinder-volume")(place, api) or processes.runs(place, "cinder-scheduler") is None:
        return False
    try:
        return bool(api.get("cinder", "/scheduler-stats/get_pools", _SECONDS)["pools"])
    except ApiError:
        return False


def neutron_agent(binary: str, host: Host | None = None) -> Answers:
    """Neutron has it among its agents, alive."""
    name, of_host = _on(binary, host)
    path = f"/agents?binary={binary}{of_host}"
    return _reports(name, "neutron", path, "agents", "heartbeat_timestamp")


def _on(binary: str, host: Host | None) -> tuple[str, str]:
    """Return the name of a service, and what a path has where each host has one."""
    return (binary, "") if host is None else (host.own(binary), f"&host={host.name}")


def compute(host: Host) -> Answers:
    """Nova-compute is up, its cell has its host, and Placement its processors."""
    is_up = nova("nova-compute", host)

    def does(place: Place, api: Api) -> bool:
        try:
            # Not with details: Nova asks each nova-compute for one of them, and waits a minute for
            # one that it takes for running still and that does not listen yet.
            shown = api.get("nova", "/os-hypervisors")["hypervisors"]
            if host.name not in [each["hypervisor_hostname"] for each in shown]:
                return False
            of_host = f"/resource_providers?name={host.name}"
            found = api.get("placement", of_host)["resource_providers"]
            paths = [f"/resource_providers/{each['uuid']}/inventories" for each in found]
            return is_up(place, api) and any(
                api.get("placement", path)["inventories"] for path in paths
            )
        except ApiError:
            return False

    return does
