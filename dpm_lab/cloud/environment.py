"""What the services run in: a virtual environment of their own, and Debian's programs.

The environment is cached by what it is made of. This project's own packages are not in it: each
cloud has a folder of links to them, so that several checkouts share one environment.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import importlib.util
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from dpm_lab import cache
from dpm_lab.cloud.errors import CloudError
from dpm_lab.cloud.place import Place
from dpm_lab.process import ask, run, search_path
from dpm_lab.progress import Progress

CONSTRAINTS = Path(__file__).with_name("constraints.txt")
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_OURS = ("dpm_guest", "dpm_hmc", "dpm_lab", "networking_dpm", "nova_dpm")
_DISTRIBUTION = "nova-dpm"
_READY = ".complete"
#: What the lab adds to it, for clouds alone.
_POINTS = """\
[neutron.ml2.mechanism_drivers]
dpm_lab = dpm_lab.cloud.inside.wires:LabMechanismDriver
[neutron.interface_drivers]
dpm_lab = dpm_lab.cloud.inside.wires:LabInterfaceDriver
"""


def folder() -> Path:
    """Where the virtual environment is, or will be."""
    return place_of("environment", CONSTRAINTS)


def place_of(kind: str, constraints: Path) -> Path:
    """Return where a virtual environment of some packages is, or will be.

    Args:
        kind: how its name begins
    """
    version = ".".join(map(str, sys.version_info[:3]))
    return cache.folder("cloud", f"{kind}-{cache.key(constraints.read_bytes(), version)}")


def is_made() -> bool:
    """Whether it is there."""
    return (folder() / _READY).exists()


def make(progress: Progress) -> Path:
    """Make the virtual environment where it is not there.

    Raises:
        CloudError: pip cannot.
    """
    path = folder()
    install(path, CONSTRAINTS, progress, f"OpenStack's services into {path}")
    return path


def install(path: Path, constraints: Path, progress: Progress, what: str) -> None:
    """Make a virtual environment where it is not there, and remove older ones of its kind.

    Args:
        constraints: all that it has, each with its version
        what: what goes into it, for a person who waits

    Raises:
        CloudError: pip cannot.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{path}.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (path / _READY).exists():
            return
        progress.line(f"{what}: some minutes, once")
        # In place, since scripts in a virtual environment name its path.
        shutil.rmtree(path, ignore_errors=True)
        run([sys.executable, "-m", "venv", path])
        pip = [str(path / "bin/pip"), "install", "--quiet", "--disable-pip-version-check"]
        answer = ask([*pip, "--no-deps", "--requirement", str(constraints)])
        if answer.code:
            said = "\n".join(answer.errors.splitlines()[-12:])
            raise CloudError(f"pip cannot install {constraints}:\n{said}")
        (path / _READY).touch()
        remove_others(path)


def remove_others(path: Path) -> None:
    """Remove the environments of other constraints, but for those that a cloud runs in."""
    used = [
        word for each in psutil.process_iter(["cmdline"]) for word in each.info["cmdline"] or ()
    ]
    kind = path.name.rpartition("-")[0]
    for old in path.parent.glob(f"{kind}-*"):
        is_used = any(word.startswith(f"{old}/") for word in used)
        if old.is_dir() and old != path and not is_used:
            shutil.rmtree(old)


def check_programs(*, boot: bool = False) -> None:
    """Check that Debian's programs are there.

    Args:
        boot: those that guests need, too

    Raises:
        CloudError: one is missing; says what to install.
    """
    wanted = {
        "mariadbd": "mariadb-server-core",
        "mariadb-install-db": "mariadb-server-core",
        "my_print_defaults": "mariadb-client-core",  # that mariadb-install-db runs
        "epmd": "rabbitmq-server",
        "qemu-img": "qemu-utils",
        str(RABBITMQ): "rabbitmq-server",
    }
    if boot:
        wanted["qemu-system-s390x"] = "qemu-system-misc"
        wanted["qemu-storage-daemon"] = "qemu-system-common"
    missing = sorted(
        {package for name, package in wanted.items() if not shutil.which(name, path=search_path())}
    )
    if missing:
        raise CloudError(
            f"missing: apt-get install --no-install-recommends {' '.join(missing)} (services"
            " that Debian starts of them are not used, and may be stopped)"
        )


def link_ours(place: Place) -> Path:
    """Make the folder by which the services find this project's packages, and return it.

    Raises:
        CloudError: this project is not installed.
    """
    try:
        ours = importlib.metadata.distribution(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError as error:
        raise CloudError(f"{_DISTRIBUTION} is not installed: pip install -e '.[lab]'") from error
    targets = {name: _package(name) for name in _OURS}
    # By which Nova finds the driver (an os-vif plug-in) and Neutron its mechanism driver.
    points = f"{ours.read_text('entry_points.txt') or ''}\n{_POINTS}"
    links = place.of("python")
    info = links / f"nova_dpm-{ours.version}.dist-info"
    if _is_linked(links, targets) and _read(info / "entry_points.txt") == points:
        return links  # services that run import from here
    shutil.rmtree(links, ignore_errors=True)
    info.mkdir(parents=True)
    for name, target in targets.items():
        (links / name).symlink_to(target)
    (links / "sitecustomize.py").symlink_to(_package("dpm_lab") / "cloud/inside/forks.py")
    metadata = f"Metadata-Version: 2.1\nName: {_DISTRIBUTION}\nVersion: {ours.version}\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    (info / "entry_points.txt").write_text(points, encoding="utf-8")
    return links


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise CloudError(f"{name} is not installed: pip install 'nova-dpm[lab]'")
    return Path(next(iter(found.submodule_search_locations))).resolve()


def _is_linked(links: Path, targets: Mapping[str, Path]) -> bool:
    return all((links / name).resolve() == target for name, target in targets.items())


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def variables(place: Place) -> Mapping[str, str]:
    """Return the environment of every service; nothing of the caller's, such as proxies."""
    return {
        "PATH": f"{folder()}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(place.of("state")),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(place.of("python")),
        "PYTHONUNBUFFERED": "1",
        # Memory is not cut into arenas for threads, which here wait for each other anyway.
        "MALLOC_ARENA_MAX": "1",
        # What glibc starts with. Set, it does not raise it, and gives back what a request took.
        "MALLOC_TRIM_THRESHOLD_": "131072",
        # By which what a crash left is found.
        MARK: str(place.folder),
    }


MARK = "DPM_LAB_CLOUD"
#: In the environment of a service and of all that it starts: its name.
SERVICE = "DPM_LAB_SERVICE"
