"""A cloud's folder: what is secret, what stays, what goes."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from dpm_lab import cache
from dpm_lab.__main__ import main
from dpm_lab.cloud import command, configuration, things, wires
from dpm_lab.cloud.api import openrc
from dpm_lab.cloud.environment import variables
from dpm_lab.cloud.errors import CloudError
from dpm_lab.cloud.machine import wiring
from dpm_lab.cloud.place import HOST, MACHINE, PORTS, Host, Place
from dpm_lab.cloud.services import BY_NAME, DATABASES, SERVICES, USERS, here, services
from dpm_lab.hmc.errors import MachineError


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a cloud that was never up, with its HMC's password."""
    made = Place.make(tmp_path / "cloud", HOST, [MACHINE], PORTS)
    made.of("hmc").mkdir()
    made.hmc_password.write_text("hmc-secret")
    return made


def _secrets(place: Place) -> set[str]:
    hidden = place.secrets
    service = {hidden.admin, hidden.service, hidden.database, hidden.bus, hidden.metadata}
    return {*service, place.hmc_password.read_text()}


def test_it_is_read_as_it_was_made(place: Place) -> None:
    assert Place.read(place.folder) == place


def test_two_clouds_have_no_password_in_common(place: Place, tmp_path: Path) -> None:
    other = Place.make(tmp_path / "other", HOST, [MACHINE], PORTS)

    assert vars(other.secrets).values() != vars(place.secrets).values()
    assert not set(vars(other.secrets).values()) & set(vars(place.secrets).values())


def test_two_addresses_share_no_port_that_a_machine_has_once(tmp_path: Path) -> None:
    made = [Place.make(tmp_path / host, host, [MACHINE], {}) for host in (HOST, "127.0.0.20")]

    assert made[0].ports == PORTS
    assert {name for name in PORTS if made[0].ports[name] != made[1].ports[name]} == {
        "epmd",
        "erlang",
    }


def test_a_port_that_is_chosen_is_taken(tmp_path: Path) -> None:
    made = Place.make(tmp_path / "cloud", "127.0.0.20", [MACHINE], {"epmd": 4369})

    assert made.ports["epmd"] == 4369


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis").write_text("")

    with pytest.raises(CloudError, match="no cloud"):
        Place.make(tmp_path, HOST, [MACHINE], PORTS)

    assert (tmp_path / "thesis").exists()


