"""The Debian image boots, and what the agent and cloud-init make of its boot parameters.

Three boots, each looked at from many sides, because a boot takes a minute or more under emulation.
The first loads the kernel by QEMU's own means, and all is as it should be. The second one is a
restart of the same server from the same disk, through the boot loader on it. In between its ports
have changed: one was swapped for another, one was removed, one was added, and the parameters name a
device that the machine has lost.

A third boot ends at its login prompt, because cloud-init is switched off in it.

What a guest is told, it asks a metadata service for: a partition has no config drive.

These are long tests. The same image boots in the short ones as a server (`tests.cloud.test_chain`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from dpm_image.boot import LOOK
from dpm_image.build.build import build
from dpm_image.disk.bootentry import extract
from dpm_lab.guests.qemu.follow import BootError
from dpm_lab.guests.qemu.guest import Outcome, boot
from dpm_lab.guests.qemu.machine import LEAN_CPU
from dpm_lab.guests.qemu.nics import GuestNic, machine_nics, read_tuples
from dpm_lab.guests.qemu.prepare import Request, Step
from dpm_lab.guests.qemu.verdict import judge
from dpm_lab.progress import Progress

pytestmark = pytest.mark.long

TUPLES = "0001,0,0a0000000011;0004,1,0a0000000012;0a00,0,0a0000000013;"
ABSENT = "0a00"

#: Another port at the device number of the first one, none at the second's, and a new one.
AGAIN_TUPLES = "0001,0,0a0000000021;0a00,0,0a0000000013;0b00,1,0a0000000014;"

#: A host that is busy with other tests makes a boot several times as long.
TIMEOUT = 2400.0

GIB = 2**30

# No lifetimes of addresses: they count down by themselves.
STATE = (
    "state() { head /sys/class/net/*/address /sys/class/net/*/ifindex /sys/class/net/*/operstate"
    " /sys/class/net/*/carrier_changes; stat -c '%n %i %y' /run/systemd/network/*;"
    " ip -brief address; }; "
)

STEPS = (
    *LOOK,
    Step("running", "systemctl is-system-running --wait; systemctl --failed --no-legend --plain"),
    Step("cmdline", "cat /proc/cmdline"),
    Step("cloud-init", "cloud-init status --long"),
    Step("agent", "systemctl show dpm-guest.service"),
    Step("local", "systemctl show cloud-init-local.service"),
    Step("network", "systemctl show network-pre.target"),
    Step("root", "df --block-size=1 --output=size / | tail -n 1"),
    Step("machine-id", "cat /etc/machine-id"),
    Step("keys", "cat /etc/ssh/ssh_host_ed25519_key.pub; systemctl is-active ssh"),
    Step("initramfs", "dmesg | grep dpm-ipl"),
    Step("described", "grep -h ^MACAddress= /etc/systemd/network/*.network"),
)

AGAIN = Step(
    "again",
    f"{STATE} state >/run/before; dpm-guest configure || exit; "
    "state | diff /run/before - || exit 99",
)


@dataclass(frozen=True)
class Boot:
    """A boot that is over."""

    nics: tuple[GuestNic, ...]
    outcome: Outcome

    def code(self, step: str) -> int:
        return self.outcome.steps[step].code

    def text(self, step: str) -> str:
        return self.outcome.steps[step].output.strip()

    def properties(self, step: str) -> dict[str, str]:
        lines = (line.partition("=") for line in self.text(step).splitlines())
        return {name: value for name, _, value in lines}


def described(boot: Boot) -> set[str]:
    """Return the MACs of the interfaces that cloud-init has described to networkd."""
    lines = boot.text("described").splitlines()
    return {line.lower().removeprefix("macaddress=") for line in lines}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("boot") / "disk.qcow2"


@pytest.fixture(scope="module")
def first(disk: Path) -> Boot:
    nics = machine_nics(read_tuples(TUPLES))
    image = build()
    request = Request(
        image,
        nics,
        (*STEPS, AGAIN),
        direct=extract(image, disk.parent),
        append="quiet",
        disk_size="9G",
        keep=disk,
        timeout=TIMEOUT,
        cpu=LEAN_CPU,
    )
    return Boot(nics, boot(request, Progress()))


@pytest.fixture(scope="module")
def restart(first: Boot, disk: Path) -> Boot:
    nics = machine_nics(read_tuples(AGAIN_TUPLES), absent=[ABSENT])
    request = Request(build(), nics, STEPS, append="nova.dpm=kept", keep=disk, timeout=TIMEOUT)
    return Boot(nics, boot(request, Progress()))


def test_every_nic_is_right_by_all_witnesses(first: Boot) -> None:
    problems = {v.nic.params: v.problems for v in judge(first.nics, first.outcome)}

    assert problems == {nic.params: () for nic in first.nics}
    assert first.code("status") == 0, first.text("status")


def test_the_tuples_are_the_end_of_the_kernel_command_line(first: Boot) -> None:
    assert first.text("cmdline").endswith(f" quiet {TUPLES}")


def test_cloud_init_is_done_without_an_error(first: Boot) -> None:
    assert first.outcome.cloud_init.errors == ()
    assert "OpenStackLocal" in first.outcome.cloud_init.datasource
    assert "status: done" in first.text("cloud-init")


def test_nothing_failed_in_the_boot(first: Boot) -> None:
    assert first.text("running") == "running"


def test_the_agent_has_ended_before_the_network_and_cloud_init_begin(first: Boot) -> None:
    agent, local = first.properties("agent"), first.properties("local")
    network = first.properties("network")

    assert (agent["Result"], agent["ExecMainStatus"]) == ("success", "0")
    ended = int(agent["ExecMainExitTimestampMonotonic"])
    assert 0 < ended <= int(local["ExecMainStartTimestampMonotonic"])
    assert ended <= int(network["ActiveEnterTimestampMonotonic"])


def test_the_agent_run_again_touches_nothing(first: Boot) -> None:
    assert first.code("again") == 0, first.text("again")


def test_the_root_file_system_fills_a_larger_disk(first: Boot) -> None:
    assert int(first.text("root")) > 8 * GIB


def test_identity_is_made_in_the_first_boot_and_stays(first: Boot, restart: Boot) -> None:
    assert len(first.text("machine-id")) == 32
    assert first.text("keys").startswith("ssh-ed25519 ")
    assert first.text("keys").endswith("\nactive")
    assert restart.text("machine-id") == first.text("machine-id")
    assert restart.text("keys") == first.text("keys")


def test_the_ipl_device_script_keeps_out_of_a_boot_that_is_not_fcp(first: Boot) -> None:
    assert first.text("initramfs") == ""


def test_the_images_own_boot_loader_boots_it(restart: Boot) -> None:
    # The root device comes from the boot loader's own parameters.
    assert "root=LABEL=" in restart.text("cmdline")
    assert restart.text("cmdline").endswith(f" nova.dpm=kept {AGAIN_TUPLES}")


def test_the_network_is_that_of_the_ports_which_the_server_has_now(
    first: Boot, restart: Boot
) -> None:
    assert described(first) == {"0a:00:00:00:00:11", "0a:00:00:00:00:12", "0a:00:00:00:00:13"}
    # What is described of a port that is gone stays, and fits no interface: it is matched by MAC.
    assert described(restart) >= {"0a:00:00:00:00:21", "0a:00:00:00:00:14"}
    assert "0a:00:00:00:00:11" not in described(restart)
    addresses = {verdict.nic.address for verdict in judge(restart.nics, restart.outcome)}
    assert addresses == {"198.18.1.15", "198.18.3.15"}
    assert all(address in restart.text("addresses") for address in addresses)


def test_a_missing_device_costs_only_itself(restart: Boot) -> None:
    problems = {v.nic.params: v.problems for v in judge(restart.nics, restart.outcome)}
    report = json.loads(restart.text("status-json"))

    assert problems == {nic.params: () for nic in restart.nics if nic.present}
    assert restart.code("status") == 1
    assert [nic["devno"] for nic in report["nics"] if not nic["ok"]] == [ABSENT]


def test_a_missing_device_is_said_to_be_and_the_boot_goes_on(restart: Boot) -> None:
    agent = restart.properties("agent")

    assert (agent["Result"], agent["ExecMainStatus"]) == ("exit-code", "1")
    assert restart.text("running").split()[0] == "degraded"
    assert restart.outcome.cloud_init.errors == ()
    assert "status: done" in restart.text("cloud-init")


def test_a_boot_in_which_cloud_init_is_off_ends_with_the_cause() -> None:
    # What ds-identify of 2025 and later does on s390x where no file says otherwise (tools/
    # ds-identify: DI_DEFAULT_POLICY_NO_DMI); the kernel command line has the last word.
    policy = "ci.di.policy=search,found=all,maybe=none,notfound=disabled"
    request = Request(build(), append=policy, steps=LOOK, timeout=TIMEOUT, cpu=LEAN_CPU)

    with pytest.raises(BootError, match=r"cloud-init is off: .*/etc/cloud/ds-identify\.cfg"):
        boot(request, Progress())
