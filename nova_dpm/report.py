"""What an HMC answers to the questions that the driver's assumptions rest on, in one file.

For those who have a machine and want to help: nothing is changed on the HMC, and names, addresses
and ids are replaced (`nova_dpm.anonymous`).
"""

from __future__ import annotations

import io
import json
import platform
import tarfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nova_dpm import answers
from nova_dpm.anonymous import Anonymous
from nova_dpm.conf import Settings
from nova_dpm.errors import DpmError, HttpError
from nova_dpm.hmc import Hmc

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

    for uri in _uris(ask, settings):
        ask(uri)
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


def _uris(ask: Any, settings: Settings) -> Iterator[str]:
    """Yield what is still to be asked; lists are asked here, as their items are asked next."""
    cpc = f"/api/cpcs/{settings.cpc_object_id}"
    yield "/api/version"
    yield cpc
    yield f"{cpc}?properties=name,status"
    yield f"{cpc}/operations/list-features"
    # Requests that cannot be right: what the HMC says then.
    yield f"{cpc}?properties=no-such-property"
    yield f"{cpc}?no-such-parameter=1"
    yield f"{cpc}/no-such-thing"
    yield f"/api/partitions/{_NOTHING}"
    yield f"/api/storage-groups/{_NOTHING}"
    yield f"/api/jobs/{_NOTHING}"
    for uri, name in ((f"{cpc}/adapters", "adapters"), (f"{cpc}/virtual-switches", None)):
        listed = _items(ask(uri), name or "virtual-switches")
        kinds: dict[object, int] = {}
        for each in listed:
            kind = each.get("type")
            kinds[kind] = kinds.get(kind, 0) + 1
            if kinds[kind] <= 2:
                adapter = ask(str(each.get("object-uri")))
                yield from _of(adapter, "network-port-uris", "storage-port-uris")
    partitions = _items(ask(f"{cpc}/partitions"), "partitions")
    for each in _first(partitions, settings):
        partition = ask(str(each.get("object-uri")))
        yield from _of(partition, "nic-uris", "hba-uris")
        yield f"{each.get('object-uri')}/operations/list-os-messages?max-messages=1"
    for each in _first(_items(ask("/api/storage-groups"), "storage-groups"), settings):
        group = ask(str(each.get("object-uri")))
        yield from _of(group, "storage-volume-uris", "virtual-storage-resource-uris")


def _first(listed: list[dict[str, Any]], settings: Settings) -> list[dict[str, Any]]:
    ours = f"OpenStack-{settings.host}-"
    return sorted(listed, key=lambda each: not str(each.get("name")).startswith(ours))[:_AT_MOST]


def _of(answer: Any, *names: str) -> Iterator[str]:
    for name in names:
        if isinstance(answer, dict):
            try:
                yield from answers.uris(answer, name)[:_AT_MOST]
            except DpmError:
                continue


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
