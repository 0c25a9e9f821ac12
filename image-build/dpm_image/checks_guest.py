"""Checks that the agent is in the image as the checkout has it, and where cloud-init looks."""

from __future__ import annotations

from dpm_image.checks import Image, Wrong, check

#: In this order: a drive is found at once, a service has to be asked, and without both it goes on.
DATASOURCES = ["ConfigDrive", "OpenStack", "None"]

_MODULES = "usr/lib/dpm-guest/dpm_guest"


@check("agent")
def agent_is_the_checkouts(image: Image) -> str:
    """Every file that `tools/install-guest` installs is there, and the same."""
    if image.agent is None:
        raise Wrong("nothing to compare with")
    names = [path.relative_to(image.agent) for path in image.agent.rglob("*") if path.is_file()]
    for name in sorted(names):
        path = image.path(str(name))
        if not path.is_file():
            raise Wrong(f"/{name} is missing")
        if path.read_bytes() != (image.agent / name).read_bytes():
            raise Wrong(f"/{name} is not the checkout's")
    return f"{len(names)} files, as in the checkout"


@check("agent's bytecode")
def agent_is_compiled(image: Image) -> str:
    """No boot compiles anything, and none compares times (flags 1: by hash, not checked)."""
    modules = sorted(image.path(_MODULES).glob("*.py"))
    if not modules:
        raise Wrong(f"/{_MODULES} has no modules")
    for module in modules:
        compiled = sorted(module.parent.glob(f"__pycache__/{module.stem}.cpython-*.pyc"))
        if not compiled:
            raise Wrong(f"{module.name} is not compiled")
        if compiled[0].read_bytes()[4:8] != b"\1\0\0\0":
            raise Wrong(f"{compiled[0].name} is checked against its source at every start")
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
    if not image.path(rules).is_file():
        raise Wrong(f"/{rules} is missing")
    if image.root.joinpath("etc/udev/rules.d/80-dpm-guest.rules").exists():
        raise Wrong("/etc/udev/rules.d/80-dpm-guest.rules hides them")
    return f"/{rules}"


@check("Python imports")
def python_has_what_the_agent_imports(image: Image) -> str:
    """The distribution's Python, run as the partition would run it."""
    program = (
        "import sys; sys.path.insert(0, '/usr/lib/dpm-guest'); import dpm_guest, pyudev; "
        "print(*sys.version_info[:2], sep='.', end=', pyudev '); print(pyudev.__version__)"
    )
    answer = image.inside("python3", "-I", "-c", program)
    if answer.returncode:
        words = answer.stderr.strip().splitlines() or [f"exit status {answer.returncode}"]
        raise Wrong(f"python3: {words[-1]}")
    return f"Python {answer.stdout.strip()}"


@check("datasources")
def cloud_init_has_our_datasources(image: Image) -> str:
    """The last file that names them wins; on Debian the package's own is 90_dpkg.cfg."""
    found, place = image.cloud.get("datasource_list", (None, ""))
    # A bare None is a word to cloud-init's own reader of this list, and null to YAML's.
    names = [str(name) for name in found or []]
    if names != DATASOURCES:
        raise Wrong(f"{place}: {', '.join(names)}" if names else "no datasource_list")
    return f"{', '.join(names)} ({place})"
