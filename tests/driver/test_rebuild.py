"""What of a rebuild is refused, before anything is done; `tests.nova` has one that is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from nova import objects
from nova.compute import task_states
from nova.exception import InstanceFaultRollback, InstanceNotFound

from tests.driver.compute import Compute, Server, server
from tests.driver.lab import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("z16") as lab:
        yield lab


def rebuild(compute: Compute, subject: Server, **options: Any) -> None:
    """Do as Nova: arguments that the driver has no use for are left out."""
    unused: dict[str, Any] = dict.fromkeys(
        (
            *("image_meta", "injected_files", "admin_password", "allocations", "bdms"),
            *("detach_block_devices", "attach_block_devices"),
        )
    )
    compute.driver.rebuild(compute.context, subject.instance, **unused, **options)


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("evacuate", "a partition cannot be evacuated; start nova-compute elsewhere"),
        ("preserve_ephemeral", "rebuild without --preserve-ephemeral"),
    ],
)
def test_what_no_partition_can_leaves_it_running(lab: Lab, option: str, why: str) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)

    with pytest.raises(InstanceFaultRollback) as caught:
        rebuild(compute, subject, **{option: True})

    assert why in str(caught.value.inner_exception)
    assert lab.control.inventory()["partitions"][subject.partition]["status"] == "active"


def test_a_server_without_a_partition_is_not_rebuilt(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)

    with pytest.raises(InstanceFaultRollback) as caught:
        rebuild(compute, subject)

    assert "it has no partition any more" in str(caught.value.inner_exception)


def _gone(instance: objects.Instance) -> None:
    raise InstanceNotFound(instance_id=instance.uuid)


def _being_deleted(instance: objects.Instance) -> None:
    instance.task_state = task_states.DELETING


@pytest.mark.parametrize("refresh", [_gone, _being_deleted])
def test_a_server_that_is_deleted_amid_its_rebuild_is_no_failure(
    lab: Lab,
    refresh: Callable[[objects.Instance], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    compute, subject = Compute(lab), server(lab)
    monkeypatch.setattr(type(subject.instance), "refresh", refresh)

    with pytest.raises(InstanceNotFound):
        rebuild(compute, subject)

    assert not [each for each in caplog.records if each.levelname == "ERROR"]


def test_a_partition_is_stopped_and_nova_goes_on(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)

    with pytest.raises(NotImplementedError):
        rebuild(compute, subject)

    assert lab.control.inventory()["partitions"][subject.partition]["status"] == "stopped"
