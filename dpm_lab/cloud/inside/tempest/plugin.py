"""Tempest's plug-in of the lab: an option, and tests.

Tempest finds plug-ins by their entry points, wherever they are installed; this one does nothing
without its option.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from oslo_config import cfg
from tempest.lib.services.compute.servers_client import ServersClient
from tempest.test_discover import plugins

from dpm_lab.cloud.inside.tempest.volume_backed import from_volume

GROUP = "dpm_lab"
OPTIONS = [
    cfg.BoolOpt(
        "volume_backed",
        default=False,
        help="Servers that Tempest creates from image_ref or image_ref_alt boot from a volume of"
        " 1 GB that is made of it. The plug-in's tests are skipped without.",
    )
]


class Plugin(plugins.TempestPlugin):  # type: ignore[misc]
    """What Tempest asks of a plug-in."""

    def load_tests(self) -> tuple[str, str]:
        """Return the folder of its tests, and the one that modules' names are relative to."""
        here = Path(__file__).parent
        return str(here), str(here.parents[3])

    def register_opts(self, conf: Any) -> None:
        """Add the option, and wrap the client."""
        conf.register_opts(OPTIONS, group=GROUP)

        def images() -> set[str]:
            if not conf[GROUP].volume_backed:
                return set()
            return {conf.compute.image_ref, conf.compute.image_ref_alt}

        if not hasattr(ServersClient.create_server, "__wrapped__"):
            ServersClient.create_server = from_volume(ServersClient.create_server, images)

    def get_opt_lists(self) -> list[tuple[str, list[cfg.BoolOpt]]]:
        """Return the options, for a sample of the configuration."""
        return [(GROUP, OPTIONS)]
