"""``dpm-image build``: an image of a distribution for s390x partitions, by one word.

Other modules, and tests, call :func:`build`: it returns at once where the image is in the cache.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from dpm_image import dib, host, inputs
from dpm_image.errors import ImageError
from dpm_image.progress import Progress

#: An element of this name makes a whole image of a distribution.
_ELEMENT = "{}-dpm"

#: Base systems and images that are kept; older ones go when a new one comes.
_KEPT = 4

# What of the element goes into the base system; all else is applied to it afterwards.
_BASE = ("environment.d", "mmdebstrap", "package-installs.yaml")

_LATE = ("DIB_IMAGE_SIZE", "DIB_DPM_KERNEL_PARAMETERS")


@dataclass(frozen=True)
class Options:
    """What can be chosen about an image; what is None is the element's own default."""

    distribution: str = "debian"
    release: str | None = None
    size: int | None = None
    kernel_parameters: str | None = None
    packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What a build would run, and where its results go."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    image: Path
    log: Path


def cache_folder() -> Path:
    """Return where images and base systems are kept."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "nova-dpm"


def distributions(checkout: Path = host.CHECKOUT) -> tuple[str, ...]:
    """Return the distributions that the checkout has an element for."""
    suffix = _ELEMENT.format("")
    folders = (checkout / "elements").glob(f"*{suffix}")
    found = (folder.name.removesuffix(suffix) for folder in folders)
    # zipl-dpm is a boot loader: what makes a whole image brings an operating system.
    return tuple(sorted(name for name in found if _is_image(checkout, name)))


def _is_image(checkout: Path, distribution: str) -> bool:
    dependencies = checkout / "elements" / _ELEMENT.format(distribution) / "element-deps"
    return dependencies.is_file() and "dpm-guest" in dependencies.read_text("utf-8").split()


def plan(options: Options, checkout: Path = host.CHECKOUT) -> Plan:
    """Return what :func:`build` would do for `options`, without doing anything."""
    if options.distribution not in distributions(checkout):
        raise ImageError(
            f"no element {_ELEMENT.format(options.distribution)} in {checkout / 'elements'}; "
            f"there is {', '.join(distributions(checkout)) or 'none at all'}"
        )
    element = _ELEMENT.format(options.distribution)
    settings = _settings(options)
    made_with = {**settings, "diskimage-builder": inputs.builder_version()}
    own = checkout / "elements" / element
    base_key = inputs.key(
        {name: value for name, value in made_with.items() if name not in _LATE}
        | {name: inputs.digest(own / name) for name in _BASE}
    )
    image_key = inputs.key(
        made_with
        | {"elements": inputs.digest(checkout / "elements"), "agent": inputs.agent(checkout)}
        | {"packages": " ".join(options.packages)}
    )

    cache = cache_folder()
    folder = cache / f"build-{image_key}"
    image = cache / "images" / f"{element}-{image_key}.qcow2"
    environment = {
        **settings,
        "DIB_IMAGE_CACHE": str(cache / "base" / f"{options.distribution}-{base_key}"),
        "ELEMENTS_PATH": os.pathsep.join(
            [str(checkout / "elements"), *filter(None, [os.environ.get("ELEMENTS_PATH")])]
        ),
        "TMP_DIR": str(folder),
    }
    # -x: the log has every command. -n: none of the tools that `base` installs for a person.
    command = [host.disk_image_create(), "-x", "-n", "-a", "s390x", "-t", "qcow2"]
    command += ["--qemu-img-options", "compression_type=zstd", "-o", str(folder / "image.qcow2")]
    if options.packages:
        command += ["-p", ",".join(options.packages)]
    return Plan((*command, element), environment, folder, image, image.with_suffix(".log"))


def _settings(options: Options) -> dict[str, str]:
    """Return the variables that say what is in the image: the caller's, and ours from `options`."""
    settings = {name: value for name, value in os.environ.items() if name.startswith("DIB_")}
    chosen = {
        "DIB_RELEASE": options.release,
        "DIB_IMAGE_SIZE": None if options.size is None else str(options.size),
        "DIB_DPM_KERNEL_PARAMETERS": options.kernel_parameters,
    }
    return settings | {name: value for name, value in chosen.items() if value is not None}


