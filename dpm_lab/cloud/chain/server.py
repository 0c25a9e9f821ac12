"""A server and its ports, as Nova and Neutron have them."""

from __future__ import annotations

from typing import Any

from dpm_lab.cloud import things
from dpm_lab.cloud.api import Api
from dpm_lab.cloud.chain.links import Port
from dpm_lab.cloud.errors import ApiError
from dpm_lab.cloud.things import KEY, VOLUME_TYPE, flavor_ids
from dpm_lab.plain import plain

_GIB = 4
"""Size of a root volume."""
_POWER = {0: "NOSTATE", 1: "Running", 3: "Paused", 4: "Shutdown", 6: "Crashed"}
"""Power states (nova 34, ``nova/objects/fields.py``), in the client's words."""


class Server:
    """A server that boots from a volume of the cloud's image.

    Args:
        name: of the server, and of all that is made for it
        id: of one that is there already
    """

    def __init__(self, api: Api, name: str, id: str = "") -> None:
        self._api = api
        self.name = name
        self.id = id
        self.volume = ""

    # -- what is asked for; none of it waits

    def make_volume(self, image: str = "") -> None:
        """Have its root volume made, of the cloud's image or another one."""
        image = image or str(things.image(self._api)["id"])
        about = {"name": self.name, "size": _GIB, "imageRef": image, "volume_type": VOLUME_TYPE}
        self.volume = self._api.post("cinder", "/volumes", {"volume": about})["volume"]["id"]

    def make_port(self, network: str) -> Port:
        """Make a port on a network."""
        (found,) = self._api.get("neutron", f"/networks?name={network}")["networks"]
        about = {"name": self.name, "network_id": found["id"]}
        return self._port(self._api.post("neutron", "/ports", {"port": about})["port"])

    def create(self, flavor: str, ports: list[Port], host: str) -> None:
        """Have the server made, on a host."""
        disk = {
            "uuid": self.volume,
            "source_type": "volume",
            "destination_type": "volume",
            "boot_index": 0,
            "delete_on_termination": True,
        }
        about = {
            "name": self.name,
            "host": host,
            "flavorRef": flavor_ids(self._api)[flavor],
            "key_name": KEY,
            "networks": [{"port": each.id} for each in ports],
            "block_device_mapping_v2": [disk],
        }
        self.id = self._api.post("nova", "/servers", {"server": about})["server"]["id"]

    def act(self, action: str, argument: Any = None) -> Any:
        """Ask for an action, such as ``os-stop``; return what is answered."""
        return self._api.post("nova", f"/servers/{self.id}/action", {action: argument})

    def attach(self, port: Port) -> None:
        """Give it one more port."""
        about = {"interfaceAttachment": {"port_id": port.id}}
        self._api.post("nova", f"/servers/{self.id}/os-interface", about)

    def detach(self, port: Port) -> None:
        """Take a port from it."""
        self._api.send("DELETE", "nova", f"/servers/{self.id}/os-interface/{port.id}")

    def delete(self) -> None:
        """Have it deleted, and its volume with it."""
        if self.id:
            self._quietly("DELETE", "nova", f"/servers/{self.id}")
        elif self.volume:
            self._quietly("DELETE", "cinder", f"/volumes/{self.volume}")

    def delete_ports(self) -> None:
        """Delete the ports that were made for it."""
        for port in self._api.get("neutron", f"/ports?name={self.name}")["ports"]:
            self._quietly("DELETE", "neutron", f"/ports/{port['id']}")

    # -- what there is

    def volume_status(self) -> str:
        """Return the status of its volume, "" where there is none."""
        shown = self._quietly("GET", "cinder", f"/volumes/{self.volume}")
        return str(shown["volume"]["status"]) if shown else ""

    def status(self) -> str:
        """Return its status, "" where it is gone, "busy" while something is done to it.

        Raises:
            ApiError: it is in ERROR; the text is its fault.
        """
        shown = self._quietly("GET", "nova", f"/servers/{self.id}")
        if shown is None:
            return ""
        server = shown["server"]
        if server["status"] == "ERROR":
            raise ApiError(f"server {self.name}: {server.get('fault', {}).get('message', 'ERROR')}")
        return "busy" if server["OS-EXT-STS:task_state"] else str(server["status"])

    def state(self) -> str:
        """Return its status and its power state, as ``openstack server show`` has them."""
        shown = self._api.get("nova", f"/servers/{self.id}")["server"]
        return f"{shown['status']}, {_POWER.get(shown['OS-EXT-STS:power_state'], '?')}"

    def fault(self) -> str:
        """Return its fault, or what its newest event says if that failed; "" where all is well."""
        shown = self._api.get("nova", f"/servers/{self.id}")["server"]
        if "fault" in shown:
            return str(shown["fault"]["message"])
        action, events = self._newest()
        failed = [each for each in events if each["result"] not in ("Success", None)]
        if not failed:
            return ""
        return f"{action['action']}: {failed[0].get('details') or action['message']}"

    def last_event(self) -> str:
        """Return its newest action and when it was asked for."""
        action, _ = self._newest()
        return f"{action['action']}, {action['start_time']}"

    def _newest(self) -> tuple[Any, Any]:
        path = f"/servers/{self.id}/os-instance-actions"
        actions = self._api.get("nova", path)["instanceActions"]
        newest = max(actions, key=lambda each: str(each["start_time"]))
        shown = self._api.get("nova", f"{path}/{newest['request_id']}")["instanceAction"]
        return shown, shown["events"]

    def ports(self) -> list[Port]:
        """Return its ports."""
        found = self._api.get("neutron", f"/ports?device_id={self.id}")["ports"]
        return sorted((self._port(each) for each in found), key=lambda port: port.network)

    def console(self, lines: int) -> str:
        """Return the end of its console log, "" where there is none."""
        try:
            return str(self.act("os-getConsoleOutput", {"length": lines})["output"])
        except ApiError:
            return ""

    def last_words(self) -> str:
        """Return the last line of its console log, fit for a terminal; "" where there is none."""
        lines = [line for line in self.console(8).splitlines() if line.strip()]
        return plain(lines[-1].strip()) if lines else ""

    def _port(self, shown: Any) -> Port:
        network = self._api.get("neutron", f"/networks/{shown['network_id']}")["network"]
        address = next((each["ip_address"] for each in shown["fixed_ips"]), "")
        return Port(
            shown["id"],
            network["name"],
            network["id"],
            shown["mac_address"].lower(),
            address,
            shown["status"],
        )

    def _quietly(self, method: str, service: str, path: str) -> Any:
        """Send a request; None where there is nothing at `path`."""
        try:
            return self._api.send(method, service, path)
        except ApiError as error:
            if error.status != 404:
                raise
            return None
