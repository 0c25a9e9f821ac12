"""The cloud itself: where it listens, what a process list shows, what its command says."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

import psutil
import pytest

from dpm_lab.__main__ import main
from dpm_lab.cloud import processes
from dpm_lab.cloud.services import SERVICES, here
from tests.cloud.user import User

pytestmark = pytest.mark.slow


def _processes(user: User) -> list[psutil.Process]:
    return [each for one in SERVICES for each in processes.members(user.place, one.name)]


def test_all_services_but_epmd_listen_on_its_address_only(user: User) -> None:
    pids = {each.pid for each in _processes(user)}

    listening = {
        tuple(each.laddr)
        for each in psutil.net_connections("inet")
        if each.status == psutil.CONN_LISTEN and each.pid in pids
    }

    place = user.place
    assert listening == {
        *((place.host, port) for name, port in place.ports.items() if name != "epmd"),
        # Erlang's epmd adds these itself, whatever address it is told.
        *((host, place.ports["epmd"]) for host in ("127.0.0.1", "::1")),
    }


def test_no_process_list_shows_a_secret(user: User) -> None:
    hidden = [*vars(user.place.secrets).values(), user.place.hmc_password.read_text().strip()]

    shown: list[str] = []
    for each in _processes(user):
        with suppress(psutil.NoSuchProcess):  # some live for a moment only
            shown += each.cmdline()

    assert shown
    assert not [word for word in shown if any(each in word for each in hidden)]


def test_all_services_take_less_memory_than_the_documents_say(user: User) -> None:
    total = sum(processes.memory(user.place, each.name) for each in SERVICES)

    assert 1_000_000_000 < total < 2_700_000_000


def test_status_says_that_all_answer(user: User, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cloud", "--folder", str(user.place.folder), "status"]) == 0

    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [row[:2] for row in rows] == [[each.name, "answers"] for each in here(user.place)]


def test_status_says_which_service_has_died(user: User, capsys: pytest.CaptureFixture[str]) -> None:
    user.kill("neutron-periodic-workers")

    assert main(["cloud", "--folder", str(user.place.folder), "status"]) == 1

    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [row[0] for row in rows if row[1] == "ended"] == ["neutron-periodic-workers"]


def test_a_shell_that_sources_its_file_reaches_nova_and_the_hmc(user: User) -> None:
    script = (
        f"eval \"$({sys.executable} -m dpm_lab cloud --folder '{user.place.folder}' env)\"\n"
        "openstack hypervisor list -f value -c 'Hypervisor Hostname' && zhmc cpc list --names-only"
    )

    done = subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True)

    assert "host1" in done.stdout.split()
    assert "Z16" in done.stdout.split()


def test_a_command_in_the_clouds_shell_has_its_own_exit_status(user: User) -> None:
    command = [sys.executable, "-m", "dpm_lab", "cloud", "shell", "--folder"]
    words = ["sh", "-c", "openstack --version && zhmc cpc list --names-only; exit 3"]

    done = subprocess.run(
        [*command, str(user.place.folder), *words], capture_output=True, text=True, check=False
    )

    assert done.returncode == 3, done.stderr
    assert {"openstack", "Z16"} <= set(done.stdout.split())
