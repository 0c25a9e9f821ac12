"""Texts of a machine without what is its owner's business, for a report that leaves the machine.

What stays is known beforehand: words that the agent itself uses, bus ids, small numbers, boot
parameters in their own form, usual names of interfaces. MACs and other names of interfaces are
replaced, each by the same one wherever it comes again. Of all else only its shape stays: ``x`` for
a letter, ``0`` for a digit.
"""

from __future__ import annotations

import errno
import os
import re

from dpm_guest.bootparams import PATTERN
from dpm_guest.ids import CcwId, Mac
from dpm_guest.sysfs import names_in, read

# Words that the agent does not use otherwise, and that say nothing about anybody: of systemd about
# its units, of usual kernel parameters, of drivers. That they stand here is what makes them known.
_WORDS = """
    starting started finished failed deactivated successfully main process exited code status result
    exit killed signal stopping stopped consumed cpu time skipped unmet condition check triggered
    python3 systemd run usr lib etc sys proc
    ro rw quiet splash debug single root rootfstype rootflags console ttys0 ttys1 ttysclp0 hvc0
    crashkernel cio_ignore condev ipldev boot_image rd.znet rd.zdev rd.zfcp rd.dasd rd.neednet auto
    net.ifnames biosdevname net.naming-scheme zfcp.allow_lun_scan ip nameserver selinux enforcing
    audit rd.multipath systemd.machine_id panic no_timer_check security apparmor
    qeth_l2 qeth_l3 virtio virtio_net virtio_ccw mlx5_core pci subsystem osd_express failure
    portname required
"""
_VALUES = """
    dpm_guest cio_ignore rd.znet rd.zdev net.ifnames biosdevname net.naming-scheme console
    crashkernel boot_image layer2 portno rd.neednet zfcp.allow_lun_scan code status
"""
"""Kernel parameters, and systemd's words, whose values are looked at; of the others' only the shape
stays."""

