"""Device numbers, bus ids and MACs, checked once where they enter and typed from there on.

They are ``str`` subclasses, not dataclasses: this module is imported in every boot, and
``import dataclasses`` alone costs more than a bare ``python3`` (12 ms beside 9 ms, Python 3.11).
"""

from __future__ import annotations

from dpm_guest.errors import InvalidIdError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

HEX_DIGITS = frozenset("0123456789abcdefABCDEF")

DEVNOS_OF_A_NIC = 3
"""A qeth device is three devices in a row: read, write, data."""

# They are out of 0001-ffff (HMC Web Services API, NIC object, "device-number").
FIRST_DEVNO = 0x0001
LAST_DEVNO = 0xFFFF - DEVNOS_OF_A_NIC + 1


def is_hex(text: str, length: int) -> bool:
    """Whether `text` is exactly `length` ASCII hex digits."""
    return len(text) == length and HEX_DIGITS.issuperset(text)


class Devno(str):
    """A device number in the kernel's spelling: four lower case hex digits, such as ``0600``.

    >>> Devno.parse("0A00").triple
    ('0a00', '0a01', '0a02')
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Devno:
        """Read four hex digits, in any case.

        Raises:
            InvalidIdError: `text` is something else.
        """
        if not is_hex(text, 4):
            raise InvalidIdError(f"{text!r} is no device number: four hex digits are")
        return cls(text.lower())

    @classmethod
    def of(cls, number: int) -> Devno:
        """The device number that is `number`."""
        return cls(f"{number:04x}")

    @property
    def number(self) -> int:
        """It as an integer."""
        return int(self, 16)

    @property
    def begins_a_nic(self) -> bool:
        """Whether a partition can have a NIC whose first device number this is."""
        return FIRST_DEVNO <= self.number <= LAST_DEVNO

    @property
    def triple(self) -> tuple[Devno, ...]:
        """The numbers of a NIC that begins here."""
        return tuple(Devno.of(self.number + i) for i in range(DEVNOS_OF_A_NIC))


def overlap(nics: Iterable[Devno]) -> tuple[Devno, Devno, Devno] | None:
    """Two of the NICs that begin at these numbers, and a number that both would take, or None.

    >>> overlap([Devno("0600"), Devno("0700"), Devno("0602")])
    ('0600', '0602', '0602')
    """
    taken: dict[Devno, Devno] = {}
    for first in nics:
        for devno in first.triple:
            if devno in taken:
                return taken[devno], first, devno
            taken[devno] = first
    return None


class CcwId(str):
    """A bus id of the channel subsystem in the kernel's spelling, such as ``0.0.0600``.

    >>> CcwId.parse("0A00").devno
    '0a00'
    >>> CcwId.parse("0.0.0600").triple
    ('0.0.0600', '0.0.0601', '0.0.0602')
    """

    __slots__ = ()

    PATTERN = r"[0-9a-f]\.[0-9a-f]\.[0-9a-f]{4}"
    """Its form, for those who look for it within other texts."""

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
    def devno(self) -> Devno:
        """Its device number."""
        return Devno(self[-4:])

    @property
    def triple(self) -> tuple[CcwId, ...]:
        """The devices of a NIC that begins here."""
        return tuple(CcwId(self[:-4] + devno) for devno in self.devno.triple)


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
