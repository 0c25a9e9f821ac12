"""The command nova-compute, but that it loads its driver without a conductor and a Placement.

Run as ``python -m tests.nova.nova_compute --config-file ...``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nova.cmd import compute  # decides first how threads are made
from nova.conductor import api
from nova.scheduler.client import report


def main() -> None:
    """Run nova-compute."""
    api.API.wait_until_ready = lambda self, context: None
    report.SchedulerReportClient._create_client = lambda self: None
    compute.main()


def run(config: str, output: str) -> None:
    """Be nova-compute with a configuration, in a process that has imported it; write to a file."""
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.chdir(Path(config).parent)
    sys.argv = ["nova-compute", "--config-file", config]
    main()


if __name__ == "__main__":
    main()