def build(
    options: Options | None = None,
    *,
    output: Path | None = None,
    log: Path | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Build the image that `options` describe, unless the cache has it, and return its path.

    Parameters: `options`, default Debian as it comes; `output`, where a copy of the image goes
    (without it, the path in the cache is returned: treat that file as read-only, others use it
    too); `log`, where the build's log goes (default: beside the image); `force`, to build even
    what is in the cache; `progress`, where to tell how it goes (default: standard error).

    Raises :class:`dpm_image.errors.ImageError`: the host lacks something (named with the Debian
    package, before anything starts), or the build failed (with hook, last words and log).
    """
    progress = progress or Progress()
    todo = plan(options or Options())
    if log is None and output is not None:
        log = output.with_suffix(".log")
    if force or not todo.image.exists():
        _make(todo, log, progress, force=force)
    else:
        # The oldest go first when the cache is tidied; this one is in use.
        os.utime(todo.image)
        progress.line(f"nothing has changed: {todo.image.name} is in the cache")
        _copy_log(todo, log)
    if output is None:
        return todo.image
    _copy(todo.image, output)
    return output


def _make(todo: Plan, log: Path | None, progress: Progress, *, force: bool) -> None:
    host.check_tools()
    host.enable_emulation()
    path = host.search_path()
    if not host.has_device_mapper():
        progress.line("the kernel has no device-mapper: stand-ins for kpartx and dmsetup are used")
        path = os.pathsep.join([str(host.stand_ins()), path])
    # disk-image-create calls the programs of its own virtual environment by name.
    path = os.pathsep.join([str(Path(todo.command[0]).parent), path])

    for folder in (todo.image.parent, Path(todo.environment["DIB_IMAGE_CACHE"])):
        folder.mkdir(parents=True, exist_ok=True)
    with _alone(cache_folder(), progress), dib.workplace(todo.folder, path):
        if todo.image.exists() and not force:
            # Whoever had the cache to itself until now was building the same.
            _copy_log(todo, log)
            return
        written = log or todo.log
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(f"{_shown(todo)}\n", encoding="utf-8")
        progress.line(f"building {todo.image.name}; log: {written}")
        environment = {**os.environ, **todo.environment, "PATH": path}
        dib.run(todo.command, environment, written, progress)
        if log:
            _copy(log, todo.log)
        # The last step, and one that happens or does not: nobody sees half an image.
        (todo.folder / "image.qcow2").replace(todo.image)
    _tidy(todo.image.parent.glob("*.qcow2"))
    _tidy(Path(todo.environment["DIB_IMAGE_CACHE"]).parent.iterdir())
    size = todo.image.stat().st_size / 2**20
    progress.line(f"done: {todo.image}, {size:.0f} MiB")


@contextmanager
def _alone(cache: Path, progress: Progress) -> Iterator[None]:
    """Hold the cache's lock, and sweep away what a killed build left: nobody else can own it."""
    with (cache / "lock").open("w") as lock:
        if not _locked(lock):
            progress.line("another build is going on; waiting for it to end")
            while not _locked(lock):
                progress.status("waiting for another build to end")
                time.sleep(0.5)
        for folder in cache.glob("build-*"):
            dib.sweep(folder, os.pathsep.join([str(host.stand_ins()), host.search_path()]))
        yield


def _locked(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _tidy(entries: Iterator[Path]) -> None:
    for old in sorted(entries, key=lambda entry: entry.stat().st_mtime)[:-_KEPT]:
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink()
            old.with_suffix(".log").unlink(missing_ok=True)


def _copy_log(todo: Plan, log: Path | None) -> None:
    """Give the log of an image in the cache to who asks for it; an old image may have lost it."""
    if log is not None and todo.log.exists():
        _copy(todo.log, log)


def _copy(source: Path, target: Path) -> None:
    """Copy, so that `target` is either as it was or whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copyfile(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _shown(todo: Plan) -> str:
    """Return the command with its environment, to be pasted into a shell."""
    settings = [f"{name}={shlex.quote(value)}" for name, value in sorted(todo.environment.items())]
    return " \\\n  ".join([*settings, shlex.join(todo.command)])


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``build`` to the command's parser."""
    parser = subparsers.add_parser(
        "build",
        help="build an image",
        description="Build an s390x image with the agent inside. Standard output is its path. An "
        "image whose inputs (elements, agent, options) are unchanged comes from the cache.",
    )
    parser.add_argument(
        "distribution", nargs="?", default="debian", choices=distributions() or ("debian",)
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="where the image goes; default: the cache"
    )
    parser.add_argument("--release", help="the distribution's release; default: the element's")
    parser.add_argument(
        "--size", type=int, metavar="GIB", help="of the disk; default: as small as it can be"
    )
    parser.add_argument(
        "--kernel-parameters", metavar="TEXT", help="in addition to the image's own"
    )
    parser.add_argument(
        "-p",
        "--package",
        action="append",
        default=[],
        metavar="NAME",
        help="install it too; may be given more than once",
    )
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="where the log goes; default: beside the image"
    )
    parser.add_argument("--force", action="store_true", help="build even what the cache has")
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be run, and do nothing"
    )


def run(args: argparse.Namespace) -> int:
    """Build, and print the image's path."""
    options = Options(
        distribution=args.distribution,
        release=args.release,
        size=args.size,
        kernel_parameters=args.kernel_parameters,
        packages=tuple(args.package),
    )
    if args.dry_run:
        print(_shown(plan(options)))
        return 0
    image = build(options, output=args.output, log=args.log, force=args.force)
    print(image)
    sys.stdout.flush()
    return 0
