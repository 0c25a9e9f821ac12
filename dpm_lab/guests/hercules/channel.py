"""How commands reach the guest and their output comes back: a disk that both sides use raw.

Why a disk: hercules' console loses lines that come in bursts, and takes no more than 120 characters
of input at once. An FBA disk is a plain file for hercules, written in the moment the guest writes
(``fbadasd.c``), and Linux has a driver for it. Every frame has a length and a checksum.

What was read once hercules keeps, whatever the file becomes. So each request lies where the guest
has never read before, and the console only says where. A guest that still finds something else
says so, and the request moves on.

The first half of the disk holds requests, the second half replies, one frame behind the other::

    DPMLAB-REQUEST <number> <bytes> <crc32>\\n     padded to a block, then the data
    DPMLAB-REPLY <number> <kind> <bytes> <crc32>\\n

Kinds: ``hello`` (the guest is there), ``out`` and ``err`` (a piece of output), ``end`` (exit code),
``again`` (no such request found). The other side is ``guest/runner``.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from pathlib import Path

from dpm_lab.errors import GuestError

BLOCK = 512
SIZE = 512 * 1024 * 1024  # sparse
#: What hercules reads at once (FBA_BLKGRP_SIZE).
_GROUP = 120
_HALF = SIZE // BLOCK // 2
#: The kernel looks for a partition table in the first blocks.
_FIRST_REQUEST = 8 * _GROUP

_REPLY = re.compile(rb"DPMLAB-REPLY (\d+) (\w+) (\d+) ([0-9a-f]{8})\n")


@dataclass(frozen=True)
class Reply:
    """A frame from the guest."""

    kind: str
    data: bytes


class Channel:
    """The host's side of the disk."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("w+b", buffering=0)
        self._file.truncate(SIZE)
        self._number = 0
        self._request_block = _FIRST_REQUEST
        self._reply_number = 0
        self._reply_block = _HALF

    def close(self) -> None:
        """Let go of the file; removing it is the caller's."""
        self._file.close()

    def request(self, arguments: tuple[str, ...], given: bytes) -> str:
        """Write a request; return the line for the console that says where it is.

        Raises:
            GuestError: the disk is full.
        """
        head = [b"%d" % len(arguments), *(argument.encode() for argument in arguments)]
        data = b"\0".join([*head, given])
        blocks = 1 + -(-len(data) // BLOCK)
        block = self._request_block
        self._request_block += -(-blocks // _GROUP) * _GROUP
        if self._request_block > _HALF:
            raise GuestError("the guest's disk is full of requests; boot it anew")
        self._number += 1
        header = b"DPMLAB-REQUEST %d %d %08x\n" % (self._number, len(data), binascii.crc32(data))
        self._file.seek(block * BLOCK)
        self._file.write(header.ljust(BLOCK, b"\0") + data)
        return f"request {block}"

    def reply(self) -> Reply | None:
        """Return the next frame from the guest, None while it is not there as a whole."""
        self._file.seek(self._reply_block * BLOCK)
        match = _REPLY.match(self._file.read(BLOCK))
        if match is None or int(match[1]) != self._reply_number + 1:
            return None
        length = int(match[3])
        data = self._file.read(length) if length else b""
        if len(data) != length or binascii.crc32(data) != int(match[4], 16):
            return None  # hercules is still writing it
        self._reply_number += 1
        self._reply_block += 1 + -(-length // BLOCK)
        return Reply(match[2].decode(), data)
