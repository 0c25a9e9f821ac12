"""The sample configuration: what stands behind an option can be used as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from oslo_config import cfg

from networking_dpm import conf as networking_dpm
from nova_dpm import conf as nova_dpm


@pytest.mark.parametrize(
    ("namespace", "groups"),
    [("networking_dpm", networking_dpm.list_opts()), ("nova_dpm", nova_dpm.list_opts())],
)
def test_each_example_can_be_read(
    namespace: str, groups: list[tuple[cfg.OptGroup, list[cfg.Opt]]], tmp_path: Path
) -> None:
    sample = tmp_path / "sample.conf"
    generator = Path(sys.executable).with_name("oslo-config-generator")
    command = [str(generator), f"--namespace={namespace}", f"--output-file={sample}"]
    subprocess.run(command, check=True, capture_output=True)
    examples = {option.name for _, members in groups for option in members if option.sample_default}
    text = sample.read_text()
    for name in examples:
        text = re.sub(rf"^#({name} = )", r"\1", text, flags=re.MULTILINE)
    sample.write_text(text)

    conf = cfg.ConfigOpts()
    for group, members in groups:
        conf.register_opts(members, group=group.name)
    conf([f"--config-file={sample}"], project="test")

    read = {
        option.name
        for group, members in groups
        for option in members
        if option.name in examples and conf[group.name][option.name]
    }
    assert read == examples != set()