_KNOWN = re.compile(
    rf"\d{{1,5}}|\d+\.\d{{1,6}}m?s?|\d{{1,5}}[smkg]|0x[0-9a-f]{{2}}|!?{CcwId.PATTERN}|\d_\d_[0-9a-f]{{4}}"
    rf"|dpm-guest(@{CcwId.PATTERN}|-retry)?(\.service)?|(dpm-guest|systemd|python3)\[\d+|v2\d\d"
    r"|[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"
    rf"|70-dpm-[0-9a-f]{{4}}\.link|99-default\.link|\d\d-qeth-{CcwId.PATTERN}\.rules",
    re.ASCII | re.IGNORECASE,
)
_MAC = re.compile(r"[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}|[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_TUPLES = re.compile(f"(?:{PATTERN})+", re.ASCII | re.IGNORECASE)
_BARE_MAC = re.compile(r"(?<=,)[0-9a-f]{12}(?=;)", re.ASCII | re.IGNORECASE)
_INTERFACE = re.compile(
    r"lo|(eth|bond|team|br|virbr|dummy)\d{1,3}|enc[0-9a-f]{1,8}|en(P\d+)?([ospf]\d+){1,4}(np?\d+)?"
)
# What is between blanks, in parts; a pair of double quotes holds blanks together.
_TOKEN = re.compile(r'(?:"[^"\n]*"|\S)+')
_EDGES = re.compile(r"""(['"\[(<]*)(.*?)(['"\])>.,:;?!]*)""", re.DOTALL)


class Private:
    """Replaces what is private, and keeps equal what was equal.

    Args:
        interfaces: the names of the machine's interfaces
    """

    def __init__(self, interfaces: list[str]) -> None:
        self._words = _vocabulary()
        self._interfaces = frozenset(interfaces)
        self._names: dict[str, str] = {}
        self._macs: dict[str, str] = {}

    def mac(self, text: str) -> str:
        """Another MAC with the same two lowest bits of its first octet; all 0 and all f stay."""
        mac = Mac.parse(text.replace("-", ":"))
        number = len(self._macs) + 1
        if mac.bare not in ("0" * 12, "f" * 12):
            bits = int(mac[:2], 16) & 0x03
            made = f"{bits:02x}:00:00:00:{number >> 8:02x}:{number & 255:02x}"
            mac = Mac(self._macs.setdefault(mac, made))
        return mac if ":" in text else mac.replace(":", "-" if "-" in text else "")

    def interface(self, name: str) -> str:
        """The name of an interface: itself where it is a usual one."""
        if name.startswith("enx") and _MAC.fullmatch(name[3:]):
            return "enx" + self.mac(name[3:])
        if _INTERFACE.fullmatch(name):
            return name
        return self._names.setdefault(name, f"interface-{len(self._names) + 1}")

    def path(self, path: str) -> str:
        """A path below ``/sys``: names there are the kernel's, but for interfaces'."""
        parts = path.split("/")
        for i, part in enumerate(parts):
            relation, _, name = part.partition("_")  # upper_bond0, lower_enc600
            if "net" in parts[:i] and relation in ("upper", "lower"):
                parts[i] = f"{relation}_{self.interface(name)}"
            elif "net" in parts[:i] and part in self._interfaces:
                parts[i] = self.interface(part)
            elif not re.fullmatch(r"[\w.:+-]{1,64}", part, re.ASCII):
                parts[i] = shape(part)
        return "/".join(parts)

    def text(self, text: str) -> str:
        """Any text, blanks and lines as they are."""
        return _TOKEN.sub(lambda found: self._token(found.group()), text)

    def word(self, word: str) -> str:
        """One word, or several in the form of a list, a path or an assignment."""
        if word.lower() in self._words or _KNOWN.fullmatch(word) or not word:
            return word
        if _MAC.fullmatch(word):
            return self.mac(word)
        if word in self._interfaces or _INTERFACE.fullmatch(word) or word.startswith("enx"):
            return self.interface(word)
        if "=" in word:
            return self._assignment(*word.split("=", 1))
        separator = next((one for one in ",;/" if one in word), "")
        if separator:
            return separator.join(map(self.word, word.split(separator)))
        parts = word.split("-")
        # No number: it may be a part of a UUID.
        known = len(parts) > 1 and all(p == self.word(p) and not p.isdigit() for p in parts)
        return word if known else shape(word)

    def _assignment(self, name: str, value: str) -> str:
        if name.lower() not in _VALUES.split():
            return f"{self.word(name)}={shape(value)}"
        return f"{name}={','.join(map(self.word, value.split(',')))}"

    def _token(self, token: str) -> str:
        found = _EDGES.fullmatch(token)
        before, core, after = found.groups() if found else ("", token, "")
        if after.startswith(";"):
            core, after = core + ";", after[1:]
        tuples = next((m for m in _TUPLES.finditer(core) if m.end() == len(core)), None)
        if tuples is None:
            return before + self.word(core) + after
        head, tail = core[: tuples.start()], tuples.group()
        tail = _BARE_MAC.sub(lambda mac: self.mac(mac.group()), tail)
        return before + self.word(head) + tail + after


def shape(text: str) -> str:
    """What a text looks like: ``x`` for a letter, ``0`` for a digit."""
    return "".join("0" if c.isdigit() else c if c in " ,;:./=_-\"'" else "x" for c in text)


def _vocabulary() -> frozenset[str]:
    """Every word of the agent's own source, and of what the kernel refuses something with."""
    folder = os.path.dirname(__file__)
    words = set(errno.errorcode.values())
    words.update(word for number in errno.errorcode for word in os.strerror(number).split())
    for name in names_in(folder):
        if name.endswith(".py"):
            found = re.findall(r"(?<![\w.-])[a-z_][\w.-]*\w", read(f"{folder}/{name}") or "", re.I)
            words.update(found)
            words.update(part for word in found for part in re.split("[.-]", word))
    return frozenset(word.lower() for word in words)
