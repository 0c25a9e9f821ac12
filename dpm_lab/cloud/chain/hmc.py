"""What the HMC has of a server: asked for over its Web Services API, as any client does."""

from __future__ import annotations

import contextlib
import json
import ssl
from types import TracebackType
from typing import Any, Self

from dpm_lab.cloud.api import Web
from dpm_lab.cloud.chain.links import HmcNic
from dpm_lab.cloud.errors import ApiError
from dpm_lab.cloud.place import Place

_BACKINGS = ("virtual-switch-uri", "network-adapter-port-uri")


class Hmc:
    """A session with the cloud's HMC. A context manager."""

    def __init__(self, place: Place) -> None:
        self._web = Web(ssl.create_default_context(cafile=str(place.of("hmc", "ca.pem"))))
        self._base = f"https://{place.host}:{place.ports['hmc']}"
        self._password = place.hmc_password.read_text(encoding="ascii").strip()
        self._session = ""

    def __enter__(self) -> Self:
        body = {"userid": "labuser", "password": self._password}
        self._session = str(self._ask("POST", "/api/sessions", body)["api-session"])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(ApiError):
            self._ask("DELETE", "/api/sessions/this-session")

    def get(self, uri: str) -> Any:
        """Return what `uri` shows.

        Raises:
            ApiError: the HMC refuses it, or does not answer.
        """
        return self._ask("GET", uri)

    def post(self, uri: str, body: Any) -> Any:
        """Ask for an operation, or for a change of properties; return what is answered.

        Raises:
            ApiError: the HMC refuses it, or does not answer.
        """
        return self._ask("POST", uri, body)

    def partition(self, server: str) -> dict[str, Any] | None:
        """Return the properties of a server's partition, None where it has none."""
        for cpc in self.get("/api/cpcs")["cpcs"]:
            for each in self.get(f"{cpc['object-uri']}/partitions")["partitions"]:
                if each["name"].endswith(server):
                    found: dict[str, Any] = self.get(each["object-uri"])
                    return found
        return None

    def nics(self, partition: dict[str, Any]) -> list[HmcNic]:
        """Return the NICs of a partition."""
        found = []
        for uri in partition["nic-uris"]:
            shown = self.get(uri)
            backing = next(shown[name] for name in _BACKINGS if shown.get(name))
            switch = self.get(backing)
            name = switch.get("name") or str(switch.get("index"))
            found.append(
                HmcNic(shown["name"], shown["device-number"], shown["mac-address"].lower(), name)
            )
        return found

    def left(self) -> list[str]:
        """Return the names of all partitions and storage groups."""
        names = [f"storage group {each['name']}" for each in self._groups()]
        for cpc in self.get("/api/cpcs")["cpcs"]:
            partitions = self.get(f"{cpc['object-uri']}/partitions")["partitions"]
            names += [f"partition {each['name']}" for each in partitions]
        return names

    def _groups(self) -> list[dict[str, Any]]:
        try:
            return list(self.get("/api/storage-groups")["storage-groups"])
        except ApiError as error:
            if error.status != 404:
                raise
            return []  # a z13's HMC has none

    def _ask(self, method: str, uri: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json"}
        if self._session:
            headers["X-API-Session"] = self._session
        content = None if body is None else json.dumps(body).encode()
        return self._web.ask(method, f"{self._base}{uri}", headers, content)[1]
