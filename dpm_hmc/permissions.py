"""What a user of the HMC needs, and which of it a refused request lacked.

Tasks and objects of each operation: zhmcclient 1.26, "Authorization requirements" of its methods;
zhmc-ansible-modules, "requirements" of its modules.
"""

from __future__ import annotations

import re

PROGRAMMER = "Configure Storage - System Programmer"
ADMINISTRATOR = "Configure Storage - Storage Administrator"

TASKS = (
    "New Partition",
    "Partition Details",
    "Start Partition",
    "Stop Partition",
    "Delete Partition",
)
MESSAGES = "Operating System Messages"
"""For console logs only, and for viewing only is enough."""
CONSOLE = "Integrated ASCII Console"
"""For serial consoles only."""
STORAGE_TASKS = (PROGRAMMER, ADMINISTRATOR)
"""With storage groups; a z13 has none."""

API_NAMES = {
    "New Partition": ("new-partition",),
    "Partition Details": ("partition-details",),
    "Start Partition": ("start-partition",),
    "Stop Partition": ("stop-partition",),
    "Delete Partition": ("delete-partition",),
    PROGRAMMER: (
        *("configure-storage-systemprog", "configure-storage-systemprogrammer"),
        "configure-storage-system-programmer",
    ),
    ADMINISTRATOR: ("configure-storage-storageadmin", "configure-storage-storage-administrator"),
    MESSAGES: ("operating-system-messages", "os-messages"),
    CONSOLE: ("integrated-ascii-console", "ascii-console"),
}
"""What the API may call a task, whose title is in the HMC's windows and books. The sample of a role
in zhmc-ansible-modules (``zhmc_user_role.py``) has ``configure-storage-storageadmin``,
``hardware-messages`` and ``se-cryptographic-management``; the others are guessed after these."""

CLASSES = ("partition", "storage-group")
"""Classes of objects that the driver makes: access is given to those to come, too."""

_GROUP = "/api/storage-groups/[^/]+"
_PARTITION = "/api/partitions/[^/]+"

_TASK_OF = (
    (r"POST /api/cpcs/[^/]+/partitions", "New Partition"),
    (rf"POST {_PARTITION}/operations/start", "Start Partition"),
    (rf"POST {_PARTITION}/operations/stop", "Stop Partition"),
    (rf"DELETE {_PARTITION}", "Delete Partition"),
    (rf"GET {_PARTITION}/operations/list-os-messages", MESSAGES),
    (rf"POST {_PARTITION}/operations/get-ascii-console-websocket-uri", CONSOLE),
    (rf"(POST|DELETE) {_PARTITION}(/.*)?", "Partition Details"),
    (rf"POST {_GROUP}/storage-volumes/[^/]+/operations/fulfill-fcp-storage-volume", ADMINISTRATOR),
    (r"POST /api/cpcs/[^/]+/operations/validate-lun-path", ADMINISTRATOR),
    (rf"POST (/api/storage-groups|{_GROUP}/operations/.*)", PROGRAMMER),
)
"""Of what the driver changes. Of what it reads, only the messages need a task."""


def task_of(request: str) -> str:
    """Return the task that a request needs, or nothing where it needs none.

    >>> task_of("POST /api/partitions/1/operations/start")
    'Start Partition'
    """
    path = request.partition("?")[0]
    return next((task for pattern, task in _TASK_OF if re.fullmatch(pattern, path)), "")
