"""A server's console log: the operating system messages that the HMC keeps of its partition.

They are what Linux writes to its line-mode console (``sclp_line0``, ``ttyS0``); the integrated
ASCII console is another device. The HMC numbers them from the boot on, keeps only so many, and its
users can delete some (IBM, *List OS Messages of a Partition*): a number that is missing is text
that is missing.
"""

from __future__ import annotations

from dpm_hmc import answers
from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc


def read(hmc: Hmc, partition_uri: str) -> bytes:
    """Return the messages as lines of ASCII. One request.

    The HMC converts the text on its way (EBCDIC): brackets are other characters than Linux wrote,
    and what is not ASCII is shown as ``?``.

    HMC permission: task *Operating System Messages*, for viewing only is enough, and access to the
    partition. HMC version: SE 2.14.0 and later.

    Raises:
        NotFoundError: the HMC keeps no list of messages of this partition.
        HmcError: any other failure.
    """
    shown = hmc.get(f"{partition_uri}/operations/list-os-messages")
    messages = sorted(answers.objects(shown, "os-messages"), key=_number)
    lines: list[str] = []
    expected = 0
    for message in messages:
        number = _number(message)
        if number > expected:
            lines.append(f"[{number - expected} messages are not on the HMC any more]")
        expected = number + 1
        # Some texts end with a line's end, some do not.
        lines.append(answers.text(message, "message-text").rstrip("\r\n"))
    return "".join(f"{line}\n" for line in lines).encode("ascii", "replace")


def _number(message: Properties) -> int:
    return answers.number(message, "sequence-number")
