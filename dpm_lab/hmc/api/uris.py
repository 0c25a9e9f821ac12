"""Which operation answers which request."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from dpm_lab.hmc.api import (
    ascii_consoles,
    attachments,
    fabric,
    hbas,
    job_operations,
    nics,
    os_messages,
    partitions,
    permissions,
    queries,
    role_changes,
    roles,
    storage_groups,
    volumes,
)
from dpm_lab.hmc.api.calls import Call, Context, Operation
from dpm_lab.hmc.api.listings import listing, none, permitted
from dpm_lab.hmc.api.refusals import not_found

SUBMIT = "/api/services/aggregation/submit"

_PARTITION = "name type status has-unacceptable-status cpc-name"
_ON_CPC = "cpc-object-uri se-version"
_ADAPTER = "name adapter-id adapter-family type status"
_PERMITTED_ADAPTER = f"{_ADAPTER} firmware-update-pending cpc-name dpm-enabled"
_VOLUME = "name fulfillment-state size usage"
_CPC = "name status has-unacceptable-status dpm-enabled se-version"
_RESOURCE = "name device-number adapter-port-uri partition-uri"

_OF_CPC: dict[str, Operation] = {
    "GET /api/cpcs": listing("cpc", _CPC),
    "POST /api/cpcs/ID": queries.update,
    "GET /api/cpcs/ID/operations/list-features": queries.cpc_features,
    "POST /api/cpcs/ID/operations/validate-lun-path": fabric.validate,
    "GET /api/cpcs/ID/adapters": listing("adapter", _ADAPTER, _ADAPTER, additional=True),
    "POST /api/adapters/ID": queries.update,
    "POST /api/adapters/ID/(?:network|storage)-ports/ID": queries.update,
    "GET /api/cpcs/ID/virtual-switches": listing(
        "virtual-switch", "name type", "name type", additional=True
    ),
    "POST /api/virtual-switches/ID": queries.update,
    "GET /api/virtual-switches/ID/operations/get-connected-vnics": queries.connected_nics,
    "GET /api/cpcs/ID/capacity-groups": none("capacity-groups"),
    "GET /api/cpcs/ID/logical-partitions": listing("logical-partition", "name status"),
    **{
        f"GET /api/cpcs/ID/{of}-activation-profiles": listing(f"{of}-activation-profile", "name")
        for of in ("reset", "image", "load")
    },
}
_OF_PARTITION: dict[str, Operation] = {
    "GET /api/cpcs/ID/partitions": listing(
        "partition", "name status type", "name status type", additional=True
    ),
    "POST /api/cpcs/ID/partitions": partitions.create,
    "POST /api/partitions/ID": partitions.update,
    "DELETE /api/partitions/ID": partitions.delete,
    "POST /api/partitions/ID/operations/start": partitions.start,
    "POST /api/partitions/ID/operations/stop": partitions.stop,
    "POST /api/partitions/ID/operations/(?:psw-restart|scsi-dump|start-dump-program)": (
        partitions.restart
    ),
    "POST /api/partitions/ID/operations/attach-storage-group": attachments.attach,
    "POST /api/partitions/ID/operations/detach-storage-group": attachments.detach,
    "GET /api/partitions/ID/operations/list-os-messages": os_messages.list_messages,
    "POST /api/partitions/ID/operations/open-os-message-channel": os_messages.open_channel,
    "POST /api/partitions/ID/operations/send-os-cmd": os_messages.send_command,
    "POST /api/partitions/ID/operations/get-ascii-console-websocket-uri": ascii_consoles.get_uri,
    "POST /api/partitions/ID/nics": nics.create,
    "POST /api/partitions/ID/nics/ID": nics.update,
    "DELETE /api/partitions/ID/nics/ID": nics.delete,
    "POST /api/partitions/ID/hbas": hbas.create,
    "POST /api/partitions/ID/hbas/ID": hbas.update,
    "DELETE /api/partitions/ID/hbas/ID": hbas.delete,
    "POST /api/partitions/ID/hbas/ID/operations/reassign-storage-adapter-port": hbas.reassign,
}
_OF_GROUP: dict[str, Operation] = {
    "GET /api/storage-groups": storage_groups.list_groups,
    "POST /api/storage-groups": storage_groups.create,
    "POST /api/storage-groups/ID/operations/modify": storage_groups.modify,
    "POST /api/storage-groups/ID/operations/delete": storage_groups.delete,
    "GET /api/storage-groups/ID/operations/get-partitions": storage_groups.get_partitions,
    "POST /api/storage-groups/ID/operations/add-candidate-adapter-ports": storage_groups.add_ports,
    "POST /api/storage-groups/ID/operations/remove-candidate-adapter-ports": (
        storage_groups.remove_ports
    ),
    "POST /api/storage-groups/ID/operations/accept-mismatched-storage-volumes": volumes.accept,
    "POST /api/storage-groups/ID/operations/reject-mismatched-storage-volumes": volumes.reject,
    "POST /api/storage-groups/ID/operations/start-fcp-storage-discovery": storage_groups.discover,
    "GET /api/storage-groups/ID/operations/get-connection-report": (
        storage_groups.connection_report
    ),
    "GET /api/storage-groups/ID/storage-volumes": listing(
        "storage-volume",
        _VOLUME,
        "name fulfillment-state usage maximum-size minimum-size",
        additional=True,
    ),
    "POST /api/storage-groups/ID/storage-volumes/ID/operations/fulfill-fcp-storage-volume": (
        volumes.fulfil
    ),
    "GET /api/storage-groups/ID/virtual-storage-resources": listing(
        "virtual-storage-resource", _RESOURCE, _RESOURCE
    ),
    "POST /api/storage-groups/ID/virtual-storage-resources/ID": storage_groups.update_port,
}
_OF_CONSOLE: dict[str, Operation] = {
    "GET /api/version": queries.version,
    "GET /api/console/operations/list-features": queries.console_features,
    "GET /api/console/operations/list-permitted-partitions": permitted(
        "partition", f"{_PARTITION} {_ON_CPC}", _PARTITION
    ),
    "GET /api/console/operations/list-permitted-adapters": permitted(
        "adapter", f"{_PERMITTED_ADAPTER} {_ON_CPC}", _PERMITTED_ADAPTER
    ),
    "GET /api/console/users": roles.users,
    "POST /api/console/users": role_changes.create_user,
    "GET /api/users/ID": roles.user,
    "POST /api/users/ID/operations/add-user-role": role_changes.add_role,
    "GET /api/console/user-roles": roles.roles,
    "POST /api/console/user-roles": role_changes.create_role,
    "GET /api/user-roles/ID": roles.role,
    "POST /api/user-roles/ID/operations/add-permission": role_changes.add_permission,
    "GET /api/console/tasks": roles.tasks,
    "GET /api/console/tasks/ID": roles.task,
    "GET /api/console/password-rules": listing("password-rule", "name type", "name type"),
    "GET /api/jobs/ID": job_operations.query,
    "DELETE /api/jobs/ID": job_operations.delete,
    "POST /api/jobs/ID/operations/cancel": job_operations.cancel,
    f"POST {SUBMIT}": queries.submit,
    "POST /api/services/metrics/context": queries.metrics,
    "GET /api/services/metrics/context/lab": lambda call: "",
    "DELETE /api/services/metrics/context/lab": lambda call: None,
    **{
        f"GET /api/console/{each}": none(each)
        for each in (
            "ldap-server-definitions",
            "mfa-server-definitions",
            "sso-server-definitions",
            "user-patterns",
        )
    },
    "GET /api/tape-libraries": none("tape-libraries"),
    "GET /api/tape-links": none("tape-links"),
}
_ALL = [
    (re.compile(request.replace("ID", "[^/]+")), operation)
    for request, operation in {
        **_OF_CPC,
        **_OF_PARTITION,
        **_OF_GROUP,
        **_OF_CONSOLE,
        # What is not listed above and is there, shows its properties.
        "GET /api/.*": queries.properties,
    }.items()
]


def dispatch(context: Context, method: str, uri: str, body: Any) -> Any:
    """Answer a request, whoever asks.

    Raises:
        Refusal: it cannot be done; 404, 1 where there is no such operation.
    """
    path = uri.partition("?")[0]
    for pattern, operation in _ALL:
        if pattern.fullmatch(f"{method} {path}"):
            return operation(Call(method, uri, body, context, partial(perform, context)))
    raise not_found(f"{path} with {method}")


def perform(context: Context, method: str, uri: str, body: Any) -> Any:
    """Answer a request as far as its user may do, and see, what it is about.

    Raises:
        Refusal: the user may not (`permissions.check`), or it cannot be done.
    """
    user, tree = context.user, context.tree
    permissions.check(user, tree, method, uri, body)
    answer = dispatch(context, method, uri, body)
    if method == "GET":
        return permissions.visible(user, tree, answer)
    permissions.made(user, tree, answer)
    return answer
