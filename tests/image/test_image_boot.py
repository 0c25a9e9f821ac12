"""The Debian image boots, and what the agent and cloud-init make of its boot parameters.

Two boots, each looked at from many sides, because a boot takes a minute or more under emulation:
one through QEMU's own kernel loading, in which all is as it should be, and one through the image's
boot loader, in which the parameters name a device that the machine has not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from dpm_image.boot import LOOK
from dpm_image.build import build
from dpm_image.configdrive import Step
from dpm_image.nics import GuestNic, machine_nics, read_tuples
from dpm_image.progress import Progress
from dpm_image.session import Outcome, Request, boot
from dpm_image.verdict import judge

pytestmark = [pytest.mark.image, pytest.mark.slow]

TUPLES = "0001,0,0a0000000011;0004,1,0a0000000012;0a00,0,0a0000000013;"
ABSENT = "0a00"

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
    Step("keys", "ls /etc/ssh/ssh_host_*_key; systemctl is-active ssh"),
    Step("initramfs", "dmesg | grep dpm-ipl"),
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


@pytest.fixture(scope="module")
def all_present() -> Iterator[Boot]:
    nics = machine_nics(read_tuples(TUPLES))
    request = Request(
        build(),
        nics,
        (*STEPS, AGAIN),
        ipl="kernel",
        disk_size="9G",
        append="quiet",
        timeout=TIMEOUT,
    )
    yield Boot(nics, boot(request, Progress()))


@pytest.fixture(scope="module")
def one_absent() -> Iterator[Boot]:
    nics = machine_nics(read_tuples(TUPLES), absent=[ABSENT])
    request = Request(build(), nics, STEPS, ipl="disk", append="nova.dpm=kept", timeout=TIMEOUT)
    yield Boot(nics, boot(request, Progress()))


def test_every_nic_is_right_by_all_witnesses(all_present: Boot) -> None:
    problems = {v.nic.params: v.problems for v in judge(all_present.nics, all_present.outcome)}

    assert problems == {nic.params: () for nic in all_present.nics}
    assert all_present.code("status") == 0, all_present.text("status")


def test_the_tuples_are_the_end_of_the_kernel_command_line(all_present: Boot) -> None:
    assert all_present.text("cmdline").endswith(f" quiet {TUPLES}")


def test_cloud_init_is_done_without_an_error(all_present: Boot) -> None:
    assert all_present.outcome.cloud_init.errors == ()
    assert "ConfigDrive" in all_present.outcome.cloud_init.datasource
    assert "status: done" in all_present.text("cloud-init")


def test_nothing_failed_in_the_boot(all_present: Boot) -> None:
    assert all_present.text("running") == "running"


def test_the_agent_has_ended_before_the_network_and_cloud_init_begin(all_present: Boot) -> None:
    agent, local = all_present.properties("agent"), all_present.properties("local")
    network = all_present.properties("network")

    assert (agent["Result"], agent["ExecMainStatus"]) == ("success", "0")
    ended = int(agent["ExecMainExitTimestampMonotonic"])
    assert 0 < ended <= int(local["ExecMainStartTimestampMonotonic"])
    assert ended <= int(network["ActiveEnterTimestampMonotonic"])


def test_the_agent_run_again_touches_nothing(all_present: Boot) -> None:
    assert all_present.code("again") == 0, all_present.text("again")


def test_the_root_file_system_fills_a_larger_disk(all_present: Boot) -> None:
    assert int(all_present.text("root")) > 8 * GIB


def test_identity_is_made_in_the_guest(all_present: Boot, one_absent: Boot) -> None:
    ids = {boot.text("machine-id") for boot in (all_present, one_absent)}

    assert len(ids) == 2
    assert all(len(text) == 32 for text in ids)
    assert "/etc/ssh/ssh_host_ed25519_key" in all_present.text("keys")
    assert all_present.text("keys").endswith("\nactive")


def test_the_ipl_device_script_keeps_out_of_a_boot_that_is_not_fcp(all_present: Boot) -> None:
    assert all_present.text("initramfs") == ""


def test_the_images_own_boot_loader_boots_it(one_absent: Boot) -> None:
    # The root device comes from the boot loader's own parameters.
    assert "root=LABEL=" in one_absent.text("cmdline")
    assert one_absent.text("cmdline").endswith(f" nova.dpm=kept {TUPLES}")


def test_a_missing_device_costs_only_itself(one_absent: Boot) -> None:
    problems = {v.nic.params: v.problems for v in judge(one_absent.nics, one_absent.outcome)}
    report = json.loads(one_absent.text("status-json"))

    assert problems == {nic.params: () for nic in one_absent.nics if nic.present}
    assert one_absent.code("status") == 1
    assert [nic["devno"] for nic in report["nics"] if not nic["ok"]] == [ABSENT]


def test_a_missing_device_is_said_to_be_and_the_boot_goes_on(one_absent: Boot) -> None:
    agent = one_absent.properties("agent")

    assert (agent["Result"], agent["ExecMainStatus"]) == ("exit-code", "1")
    assert one_absent.text("running").split()[0] == "degraded"
    assert one_absent.outcome.cloud_init.errors == ()
    assert "status: done" in one_absent.text("cloud-init")
