"""The command ``dpm-lab``: one subcommand for each part of the lab."""

from __future__ import annotations

import sys

from dpm_lab.subcommands import Program

main = Program(
    "dpm-lab",
    "lab",
    "What an IBM Z machine in DPM mode does, on a desk.",
    {
        "osa": "dpm_lab.guests.hercules.command",
        "hmc": "dpm_lab.hmc.command",
        "cloud": "dpm_lab.cloud.command",
        "demo": "dpm_lab.cloud.chain.command",
    },
).main

if __name__ == "__main__":
    sys.exit(main())
