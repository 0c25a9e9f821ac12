"""Machine files: the lab's own, HMC definitions of zhmcclient, and DPM exports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from dpm_lab.hmc.errors import MachineError
from dpm_lab.hmc.machines import definitions, exports
from dpm_lab.hmc.machines.machine import Machine

_SUFFIXES = (".yaml", ".yml", ".json")
_KNOWN = (
    "It is read: a machine of the lab ('name', 'hmc', 'cpc'; dpm_lab/hmc/machines has some), an HMC"
    " definition of zhmcclient ('hmc_definition'), what 'zhmc cpc dpm-export' writes"
    " ('se-version', 'adapters')"
)


def read(name: str | Path) -> list[Machine]:
    """Return the machines of a name or a file.

    Raises:
        MachineError: there is no such machine, or its file is not right; says what and where.
    """
    path = Path(name)
    if path.suffix not in _SUFFIXES:
        return [Machine.load(str(name))]
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise MachineError(f"machine file {path}: {reason}") from error
    return parse(text, str(path))


def parse(text: str, source: str) -> list[Machine]:
    """Return the machines of a file's text.

    Raises:
        MachineError: it is not right; says what and where.
    """
    data = _data(text, source)
    if not isinstance(data, dict):
        what = "is empty" if data is None else f"holds a {type(data).__name__}, no mapping"
        raise MachineError(f"machine file {source} {what}. {_KNOWN}.")
    if "hmc_definition" in data:
        if not isinstance(data["hmc_definition"], dict):
            raise MachineError(f"machine file {source}: 'hmc_definition' is no mapping")
        return _of_others(data["hmc_definition"], source)
    if "hmc" in data or "cpc" in data:
        return [Machine.of(data, source)]
    if exports.FIELDS & data.keys() and "adapters" in data:
        return _of_others(exports.definition(data), source)
    found = ", ".join(repr(str(key)) for key in list(data)[:5])
    if isinstance(data.get("hosts"), dict) or isinstance(data.get("all"), dict):
        raise MachineError(
            f"machine file {source} is zhmcclient's HMC inventory, which says where HMCs are, and"
            f" holds no machine. {_KNOWN}."
        )
    raise MachineError(f"machine file {source} has {found} at its top. {_KNOWN}.")


def _data(text: str, source: str) -> Any:
    try:
        if text.lstrip().startswith("{"):
            return json.loads(text)
    except ValueError:
        pass  # YAML may begin so as well, and its errors say more
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        reason = getattr(error, "problem", None) or "it cannot be read"
        raise MachineError(f"machine file {source}{where}: no YAML: {reason}") from error


def _of_others(definition: dict[str, Any], source: str) -> list[Machine]:
    try:
        return definitions.machines(definition, source)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MachineError(
            f"machine file {source}: something in it has another form than zhmcclient's schema of"
            f" HMC definitions says: {type(error).__name__}: {error}"
        ) from error


def read_all(items: tuple[str | Path | Machine, ...]) -> tuple[Machine, ...]:
    """Return the machines of several names, files and machines.

    Raises:
        MachineError: one is not right, or two have the same CPC.
    """
    machines: list[Machine] = []
    for item in items:
        machines += [item] if isinstance(item, Machine) else read(item)
    seen: set[str] = set()
    for machine in machines:
        for key in (machine.uri, str(machine.cpc["name"])):
            if key in seen:
                raise MachineError(f"two machines have the CPC {machine.cpc['name']}")
            seen.add(key)
    return tuple(machines)
