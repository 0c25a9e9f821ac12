"""What an option may be, before any HMC is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpm_hmc.options import HmcHostType
from nova_dpm import conf
from nova_dpm.check.command import read_configuration


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("hmc1.example.com", "hmc1.example.com"),
        ("hmc_1", "hmc_1"),
        ("10.1.2.3", "10.1.2.3"),
        ("fd00::1", "[fd00::1]"),
        ("[fd00::1]", "[fd00::1]"),
    ],
)
def test_an_hmc_is_a_name_or_an_address_as_in_a_url(written: str, read: str) -> None:
    assert HmcHostType()(written) == read


@pytest.mark.parametrize("written", ["hmc1:6794", "[fd00::1]:6794", "https://hmc1", "a b", ""])
def test_an_hmc_is_nothing_else(written: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        HmcHostType()(written)


def test_the_value_of_a_later_file_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "1.conf").write_text("[dpm]\nmax_memory = 1\n")
    (tmp_path / "2.conf").write_text("[dpm]\nmax_memory = 2\n")
    files = [str(tmp_path / "1.conf"), str(tmp_path / "2.conf")]

    _, errors = conf.read_all(read_configuration(files, []))

    assert "max_memory = 1, 2: " in errors["max_memory"].finding


def test_a_password_is_in_no_error_and_in_no_text_of_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "nova.conf"
    path.write_text("[dpm]\nhmc_password = not-to-be-seen\nmax_memory = 1\n")

    settings, errors = conf.read_all(read_configuration([str(path)], []))

    assert settings.hmc.password == "not-to-be-seen"
    assert "not-to-be-seen" not in repr(settings) + repr(list(errors.values()))


def test_two_configurations_do_not_share_values(tmp_path: Path) -> None:
    path = tmp_path / "nova.conf"
    path.write_text("[dpm]\nmax_memory = 1024\n")
    one = read_configuration([str(path)], [])

    read_configuration([str(path)], []).set_override("max_memory", 4096, group="dpm")

    assert one.dpm.max_memory == 1024
