"""Bus ids and MACs, checked once where they enter and typed from there on.

Both are ``str`` subclasses, not dataclasses: this module is imported in every boot, and
``import dataclasses`` alone costs more than a bare ``python3`` (12 ms beside 9 ms, Python 3.11).
"""

from __future__ import annotations

from dpm_guest.errors import InvalidIdError

HEX_DIGITS = frozenset("0123456789abcdefABCDEF")

# A device takes three consecutive numbers out of 0001-FFFF (HMC Web Services API, NIC object,
# "device-number"), so the first of them is at most FFFD.
FIRST_DEVNO = 0x0001
LAST_DEVNO = 0xFFFD


def is_hex(text: str, length: int) -> bool:
    """Whether `text` is exactly `length` ASCII hex digits."""
    return len(text) == length and HEX_DIGITS.issuperset(text)


class CcwId(str):
    """A bus id of the channel subsystem in the kernel's spelling, such as ``0.0.0600``.

    >>> CcwId.parse("0A00").devno
    '0a00'
    >>> CcwId.parse("0.0.0600").triple
    ('0.0.0600', '0.0.0601', '0.0.0602')
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> CcwId:
        """Read a bus id (``0.0.0600``) or a bare device number (``0600``), in any case.

        Raises:
            InvalidIdError: `text` is neither.
        """
        parts = text.split(".")
        if len(parts) == 1 and is_hex(text, 4):
            return cls("0.0." + text.lower())
        if len(parts) == 3 and is_hex(parts[2], 4) and all(is_hex(part, 1) for part in parts[:2]):
            return cls(text.lower())
        raise InvalidIdError(f"{text!r} is no bus id such as 0.0.0600 and no device number")

    @property
    def devno(self) -> str:
        """The device number: four lower case hex digits."""
        return self[-4:]

    @property
    def number(self) -> int:
        """The device number as an integer."""
        return int(self.devno, 16)

    @property
    def triple(self) -> tuple[CcwId, CcwId, CcwId]:
        """The read, write and data device of a qeth device that begins here."""
        first, second, third = (CcwId(f"{self[:-4]}{self.number + i:04x}") for i in range(3))
        return first, second, third


class Mac(str):
    """A MAC in the kernel's spelling, such as ``0a:00:00:00:00:11``.

    >>> Mac.parse("0A0000000011")
    '0a:00:00:00:00:11'
    >>> Mac.parse("0a:00:00:00:00:11").bare
    '0a0000000011'
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Mac:
        """Read twelve hex digits, bare or in pairs joined by colons, in any case.

        Raises:
            InvalidIdError: `text` is no MAC.
        """
        if is_hex(text, 12):
            digits = text.lower()
        else:
            pairs = text.split(":")
            if len(pairs) != 6 or not all(is_hex(pair, 2) for pair in pairs):
                raise InvalidIdError(f"{text!r} is no MAC: twelve hex digits are")
            digits = "".join(pairs).lower()
        return cls(":".join(digits[i : i + 2] for i in range(0, 12, 2)))

    @property
    def bare(self) -> str:
        """Twelve lower case hex digits without delimiters."""
        return self.replace(":", "")

    def why_unusable(self) -> str | None:
        """Why an OSA would refuse this MAC, or None for a locally administered unicast one.

        The two bits are the lowest of the first octet (IEEE 802: I/G and U/L).
        """
        first = int(self[:2], 16)
        if first & 0x01:
            return f"{self} is a multicast MAC (bit 0x01 of its first octet {self[:2]} is set)"
        if not first & 0x02:
            return (
                f"{self} is not locally administered "
                f"(bit 0x02 of its first octet {self[:2]} is not set)"
            )
        return None
