"""The command nova-compute, but that it loads its driver without a conductor and a Placement.

Run as ``python -m tests.nova.nova_compute --config-file ...``.
"""

from __future__ import annotations

from nova.cmd import compute  # decides first how threads are made
from nova.conductor import api
from nova.scheduler.client import report


def main() -> None:
    """Run nova-compute."""
    api.API.wait_until_ready = lambda self, context: None
    report.SchedulerReportClient._create_client = lambda self: None
    compute.main()


if __name__ == "__main__":
    main()
