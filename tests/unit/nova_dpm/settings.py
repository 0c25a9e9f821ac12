"""Options of ``[dpm]`` as nova.conf has them."""

from __future__ import annotations

from pathlib import Path

from oslo_config import cfg

from nova_dpm import conf

PASSWORD = "s3cret-w0rd"
CPC = "439da232-b18d-11e6-9c12-42f2e9ef1641"
ADAPTER = "439da232-b18d-11e6-9c12-42f2e9ef1642"
GOOD = {
    "hmc": "hmc1.example.com, hmc2.example.com",
    "hmc_username": "user",
    "hmc_password": PASSWORD,
    "cpc_object_id": CPC,
    "max_processors": "8",
    "max_memory": "65536",
    "physical_storage_adapter_mappings": f"{ADAPTER}:0",
}


def loaded(folder: Path, **changed: str | None) -> cfg.ConfigOpts:
    """Return the options of `GOOD` but for `changed` (None: not set), read from a file."""
    values = {**GOOD, **changed}
    lines = [f"{name} = {value}" for name, value in values.items() if value is not None]
    file = folder / "nova.conf"
    file.write_text("\n".join(["[dpm]", *lines, ""]))
    options = cfg.ConfigOpts()
    conf.register(options)
    options.register_opt(cfg.StrOpt("host", default="compute-1"))
    options([], default_config_files=[str(file)])
    return options
