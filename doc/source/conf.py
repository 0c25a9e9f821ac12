"""How the documents are built: ``make docs``."""

from __future__ import annotations

import configparser
import html
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from oslo_config import cfg, generator

from dpm_guest.report import README
from networking_dpm import conf as neutron
from nova_dpm.conf import list_opts

TOP = Path(__file__).parents[2]
GENERATED = Path(__file__).parent / "_generated"

project = "nova-dpm"
copyright = "the nova-dpm developers, Apache License 2.0"
author = "the nova-dpm developers"
exclude_patterns = ["_generated"]
extensions = ["reno.sphinxext", "sphinx_copybutton"]
highlight_language = "sh"
# Not openstackdocstheme: its pages call themselves OpenStack's (logo, log-in, licence), have no
# dark colours, and begin on a phone with a screen of navigation.
html_theme = "furo"
html_title = "nova-dpm"
html_static_path = ["_static"]
html_css_files = ["nova-dpm.css"]
html_show_sourcelink = False
# Commands have a button. Output has none (language none), or is left out (lines without a prompt).
copybutton_selector = "div:not(.highlight-none) > div.highlight > pre"
copybutton_prompt_text = "$ "


def _help(*command: str) -> str:
    """What a command says of itself; the pages show it, so that they can't say anything else."""
    done = subprocess.run(
        [sys.executable, "-m", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=TOP,
        env={"PYTHONPATH": f"{TOP}:{TOP / 'image-build'}", "COLUMNS": "96"},
    )
    return done.stdout


#: What the matrix shows at a glance.
MARKS = {
    "complete": "\N{CHECK MARK}",
    "partial": "\N{CIRCLE WITH LEFT HALF BLACK}",
    "missing": "\N{MULTIPLICATION X}",
}


def _matrix() -> Iterator[str]:
    """The features of support-matrix.ini, which a test compares with the driver."""
    rows = configparser.ConfigParser(interpolation=None)
    rows.read(Path(__file__).parent / "support-matrix.ini", encoding="utf-8")
    states = Counter(rows[name]["state"] for name in rows.sections())
    yield ".. raw:: html\n\n   <p class='states'>"
    for state, mark in MARKS.items():
        yield f"   <span class='{state}'>{mark} {states[state]} {state}</span>"
    yield "   </p>\n"
    for area, names in groupby(rows.sections(), key=lambda name: rows[name]["area"]):
        yield f"{area}\n{'~' * len(area)}\n\n.. raw:: html\n\n   <div class='features'>\n"
        for name in names:
            yield from _feature(name, rows[name])
        yield ".. raw:: html\n\n   </div>\n"


def _feature(name: str, row: configparser.SectionProxy) -> Iterator[str]:
    state, title = row["state"], html.escape(row["title"])
    yield f".. raw:: html\n\n   <details class='{state}' id='{name}'>"
    yield f"   <summary><span title='{state}'>{MARKS[state]}</span> {title}</summary>\n"
    yield f"*{state.capitalize()}.* " + " ".join(row.get("note", "").split()) + "\n"
    for each in _commands(row):
        yield f"``{each}``\n"
    yield ".. raw:: html\n\n   </details>\n"


def _commands(row: configparser.SectionProxy) -> list[str]:
    return [each.strip() for each in row.get("command", "").split(",") if each.strip()]


def _options(groups: Sequence[tuple[cfg.OptGroup, list[cfg.Opt]]]) -> Iterator[str]:
    """All options of a program. oslo.config's own directive shows an example as the default."""
    for group, members in groups:
        yield f"{(group.help or '').strip()}\n"
        for option in members:
            kind = option.type.type_name
            if isinstance(option, cfg.ListOpt):
                kind = f"list of: {option.type.item_type.type_name}"
            if option.multi:
                kind += ", can be given several times"
            low, high = (getattr(option.type, name, None) for name in ("min", "max"))
            if low is not None:
                kind += f", at least {low}" if high is None else f", {low} to {high}"
            default = "not set" if option.default in (None, []) else str(option.default).lower()
            yield f"``{option.name}``\n   *{kind}; default: {default}*\n"
            yield textwrap.indent((option.help or "").strip(), "   ") + "\n"
            if option.sample_default:
                sample = option.sample_default
                example = sample if isinstance(sample, str) else ", ".join(sample)
                yield f"   Example: ``{option.name} = {example}``\n"


GENERATED.mkdir(exist_ok=True)
(GENERATED / "dpm-guest.txt").write_text(_help("dpm_guest"))
(GENERATED / "dpm-guest-report.txt").write_text(README)
for _command in ("list", "build", "verify", "compare", "boot", "demo"):
    (GENERATED / f"dpm-image-{_command}.txt").write_text(_help("dpm_image", _command))
for _command in ("hmc", "osa", "cloud", "demo"):
    (GENERATED / f"dpm-lab-{_command}.txt").write_text(_help("dpm_lab", _command))
for _command in ("up", "down", "logs", "tempest"):
    (GENERATED / f"dpm-lab-cloud-{_command}.txt").write_text(_help("dpm_lab", "cloud", _command))
(GENERATED / "nova-dpm-check.txt").write_text(_help("nova_dpm.check.command"))
(GENERATED / "neutron-dpm-agent.txt").write_text(_help("networking_dpm.agent.command"))
(GENERATED / "options.rst").write_text("\n".join(_options(list_opts())))
_group, _members = neutron.list_opts()[0]
_own = [each for each in _members if each not in list_opts()[0][1]]
(GENERATED / "neutron-options.rst").write_text(
    "\n".join(_options([(_group, _own), *neutron.list_opts()[1:]]))
)
(GENERATED / "support-matrix.rst").write_text("\n".join(_matrix()) + "\n")
for _name in ("nova-dpm", "neutron-dpm-agent"):
    generator.main(
        [
            f"--config-file={TOP / 'etc' / f'{_name}-config-generator.conf'}",
            f"--output-file={GENERATED / f'{_name}.conf.sample'}",
        ]
    )
