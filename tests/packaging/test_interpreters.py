"""The agent under the Pythons of EL: one as old as RHEL 9's, one newer than RHEL 10's."""

from __future__ import annotations

import re

import pytest

from tests.packaging import roots

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=[roots.OLD, roots.NEW])
def root(request: pytest.FixtureRequest) -> roots.Root:
    return roots.get(request.param)


def test_the_unit_tests_of_the_agent_pass(root: roots.Root) -> None:
    # Left out: units and rules, which test the machine's systemd, not the interpreter.
    done = root.run(
        "env", "--chdir=/src", "python3", "-m", "pytest", "-q", "-p", "no:cacheprovider",
        "--ignore=tests/unit/dpm_guest/test_units.py", "tests/unit/dpm_guest",
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(r"\d{3,} passed in .*", done.stdout.splitlines()[-1]), done.stdout


def test_the_agent_hears_udev_through_this_pyudev(root: roots.Root) -> None:
    done = root.run(
        "env", "PYTHONPATH=/src", "timeout", "300", "python3", "/src/tests/packaging/hears_udev.py"
    )

    assert done.returncode == 0, done.stdout + done.stderr
    python, pyudev = done.stdout.split()
    if root.kind == roots.OLD:
        assert (python, pyudev) == ("3.9", "0.22.0")
    else:
        assert [int(part) for part in python.split(".")] >= [3, 12]
        assert [int(part) for part in pyudev.split(".")] >= [0, 24]
