"""``neutron-dpm-agent`` as a program: it starts, runs on, and ends when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hmc.agent.conftest import Bench

#: Nobody listens there; a call waits for its bus for ever, as each agent of Neutron does.
NO_BUS = "rabbit://guest:guest@127.0.0.1:9/"


@contextmanager
def program(config: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the agent, and end it by force if nothing else has."""
    command = [sys.executable, "-m", "networking_dpm.agent.command", f"--config-file={config}"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def with_bus(config: Path, url: str) -> Path:
    config.write_text(config.read_text().replace("[DEFAULT]", f"[DEFAULT]\ntransport_url = {url}"))
    return config


def wait_for(log: Path, text: str) -> str:
    """Wait until a text is in the log; the test's own time-out ends it."""
    for _ in range(600):
        if text in log.read_text():
            return log.read_text()
        time.sleep(0.2)
    raise AssertionError(log.read_text())


def test_it_runs_on_without_a_bus_finds_what_there_is_and_ends_with_its_session(
    z16: Bench,
) -> None:
    config = with_bus(z16.write(f"physnet1:{z16.adapter('OSA-A')}:1"), NO_BUS)
    log = z16.folder / "log"
    z16.hmc.control.reset_log()

    with program(config, log) as agent:
        wait_for(log, "on port 1 of adapter OSA-A (osd)")
        wait_for(log, "Connection refused")
        assert agent.poll() is None
        resident = Path(f"/proc/{agent.pid}/status").read_text()
        os.kill(agent.pid, signal.SIGTERM)
        assert agent.wait(60) == 0

    methods = [each.method for each in z16.hmc.control.requests() if "sessions" in each.uri]
    assert methods == ["POST", "DELETE"]
    kilobytes = next(line.split()[1] for line in resident.splitlines() if "VmRSS" in line)
    assert int(kilobytes) < 100 * 1024, "Neutron is imported, or something as large"


def test_that_certificates_are_not_verified_is_said(z16: Bench) -> None:
    written = z16.write(f"a:{z16.adapter('OSA-A')}", hmc_verify_certificate=False, hmc_ca_file=None)
    log = z16.folder / "log"

    with program(with_bus(written, NO_BUS), log):
        said = wait_for(log, "adapter OSA-A (osd)")

    assert said.count("whoever answers at the HMC's address is given the password") == 1


def test_options_that_are_wrong_end_it_with_one_sentence(z16: Bench) -> None:
    log = z16.folder / "log"

    with program(z16.write("physnet1:no-id"), log) as agent:
        assert agent.wait(120) == 1

    [line] = [each for each in log.read_text().splitlines() if "CRITICAL" in each]
    assert "neutron-dpm-agent cannot start: [dpm] physical_network_adapter_mappings" in line
    assert z16.hmc.password not in log.read_text()


def test_a_message_bus_that_is_none_ends_it_with_one_sentence(z16: Bench) -> None:
    log = z16.folder / "log"
    config = with_bus(z16.write(f"a:{z16.adapter('OSA-A')}"), "nonsense://x")

    with program(config, log) as agent:
        assert agent.wait(120) == 1

    assert "cannot start: [DEFAULT] transport_url" in log.read_text()
