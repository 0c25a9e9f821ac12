"""Checks that the agent is in the image as the checkout has it, and where cloud-init looks."""

from __future__ import annotations

import re
from pathlib import PurePath

from dpm_image.verify import imports
from dpm_image.verify.checks import Image, Wrong, check
from dpm_image.verify.imports import AGENT
from dpm_lab.source import CHECKOUT

#: Where the element says which datasources cloud-init has, and in which order.
_ELEMENT = CHECKOUT / "elements/dpm-guest/environment.d/50-dpm-guest.bash"

_DS_IDENTIFY = "etc/cloud/ds-identify.cfg"
_OFF = "etc/cloud/cloud-init.disabled"

#: When cloud-init describes the network: the last one is its second stage's word for `boot`.
_WHEN = ("boot-new-instance", "boot", "boot-legacy")

_MODULES = f"{AGENT}/dpm_guest"


@check("agent")
def agent_is_the_checkouts(image: Image) -> str:
    """Every file that `tools/install-guest` installs is there, and the same."""
    if image.agent is None:
        raise Wrong("nothing to compare with")
    names = [path.relative_to(image.agent) for path in image.agent.rglob("*") if path.is_file()]
    for name in sorted(names):
        if not image.tree.is_file(str(name)):
            raise Wrong(f"/{name} is missing")
        if image.tree.content(str(name)) != (image.agent / name).read_bytes():
            raise Wrong(f"/{name} is not the checkout's")
    return f"{len(names)} files, as in the checkout"


@check("agent's bytecode")
def agent_is_compiled(image: Image) -> str:
    """No boot compiles anything, and none compares times (flags 1: by hash, not checked)."""
    modules = [PurePath(name) for name in image.files(f"{_MODULES}/*.py")]
    if not modules:
        raise Wrong(f"/{_MODULES} has no modules")
    for module in modules:
        compiled = image.files(f"{_MODULES}/__pycache__/{module.stem}.cpython-*.pyc")
        if not compiled:
            raise Wrong(f"{module.name} is not compiled")
        if image.tree.content(compiled[0])[4:8] != b"\1\0\0\0":
            raise Wrong(
                f"{PurePath(compiled[0]).name} is checked against its source at every start"
            )
    return f"{len(modules)} modules, never checked against their source"


@check("agent's unit")
def unit_is_enabled(image: Image) -> str:
    """Wanted by a target, so that it runs at boot."""
    links = image.files("etc/systemd/system/*.wants/dpm-guest.service")
    if not links:
        raise Wrong("dpm-guest.service is not enabled")
    return links[0]


@check("agent's rules")
def rules_are_there(image: Image) -> str:
    """udev asks the agent about devices that come later."""
    rules = "usr/lib/udev/rules.d/80-dpm-guest.rules"
    if not image.tree.is_file(rules):
        raise Wrong(f"/{rules} is missing")
    if image.tree.exists("etc/udev/rules.d/80-dpm-guest.rules", follow=False):
        raise Wrong("/etc/udev/rules.d/80-dpm-guest.rules hides them")
    return f"/{rules}"


@check("Python imports")
def python_has_what_the_agent_imports(image: Image) -> str:
    """Python, pyudev and all that the agent's modules import, by their files."""
    return imports.check(image.tree)


@check("datasources")
def cloud_init_has_our_datasources(image: Image) -> str:
    """The last file that names them wins; on Debian the package's own is 90_dpkg.cfg."""
    found, place = image.cloud.get("datasource_list", (None, ""))
    # A bare None is a word to cloud-init's own reader of this list, and null to YAML's.
    listed = found if isinstance(found, list) else []
    words = ("None" if name is None else name for name in listed)
    names = [word if isinstance(word, str) else "no name" for word in words]
    said = re.search(r"DATASOURCES:-([^}]+)", _ELEMENT.read_text(encoding="utf-8"))
    assert said is not None
    if names != said[1].split(", "):
        raise Wrong(f"{place}: {', '.join(names)}" if names else "no datasource_list")
    return f"{', '.join(names)} ({place})"


@check("cloud-init is on")
def cloud_init_is_on(image: Image) -> str:
    """ds-identify looks at DMI, which s390x has not: since 25.1.3 it switches cloud-init off then.

    Only the policy that asks cloud-init itself is right with every version.
    """
    if image.tree.exists(_OFF):
        raise Wrong(f"/{_OFF} is there")
    text = image.read(_DS_IDENTIFY)
    policies = re.findall(r"^\s*policy\s*:\s*([^#\s]*)", text, re.MULTILINE)
    if not policies:
        raise Wrong(f"/{_DS_IDENTIFY} {'has no policy' if text else 'is missing'}")
    if policies[-1] != "enabled":
        raise Wrong(f"/{_DS_IDENTIFY}: policy {policies[-1]}, not enabled")
    return f"policy enabled (/{_DS_IDENTIFY})"


@check("network updates")
def network_is_described_at_every_boot(image: Image) -> str:
    """Ports are swapped, added and removed while a server lives."""
    updates, place = image.cloud.get("updates", ({}, ""))
    network = updates.get("network") if isinstance(updates, dict) else None
    when = network.get("when") if isinstance(network, dict) else None
    listed = when if isinstance(when, list) else []
    if missing := [event for event in _WHEN if event not in listed]:
        raise Wrong(f"updates.network.when has no {', '.join(missing)}{place and f' ({place})'}")
    return f"{', '.join(_WHEN)} ({place})"
