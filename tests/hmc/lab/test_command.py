"""``dpm-lab hmc``, certificates, machine files, and a process that eventlet has patched."""

from __future__ import annotations

import os
import re
import signal
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import zhmcclient

from dpm_lab.cloud.api import Web
from dpm_lab.cloud.errors import ApiError
from dpm_lab.hmc import HmcProcess, HmcServer, Machine
from dpm_lab.hmc.errors import MachineError, StartError
from tests.foreground import FOREGROUND
from tests.hmc.lab.client import Lab


def test_the_command_says_how_to_reach_it_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dpm_lab", "hmc", "--port", "0", "--stomp-port", "0", "-v"]
    command += ["--machine", "z13", "--folder", str(tmp_path), "--log", str(tmp_path / "log")]
    fault = "POST /api/cpcs/.*/partitions status status=409 reason=2"
    with (
        subprocess.Popen(
            [*command, "--fault", fault], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
        ExitStack() as stack,
    ):
        stack.callback(process.kill)  # a test that fails here would wait for it for ever
        assert process.stdout is not None
        said = ""
        while "Ctrl-C" not in said:
            said += process.stdout.readline()
        found = re.search(r"https://([\d.]+):(\d+)", said)
        assert found is not None
        session = zhmcclient.Session(
            found[1],
            "labuser",
            (tmp_path / "password").read_text(),
            port=int(found[2]),
            verify_cert=str(tmp_path / "ca.pem"),
        )
        cpc = zhmcclient.Client(session).cpcs.list()[0]
        with pytest.raises(zhmcclient.HTTPError, match="409,2"):
            cpc.partitions.create({"name": "web"})
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=120)

    assert process.returncode == 130
    assert f"cpc_object_id = {cpc.uri.rpartition('/')[2]}" in said
    assert "hmc_username = labuser" in said
    assert "POST /api/sessions" in log
    assert (tmp_path / "password").read_text() not in said + log
    assert "409" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("ignored", "number"),
    [
        # As a shell without job control starts `dpm-lab hmc &`.
        ("INT", signal.SIGINT),
        ("", signal.SIGINT),
        ("", signal.SIGTERM),
        ("", signal.SIGHUP),
    ],
)
def test_a_signal_ends_it_and_is_its_exit_status(
    tmp_path: Path, ignored: str, number: signal.Signals
) -> None:
    with _started(tmp_path, ignored) as process:
        process.send_signal(number)
        process.communicate(timeout=120)

    assert process.returncode == 128 + number
    assert list(tmp_path.iterdir()) == []  # its temporary folder


def test_sighup_that_is_ignored_on_entry_does_not_end_it(tmp_path: Path) -> None:
    with _started(tmp_path, "HUP") as process:
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)

    assert process.returncode == 128 + signal.SIGTERM


def test_it_answers_nobody_between_two_signals_and_then_everybody_again(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dpm_lab", "hmc", "--port", "0", "--stomp-port", "0"]
    command += ["--machine", "z13", "--folder", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            said = ""
            while "Ctrl-C" not in said:
                said += process.stdout.readline()
            (address,) = re.findall(r"https://[\d.]+:\d+", said)
            seen = [_answers(address, tmp_path, wanted=True)]
            process.send_signal(signal.SIGUSR1)
            seen.append(_answers(address, tmp_path, wanted=False))
            process.send_signal(signal.SIGUSR2)
            seen.append(_answers(address, tmp_path, wanted=True))
        finally:
            process.kill()

    assert seen == [True, False, True]


def _answers(address: str, folder: Path, *, wanted: bool) -> bool:
    """Return whether an HMC answers, as soon as that is as wanted: a signal takes a moment."""
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    for _ in range(100):
        try:
            Web(context).ask("GET", f"{address}/api/version", {}, None)
        except ApiError:
            answers = False
        else:
            answers = True
        if answers == wanted:
            break
        time.sleep(0.1)
    return answers


@contextmanager
def _started(folder: Path, ignored: str) -> Iterator[subprocess.Popen[str]]:
    """Yield an HMC that serves; its temporary folder is in `folder`."""
    command = [sys.executable, "-m", "dpm_lab", "hmc", "--port", "0", "--stomp-port", "0"]
    script = f'trap "" {ignored}; exec "$@"' if ignored else 'exec "$@"'
    with subprocess.Popen(
        [*FOREGROUND, "sh", "-c", script, "sh", *command],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            while "Ctrl-C" not in process.stdout.readline():
                assert process.poll() is None
            yield process
        finally:
            process.kill()


def test_keys_and_passwords_are_for_their_owner_only(tmp_path: Path) -> None:
    with HmcServer(folder=tmp_path), HmcProcess() as process:
        secret = [tmp_path / "server.key", process.folder / "password", process.folder / "token"]

        assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
        arguments = Path(f"/proc/{process.pid}/cmdline").read_text()
        assert process.password not in arguments
        assert process.token not in arguments
    assert not process.folder.exists()


def test_two_hmcs_cannot_have_one_port() -> None:
    with HmcServer() as first, pytest.raises(StartError, match="choose another"):
        HmcServer(port=first.port).start()


def test_a_process_that_does_not_start_says_why() -> None:
    with pytest.raises(StartError, match="--no-such-option"):
        HmcProcess(options=("--no-such-option",)).start()


def test_a_machine_of_ones_own_is_a_file(tmp_path: Path) -> None:
    text = """\
name: small
description: a CPC that is off
hmc: {version: 2.16.0, api-version: "4.10"}
cpc:
  name: SMALL
  status: no-power
  processor-count-ifl: 2
  processor-count-general-purpose: 0
  storage-customer: 1024
  maximum-partitions: 1
"""
    path = tmp_path / "small.yaml"
    path.write_text(text)

    with HmcServer(path) as hmc:
        lab = Lab(hmc)

        assert lab.cpc.name == "SMALL"
        assert lab.cpc.get_property("status") == "no-power"
    for broken in (text.replace("name: small", "nom: small"), "[", text.replace("4.10", "four")):
        with pytest.raises(MachineError, match="small"):
            Machine.parse(broken, "small")


_EVENTLET = """\
import eventlet
eventlet.monkey_patch()
import zhmcclient
from dpm_lab.hmc import HmcProcess, HmcServer
for kind in (HmcServer, HmcProcess):
    with kind("z13") as hmc:
        session = zhmcclient.Session(
            hmc.host, hmc.userid, hmc.password, port=hmc.port, verify_cert=str(hmc.ca_file)
        )
        cpc = zhmcclient.Client(session).cpcs.list()[0]
        body = {"ifl-processors": 1, "initial-memory": 512, "maximum-memory": 512}
        pool = eventlet.GreenPool(5)
        make = lambda number: cpc.partitions.create({**body, "name": f"p-{number}"})
        assert len(list(pool.imap(make, range(5)))) == 5
        assert len(hmc.control.inventory()["partitions"]) == 5
print("both work")
"""


def test_it_works_in_a_process_that_eventlet_has_patched() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _EVENTLET],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.stdout == "both work\n", done.stderr
