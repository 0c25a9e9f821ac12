"""The boot parameters that tell a partition its NICs: the one definition of the format.

The Nova driver writes them into the partition's ``boot-os-specific-parameters``, the firmware
appends that text to the kernel command line, and the agent reads ``/proc/cmdline``::

    <devno>,<port>[,<mac>];

- devno: 4 hex digits, the first of the device's three numbers (0001-fffd)
- port: decimal, 0-15
- mac: 12 hex digits without delimiters

Case does not matter on reading (the kernel lower-cases a line that has no lower case letter);
written in lower case. No import here is heavy: every boot pays for them.
"""

from __future__ import annotations

from dpm_guest.errors import InvalidIdError, InvalidNicError, TooLongError
from dpm_guest.ids import FIRST_DEVNO, HEX_DIGITS, LAST_DEVNO, CcwId, Mac, is_hex, overlap

LIMIT = 256
"""Characters that ``boot-os-specific-parameters`` holds (HMC Web Services API, Partition)."""

MAX_PORT = 15

PATTERN = "[0-9a-f]{4},[0-9]{1,2}(?:,[0-9a-f]{12})?;"
"""The form of a tuple, for those who look for it within other texts; `parse` is for all others."""

_BLANKS = "\t\n\v\f\r \xa0"
"""What the kernel's ``isspace`` takes for white space (``lib/ctype.c``), a byte a character;
``str.isspace`` knows U+001C, U+0085, U+2028 and more, which the kernel takes for letters."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class NicParams:
    """What a partition is told about one NIC. Immutable.

    Args:
        bus_id: the first of the device's three ids; ``0.0.xxxx``
        port: port of the adapter, 0-15
        mac: the MAC that the interface shall have, or None where any will do
    """

    __slots__ = ("bus_id", "mac", "port")
    bus_id: CcwId
    port: int
    mac: Mac | None

    def __init__(self, bus_id: CcwId, port: int, mac: Mac | None = None) -> None:
        for name, value in (("bus_id", bus_id), ("port", port), ("mac", mac)):
            object.__setattr__(self, name, value)

    @classmethod
    def parse(cls, text: str) -> NicParams:
        """Read one ``<devno>,<port>[,<mac>];``, the whole of `text`.

        Raises:
            InvalidIdError: it is damaged; the text says how.
        """
        if not text.endswith(";"):
            raise InvalidIdError("no ';' at its end; was the text cut off?")
        fields = text[:-1].split(",")
        if len(fields) not in (2, 3):
            raise InvalidIdError("not <devno>,<port>[,<mac>];")
        devno, port = fields[:2]
        if not is_hex(devno, 4) or not (bus_id := CcwId.parse(devno)).devno.begins_a_nic:
            raise InvalidIdError(
                f"device number {devno!r} is not 4 hex digits, "
                f"{FIRST_DEVNO:04x} to {LAST_DEVNO:04x}"
            )
        if not (port.isascii() and port.isdigit() and len(port) <= 2 and int(port) <= MAX_PORT):
            raise InvalidIdError(f"port {port!r} is not 0 to {MAX_PORT}")
        if len(fields) == 2:
            return cls(bus_id, int(port))
        if not is_hex(fields[2], 12):
            raise InvalidIdError(f"MAC {fields[2]!r} is not 12 hex digits")
        return cls(bus_id, int(port), Mac.parse(fields[2]))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"NicParams is immutable: {name}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NicParams) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"NicParams({self})"

    def __str__(self) -> str:
        """The NIC as it is written: ``0001,1,0a0000000011;``."""
        mac = f",{self.mac.bare}" if self.mac is not None else ""
        return f"{self.bus_id.devno},{self.port}{mac};"

    def _key(self) -> tuple[CcwId, int, Mac | None]:
        return self.bus_id, self.port, self.mac


class Parsed:
    """What a command line says about NICs.

    Attributes:
        nics: the NICs in the order of the line, each devno once
        damaged: a sentence for each damaged tuple, in the order of the line
        overridden: a sentence for each tuple that a later one of the same devno replaces
    """

    __slots__ = ("damaged", "nics", "overridden")

    def __init__(
        self, nics: tuple[NicParams, ...], damaged: tuple[str, ...], overridden: tuple[str, ...]
    ) -> None:
        self.nics = nics
        self.damaged = damaged
        self.overridden = overridden


def parse(text: str, only_tuples: bool = False) -> Parsed:
    """Read the NICs out of a whole kernel command line.

    The line is split at the kernel's white space (not inside double quotes: ``next_arg`` in its
    ``lib/cmdline.c``).
    Only a token that begins like a tuple is looked into; in it every piece up to a ``;`` must be
    a tuple, and a piece that is not is reported while the others count. So nothing is found
    inside another parameter, nor inside a MAC. A token of another beginning that ends in tuples
    (firmware that appends them without a blank) is reported too, and none of it counts: where the
    other word ends and the first tuple begins can't be known.

    Args:
        only_tuples: every token has to be tuples, and one that is not is reported

    >>> parse("ro 0001,1,0a0000000011;0004,0;").nics
    (NicParams(0001,1,0a0000000011;), NicParams(0004,0;))
    >>> parse("0001,99;").damaged
    ("'0001,99;': port '99' is not 0 to 15",)
    >>> parse("crashkernel=196M0001,0;").nics
    ()
    """
    nics: dict[CcwId, NicParams] = {}
    damaged: list[str] = []
    overridden: list[str] = []
    for token in _tokens(text):
        if not _begins_like_a_tuple(token):
            if _is_glued(token):
                damaged.append(
                    f"{token!r}: a tuple is glued to another word, so nothing in it counts; "
                    f"a blank has to be between them"
                )
            elif _hides_a_tuple(token):
                damaged.append(f"{token!r}: does not begin with a tuple, so nothing in it counts")
            elif only_tuples:
                damaged.append(f"{token!r}: not <devno>,<port>[,<mac>];")
            continue
        for piece in _pieces(token):
            try:
                nic = NicParams.parse(piece)
            except InvalidIdError as error:
                damaged.append(f"{piece!r}: {error}")
                continue
            former = nics.pop(nic.bus_id, None)
            if former is not None:
                overridden.append(f"{str(former)!r} is overridden by the later {str(nic)!r}")
            nics[nic.bus_id] = nic
    return Parsed(tuple(nics.values()), tuple(damaged), tuple(overridden))


def encode(nics: Iterable[NicParams]) -> str:
    """Write NICs as one token, in the order given.

    Raises:
        InvalidNicError: a port, MAC or device number that a partition cannot have, or two NICs
            whose three device numbers overlap.
    """
    nics = tuple(nics)
    for nic in nics:
        if not nic.bus_id.devno.begins_a_nic or not nic.bus_id.startswith("0.0."):
            raise InvalidNicError(
                f"NIC {nic.bus_id}: its three device numbers are not within 0.0.0001-0.0.ffff"
            )
        if not 0 <= nic.port <= MAX_PORT:
            raise InvalidNicError(f"NIC {nic.bus_id}: port {nic.port} is not 0 to {MAX_PORT}")
        reason = nic.mac.why_unusable() if nic.mac is not None else None
        if reason:
            raise InvalidNicError(f"NIC {nic.bus_id}: {reason}")
    if two := overlap(nic.bus_id.devno for nic in nics):
        raise InvalidNicError(
            f"NICs 0.0.{two[0]} and 0.0.{two[1]} overlap: both would take device number {two[2]}"
        )
    return "".join(map(str, nics))


def compose(existing: str, nics: Iterable[NicParams]) -> str:
    """The whole new text of the property: what an operator has in it, one blank, the NICs.

    Tokens of `existing` that are tuples through and through are from an earlier start and are
    replaced; every other character of it is kept.

    Raises:
        InvalidNicError: as `encode`.
        TooLongError: the whole text is longer than `LIMIT` characters.
    """
    kept = _without_tuples(existing)
    tuples = encode(nics)
    text = (
        f"{kept.rstrip(_BLANKS)} {tuples}" if kept.strip(_BLANKS) and tuples else (tuples or kept)
    )
    if len(text) > LIMIT:
        raise TooLongError(
            f"the boot parameters need {len(text)} characters, of which {len(tuples)} for NICs and "
            f"{len(text) - len(tuples)} for what was there before; the property holds {LIMIT}"
        )
    return text


def _tokens(text: str) -> Iterator[str]:
    return (text[start:end] for start, end in _spans(text))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the tokens of `text` begin and end; a pair of double quotes holds blanks together."""
    start = -1
    quoted = False
    for index, character in enumerate(text):
        if character == '"':
            quoted = not quoted and text.find('"', index + 1) >= 0
        if character in _BLANKS and not quoted:
            if start >= 0:
                yield start, index
            start = -1
        elif start < 0:
            start = index
    if start >= 0:
        yield start, len(text)


