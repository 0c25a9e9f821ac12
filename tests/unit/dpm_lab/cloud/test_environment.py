"""What the services run in: pinned packages, Debian's programs, this project by links."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dpm_lab.cloud import environment
from dpm_lab.cloud.errors import CloudError
from dpm_lab.cloud.place import HOST, MACHINE, PORTS, Place
from dpm_lab.progress import Progress


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a cloud that was never up."""
    return Place.make(tmp_path / "cloud", HOST, [MACHINE], PORTS)


def _lines() -> list[str]:
    text = environment.CONSTRAINTS.read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _normal(line: str) -> str:
    return line.lower().replace("_", "-")


def test_each_package_has_one_exact_version() -> None:
    assert not [
        line for line in _lines() if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)
    ]
    names = [line.partition("==")[0].lower() for line in _lines()]
    assert len(names) == len(set(names))
    assert {"keystone", "glance", "nova", "neutron", "cinder", "openstack-placement"} <= set(names)


def test_what_it_has_of_nova_and_neutron_is_what_the_driver_is_tested_with() -> None:
    tested = Path(__file__).parents[4] / "tools/constraints.txt"
    pins = {_normal(line) for line in tested.read_text(encoding="utf-8").splitlines()}

    for name in ("nova", "neutron", "openstack-placement", "zhmcclient", "os-vif"):
        mine = {_normal(line) for line in _lines() if _normal(line).startswith(f"{name}==")}
        assert len(mine) == 1, name
        assert mine <= pins, f"{mine} is not what tools/constraints.txt has"


def test_other_packages_are_another_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = environment.folder()
    changed = tmp_path / "constraints.txt"
    changed.write_text("nova==35.0.0\n")
    monkeypatch.setattr(environment, "CONSTRAINTS", changed)

    assert environment.folder() != before
    assert environment.folder().parent == before.parent


@pytest.mark.slow
def test_an_environment_that_pip_could_not_finish_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")

    with pytest.raises(CloudError, match="pip cannot install"):
        environment.make(Progress(quiet=True))

    assert not environment.is_made()


def test_an_environment_in_which_a_cloud_runs_stays(tmp_path: Path) -> None:
    mine, used, unused = (tmp_path / f"environment-{name}" for name in ("mine", "used", "unused"))
    for each in (mine, used, unused):
        each.mkdir()
    (used / "python").symlink_to(sys.executable)
    with subprocess.Popen(
        [used / "python", "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as cloud:
        environment.remove_others(mine)
        cloud.communicate(b"\n")

    assert [each.exists() for each in (mine, used, unused)] == [True, True, False]

    environment.remove_others(mine)

    assert [each.exists() for each in (mine, used)] == [True, False]


def test_a_program_that_is_missing_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(environment, "search_path", lambda: str(tmp_path))
    monkeypatch.setattr(environment, "RABBITMQ", tmp_path / "rabbitmq-server")

    with pytest.raises(
        CloudError, match="mariadb-client-core mariadb-server-core qemu-utils rabbitmq-server"
    ):
        environment.check_programs()


def test_services_find_driver_and_mechanism_driver_by_the_links(place: Place) -> None:
    links = environment.link_ours(place)
    code = """
from importlib.metadata import entry_points, version
import dpm_lab
print(version("nova-dpm"), dpm_lab.__path__[0])
for group in ("os_vif", "neutron.ml2.mechanism_drivers"):
    print(*(point.value for point in entry_points(group=group, name="dpm")))
"""
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-c", f"import sys; sys.path.insert(0, {str(links)!r})\n{code}"],
        check=True,
        capture_output=True,
        text=True,
    )

    first, driver, mechanism = done.stdout.splitlines()
    assert first.endswith(str(links / "dpm_lab"))
    assert driver == "nova_dpm.import_hook:DpmPlugin"
    assert mechanism == "networking_dpm.ml2.mech_dpm:DPMMechanismDriver"


def test_links_that_are_right_are_left_alone(place: Place) -> None:
    links = environment.link_ours(place)
    before = links.stat().st_ino

    assert environment.link_ours(place).stat().st_ino == before
    (links / "nova_dpm").unlink()
    environment.link_ours(place)
    assert (links / "nova_dpm").is_dir()


def test_services_get_nothing_of_the_callers_environment(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example.com")

    found = environment.variables(place)

    assert "https_proxy" not in found
    assert found[environment.MARK] == str(place.folder)
    assert sys.executable not in found.values()
