"""``neutron-dpm-agent --check`` before any HMC is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from oslo_config import cfg

from networking_dpm.agent.command import main

SECTION = b"[DEFAULT]\nhost = host1\n[dpm]\n"


def check(path: Path, content: bytes) -> int:
    file = path / "neutron_dpm_agent.conf"
    file.write_bytes(content)
    return main([f"--config-file={file}", "--check"], cfg.ConfigOpts())


def test_a_line_that_is_none_is_named_and_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = check(tmp_path, SECTION + b"hmc_password not-to-be-seen\n")

    said = capsys.readouterr()
    assert code == 2
    assert f"{tmp_path}/neutron_dpm_agent.conf:4" in said.err
    assert "not-to-be-seen" not in said.out + said.err


def test_a_file_that_is_not_utf_8_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = check(tmp_path, SECTION + b"hmc_password = \xe4\n")

    assert code == 2
    assert capsys.readouterr().err == ("neutron-dpm-agent: a configuration file is not UTF-8\n")


def test_a_file_that_is_not_there_is_exit_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([f"--config-file={tmp_path}/none", "--check"], cfg.ConfigOpts())

    assert code == 2
    assert f"{tmp_path}/none" in capsys.readouterr().err


def test_options_that_say_which_hmc_come_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = check(tmp_path, SECTION + b"hmc = :\nhmc_port = x\n")

    rows = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert code == 1
    shown = {row[0]: row[1:] for row in rows if row}
    assert shown["HMC"][0] == "skipped"
    assert "hmc_port" in shown["HMC"][1]
    assert shown["host"] == ["ok", "host1"]


def test_without_a_file_the_row_says_how_to_name_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    code = main(["--check"], cfg.ConfigOpts())

    rows = capsys.readouterr().out.splitlines()
    assert code == 1
    assert rows[1].split()[:2] == ["configuration", "failed"]
    assert "neutron-dpm-agent --check --config-file FILE" in rows[2]


def test_a_host_that_can_be_none_has_the_row_of_its_option_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(tmp_path, b"[DEFAULT]\nhost = a b\n")

    rows = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert ["option", "host", "failed"] in rows
    assert "host" not in {row[0] for row in rows if row}
