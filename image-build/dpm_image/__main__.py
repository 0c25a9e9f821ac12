"""The command ``dpm-image``: one module for each subcommand."""

from __future__ import annotations

import sys

from dpm_lab.subcommands import Program

main = Program(
    "dpm-image",
    "image",
    "Build, check and boot disk images for DPM partitions.",
    {
        "list": "dpm_image.build.list",
        "build": "dpm_image.build.command",
        "verify": "dpm_image.verify.verify",
        "compare": "dpm_image.compare",
        "boot": "dpm_image.boot",
        "demo": "dpm_image.demo",
    },
    "The whole way for a RHEL image: dpm-image build --help",
).main

if __name__ == "__main__":
    sys.exit(main())
