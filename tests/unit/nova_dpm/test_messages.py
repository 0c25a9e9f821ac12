"""Nova cuts a server's fault at 255 characters: cause and cure stand before that."""

from __future__ import annotations

import ast
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nova import exception
from nova.compute.utils import exception_to_dict

import nova_dpm
from dpm_hmc.errors import StateError, UnreachableError
from nova_dpm import translation
from nova_dpm.errors import RefusedError

LONGEST = 185
"""Characters of a reason. Nova writes 64 before it: ``Build of instance <uuid> aborted: ``."""

WIDEST = {
    # Of each expression in a message, the longest value that it can have.
    "port_id": 36,
    "port.port_id": 36,
    "wanted.port_id": 36,
    "nic.port_id": 36,
    "seen[nic.mac]": 36,
    "nic.mac": 17,
    "kind": 20,  # of Neutron's vif types, "hostdev_physical", "binding_failed"...
    "kind.label": len("virtual switch"),
    "why_not": 80,
    "wanted.vlan": 4,
    "flavor.memory_mb": 3,
    "LEAST_MEMORY": 3,
    "partition.status": len("communications-not-active"),
    "_counted(silent)": 41,
    "CONF.vif_plugging_timeout": 4,
    "PROTOCOL": len("fibre_channel"),
}


def reasons() -> Iterator[tuple[str, ast.expr]]:
    """Yield where a server is refused, and the expression of the reason."""
    root = Path(nova_dpm.__file__).parent
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = {
            target.id: node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("RefusedError", "CannotError")
            ):
                reason = node.args[0]
                if isinstance(reason, ast.Name):
                    reason = named[reason.id]
                yield f"{path.relative_to(root)}:{node.lineno}", reason


def length(reason: ast.expr) -> int:
    """Return how long a text can be."""
    if isinstance(reason, ast.Constant):
        return len(str(reason.value))
    assert isinstance(reason, ast.JoinedStr), ast.dump(reason)
    parts = 0
    for part in reason.values:
        if isinstance(part, ast.FormattedValue):
            parts += WIDEST[ast.unparse(part.value)]
        else:
            parts += length(part)
    return parts


REASONS = dict(reasons())


def test_all_reasons_are_found() -> None:
    assert len(REASONS) >= 25


@pytest.mark.parametrize("where", REASONS)
def test_a_reason_is_whole_in_a_fault(where: str) -> None:
    assert length(REASONS[where]) <= LONGEST


@pytest.mark.parametrize("error", [StateError("it is down"), UnreachableError("no HMC answers")])
@pytest.mark.parametrize("about", [True, False])
def test_where_the_reason_is_to_be_found_is_whole_in_a_fault(
    error: StateError | UnreachableError, about: bool
) -> None:
    instance: Any = SimpleNamespace(uuid=str(uuid.uuid4())) if about else None

    assert len(translation.told(error, "What was done", instance)) <= LONGEST


def test_the_words_of_nova_leave_that_much_room() -> None:
    instance: Any = SimpleNamespace(uuid=str(uuid.uuid4()))
    reason = "x" * LONGEST

    with (
        pytest.raises(exception.InstanceUnacceptable) as unacceptable,
        translation.refusals(instance),
    ):
        raise RefusedError(reason)
    aborted = exception.BuildAbortException(
        instance_uuid=instance.uuid, reason=unacceptable.value.format_message()
    )

    assert len(exception_to_dict(aborted)["message"]) <= 255


@pytest.mark.parametrize(
    "kind",
    [
        translation.NotDoneError,
        translation.NotStartedError,
        translation.NotStoppedError,
        translation.NotRestartedError,
        translation.BuildFailureError,
        translation.HmcFailureError,
        translation.NotReadyError,
        translation.UnacceptableError,
    ],
)
def test_an_error_for_nova_has_no_words_but_ours(kind: type[exception.NovaException]) -> None:
    assert kind(reason="a reason").format_message() == "a reason"


def test_nova_takes_what_no_partition_can_for_not_implemented() -> None:
    error = translation.CannotError("a partition cannot be paused")

    assert isinstance(error, NotImplementedError)
    assert error.format_message() == "a partition cannot be paused"
