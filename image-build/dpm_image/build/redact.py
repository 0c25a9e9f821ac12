"""Takes the values of secrets out of what is written down."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dpm_image.errors import ImageError

#: What stands in the place of a secret.
MARK = b"(redacted)"

#: Variables with such a name have a secret in them.
NAMES = re.compile(r"PASS|SECRET|TOKEN|_KEY$")

#: A shorter value is found by chance: taking it out everywhere would spoil the log and show what it
#: is. The quotation marks and backslashes in it do not count.
SHORTEST = 4

#: Values that are no secret, and occur everywhere.
_ORDINARY = frozenset({"true", "false", "none", "null"})

# How shells quote, and how often (`set -x` quotes what `declare -p` has quoted), does not matter:
# these bytes may be anywhere in a value, and those of the value itself count as such.
_QUOTES = b"\\'\"$"
_QUOTING = rb"""[\\'"$]*"""
_CONTROLS = {b"\a": b"a", b"\b": b"b", b"\t": b"t", b"\v": b"v", b"\f": b"f", b"\r": b"r"}

# A user's name and password in an address, whoever wrote it.
_IN_ADDRESS = re.compile(rb"(?<=://)[^/\s:@'\"]+:[^/\s@'\"]+(?=@)")


class Redactor:
    """Takes the values of `secrets`, variables by name, out of lines.

    Raises:
        ImageError: a secret is too short to be taken out.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        anywhere, named = [], []
        for name, value in secrets.items():
            lines = _lines(value)
            # Of many lines, a short one (the last one of a key in base64) tells nothing.
            if found := [line for line in lines if _can_be_found(line)]:
                anywhere += found
            elif lines and NAMES.search(name):
                raise ImageError(
                    f"{name} cannot be kept out of the build's log: a secret has to have "
                    f"{SHORTEST} characters or more, not counting quotation marks and backslashes"
                )
            else:
                # REG_AUTO_ATTACH=true and the like: where the variable is shown, not elsewhere.
                named += [(name, line) for line in lines]
        # The longest first: one may be a part of another.
        anywhere.sort(key=len, reverse=True)
        self._patterns = [re.compile(_pattern(line)) for line in anywhere]
        self._named = [
            re.compile(rb"\b(%b=%b)%b\b" % (re.escape(name.encode()), _QUOTING, _pattern(line)))
            for name, line in named
        ]

    def redact(self, line: bytes) -> bytes:
        """Return `line` without secrets, however a shell has quoted them."""
        for pattern in self._patterns:
            line = pattern.sub(MARK, line)
        for pattern in self._named:
            line = pattern.sub(rb"\1" + MARK, line)
        return _IN_ADDRESS.sub(MARK, line)


def _lines(value: str) -> list[bytes]:
    lines = value.encode(errors="surrogateescape").split(b"\n")
    return [line.strip() for line in lines if line.strip()]


def _can_be_found(line: bytes) -> bool:
    return len(_bare(line)) >= SHORTEST and line.lower().decode("latin-1") not in _ORDINARY


def _bare(line: bytes) -> bytes:
    return line.translate(None, delete=_QUOTES)


def _pattern(line: bytes) -> bytes:
    return _QUOTING.join(_byte(bytes([byte])) for byte in _bare(line))


def _byte(byte: bytes) -> bytes:
    plain = re.escape(byte)
    if b" " <= byte <= b"~":
        return plain
    # The locale of a build is C: its shell writes what is not ASCII as in $'\303\274' or $'\t'.
    # The backslash itself is among the quoting bytes before it.
    number = byte[0]
    forms = [plain, b"%03o" % number, b"x%02x" % number, b"x%02X" % number]
    if byte in _CONTROLS:
        forms.append(_CONTROLS[byte])
    return b"(?:" + b"|".join(forms) + b")"
