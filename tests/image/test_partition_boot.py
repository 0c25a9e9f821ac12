"""The Debian image in a partition of the lab's HMC, started over the Web Services API.

One boot of a z16's partition. What it is told is in its messages: nothing else of it is seen here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dpm_image.build.build import build
from dpm_lab.hmc import HmcServer
from dpm_lab.storage import TARGETS, Storage
from tests.hmc.lab.client import Lab
from tests.hmc.lab.test_ascii_consoles import at_console, until_said

#: A host that is busy with other tests makes a boot several times as long.
PATIENCE = 1200.0
MAC, LATER_MAC = "0a:00:00:00:00:11", "0a:00:00:00:00:12"
TUPLE = "0001,0,0a0000000011;"
PASSWORD = "of-a-test"
#: For cloud-init, which reads it from the kernel's command line (``cloudinit/util.py``,
#: `read_cc_from_cmdline`): there is no metadata service here.
LOGIN = f"cc:{{password:%20{PASSWORD},chpasswd:{{expire:%20false}}}}"


class Console:
    """The messages of a partition, as they come."""

    def __init__(self, partition: Any) -> None:
        self.partition = partition
        self.text = ""
        self._next = 0

    def wait(self, wanted: str) -> None:
        """Wait until the guest has written something."""
        deadline = time.monotonic() + PATIENCE
        while wanted not in self.text:
            assert time.monotonic() < deadline, f"no {wanted!r} in:\n{self.text}"
            for each in self.partition.list_os_messages(begin=self._next)["os-messages"]:
                self.text += each["message-text"] + "\n"
                self._next = each["sequence-number"] + 1
            time.sleep(0.5)


def wait_for(lab: Lab, partition: Any, status: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while (found := lab.status(partition)) != status:
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "disks")


@pytest.fixture
def lab(storage: Storage) -> Iterator[Lab]:
    times = {"ports": 0.0, "start": 0.0, "stop": 0.0}
    with HmcServer("z16", storage=storage, durations=times) as hmc:
        yield Lab(hmc)


def partition(lab: Lab, storage: Storage, name: str) -> tuple[Any, str]:
    """Return a partition that boots from a LUN that it sees, and the WWPN by which it does."""
    made = lab.partition(**{"initial-memory": 1024, "maximum-memory": 1024})
    wwpn, volume = lab.boot_volume(made, TARGETS[0], storage.lun(name).fcp_lun)
    storage.mask(name, [wwpn])
    made.update_properties(
        {
            "boot-device": "storage-volume",
            "boot-storage-volume": volume,
            "boot-os-specific-parameters": f"{TUPLE} {LOGIN}",
        }
    )
    return made, wwpn


def nic(lab: Lab, partition: Any, devno: str, mac: str) -> None:
    body = {"name": devno, "virtual-switch-uri": lab.switch()}
    partition.nics.create({**body, "device-number": devno, "mac-address": mac})


def work_at_the_console(lab: Lab, partition: Any) -> None:
    """Log in at the ASCII console, and have a command say something."""
    with at_console(lab, partition.create_os_websocket()) as console:
        console.settimeout(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        said = ""
        while "debian@" not in said:
            # As long as cloud-init has not set the password.
            assert time.monotonic() < deadline, said
            console.send("\n")
            until_said(console, "login: ")
            console.send("debian\n")
            until_said(console, "Password: ")
            console.send(f"{PASSWORD}\n")
            said = until_said(console, "debian@", "Login incorrect")
        console.send("echo $((6 * 7)) is what $(tty) says\n")
        until_said(console, "42 is what /dev/ttysclp0 says")


@pytest.mark.long
def test_the_image_boots_in_a_partition(lab: Lab, storage: Storage) -> None:
    storage.create_from_image("boot", build())
    storage.create("data", 2**30)
    made, wwpn = partition(lab, storage, "boot")
    nic(lab, made, "0001", MAC)
    console = Console(made)

    lab.start(made)

    console.wait("login:")
    assert lab.status(made) == "active"
    assert f"console=ttysclp0 {TUPLE}" in console.text
    assert f"0.0.0001 enc1: MAC {MAC}: already right" in console.text
    zipl, with_tuple = storage.lun("boot").parameters
    assert with_tuple == f"{zipl} {TUPLE} {LOGIN}"

    nic(lab, made, "0004", LATER_MAC)
    storage.mask("data", [wwpn])

    console.wait("enc4: renamed")
    console.wait("[vdb] 2097152 512-byte logical blocks")
    work_at_the_console(lab, made)

    lab.finish(made.psw_restart(wait_for_completion=False))

    # Linux' own answer to it is a disabled wait (arch/s390/kernel/ipl.c: stop_run).
    wait_for(lab, made, "terminated")
    lab.stop(made)
    wait_for(lab, made, "stopped")


def test_a_disk_with_nothing_on_it_leaves_the_partition_paused(lab: Lab, storage: Storage) -> None:
    storage.create("blank", 2**20)
    made, _ = partition(lab, storage, "blank")

    lab.start(made)

    console = Console(made)
    console.wait("No zIPL section in IPL2 record")
    wait_for(lab, made, "paused")
    assert "the boot parameters are not appended: no boot map" in console.text
