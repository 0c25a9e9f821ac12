"""The programs in tools/ that make a checkout ready and check it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

TOP = Path(__file__).parents[2]
#: Loopback, and nobody listens there: whatever leaves the machine by it is refused at once.
NO_NETWORK = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}

SEEDS = ("pip", "setuptools")


def pins() -> dict[NormalizedName, str]:
    lines = (TOP / "tools/constraints.txt").read_text().splitlines()
    pairs = [line.partition("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, _, version in pairs}


def wanted() -> dict[str, Requirement]:
    """What setup.cfg names for .venv, without our own extras."""
    setup = ConfigParser()
    setup.read(TOP / "setup.cfg")
    extras = setup["options.extras_require"]
    lines = [setup["options"]["install_requires"], *extras.values()]
    found = [Requirement(line) for text in lines for line in text.split("\n") if line]
    return {f"{each} of {each.name}": each for each in found if each.name != "nova-dpm"}


@pytest.mark.parametrize("requirement", wanted().values(), ids=wanted().keys())
def test_all_that_setup_cfg_names_is_pinned_within_its_bounds(requirement: Requirement) -> None:
    assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_what_is_installed_here_has_the_pinned_version() -> None:
    """But for pip and setuptools, which are in an environment (tox's) before anything is asked."""
    installed = {
        canonicalize_name(each.metadata["Name"]): each.version for each in metadata.distributions()
    }
    pinned = {name: version for name, version in pins().items() if name not in SEEDS}

    assert {name: installed.get(name, version) for name, version in pinned.items()} == pinned


def test_the_driver_takes_zhmcclients_to_come_and_the_lab_needs_none() -> None:
    """Both are built on what is documented: the driver of zhmcclient, the lab of the API itself."""
    setup = ConfigParser()
    setup.read(TOP / "setup.cfg")
    extras = setup["options.extras_require"]
    [taken] = [
        Requirement(line) for line in extras["driver"].split("\n") if line.startswith("zhmcclient")
    ]

    assert taken.specifier.contains("1.99")
    assert "zhmcclient" not in extras["lab"]
    inside = re.compile(r"zhmcclient(_mock|\.mock|[a-z_.]*\._)")
    files = [*(TOP / "nova_dpm").rglob("*.py"), *(TOP / "dpm_hmc").rglob("*.py")]
    assert [file.name for file in files if inside.search(file.read_text())] == []
    lab = (TOP / "dpm_lab").rglob("*.py")
    assert [
        file.name
        for file in lab
        if re.search("import zhmcclient|from zhmcclient", file.read_text())
    ] == []


@pytest.mark.slow
def test_a_version_that_cannot_be_had_is_one_line_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    shutil.copy(TOP / "tools/install-python", tmp_path / "tools")
    (tmp_path / "tools/constraints.txt").write_text("pip==0.0.1\n")

    own = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}  # tox's

    done = subprocess.run(
        [tmp_path / "tools/install-python"],
        env={**own, "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert "asks for pip==0.0.1, which the package index does not have" in line
    assert line.endswith("run tools/update-constraints")


@pytest.fixture
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", TOP / "tools/audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_a_network_the_audit_says_so_in_one_line_and_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / ".venv").mkdir()
    shutil.copy(TOP / "tools/audit.py", tmp_path / "tools")
    (tmp_path / "tools/constraints.txt").write_text("pyudev==0.24.1\n")
    command = [sys.executable, str(tmp_path / "tools/audit.py")]

    done = [
        subprocess.run(
            command, env={**os.environ, **env}, capture_output=True, text=True, check=True
        )
        for env in (NO_NETWORK, {"PATH": "/nowhere"})
    ]

    [line] = done[0].stdout.splitlines()
    assert line.startswith("skipped known vulnerabilities: pip-audit: requests.exceptions.Proxy")
    assert done[1].stdout == done[0].stdout, "it asks once a day"


#: As pip-audit 2.10 writes it.
GOOD = {"name": "idna", "version": "3.20", "vulns": []}
FIXED = {
    "name": "jinja2",
    "version": "3.1.5",
    "vulns": [{"id": "GHSA-cpwx", "fix_versions": ["3.1.6"], "aliases": [], "description": ""}],
}
UNFIXED = {
    "name": "py",
    "version": "1.11.0",
    "vulns": [{"id": "PYSEC-2022-42969", "fix_versions": [], "aliases": [], "description": ""}],
}
UNKNOWN = {"name": "alembic", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([GOOD], 0, ["ok      known vulnerabilities"]),
        (
            [GOOD, FIXED],
            1,
            [
                "jinja2 3.1.5: GHSA-cpwx, fixed in 3.1.6",
                "FAILED  known vulnerabilities; run tools/update-constraints",
            ],
        ),
        (
            [GOOD, UNFIXED, UNKNOWN],
            0,
            [
                "ok      known vulnerabilities; py 1.11.0: PYSEC-2022-42969, not fixed yet; "
                "1 of 3 packages are not in the database"
            ],
        ),
        ([UNKNOWN], 0, ["skipped known vulnerabilities: the database has none of 1"]),
    ],
)
def test_the_audit_fails_on_what_an_update_fixes(
    audit: ModuleType, packages: list[dict[str, Any]], status: int, said: list[str]
) -> None:
    report = json.loads(json.dumps({"dependencies": packages, "fixes": []}))

    assert audit.judge(report) == ("\n".join(said), status)


def test_each_folder_of_tests_is_run_once_and_the_unit_tests_are_chosen_in_one_place() -> None:
    folders = {path.parent.relative_to(TOP).parts[1] for path in TOP.glob("tests/*/**/test_*.py")}
    run = (TOP / "tools/run-tests").read_text() + (TOP / "tools/unit-tests").read_text()

    assert sorted(re.findall(r"tests/(\w+)", run.replace("tests/elements", ""))) == sorted(folders)
    for file in ("Makefile", "tox.ini"):
        text = (TOP / file).read_text()
        assert "tools/unit-tests --fast" in text, file
        assert "pytest" not in text.replace(".pytest_cache", ""), file


@pytest.mark.skipif(os.geteuid() != 0, reason="setup calls sudo, which may ask for a password")
@pytest.mark.parametrize("failures", [1, 9])
def test_a_package_that_the_archive_lacks_is_asked_for_twice_and_named(
    failures: int, tmp_path: Path
) -> None:
    """With a fake apt-get, whose install fails so often; what comes after is not reached."""
    lack = "E: Failed to fetch http://archive.example/pool/z/zstd.deb  404  Not Found"
    fakes = {
        "dpkg-query": "exit 1",
        "apt-get": f'echo "$*" >>"$ASKED"\n[[ $* == *install* ]] || exit 0\n'
        f'[ "$(grep -c install "$ASKED")" -le {failures} ] || exit 0\n'
        f'echo "a hundred lines"; echo "{lack}" >&2; exit 100',
        "sha256sum": "echo stop >&2; kill $PPID",
    }
    for name, script in fakes.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / name).chmod(0o755)
    asked = tmp_path / "asked"
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "ASKED": str(asked)}

    done = subprocess.run(
        [TOP / "tools/setup"], env=environment, capture_output=True, text=True, check=False
    )

    said = done.stderr.splitlines()[1:]  # the first names the packages
    again = "setup: apt-get install failed; once more"
    assert sum(" install " in line for line in asked.read_text().splitlines()) == 2
    assert said[:1] == [again]
    if failures == 1:
        assert lack not in said
        assert "stop" in said
    else:
        assert said[1] == lack
        assert said[2].startswith("setup: apt-get install -y --no-install-recommends ")
        assert done.returncode == 1