def test_files_that_hold_a_secret_are_for_their_owner_only(place: Place, tmp_path: Path) -> None:
    configuration.write(place, tmp_path / "environment")

    with_secret = [
        path
        for path in place.folder.rglob("*")
        if path.is_file() and any(each in path.read_text() for each in _secrets(place))
    ]
    names = {path.name for path in with_secret}
    assert {"secrets.json", "nova.conf", "rabbitmq.conf", "dpm-agent.conf"} <= names
    open_to_others = {
        path.name for path in with_secret if stat.S_IMODE(path.stat().st_mode) & 0o077
    }
    assert open_to_others - {"password"} == set()
    assert stat.S_IMODE(place.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("service", SERVICES, ids=lambda each: each.name)
def test_no_secret_is_in_a_process_list(place: Place, service: object) -> None:
    each = BY_NAME[service.name]  # type: ignore[attr-defined]
    shown = [*each.command(place), *variables(place).values(), *each.variables(place).values()]

    assert not [word for word in shown if any(hidden in word for hidden in _secrets(place))]


def test_nova_compute_cannot_reach_the_database(place: Place, tmp_path: Path) -> None:
    files = configuration.files(place, tmp_path)

    for name in ("nova/nova.conf", "nova/compute.conf", "neutron/dpm-agent.conf"):
        assert "database" not in files[name]
        assert place.secrets.database not in configuration.text(files[name])


def test_each_machine_is_a_host_with_options_of_its_own(tmp_path: Path) -> None:
    made = Place.make(tmp_path / "cloud", HOST, ["z16", "z13"], PORTS, boot=True)
    made.of("hmc").mkdir()
    made.hmc_password.write_text("hmc-secret")

    files = configuration.files(Place.read(made.folder), tmp_path)

    computes = [files["nova/compute.conf"], files["nova/compute-2.conf"]]
    agents = [files["neutron/dpm-agent.conf"], files["neutron/dpm-agent-2.conf"]]
    assert [each["DEFAULT"]["host"] for each in computes] == ["host1", "host2"]
    assert [each["DEFAULT"]["host"] for each in agents] == ["host1", "host2"]
    assert len({each["dpm"]["cpc_object_id"] for each in computes}) == 2
    assert len({each["DEFAULT"]["state_path"] for each in computes}) == 2
    # One network outside, and HiperSockets that end with their machine.
    flat = files["neutron/ml2.conf"]["ml2_type_flat"]["flat_networks"]
    assert flat == "physnet1,physnet2,physnet3"
    assert "physnet1:Z16/OSA-A.0" in str(files["neutron/dhcp-agent.conf"]["lab"]["segments"])
    names = [each.name for each in services(made)]
    assert names[-2:] == ["nova-compute-2", "neutron-dpm-agent-2"]


@pytest.mark.skipif(bool(wires.obstacle()), reason=f"no networks here: {wires.obstacle()}")
def test_osas_of_several_machines_lead_to_one_network(tmp_path: Path) -> None:
    made = Place.make(tmp_path / "cloud", HOST, ["z16", "z13", "z17"], PORTS, boot=True)

    words = BY_NAME["hmc"].command(made)

    told = [words[at + 1] for at, each in enumerate(words) if each == "--cable"]
    assert told == ["Z13/OSA-A.0=Z16/OSA-A.0", "Z17/OSA-A.0=Z16/OSA-A.0"]


def test_a_cloud_of_before_has_its_one_machine(place: Place) -> None:
    settings = json.loads(place.of("cloud.json").read_text())
    settings["machine"] = settings.pop("machines")[0]
    place.of("cloud.json").write_text(json.dumps(settings))

    assert Place.read(place.folder) == place


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--machine", "z16", "--machine", "z16"], "each once"),
        (["--machine", "z13"], f"has --machine {MACHINE}"),
        (["--machine", MACHINE, "--machine", "z13"], f"has --machine {MACHINE}"),
    ],
)
def test_machines_that_cannot_be_had_are_refused(
    place: Place, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cloud", "--folder", str(place.folder), "up", *words]) == 2

    assert said in capsys.readouterr().err


def test_an_option_with_several_values_is_written_several_times() -> None:
    text = configuration.text({"dpm": {"max_memory": 1, "mapping": ("a", "b")}})

    assert text == "[dpm]\nmax_memory = 1\nmapping = a\nmapping = b\n"


def test_each_service_waits_for_what_comes_before_it() -> None:
    done = {DATABASES, USERS}
    for service in SERVICES:
        assert set(service.after) <= done | set(BY_NAME), service.name
    rest = list(SERVICES)
    while rest:
        ready = [each for each in rest if set(each.after) <= done]
        assert ready, f"they wait for each other: {[each.name for each in rest]}"
        done |= {each.name for each in ready}
        rest = [each for each in rest if each not in ready]


def test_a_cloud_of_before_has_the_usual_port_of_what_is_new(place: Place) -> None:
    settings = json.loads(place.of("cloud.json").read_text())
    del settings["ports"]["metadata"]
    place.of("cloud.json").write_text(json.dumps(settings))

    assert Place.read(place.folder).ports == place.ports


def test_ports_differ_and_each_is_of_one_service() -> None:
    assert len(set(PORTS.values())) == len(PORTS)
    assert sorted(name for each in SERVICES for name in each.ports) == sorted(PORTS)


@pytest.mark.parametrize("machine", ["z14", "z16", "z17"])
def test_a_machine_of_the_lab_has_storage_and_networks(machine: str) -> None:
    found = wiring(Host(1, machine))

    assert len(found.storage_ports) == 2
    assert set(found.networks) == {"physnet1", "physnet2"}
    assert len({*found.networks.values(), *found.storage_ports}) == 4


def test_no_cloud_has_a_machine_that_is_not_there() -> None:
    with pytest.raises(MachineError, match="no machine 'z99'"):
        wiring(Host(1, "z99"))


@pytest.mark.skipif(os.geteuid() != 0, reason="the demo is root's")
@pytest.mark.parametrize("words", [["cloud", "up"], ["demo"]], ids=" ".join)
def test_a_machine_that_is_not_there_makes_no_cloud(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--folder", str(tmp_path / "cloud"), "--machine", "z99"]) == 1

    assert "no machine 'z99'" in capsys.readouterr().err
    assert not (tmp_path / "cloud").exists()


def test_a_shell_gets_the_addresses_and_the_password(place: Place) -> None:
    text = openrc(place, "/venv")

    assert f"export OS_AUTH_URL='http://{HOST}:5000/v3'" in text
    assert f"export OS_PASSWORD='{place.secrets.admin}'" in text
    assert "hmc-secret" not in text


def test_a_cloud_keeps_its_address_until_it_is_purged(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["cloud", "--folder", str(place.folder), "up", "--host", "127.0.0.99"]

    assert main(words) == 2

    cure = f"'dpm-lab cloud --folder {place.folder} down --purge' first"
    assert f"has --host {HOST}; {cure}" in capsys.readouterr().err


def test_a_cloud_whose_servers_boot_does_so_until_it_is_purged(tmp_path: Path) -> None:
    made = Place.make(tmp_path / "cloud", HOST, [MACHINE], PORTS, boot=True)

    found = Place.read(made.folder)

    assert found.boot
    words = BY_NAME["hmc"].command(found)
    assert words[words.index("--boot") + 1 :] == ["--disks", str(found.storage)]


def test_a_cloud_whose_servers_boot_nothing_stays_one(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--boot" not in BY_NAME["hmc"].command(place)

    assert main(["cloud", "--folder", str(place.folder), "up", "--boot"]) == 2
    assert "down --purge' first" in capsys.readouterr().err
    assert main(["cloud", "--folder", str(place.folder), "up", "--image", "x.qcow2"]) == 2
    assert "--image without --boot" in capsys.readouterr().err


def test_an_image_that_is_no_qcow2_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "image.qcow2"
    image.write_text("a thesis")

    words = ["--folder", str(tmp_path / "cloud"), "up", "--boot", "--image", str(image)]
    assert main(["cloud", *words]) != 0

    assert "not qcow2" in capsys.readouterr().err
    assert not (tmp_path / "cloud" / "log").exists()


def test_the_newest_image_of_the_cache_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert things.newest_image() is None
    images = cache.folder("images")
    images.mkdir(parents=True)
    for age, name in (
        (0, "rhel-dpm-1.qcow2"),
        (2, "debian-dpm-1.qcow2"),
        (1, "debian-dpm-0.qcow2"),
    ):
        (images / name).touch()
        os.utime(images / name, (1000 - age, 1000 - age))

    assert things.newest_image() == images / "debian-dpm-0.qcow2"


@pytest.mark.parametrize("text", ["nova", "nova=", "nova=0", "nova=65536", "swift=8080", "nova=x"])
def test_a_port_that_is_none_is_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cloud", "--folder", str(tmp_path / "c"), "up", "--port", text]) == 2

    assert f"--port {text}: it is NAME=N" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("action", ["down", "status", "logs", "env"])
def test_without_a_cloud_one_is_told_how_to_make_it(
    action: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cloud", "--folder", str(tmp_path), action]) == 1

    assert f"no cloud in {tmp_path}; 'dpm-lab cloud up' makes one" in capsys.readouterr().err


def test_purge_removes_the_folder(place: Place) -> None:
    assert main(["cloud", "--folder", str(place.folder), "down", "--purge"]) == 0

    assert not place.folder.exists()


def test_status_of_a_cloud_that_is_down_says_so(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cloud", "--folder", str(place.folder), "status"]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        [each.name, "stopped"] for each in here(place)
    ]


def test_the_first_commands_name_what_there_is(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    command._introduce(place, {"name": "rhel-dpm", "virtual_size": 2**30 + 1})

    said = capsys.readouterr().out
    assert f". {place.of('openrc')}" in said
    assert "--image rhel-dpm --size 2" in said
    assert "\033" not in said
