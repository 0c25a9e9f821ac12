"""Reading section [dpm]."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from dpm_hmc.errors import ConfigError
from nova_dpm import conf
from tests.unit.nova_dpm.settings import ADAPTER, CPC, GOOD, PASSWORD, loaded


def test_everything_is_read(tmp_path: Path) -> None:
    settings = conf.read(
        loaded(tmp_path, target_wwpn_ignore_list="0x5005076800000001,50:05:07:68:00:00:00:0A")
    )

    assert settings.hmc.addresses == ("hmc1.example.com", "hmc2.example.com")
    assert (settings.hmc.port, settings.hmc.verify) == (6794, True)
    assert settings.cpc_object_id == CPC
    assert (settings.max_processors, settings.max_memory) == (8, 65536)
    assert settings.storage_ports == (conf.StoragePort(ADAPTER, 0),)
    assert settings.storage_ports[0].uri == f"/api/adapters/{ADAPTER}/storage-ports/0"
    assert settings.ignored_wwpns == {"5005076800000001", "500507680000000a"}


@pytest.mark.parametrize(
    ("changed", "verify"),
    [
        ({}, True),
        ({"hmc_ca_file": "/ca.pem"}, "/ca.pem"),
        ({"hmc_verify_certificate": "false"}, False),
        ({"hmc_verify_certificate": "false", "hmc_ca_file": "/ca.pem"}, False),
    ],
)
def test_certificates_are_verified_unless_it_is_switched_off(
    tmp_path: Path, changed: dict[str, str], verify: object
) -> None:
    assert conf.read(loaded(tmp_path, **changed)).hmc.verify == verify


def test_a_port_that_is_named_twice_counts_once(tmp_path: Path) -> None:
    port = f"{ADAPTER}:0"
    twice = f"{port}\nphysical_storage_adapter_mappings = {port.upper()}"

    settings = conf.read(loaded(tmp_path, physical_storage_adapter_mappings=twice))

    assert settings.storage_ports == (conf.StoragePort(ADAPTER, 0),)


@pytest.mark.parametrize(
    ("option", "value", "parts"),
    [
        ("hmc", None, ["(not set)", "host name"]),
        ("hmc", "", ["(not set)", "host name"]),
        ("hmc_username", None, ["(not set)", "user name"]),
        ("hmc_password", None, ["(not set)", "password"]),
        ("cpc_object_id", None, ["(not set)", "object id"]),
        ("cpc_object_id", "P0000P30", ["P0000P30", "is no object id", "nova.conf"]),
        ("max_processors", None, ["(not set)", "processors"]),
        ("max_processors", "0", ["0", "nova.conf"]),
        ("max_processors", "many", ["many", "nova.conf"]),
        ("max_memory", "511", ["511", "nova.conf"]),
        ("hmc_port", "66000", ["66000", "nova.conf"]),
        ("hmc_verify_certificate", "perhaps", ["perhaps", "nova.conf"]),
        ("hmc_operation_timeout", "0", ["0", "nova.conf"]),
        ("physical_storage_adapter_mappings", ADAPTER, [ADAPTER, "a colon, the port"]),
        ("physical_storage_adapter_mappings", f"{ADAPTER}:x", ["a colon, the port"]),
        ("target_wwpn_ignore_list", "5005", ["5005", "16 hex digits"]),
    ],
)
def test_a_wrong_option_is_named_with_its_value_and_a_cure(
    tmp_path: Path, option: str, value: str | None, parts: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        conf.read(loaded(tmp_path, **{option: value}))

    text = str(caught.value)
    assert text.startswith(f"[dpm] {option} = ")
    assert all(part in text for part in parts), text
    assert "\n" not in text


def test_all_wrong_options_are_known_at_once(tmp_path: Path) -> None:
    _, errors = conf.read_all(loaded(tmp_path, hmc=None, max_memory="1", cpc_object_id="x"))

    assert sorted(errors) == ["cpc_object_id", "hmc", "max_memory"]


def test_a_host_whose_partitions_names_would_be_too_long_is_refused(tmp_path: Path) -> None:
    options = loaded(tmp_path)
    options.set_override("host", "h" * 18)

    with pytest.raises(ConfigError, match=r"\[DEFAULT\] host = h+: it has 18 characters"):
        conf.read(options)


def test_the_password_is_in_no_text(tmp_path: Path) -> None:
    settings = conf.read(loaded(tmp_path))

    assert settings.hmc.password == PASSWORD
    for shown in (repr(settings), str(settings), repr(settings.hmc), f"{settings.hmc}"):
        assert PASSWORD not in shown


@pytest.mark.parametrize("option", [name for name in GOOD if name != "hmc_password"])
def test_the_password_is_in_no_error(tmp_path: Path, option: str) -> None:
    with pytest.raises(ConfigError) as caught:
        conf.read(loaded(tmp_path, **{option: "\u00e4:!"} if option != "hmc" else {option: ""}))
        conf.read(loaded(tmp_path, hmc_username=None))

    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


def test_the_sample_has_every_option() -> None:
    [(group, options)] = conf.list_opts()

    assert group.name == "dpm"
    assert {option.name for option in options} >= set(GOOD)
    assert all(option.help for option in options)
    assert next(option for option in options if option.name == "hmc_password").secret


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("pass$$word", "pass$word"),
        (r"pass\$word", "pass$word"),
        ("pass$1", "pass$1"),
        ("pass$", "pass$"),
        ("$$host", "$host"),
    ],
)
def test_a_dollar_of_a_password_can_be_written(tmp_path: Path, written: str, read: str) -> None:
    assert conf.read(loaded(tmp_path, hmc_password=written)).hmc.password == read


@pytest.mark.parametrize(
    "written", ["pass$host", "pass$foo", "pass${a.b}", "$hmc_username", "pass$dpm", "a$$b$host"]
)
def test_a_password_that_would_be_another_one_is_refused_and_not_shown(
    tmp_path: Path, written: str
) -> None:
    with pytest.raises(ConfigError, match=r"Write \$\$ for each \$ of the password") as caught:
        conf.read(loaded(tmp_path, hmc_password=written))

    shown = "".join(traceback.format_exception(caught.value))
    assert str(caught.value).startswith("[dpm] hmc_password = (not shown)")
    assert not any(part in str(caught.value) for part in ("pass$", "foo", "a.b"))
    assert written not in shown


@pytest.mark.parametrize("option", ["hmc_username", "max_memory", "hmc", "cpc_object_id"])
@pytest.mark.parametrize("written", ["$foo", "${no.group}", "${dpm.OPTION}"])
def test_a_dollar_that_means_no_option_or_itself_is_a_wrong_option(
    tmp_path: Path, option: str, written: str
) -> None:
    written = written.replace("OPTION", option)

    with pytest.raises(ConfigError, match=r"Write \$\$ for each \$") as caught:
        conf.read(loaded(tmp_path, **{option: written}))

    assert str(caught.value).startswith(f"[dpm] {option} = {written}: ")


def test_a_password_that_another_option_means_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Write \$\$ for each \$") as caught:
        conf.read(loaded(tmp_path, hmc_port="${dpm.hmc_password}"))

    assert GOOD["hmc_password"] not in str(caught.value)


@pytest.mark.parametrize("option", [name for name in GOOD if name != "hmc_password"])
def test_an_indented_password_after_another_option_is_never_shown(
    tmp_path: Path, option: str
) -> None:
    value = f"{GOOD[option]}\n  hmc_password = hunter2"

    _, errors = conf.read_all(loaded(tmp_path, **{option: value, "hmc_password": "other"}))

    assert set(errors) == {option}
    assert "indented line" in str(errors[option])
    assert "hunter2" not in "".join(traceback.format_exception(errors[option]))


@pytest.mark.parametrize("written", ["hmc_password: hunter2", "hmc_password=hunter2"])
def test_a_list_may_go_on_in_further_lines_but_not_with_an_option(
    tmp_path: Path, written: str
) -> None:
    lines = "\n  5005076800000001,\n  50:05:07:68:00:00:00:0a"

    settings = conf.read(loaded(tmp_path, target_wwpn_ignore_list=lines))
    _, errors = conf.read_all(loaded(tmp_path, target_wwpn_ignore_list=f"{lines}\n  {written}"))

    assert settings.ignored_wwpns == {"5005076800000001", "500507680000000a"}
    assert "indented line" in str(errors["target_wwpn_ignore_list"])
    assert "hunter2" not in str(errors["target_wwpn_ignore_list"])


def test_an_indented_line_after_the_password_is_no_part_of_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="indented line"):
        conf.read(loaded(tmp_path, hmc_password="hunter2\n  hmc_port = 1"))
