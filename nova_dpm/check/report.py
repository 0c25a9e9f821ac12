"""What an HMC answers to the questions that the driver's assumptions rest on, in one file.

For those who have a machine and want to help: nothing is changed on the HMC, and names, addresses
and ids are replaced (`nova_dpm.check.anonymous`).
"""

from __future__ import annotations

import io
import json
import platform
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dpm_hmc import answers, names
from dpm_hmc.client import Hmc
from dpm_hmc.errors import DpmError, HttpError
from nova_dpm.check.anonymous import Anonymous
from nova_dpm.conf import Settings

_NOTHING = "00000000-0000-4000-8000-000000000000"
_AT_MOST = 12
"""Objects of one kind that are read in full; of the others only what the list shows."""

QUESTIONS = {
    "api-features, NICs on Network Express": "adapters: type and adapter-family of each; a NIC's "
    "properties (type, vlan-id, mac-address, device-number) where a partition has one there",
    "ports of virtual storage resources": "virtual-storage-resources: whether adapter-port-uri is "
    "null, and the status of each WWPN",
    "fulfillment states": "storage-groups, storage-volumes: the states that are there, whether a "
    "boot volume has paths, and what a path has",
    "reason codes": "probes: status and reason of each answer to a request that cannot be right",
    "properties that are missing": "each object: the names of its properties",
    "what a list shows": "lists: the properties of their items",
    "query parameters": "probes: whether ?properties= of a CPC is taken, and what an unknown name "
    "of a property, or an unknown parameter, gives",
    "operating system messages": "probes: whether they can be listed",
    "what a user reads of itself": "users, user-roles: whether they are shown, and what a "
    "permission for a task looks like; tasks: what they are called",
}
"""What we want to learn, and where it stands in the report."""


def collect(hmc: Hmc, settings: Settings) -> dict[str, Any]:
    """Return the report.

    Args:
        hmc: the session
        settings: which CPC, and which host's partitions come first

    A request that fails is part of it: its status and reason.
    """
    anonymous = Anonymous()
    asked: dict[str, Any] = {}

    def ask(uri: str) -> Any:
        answer = _ask(hmc, uri)
        asked[anonymous.uri(uri)] = anonymous.answer(answer)
        return answer

    _ask_all(ask, settings)
    return {
        "made": time.strftime("%Y-%m"),
        "versions": _versions(),
        "what it is for": QUESTIONS,
        "answers": asked,
    }


def write(report: dict[str, Any], path: Path) -> None:
    """Write a report as a compressed tar archive; only its owner can read it.

    Raises:
        OSError: it cannot be written, or there is a file of this name.
    """
    data = json.dumps(report, indent=1, sort_keys=True).encode()
    member = tarfile.TarInfo("nova-dpm-report.json")
    member.size = len(data)
    with path.open("xb") as file:
        path.chmod(0o600)
        with tarfile.open(fileobj=file, mode="w:gz") as archive:
            archive.addfile(member, io.BytesIO(data))


def _ask_all(ask: Callable[[str], Any], settings: Settings) -> None:
    cpc = f"/api/cpcs/{settings.cpc_object_id}"
    for uri in (
        "/api/version",
        cpc,
        f"{cpc}?properties=name,status",
        f"{cpc}/operations/list-features",
        # Requests that cannot be right: what the HMC says then.
        f"{cpc}?properties=no-such-property",
        f"{cpc}?no-such-parameter=1",
        f"{cpc}/no-such-thing",
        f"/api/partitions/{_NOTHING}",
        f"/api/storage-groups/{_NOTHING}",
        f"/api/jobs/{_NOTHING}",
        "/api/console/tasks",
        "/api/console/user-roles",
    ):
        ask(uri)
    _ask_parts(ask, "/api/users/this-user", "user-roles")
    for kind in ("adapters", "virtual-switches"):
        for uri in _two_of_each_type(_items(ask(f"{cpc}/{kind}"), kind)):
            _ask_parts(ask, uri, "network-port-uris", "storage-port-uris")
    for uri in _first(_items(ask(f"{cpc}/partitions"), "partitions"), settings):
        _ask_parts(ask, uri, "nic-uris", "hba-uris")
        ask(f"{uri}/operations/list-os-messages?max-messages=1")
    for uri in _first(_items(ask("/api/storage-groups"), "storage-groups"), settings):
        _ask_parts(ask, uri, "storage-volume-uris", "virtual-storage-resource-uris")


def _ask_parts(ask: Callable[[str], Any], uri: str, *names: str) -> None:
    """Ask for an object and for its elements, which these properties list."""
    answer = ask(uri)
    for name in names:
        try:
            elements = answers.uris(answer, name)[:_AT_MOST]
        except DpmError:
            continue  # the answer itself is in the report
        for element in elements:
            ask(element)


def _two_of_each_type(listed: list[dict[str, Any]]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for each in listed:
        seen[str(each.get("type"))] += 1
        if seen[str(each.get("type"))] <= 2:
            yield str(each["object-uri"])


def _first(listed: list[dict[str, Any]], settings: Settings) -> list[str]:
    """Return the URIs of some objects, those of this host before others."""

    def is_foreign(each: dict[str, Any]) -> bool:
        return names.instance_uuid(settings.host, str(each.get("name"))) is None

    return [str(each["object-uri"]) for each in sorted(listed, key=is_foreign)[:_AT_MOST]]


def _items(answer: Any, name: str) -> list[dict[str, Any]]:
    items = answer.get(name) if isinstance(answer, dict) else None
    listed = items if isinstance(items, list) else []
    return [each for each in listed if isinstance(each, dict) and each.get("object-uri")]


def _ask(hmc: Hmc, uri: str) -> Any:
    read = hmc.get_list if uri.endswith("/list-features") else hmc.get
    try:
        return read(uri)
    except HttpError as error:
        return {"http-status": error.status, "reason": error.reason}
    except DpmError as error:
        return {"error": type(error).__name__}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "system": platform.system()}
    for name in ("nova-dpm", "zhmcclient", "requests", "nova"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
