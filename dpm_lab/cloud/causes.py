"""The likely cause of a service's failure, from the last lines of its log."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: What is in the lines, and what to do; the first that fits.
_CAUSES: tuple[tuple[str, str], ...] = (
    (
        r"Address already in use|eaddrinuse|[Pp]ort already in use",
        "its port is taken: choose another with --port, or another address with --host",
    ),
    (r"No space left on device|disk full", "the disk is full"),
    (
        r"MemoryError|[Cc]annot allocate memory|Out of memory",
        "the machine has too little memory: a cloud needs 3 GB",
    ),
    (
        r"ModuleNotFoundError|ImportError|No module named",
        "the virtual environment is not whole: remove the folder environment-* in"
        " ~/.cache/nova-dpm/cloud, and run 'dpm-lab cloud up' again",
    ),
    (
        r"No HMC answers|refused the logon|certificate verify failed",
        "the lab's HMC is not there, or another one is: 'dpm-lab cloud logs hmc'",
    ),
    (
        r"what was kept is of another machine",
        "the cloud's HMC has another machine: 'dpm-lab cloud down --purge' first",
    ),
    (
        r"Access denied for user|Unknown database|doesn't exist",
        "the databases are not this cloud's: 'dpm-lab cloud down --purge', then 'up'",
    ),
    (
        r"Can't connect to MySQL|Lost connection to MySQL|DBConnectionError",
        "MariaDB is not there: 'dpm-lab cloud logs mariadb'",
    ),
    (
        r"AMQP server .* is unreachable|ECONNREFUSED|ACCESS_REFUSED|MessagingTimeout",
        "RabbitMQ, or who should answer on it, is not there: 'dpm-lab cloud logs rabbitmq'",
    ),
    (
        r"Unauthorized|HTTP 401|DiscoveryFailure|Unable to establish connection",
        "Keystone is not there, or does not know it: 'dpm-lab cloud logs keystone'",
    ),
    (r"Permission denied|EACCES|eacces", "it may not read or write one of its files"),
)


def likely(lines: Sequence[str]) -> str:
    """Return what it likely is; nothing where the lines do not tell."""
    said = "\n".join(lines)
    return next((cure for pattern, cure in _CAUSES if re.search(pattern, said)), "")


def telling(text: str) -> list[str]:
    """Return the lines of a log that say that something failed."""
    pattern = re.compile(r"\b(ERROR|CRITICAL|FATAL)\b|^\w*(Error|Exception)\b|\[error\]")
    return [line[:300] for line in text.splitlines() if pattern.search(line)]


def last(text: str, count: int = 12) -> list[str]:
    """Return the lines of a log that tell most: its last errors, then its last lines."""
    errors = telling(text)[-3:]
    lines = [line[:300] for line in text.splitlines() if line.strip()][-count:]
    return [*(line for line in errors if line not in lines), *lines]
