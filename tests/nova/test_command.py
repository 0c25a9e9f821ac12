"""nova-compute as a command: a wrong option ends it at its start, and one sentence says why."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import multiprocessing.util
import os
import re
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dpm_lab.hmc import HmcProcess
from tests import sources
from tests.nova import nova_compute
from tests.nova.machine import HOST, adapter_id, options, write_conf

ROOT = Path(__file__).parents[2]
UNKNOWN = "00000000-0000-4000-8000-000000000000"

Hmcs = Callable[[str], HmcProcess]
Case = tuple[dict[str, Any], list[str]]


def closed_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def wrong_options() -> dict[str, Case]:
    """Return what differs from right options, and what the sentence names of it."""
    return {
        "no HMC": ({"hmc": None}, ["[dpm] hmc", "not set"]),
        "HMC with a port": ({"hmc": "127.0.0.1:6794"}, ["[dpm] hmc = 127.0.0.1:6794", "hmc_port"]),
        "port": ({"hmc_port": "high"}, ["[dpm] hmc_port = high"]),
        "no user": ({"hmc_username": None}, ["[dpm] hmc_username", "not set"]),
        "no password": ({"hmc_password": None}, ["[dpm] hmc_password", "not set"]),
        "wrong password": ({"hmc_password": "not-this-one"}, ["hmc_username and hmc_password"]),
        "unknown certificate": ({"hmc_ca_file": None}, ["certificate", "hmc_ca_file"]),
        "no such CA file": ({"hmc_ca_file": "/no/such/ca.pem"}, ["/no/such/ca.pem"]),
        "HMC unreachable": ({"hmc_port": closed_port()}, ["No HMC answers: tried 127.0.0.1 port"]),
        "no CPC": ({"cpc_object_id": None}, ["[dpm] cpc_object_id", "not set"]),
        "CPC by its name": ({"cpc_object_id": "Z13"}, ["[dpm] cpc_object_id = Z13"]),
        "unknown CPC": ({"cpc_object_id": UNKNOWN}, [f"cpc_object_id = {UNKNOWN}", "(Z13)"]),
        "no processors": ({"max_processors": None}, ["[dpm] max_processors", "not set"]),
        "zero processors": ({"max_processors": 0}, ["[dpm] max_processors = 0"]),
        "too many processors": (
            {"max_processors": 33},
            ["[dpm] max_processors = 33", "32 IFL processors", "Set it to 32 or less"],
        ),
        "little memory": ({"max_memory": 256}, ["[dpm] max_memory = 256"]),
        "too much memory": (
            {"max_memory": 1048577},
            ["[dpm] max_memory = 1048577", "1048576 MiB", "Set it to 1048576 or less"],
        ),
        "no storage port": (
            {"physical_storage_adapter_mappings": None},
            ["[dpm] physical_storage_adapter_mappings", "not set"],
        ),
        "storage port without port": (
            {"physical_storage_adapter_mappings": UNKNOWN},
            [f"physical_storage_adapter_mappings = {UNKNOWN}", "a colon, the port"],
        ),
        "unknown adapter": (
            {"physical_storage_adapter_mappings": f"{UNKNOWN}:0"},
            [f"physical_storage_adapter_mappings = {UNKNOWN}:0", "no such adapter"],
        ),
        "ignored WWPN": (
            {"target_wwpn_ignore_list": "50050768"},
            ["[dpm] target_wwpn_ignore_list", "50050768"],
        ),
        "time-out": ({"hmc_operation_timeout": 0}, ["[dpm] hmc_operation_timeout = 0"]),
    }


CASES = wrong_options()

_FORKS = multiprocessing.get_context("forkserver")
# Not the driver: its options have to come after the configuration was read, as they do.
_FORKS.set_forkserver_preload(["tests.nova.nova_compute", "zhmcclient"])
# Now: Nova's fixtures have temporary files in folders of their own, which go before the process.
multiprocessing.util.get_temp_dir()
# Starting a process reads the exit codes of those that have ended, too. A code can be read once;
# the thread that comes second takes it for 255 (CPython, multiprocessing/popen_forkserver.py).
_ONE_THREAD = threading.Lock()


@pytest.fixture(scope="module")
def hmc(hmcs: Hmcs) -> HmcProcess:
    """Return the HMC of a z13."""
    return hmcs("z13")


@pytest.fixture(scope="module")
def ends(
    hmc: HmcProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[tuple[int, str]]]]:
    """Return exit code and output of nova-compute for all cases; two run at a time."""
    folder = tmp_path_factory.mktemp("command")
    with ThreadPoolExecutor(2) as pool:
        yield {
            name: pool.submit(run, conf(hmc, folder / f"{number}.conf", differences))
            for number, (name, (differences, _)) in enumerate(CASES.items())
        }


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_option_ends_nova_compute_with_a_sentence(
    ends: dict[str, Future[tuple[int, str]]], hmc: HmcProcess, name: str
) -> None:
    code, output = ends[name].result()

    assert_ended_with(code, output, CASES[name][1], hmc.password)


def test_an_adapter_that_is_no_fcp_ends_nova_compute(hmc: HmcProcess, tmp_path: Path) -> None:
    osa = adapter_id(hmc.machines[0], "OSA-A")
    mappings = [f"{adapter_id(hmc.machines[0], 'FCP-A')}:0", f"{osa}:0"]

    code, output = run(
        conf(hmc, tmp_path / "n.conf", {"physical_storage_adapter_mappings": mappings})
    )

    named = [f"physical_storage_adapter_mappings = {osa}:0", "adapter OSA-A is of type osd"]
    assert_ended_with(code, output, named, hmc.password)


def test_a_cpc_that_is_not_in_dpm_mode_ends_nova_compute(hmc: HmcProcess, tmp_path: Path) -> None:
    hmc.control.set_properties(hmc.machines[0].uri, {"dpm-enabled": False})

    code, output = run(conf(hmc, tmp_path / "nova.conf"))

    hmc.control.reset()
    assert_ended_with(code, output, ["cpc_object_id", "Z13 is not in DPM mode"], hmc.password)


def test_a_cpc_that_is_down_ends_nova_compute(hmc: HmcProcess, tmp_path: Path) -> None:
    hmc.control.set_properties(hmc.machines[0].uri, {"status": "not-operating"})

    code, output = run(conf(hmc, tmp_path / "nova.conf"))

    hmc.control.reset()
    assert_ended_with(code, output, ["cpc_object_id", "is not-operating"], hmc.password)


def test_a_host_name_that_is_too_long_for_partitions_ends_nova_compute(
    hmc: HmcProcess, tmp_path: Path
) -> None:
    code, output = run(conf(hmc, tmp_path / "nova.conf", host="a-rather-long-name"))

    assert_ended_with(code, output, ["[DEFAULT] host = a-rather-long-name"], hmc.password)


@pytest.mark.parametrize("installed", ["editable", "wheel"])
def test_a_stock_nova_compute_loads_the_driver(
    hmc: HmcProcess, tmp_path: Path, installed: str
) -> None:
    place = ROOT if installed == "editable" else built_wheel(tmp_path / "wheel")
    hmc.control.reset()
    assert package_in(place) == place / "nova_dpm"

    process = start(conf(hmc, tmp_path / "nova.conf"), place)
    try:
        # Its checks are done when it has logged off; then it wants a conductor, which is not there.
        output = read_until(process, "Loading compute driver 'dpm.DPMDriver'", "MessagingTimeout")
    finally:
        process.kill()
        process.wait()

    assert "CRITICAL nova_dpm" not in output
    asked = [each.pattern for each in hmc.control.requests() if each.status in (200, 204)]
    assert "GET /api/cpcs/{}" in asked
    assert asked[-1].startswith("DELETE /api/sessions/")
    assert hmc.password not in output


def assert_ended_with(code: int, output: str, named: list[str], password: str) -> None:
    """Check exit code, sentence, and that there is neither a traceback nor the password."""
    sentences = re.findall(r"CRITICAL nova_dpm\.driver .*?nova-compute cannot start: (.*)", output)
    assert len(sentences) == 1, output
    for each in named:
        assert each in sentences[0]
    assert code == 1
    assert "Traceback" not in output
    assert password not in output


def conf(
    lab: HmcProcess, path: Path, differences: dict[str, Any] | None = None, host: str = HOST
) -> Path:
    """Write a nova.conf that is right but for `differences` in ``[dpm]``."""
    default = {
        "compute_driver": "dpm.DPMDriver",
        "host": host,
        "debug": True,
        "transport_url": "fake:/",
        "rpc_response_timeout": 1,
        "state_path": path.parent,
    }
    section = {**options(lab, lab.machines[0]), **(differences or {})}
    return write_conf(path, {"DEFAULT": default, "dpm": section})


def start(config: Path, place: Path = ROOT) -> subprocess.Popen[str]:
    """Start nova-compute, with the packages in `place` before those of the environment."""
    program = [sys.executable, str(Path(__file__).with_name("nova_compute.py"))]
    return subprocess.Popen(
        [*program, "--config-file", str(config)],
        env=environment(place),
        cwd=config.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(config: Path) -> tuple[int, str]:
    """Run nova-compute until it ends; return its exit code and what it wrote.

    It begins where a new one has imported what it needs, which takes longer than all the rest.
    """
    output = config.with_suffix(".log")
    process = _FORKS.Process(target=nova_compute.run, args=(str(config), str(output)))
    with _ONE_THREAD:
        process.start()
    multiprocessing.connection.wait([process.sentinel], 600)
    with _ONE_THREAD:
        code = process.exitcode
    assert code is not None, output.read_text()
    return code, output.read_text()


def read_until(process: subprocess.Popen[str], *wanted: str) -> str:
    """Read what a process writes until it has written all that is wanted, in this order."""
    assert process.stdout is not None
    lines: list[str] = []
    waiting = list(wanted)
    for line in process.stdout:
        lines.append(line)
        if waiting and waiting[0] in line:
            waiting.pop(0)
        if not waiting:
            break
    assert not waiting, "".join(lines)
    return "".join(lines)


def environment(place: Path) -> dict[str, str]:
    """Return the environment of a process that finds our packages in a folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    return {**kept, "PYTHONPATH": str(place), "PYTHONWARNINGS": "ignore"}


def package_in(place: Path) -> Path:
    """Return where such a process takes the driver from."""
    code = "import nova_dpm; print(nova_dpm.__path__[0])"
    command = [sys.executable, "-P", "-c", code]
    return Path(subprocess.check_output(command, env=environment(place), text=True).strip())


def built_wheel(folder: Path) -> Path:
    """Build the wheel of a copy of the sources, and return a folder that it is unpacked in."""
    wheels, site = folder / "wheels", folder / "site"
    copy = sources.copied(folder / "copy")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps"]
    subprocess.run([*command, "--wheel-dir", str(wheels), str(copy)], check=True)
    [wheel] = wheels.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site
