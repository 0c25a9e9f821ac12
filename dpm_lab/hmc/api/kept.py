"""All resources as text, and back: what an HMC knows that is started again."""

from __future__ import annotations

import copy
import itertools
import json
from typing import Any

from dpm_lab.hmc.api.resources import Resource
from dpm_lab.hmc.api.statuses import RUNNING, TRANSITIONAL, Status
from dpm_lab.hmc.api.tree import Tree
from dpm_lab.hmc.errors import MachineError

#: Changes when what is written has another form.
_FORM = 1


def text(tree: Tree) -> str:
    """Return all resources, and the numbers that were given out. To be called with the lock held.

    Jobs, sessions, users and messages of operating systems are not part of it: they end with an
    HMC, or are made anew.
    """
    resources = [
        [each.uri, each.kind, each.parent.uri if each.parent else None, each.properties]
        for each in tree.resources.values()
    ]
    numbers = {name: next(copy.copy(count)) for name, count in tree.numbers.items()}
    cpcs = [machine.cpc_object_id for machine in tree.machines]
    whole = {"form": _FORM, "cpcs": cpcs, "numbers": numbers, "resources": resources}
    return json.dumps(whole, indent=1)


def restore(tree: Tree, kept: str) -> None:
    """Give the HMC the resources of a text that `text` made.

    A partition that was starting or stopping is stopped then: its job ended with the HMC. Where
    partitions are guests, those ended with it as well, and all are stopped.

    Raises:
        MachineError: the text is of another form, or of other machines.
    """
    try:
        whole: dict[str, Any] = json.loads(kept)
        form, cpcs = whole["form"], whole["cpcs"]
    except (ValueError, KeyError, TypeError) as error:
        raise MachineError("what was kept of the HMC cannot be read") from error
    if form != _FORM or cpcs != [machine.cpc_object_id for machine in tree.machines]:
        raise MachineError("what was kept is of another machine, or of another version of the lab")
    ended = RUNNING if tree.guests.boot else TRANSITIONAL
    with tree.lock:
        tree.resources.clear()
        for uri, kind, above, properties in whole["resources"]:
            if kind == "partition" and properties["status"] in ended:
                properties["status"] = Status.STOPPED
            parent = tree.resources[above] if above is not None else None
            made = tree.resources[uri] = Resource(uri, kind, properties, parent)
            if parent is not None:
                parent.children.append(made)
        tree.console = tree.resources["/api/console"]
        for name, following in whole["numbers"].items():
            tree.numbers[name] = itertools.count(following)
