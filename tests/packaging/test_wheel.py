"""A wheel is enough: what it installs in an empty virtual environment builds images."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import sources
from tests.packaging import TOP

_CONSTRAINTS = TOP / "tools/constraints.txt"


def run(
    *command: object, succeeds: bool = True, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command away from the checkout."""
    done = subprocess.run(
        [str(word) for word in command],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables,
    )
    assert (done.returncode == 0) is succeeds, done.stdout[-2000:] + done.stderr[-2000:]
    return done


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a virtual environment that has the wheel, with its extra for images."""
    top = tmp_path_factory.mktemp("wheel")
    wheels, environment = top / "wheels", top / "environment"
    source = sources.copied(top / "source")
    run(sys.executable, "-m", "venv", environment)
    pip = (environment / "bin/python", "-m", "pip", "--quiet", "--disable-pip-version-check")
    limits = ("--constraint", _CONSTRAINTS, "--build-constraint", _CONSTRAINTS)
    if "--build-constraint" not in run(*pip, "install", "--help").stdout:
        run(*pip, "install", *limits[:2], "--upgrade", "pip")
    run(*pip, "wheel", *limits, "--no-deps", "--wheel-dir", wheels, source)
    shutil.rmtree(source)
    (wheel,) = wheels.iterdir()
    run(*pip, "install", *limits, f"nova-dpm[image] @ {wheel.as_uri()}")
    return environment / "bin"


def test_the_wheel_builds_the_same_image_as_the_checkout(programs: Path) -> None:
    """An image's key is made of all its inputs: elements, agent, units, programs, options."""
    keys = {}
    for place in (Path(sys.executable).parent, programs):
        said = run(place / "dpm-image", "build", "debian", "--dry-run").stdout
        (keys[place],) = set(re.findall(r"/build-(\w+)", said))

    assert len(set(keys.values())) == 1, keys
    assert str(TOP) not in said


def test_list_says_where_the_elements_of_the_wheel_are(programs: Path) -> None:
    said = run(programs / "dpm-image", "list").stdout

    (folder,) = re.findall(r"export ELEMENTS_PATH=(.*)", said)
    assert Path(folder).is_relative_to(programs.parent)
    assert (Path(folder) / "debian-dpm/element-deps").is_file()


def test_a_build_from_the_wheel_comes_as_far_as_the_packages_of_the_base_system(
    programs: Path, tmp_path: Path
) -> None:
    """By then the hooks of all elements are together; the image's key has the installed agent."""
    nowhere = "http://127.0.0.1:9/debian"

    run(
        *(programs / "dpm-image", "build", "debian"),
        succeeds=False,
        XDG_CACHE_HOME=str(tmp_path),
        DIB_DISTRIBUTION_MIRROR=nowhere,
    )

    (log,) = tmp_path.glob("nova-dpm/**/*.log")
    text = log.read_text(errors="replace")
    assert re.search(rf"Err:.* {nowhere}", text), text[-3000:]
    hooks = {line.split()[-1] for line in text.splitlines() if "Copying hooks /" in line}
    ours = {hook for hook in hooks if re.search("/elements/[a-z]*-?dpm", hook)}
    assert ours
    assert {hook for hook in ours if not hook.startswith(str(programs.parent))} == set()


def test_the_lab_of_the_wheel_boots_a_guest_with_the_agent(programs: Path) -> None:
    done = run(programs / "dpm-lab", "osa", "--nics", "1", "--", "dpm-guest", "configure")

    assert "0.0.0600" in done.stdout + done.stderr


def test_a_part_of_the_lab_that_lacks_its_libraries_says_what_to_install(programs: Path) -> None:
    done = run(programs / "dpm-lab", "hmc", "--port", "0", succeeds=False)

    assert done.stderr == (
        "dpm-lab hmc: needs trustme, which is not installed: pip install 'nova-dpm[lab]'\n"
    )


def test_neutron_finds_its_parts_in_the_wheel(programs: Path) -> None:
    """The names are those of networking-dpm 3.0.0 (its ``setup.cfg``)."""
    lists = """if True:
        from importlib.metadata import distribution
        for each in distribution("nova-dpm").entry_points:
            if each.value.startswith("networking_dpm."):
                print(each.group, each.name, each.value)
    """

    points = run(programs / "python", "-c", lists).stdout.splitlines()

    assert sorted(points) == [
        "console_scripts neutron-dpm-agent networking_dpm.agent.command:main",
        "neutron.ml2.mechanism_drivers dpm networking_dpm.ml2.mech_dpm:DPMMechanismDriver",
        "oslo.config.opts networking_dpm networking_dpm.conf:list_opts",
    ]
    for name in ("agent/command.py", "ml2/mech_dpm.py"):
        assert list(programs.parent.glob(f"lib/*/site-packages/networking_dpm/{name}"))
    unit = programs.parent / "share/nova-dpm/neutron-dpm-agent.service"
    assert unit.read_bytes() == (TOP / "etc/neutron-dpm-agent.service").read_bytes()
