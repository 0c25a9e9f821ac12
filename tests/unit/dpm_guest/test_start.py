"""What the agent imports: it starts in every boot, on machines where Python starts slowly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "argparse", "asyncio", "collections", "copy", "ctypes", "dataclasses", "enum", "functools",
    "inspect", "json", "logging", "pathlib", "pyudev", "re", "shutil", "socket",
    "subprocess", "tempfile", "threading", "typing",
}  # fmt: skip


def imported(*words: str) -> set[str]:
    """The modules that a run of the agent imports beyond a bare interpreter's."""
    script = (
        "import sys; before = set(sys.modules); from dpm_guest.__main__ import main;"
        "code = main(sys.argv[1:]); print('', *sorted(set(sys.modules) - before), sep='\\n@')"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path.insert(0, {str(TOP)!r}); {script}",
            *words,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return {line[1:] for line in done.stdout.splitlines() if line.startswith("@")}


TOP = Path(__file__).parents[3]


@pytest.fixture
def empty_tree(tmp_path: Path) -> list[str]:
    (tmp_path / "cmdline").write_text("ro 0600,0;\n")
    return [
        "--cmdline",
        str(tmp_path / "cmdline"),
        "--sysfs",
        str(tmp_path),
        "--procfs",
        str(tmp_path),
    ]


def test_status_and_setmac_import_nothing_heavy(empty_tree: list[str]) -> None:
    assert imported("status", *empty_tree) & HEAVY == set()
    assert imported("setmac", "0600", "--dry-run", *empty_tree) & HEAVY == set()


def test_configure_imports_nothing_heavy_when_there_is_nothing_to_do(tmp_path: Path) -> None:
    (tmp_path / "cmdline").write_text("ro\n")

    found = imported("configure", "--dry-run", "--cmdline", str(tmp_path / "cmdline"))

    assert found & HEAVY == set()
