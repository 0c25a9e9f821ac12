"""zipl's configuration as ``zipl`` reads it: sections, menus, and which of them is the default.

The grammar is that of s390-tools' ``zipl/src/scan.c``; what a menu's or an automatic menu's default
is comes from there (``scan_build_automenu``) and from ``job.c`` (``get_menu_job``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dpm_image.errors import ImageError

_DEFAULT = "defaultboot"

_SECTION = re.compile(r"\[([!-\\^-~]+)\][ \t]*")
_MENU = re.compile(r":([0-9A-Za-z]+)[ \t]*")
_ASSIGNMENT = re.compile(r"([a-z]+|[0-9]+)[ \t]*=[ \t]*(.*)")
_QUOTED = re.compile(r"""(["'])(.*?)\1[ \t]*""")

#: What makes a section one that boots Linux, and not a dump tool or a loader of segments.
_IMAGE = "image"


class ZiplConfError(ImageError):
    """zipl would not take it, or it names nothing to boot."""


@dataclass(frozen=True)
class Section:
    """A section's name and its keywords; a keyword without a value has an empty one."""

    name: str
    keywords: dict[str, str]


@dataclass(frozen=True)
class Configuration:
    """What a configuration file says."""

    sections: tuple[Section, ...]
    #: Keywords by menu, entries (by their numbers) among them, in the order of the file.
    menus: Mapping[str, Mapping[str, str]]

    @property
    def defaults(self) -> Mapping[str, str]:
        """The keywords of the section ``defaultboot``."""
        found = (one.keywords for one in self.sections if one.name == _DEFAULT)
        return next(found, {})


def parse(text: str) -> Configuration:
    """Return what a ``zipl.conf`` says."""
    sections: list[Section] = []
    menus: dict[str, dict[str, str]] = {}
    keywords: dict[str, str] | None = None
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.lstrip(" \t")
        if not line or line.startswith("#"):
            continue
        if match := _SECTION.fullmatch(line):
            keywords = {}
            sections.append(Section(match[1], keywords))
        elif match := _MENU.fullmatch(line):
            keywords = menus.setdefault(match[1], {})
        elif keywords is None:
            raise ZiplConfError(f"line {number}: outside of any section")
        elif match := _ASSIGNMENT.fullmatch(line):
            keywords[match[1]] = _value(match[2], number)
        elif line.strip() == "defaultauto":
            keywords["defaultauto"] = ""
        else:
            raise ZiplConfError(f"line {number} is none that zipl knows")
    return Configuration(tuple(sections), menus)


def _value(text: str, number: int) -> str:
    if not text.startswith(("'", '"')):
        return text.rstrip(" \t")
    match = _QUOTED.fullmatch(text)
    if match is None:
        raise ZiplConfError(f"line {number}: quotes that do not end, or something behind them")
    return match[2]


def default(configuration: Configuration, entries: Iterable[Section] = ()) -> Section:
    """Return the section that is booted by default.

    `entries` are those of the Boot Loader Specification, by their titles, in zipl's order.
    """
    sections = [*configuration.sections, *entries]
    bootable = [one for one in sections if _IMAGE in one.keywords]
    defaults = configuration.defaults
    name = defaults.get("default")
    if "defaultmenu" in defaults:
        name = _of_menu(configuration, defaults["defaultmenu"])
    elif name is None or "defaultauto" in defaults or "target" in defaults:
        # An automatic menu has all sections; a default that is none of them is passed over.
        return next((one for one in bootable if one.name == name), _first(bootable))
    found = [one for one in bootable if one.name == name]
    if not found:
        raise ZiplConfError(f"its default, [{name}], is not there or has no image")
    return found[0]


def _of_menu(configuration: Configuration, name: str) -> str | None:
    menu = configuration.menus.get(name)
    if menu is None:
        raise ZiplConfError(f"there is no menu :{name}")
    entries = {int(keyword): value for keyword, value in menu.items() if keyword.isdigit()}
    chosen = menu.get("default")
    if chosen is None:
        return next(iter(entries.values()), None)
    return entries.get(int(chosen)) if chosen.isdigit() else None


def _first(sections: list[Section]) -> Section:
    if not sections:
        raise ZiplConfError("no section has an image")
    return sections[0]
