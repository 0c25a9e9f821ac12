"""Hooks and programs of the elements with EL 9's programs: coreutils 8.32, bash 5.1, Python 3.9.

What runs in an image's root runs with what that has. No architecture matters to it, so its tests
run once more in a system as old as EL 9.
"""

from __future__ import annotations

import pytest

from tests.packaging import TOP, roots

pytestmark = pytest.mark.slow

#: Of the machine that builds, which is never that old, and why.
BUILDER = {
    "debian.bats": "hooks beside mmdebstrap",
    "rhel-check.bats": "what is looked at before anything begins",
    "size.bats": "the size of a root, from outside",
    "stand-ins.bats": "programs for a kernel without device-mapper",
}


@pytest.fixture(scope="module")
def root() -> roots.Root:
    return roots.get(roots.HOOKS)


def test_the_system_has_the_programs_of_el_9(root: roots.Root) -> None:
    # What a file's device is with %Hd:%Ld came with coreutils 9.0 (its NEWS).
    done = root.run("sh", "-c", "stat -c %Hd:%Ld /; mke2fs -V 2>&1; python3 -V; bash --version")

    assert done.returncode == 0, done.stderr
    first, *versions = done.stdout.splitlines()
    assert first == "?d:?d"
    assert versions[0].startswith("mke2fs 1.46.")
    assert "Python 3.9." in done.stdout
    assert "version 5.1." in done.stdout


def test_hooks_and_programs_do_their_work_with_the_programs_of_el_9(root: roots.Root) -> None:
    files = sorted(path.name for path in (TOP / "tests/elements").glob("*.bats"))

    done = root.run(
        *("env", "--chdir=/src", "bats", "--print-output-on-failure"),
        *(f"tests/elements/{name}" for name in files if name not in BUILDER),
    )

    assert BUILDER.keys() <= set(files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nok ") > 50
