"""The agent's options, before any HMC is asked."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from oslo_config import cfg

from dpm_hmc.options import OPTIONS as OF_THE_HMC
from networking_dpm import conf
from networking_dpm.conf import Mapping, MappingType

ADAPTER = "439da232-b18d-11e6-9c12-42f2e9ef1641"
NEEDED = {
    "hmc": "h",
    "hmc_username": "u",
    "hmc_password": "not-to-be-seen",
    "cpc_object_id": ADAPTER,
}


def loaded(path: Path, *mappings: str, **changes: str) -> cfg.ConfigOpts:
    lines = [f"{name} = {value}" for name, value in {**NEEDED, **changes}.items()]
    lines += [f"{conf.MAPPINGS} = {each}" for each in mappings]
    file = path / "neutron_dpm_agent.conf"
    file.write_text("\n".join(["[DEFAULT]", "host = host1", "[dpm]", *lines]) + "\n")
    loaded = cfg.ConfigOpts()
    conf.register(loaded)
    loaded([f"--config-file={file}"], project="neutron")
    return loaded


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (f"physnet1:{ADAPTER}", Mapping("physnet1", ADAPTER)),
        (f"physnet1:{ADAPTER}:0", Mapping("physnet1", ADAPTER, 0)),
        (f"physnet1:{ADAPTER}:1", Mapping("physnet1", ADAPTER, 1)),
        (f"physnet1:{ADAPTER.upper()}:15", Mapping("physnet1", ADAPTER, 15)),
        (f" a network : {ADAPTER}".replace(" : ", ":"), Mapping("a network", ADAPTER)),
        (f"physnet1:{ADAPTER}:", Mapping("physnet1", ADAPTER)),  # as networking-dpm 3.0.0 took it
    ],
)
def test_a_mapping_is_a_network_an_id_and_maybe_a_port(written: str, read: Mapping) -> None:
    assert MappingType()(written) == read


@pytest.mark.parametrize(
    "written",
    [
        ADAPTER,
        f":{ADAPTER}",
        f" :{ADAPTER}",
        "physnet1",
        "physnet1:no-id",
        f"a:{ADAPTER}:16",
        f"a:{ADAPTER}:x",
        f"a:{ADAPTER}:-1",
        f"a:b:{ADAPTER}",
    ],
)
def test_a_mapping_is_nothing_else(written: str) -> None:
    with pytest.raises(ValueError, match="is no mapping such as physnet1:"):
        MappingType()(written)


def test_a_mapping_is_shown_as_it_is_written() -> None:
    for text in (f"physnet1:{ADAPTER}", f"physnet1:{ADAPTER}:0"):
        assert str(MappingType()(text)) == text


def test_all_that_is_needed_is_read(tmp_path: Path) -> None:
    settings = conf.read(loaded(tmp_path, f"physnet1:{ADAPTER}:1", f"physnet2:{ADAPTER}"))

    assert settings.host == "host1"
    assert settings.mappings == (
        Mapping("physnet1", ADAPTER, 1),
        Mapping("physnet2", ADAPTER),
    )
    assert (settings.check_interval, settings.report_interval) == (300, 30)
    assert "not-to-be-seen" not in repr(settings)


def test_the_options_that_say_which_hmc_are_those_of_nova_compute() -> None:
    assert list(conf.OPTIONS)[: len(OF_THE_HMC)] == list(OF_THE_HMC)


def test_a_physical_network_that_is_there_twice_is_a_mistake(tmp_path: Path) -> None:
    other = ADAPTER.replace("4", "5")
    _, errors = conf.read_all(loaded(tmp_path, f"a:{ADAPTER}", f"b:{ADAPTER}", f"a:{other}"))

    assert f"a:{ADAPTER}, a:{other}: physical network a is there twice" in str(
        errors[conf.MAPPINGS]
    )


def test_without_a_mapping_the_agent_has_nothing_to_do(tmp_path: Path) -> None:
    _, errors = conf.read_all(loaded(tmp_path))

    assert list(errors) == [conf.MAPPINGS]
    assert "the agent needs it" in str(errors[conf.MAPPINGS])


@pytest.mark.parametrize("seconds", ["9", "x", "-1"])
def test_the_hmc_is_not_asked_all_the_time(tmp_path: Path, seconds: str) -> None:
    _, errors = conf.read_all(loaded(tmp_path, f"a:{ADAPTER}", mapping_check_interval=seconds))

    assert list(errors) == ["mapping_check_interval"]


def test_the_host_is_that_of_the_machine_where_none_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty.conf"
    empty.write_text("")
    loaded = cfg.ConfigOpts()
    conf.register(loaded)
    loaded([f"--config-file={empty}"], project="neutron")

    settings, _ = conf.read_all(loaded)

    assert settings.host == socket.gethostname()


def test_the_sample_has_the_options_of_agent_and_mechanism_driver() -> None:
    sections = {group.name: members for group, members in conf.list_opts()}

    assert sections == {"dpm": list(conf.OPTIONS), "ml2_dpm": list(conf.SERVER_OPTIONS)}
