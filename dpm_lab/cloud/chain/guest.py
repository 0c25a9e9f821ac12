"""A guest, asked over ssh from the namespace in which Neutron's DHCP agent serves its network."""

from __future__ import annotations

import json
from pathlib import Path

from dpm_lab.cloud import wires
from dpm_lab.cloud.chain.links import Guest, Port
from dpm_lab.errors import LabError
from dpm_lab.process import Answer, ask

#: Whom cloud-init makes in an image of Debian, and of EL.
USERS = ("debian", "cloud-user")
_SECONDS = "300"
#: The guest's key is taken as it is: an address is another server's tomorrow.
_TRUST = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
_SEPARATOR = "---dpm-lab---"
_QUESTIONS = (
    "cat /proc/cmdline",
    "sudo dpm-guest status --json",
    "ip -json address",
    "cloud-init status",
    "systemd-analyze blame --no-pager | grep dpm-guest.service; systemd-analyze time | head -n 1",
)


class GuestError(LabError):
    """A guest's answers cannot be read."""


class Ssh:
    """How a guest is reached.

    Args:
        key: the private key's file
        port: on a network with DHCP
    """

    def __init__(self, key: Path, port: Port) -> None:
        self._key = key
        self.port = port
        self._user = USERS[0]

    @property
    def command(self) -> list[str]:
        """The words that a person types, too."""
        return [
            *("ip", "netns", "exec", wires.namespace(self.port.network_id)),
            *("ssh", "-i", str(self._key), f"{self._user}@{self.port.address}"),
        ]

    def words(self, *options: str) -> list[str]:
        """The words that a program runs; a command in the guest may follow.

        Args:
            options: more of them, as ``ssh -o`` takes them
        """
        *before, host = self.command
        return [*before, *(f"-o{each}" for each in (*_TRUST, *options)), host]

    def run(self, command: str) -> Answer:
        """Run a command in the guest.

        An emulated guest on a busy machine takes its time for the exchange of keys, too.
        """
        options = ("BatchMode=yes", "ConnectTimeout=120", "ServerAliveInterval=60")
        return ask(["timeout", "-k", "5", _SECONDS, *self.words(*options), command])

    def answers(self) -> bool:
        """Whether a command can be run in the guest, as one user or the other; sets which."""
        for self._user in USERS:
            answer = self.run("true")
            if answer.code == 0 or "Permission denied" not in answer.errors:
                break
        return answer.code == 0

    def is_done(self) -> bool:
        """Whether cloud-init has done what it does at a boot, well or not."""
        status = self.run("cloud-init status").output.strip()
        return status.startswith("status:") and not status.endswith(("running", "not run"))

    def look(self) -> Guest:
        """Ask the guest what it has.

        Raises:
            GuestError: it does not answer, or not so that it can be read.
        """
        script = f"; echo; echo {_SEPARATOR}; ".join(_QUESTIONS)
        answer = self.run(script)
        parts = [each.strip() for each in answer.output.split(_SEPARATOR)]
        if len(parts) != len(_QUESTIONS):
            said = answer.errors.strip() or f"exit status {answer.code}"
            raise GuestError(f"the guest at {self.port.address} does not answer: {said}")
        cmdline, status, addresses, cloud_init, blame = parts
        try:
            return Guest(
                cmdline=cmdline,
                status=json.loads(status),
                addresses={
                    each["address"]: [
                        one["local"] for one in each["addr_info"] if one["family"] == "inet"
                    ]
                    for each in json.loads(addresses)
                    if "address" in each
                },
                cloud_init=cloud_init.removeprefix("status:").strip(),
                blame="; ".join(line.strip() for line in blame.splitlines()),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise GuestError(
                f"the answers of the guest at {self.port.address} cannot be read: {error}"
            ) from error