def _without_tuples(text: str) -> str:
    """`text` without the tokens that are tuples through and through."""
    kept: list[str] = []
    position = 0
    for start, end in _spans(text):
        token = text[start:end]
        if _begins_like_a_tuple(token) and all(map(_is_tuple, _pieces(token))):
            kept.append(text[position:start].rstrip(_BLANKS))
            position = end
    if not kept:
        return text
    return " ".join(filter(None, [*kept, text[position:].strip(_BLANKS)]))


def _begins_like_a_tuple(token: str) -> bool:
    """Hex digits and a comma; also as hands write them: ``0x0600,``, ``0.0.0600,``.

    A ``=`` in the first piece, or a quote, makes it another parameter, whatever it is called.
    """
    head, comma, rest = token.partition(";")[0].partition(",")
    parts = head.lower().removeprefix("0x").split(".")
    digits = "".join(parts)
    return (
        bool(comma and "=" not in rest and len(parts) in (1, 3) and 0 < len(digits) <= 8)
        and all(parts)
        and HEX_DIGITS.issuperset(digits)
        and '"' not in token
    )


def _hides_a_tuple(token: str) -> bool:
    """Whether a token of another beginning looks like boot parameters that lost their start."""
    return "=" not in token and any(_is_tuple(p) for p in _pieces(token))


def _is_glued(token: str) -> bool:
    """Whether a token of another beginning ends its first piece in a tuple.

    A parameter whose whole value is a tuple counts as well: none is known that has one.
    """
    fields = _pieces(token)[0].split(",")
    # The tuple's own fields, from the last: a MAC or none, the port, and the devno at its end.
    return '"' not in token and any(
        len(fields) >= count
        and _is_tuple(",".join([fields[-count][-4:], *fields[len(fields) - count + 1 :]]))
        for count in (2, 3)
    )


def _pieces(token: str) -> list[str]:
    """The pieces of a token up to and with their ``;``; the last may lack it."""
    pieces = [piece + ";" for piece in token.split(";")]
    last = pieces.pop()
    return pieces if last == ";" else [*pieces, last[:-1]]


def _is_tuple(piece: str) -> bool:
    try:
        NicParams.parse(piece)
    except InvalidIdError:
        return False
    return True
