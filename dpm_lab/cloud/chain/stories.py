"""What a user is told of each failure, and whether all who tell something tell the same story."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dpm_lab.plain import plain


@dataclass(frozen=True)
class Seen:
    """What was seen of a failure.

    Attributes:
        done: how it was made
        server: its status, and its power state
        fault: the server's, or what its last event says that failed
        console: all of its console log
        agent: what ``dpm-guest status`` says in the guest; "" where nobody gets in
        more: other things that were looked at, by what was asked
    """

    done: str
    server: str
    fault: str = ""
    console: str = ""
    agent: str = ""
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Story:
    """What has to be seen of a failure; each text is a regular expression.

    Attributes:
        what: one line about it
        server: status and power state
        fault: "" : there is none
        console: its telling lines; "": there is none
        agent: of ``dpm-guest status``; "": nobody gets in
        more: of the other things
        moral: what one makes of it
    """

    what: str
    moral: str
    server: str
    fault: str = ""
    console: str = ""
    agent: str = ""
    more: Mapping[str, str] = field(default_factory=dict)


_ACTIVE = "ACTIVE, Running"
_OFF = "SHUTOFF, Shutdown"
#: What agent and cloud-init say of a NIC; the address is missing in the second line.
_ITS_NIC = r"(dpm-guest.* 0\.0\.{devno} |ci-info: \|\s+enc{short} ).*"
_NO_WAY = "an operator finds the reason in the log of nova-compute"

STORIES: Mapping[str, Story] = {
    "silent-card": Story(
        "a NIC whose adapter port leads nowhere",
        "the NIC is right, and no frame of it arrives: cable, switch port, or VLAN of the adapter",
        _ACTIVE,
        console=_ITS_NIC,
        agent=r"{bus_id} .* ok$",
        more={"address in the guest": "^none$", "frames at DHCP": "^0$"},
    ),
    "no-dhcp": Story(
        "a network on which nobody answers DHCP",
        "the NIC is right, and its frames arrive: who should answer them does not",
        _ACTIVE,
        console=_ITS_NIC,
        agent=r"{bus_id} .* ok$",
        more={"address in the guest": "^none$", "frames at DHCP": "^[1-9]"},
    ),
    "hmc-away": Story(
        "no HMC answers while the guest runs",
        "the guest does not need the HMC, Nova gives the host no new servers until one answers",
        _ACTIVE,
        fault="no HMC answers, try again when one does",
        agent=r" ok$",
        more={"compute service": "^disabled, AUTO: ", "afterwards": "^enabled"},
    ),
    "damaged-tuple": Story(
        "boot parameters that somebody changed on the HMC",
        "the agent names the tuple and its fault, on the console, too; a start by Nova repairs it",
        _ACTIVE,
        console=r"dpm-guest.*damaged boot parameter",
        agent=r"damaged boot parameter",
        more={"boot parameters after a reboot by Nova": "^right$"},
    ),
    "no-agent": Story(
        "a system without dpm-guest",
        "nobody brings NICs up or sets MACs; here they are virtio ones, which need nobody",
        _ACTIVE,
        console=r"\A(?![\s\S]*dpm-guest)[\s\S]*login:",
        agent="command not found|No such file",
    ),
    "shut-down": Story(
        "the guest is shut down from inside",
        "Nova finds out within sync_power_state_interval, and stops it",
        _OFF,
        console=r"systemd-shutdown\[1\]: Powering off|reboot: Power down",
        more={"last event": "^stop, "},
    ),
    "crashed": Story(
        "the guest's kernel panics",
        "the console has the reason; Nova finds out within sync_power_state_interval, and stops it",
        _OFF,
        console="Kernel panic - not syncing",
        more={"last event": "^stop, "},
    ),
    "volume-masked": Story(
        "the boot volume is shown to other WWPNs than the partition's",
        "the start fails; the reason is the storage's, and in the log only",
        _OFF,
        fault=_NO_WAY,
        more={"log of nova-compute": "No path to the boot volume .* works: masking"},
    ),
    "volume-missing": Story(
        "the boot volume's LUN is gone from the storage",
        "the start fails; the reason is the storage's, and in the log only",
        _OFF,
        fault=_NO_WAY,
        more={"log of nova-compute": "No path to the boot volume .* works: masking"},
    ),
    "other-architecture": Story(
        "an image with a boot sector for x86",
        "the build fails, and the fault has the last line of the console",
        "ERROR, NOSTATE",
        fault="its boot volume of an image for s390x.* It said last: ",
    ),
}

_TELLING = re.compile(
    r"dpm-guest|Kernel panic|reboot: |Powering off|^! .*!$|\blogin:|Failed to start"
    r"|cloud-init.*(failed|error)",
    re.IGNORECASE,
)
_SHOWN = 6


def judge(story: Story, seen: Seen) -> list[str]:
    """Return what was not seen as it has to be."""
    problems = []
    pairs = [
        ("server", f"^{re.escape(story.server)}$", seen.server),
        ("fault", story.fault or "^$", seen.fault),
        ("dpm-guest status", story.agent or "^$", seen.agent),
        *((what, wanted, seen.more.get(what, "")) for what, wanted in story.more.items()),
    ]
    if story.console:
        pairs.append(("console log", story.console, seen.console))
    for what, wanted, found in pairs:
        if not re.search(wanted, found, re.MULTILINE):
            shown = found[-200:] if what == "console log" else found[:200]
            problems.append(f"{what}: {plain(shown.strip()) or 'nothing'}; expected: {wanted}")
    return problems


def telling(console: str, wanted: str = "") -> list[str]:
    """Return the lines of a console log that tell something, the last of them.

    Those that are wanted; else those that tell of trouble or of how far it is; else any.
    """
    lines = [line.strip() for line in console.splitlines() if line.strip()]
    expected = [line for line in lines if wanted and re.search(wanted, line)]
    found = [line for line in lines if _TELLING.search(line)]
    return (expected or found or lines)[-_SHOWN:]


def screen(name: str, story: Story, seen: Seen, problems: Sequence[str]) -> str:
    """Return a failure as a block of lines."""
    rows = [
        ("done", seen.done),
        ("server", seen.server),
        ("fault or event", seen.fault or "none"),
        *seen.more.items(),
    ]
    lines = [f"{name}: {story.what}"]
    lines += [f"  {what:<22} {plain(text)}" for what, text in rows]
    for what, found in (
        ("console log", telling(seen.console, story.console) or ["nothing"]),
        ("dpm-guest status", seen.agent.splitlines() or ["nobody gets in"]),
    ):
        lines.append(f"  {what}:")
        lines += [f"    {plain(line)}" for line in found]
    verdict = [f"WRONG: {each}" for each in problems] or [f"the same story: {story.moral}"]
    return "\n".join([*lines, *(f"  {each}" for each in verdict)])
