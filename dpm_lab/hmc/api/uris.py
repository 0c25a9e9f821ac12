"""Which handler does what: ours first, then those of zhmcclient's mock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zhmcclient.mock import _urihandler as mock

from dpm_lab.hmc.api import (
    attachments,
    fabric,
    hbas,
    job_operations,
    nics,
    os_messages,
    partitions,
    queries,
    role_changes,
    roles,
    storage_groups,
    volumes,
)
from dpm_lab.hmc.api.calls import Context, extended

_QUERY = r"(?:\?(.*))?"
_ID = r"([^/?]+)"
_PARTITION = rf"/api/partitions/{_ID}"
_GROUP = rf"/api/storage-groups/{_ID}"


def uri_handler(context: Callable[[], Context]) -> Any:
    """Return the mock's dispatcher with our handlers before its own."""

    def of(base: Any = object, **methods: Any) -> Any:
        return extended(context, base, **methods)

    handlers = [
        (rf"/api/cpcs/{_ID}/operations/list-features{_QUERY}", of(get=queries.cpc_features)),
        ("/api/console/operations/list-features", of(get=queries.console_features)),
        ("/api/services/aggregation/submit", of(post=queries.submit)),
        (
            rf"/api/console/users{_QUERY}",
            of(mock.UsersHandler, get=roles.users, post=role_changes.create_user),
        ),
        (rf"/api/users/{_ID}", of(get=roles.user)),
        (
            rf"/api/users/{_ID}/operations/add-user-role",
            of(mock.UserAddUserRoleHandler, post=role_changes.add_role),
        ),
        (rf"/api/console/user-roles{_QUERY}", of(mock.UserRolesHandler, get=roles.roles)),
        (rf"/api/user-roles/{_ID}", of(get=roles.role)),
        (rf"/api/user-roles/{_ID}/operations/add-permission", of(post=role_changes.add_permission)),
        (rf"/api/console/tasks{_QUERY}", of(get=roles.tasks)),
        (rf"/api/console/tasks/{_ID}", of(get=roles.task)),
        (rf"/api/jobs/{_ID}", of(get=job_operations.query, delete=job_operations.delete)),
        (rf"/api/jobs/{_ID}/operations/cancel", of(post=job_operations.cancel)),
        (
            rf"/api/cpcs/{_ID}/partitions{_QUERY}",
            of(mock.PartitionsHandler, get=queries.listing, post=partitions.create),
        ),
        (
            rf"{_PARTITION}{_QUERY}",
            of(mock.PartitionHandler, post=partitions.update, delete=partitions.delete),
        ),
        (rf"{_PARTITION}/operations/start", of(post=partitions.start)),
        (rf"{_PARTITION}/operations/stop", of(post=partitions.stop)),
        (
            rf"{_PARTITION}/operations/(?:psw-restart|scsi-dump|start-dump-program)",
            of(post=partitions.restart),
        ),
        (rf"{_PARTITION}/operations/attach-storage-group", of(post=attachments.attach)),
        (rf"{_PARTITION}/operations/detach-storage-group", of(post=attachments.detach)),
        (
            rf"{_PARTITION}/operations/list-os-messages{_QUERY}",
            of(get=os_messages.list_messages),
        ),
        (rf"{_PARTITION}/operations/open-os-message-channel", of(post=os_messages.open_channel)),
        (rf"{_PARTITION}/operations/send-os-cmd", of(post=os_messages.send_command)),
        (rf"{_PARTITION}/nics", of(mock.NicsHandler, post=nics.create)),
        (
            rf"{_PARTITION}/nics/{_ID}{_QUERY}",
            of(mock.NicHandler, get=queries.properties, post=nics.update, delete=nics.delete),
        ),
        (rf"{_PARTITION}/hbas", of(mock.HbasHandler, post=hbas.create)),
        (
            rf"{_PARTITION}/hbas/{_ID}{_QUERY}",
            of(mock.HbaHandler, post=hbas.update, delete=hbas.delete),
        ),
        (
            rf"{_PARTITION}/hbas/{_ID}/operations/reassign-storage-adapter-port",
            of(post=hbas.reassign),
        ),
        (rf"/api/cpcs/{_ID}/adapters{_QUERY}", of(mock.AdaptersHandler, get=queries.listing)),
        (
            rf"/api/cpcs/{_ID}/virtual-switches{_QUERY}",
            of(mock.VirtualSwitchesHandler, get=queries.listing),
        ),
        (
            rf"/api/virtual-switches/{_ID}/operations/get-connected-vnics",
            of(get=queries.connected_nics),
        ),
    ]
    return mock.UriHandler([*handlers, *_storage(of), *mock.URIS])


def _storage(of: Callable[..., Any]) -> list[tuple[str, Any]]:
    return [
        (rf"/api/cpcs/{_ID}/operations/validate-lun-path", of(post=fabric.validate)),
        (
            rf"/api/storage-groups{_QUERY}",
            of(
                mock.StorageGroupsHandler,
                get=storage_groups.check_supported,
                post=storage_groups.create,
            ),
        ),
        (rf"{_GROUP}{_QUERY}", of(mock.StorageGroupHandler, get=queries.properties)),
        (rf"{_GROUP}/operations/modify", of(post=storage_groups.modify)),
        (rf"{_GROUP}/operations/delete", of(post=storage_groups.delete)),
        (rf"{_GROUP}/operations/get-partitions{_QUERY}", of(get=storage_groups.get_partitions)),
        (rf"{_GROUP}/operations/add-candidate-adapter-ports", of(post=storage_groups.add_ports)),
        (
            rf"{_GROUP}/operations/remove-candidate-adapter-ports",
            of(post=storage_groups.remove_ports),
        ),
        (
            rf"{_GROUP}/operations/accept-mismatched-storage-volumes",
            of(post=volumes.accept),
        ),
        (
            rf"{_GROUP}/operations/reject-mismatched-storage-volumes",
            of(post=volumes.reject),
        ),
        (rf"{_GROUP}/operations/start-fcp-storage-discovery", of(post=storage_groups.discover)),
        (
            rf"{_GROUP}/operations/get-connection-report",
            of(get=storage_groups.connection_report),
        ),
        (
            rf"{_GROUP}/storage-volumes{_QUERY}",
            of(mock.StorageVolumesHandler, get=volumes.check_listing),
        ),
        (
            rf"{_GROUP}/storage-volumes/{_ID}{_QUERY}",
            of(mock.StorageVolumeHandler, get=queries.properties),
        ),
        (
            rf"{_GROUP}/storage-volumes/{_ID}/operations/fulfill-fcp-storage-volume",
            of(post=volumes.fulfil),
        ),
        (
            rf"{_GROUP}/virtual-storage-resources/{_ID}{_QUERY}",
            of(mock.VirtualStorageResourceHandler, post=storage_groups.update_port),
        ),
    ]
