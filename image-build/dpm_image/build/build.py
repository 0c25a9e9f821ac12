"""Builds an image of a distribution for s390x partitions, unless the cache has it."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from dpm_image.build import base, dib, distributions, durable, host, mounts, sweep
from dpm_image.build.plan import Options, Plan, plan, shown
from dpm_image.build.redact import Redactor
from dpm_image.errors import ImageError
from dpm_lab import cache, process
from dpm_lab.progress import Progress

#: Base systems and images of a distribution that are kept; older ones go when a new one comes.
_KEPT = 4

#: What a path must not have in it where a script does not quote it: all but letters, digits, these.
_STRANGE = re.compile(r"[^\w/.,+@%=:-]")


def build(
    options: Options | None = None,
    *,
    output: Path | None = None,
    log: Path | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Build the image that `options` describe, unless the cache has it, and return its path.

    Args:
        options: default: Debian as it comes
        output: where a copy of the image goes; without it, the path in the cache is returned: treat
            that file as read-only, others use it too
        log: where the build's log goes (default: beside the image)
        force: make anew even what is in the cache, image and base system
        progress: where to tell how it goes (default: standard error)

    Raises:
        ImageError: the host lacks something (named with the Debian package, before anything
            starts), or the build failed (with hook, last words and log).
    """
    progress = progress or Progress()
    options = options or Options()
    todo = plan(options)
    if output is not None and output.is_dir():
        raise ImageError(f"{output} is a folder; the image needs a file's name")
    if log is None and output is not None:
        log = output.with_suffix(".log")
    if force or not todo.image.exists():
        _make(options, todo, log, progress, force=force)
    else:
        # The oldest go first when the cache is tidied; this one is in use.
        os.utime(todo.image)
        progress.line(f"nothing has changed: {todo.image.name} is in the cache")
        _copy_log(todo, log)
    if output is None:
        return todo.image
    durable.copy(todo.image, output)
    return output


def _make(
    options: Options, todo: Plan, log: Path | None, progress: Progress, *, force: bool
) -> None:
    _check_folder(cache.folder())
    redactor = Redactor(todo.secrets)
    host.check_tools(todo.distribution)
    distributions.check(todo.distribution, environment_of(todo))
    host.enable_emulation()
    path = process.search_path()
    if not host.has_device_mapper():
        progress.line("the kernel has no device-mapper: stand-ins for kpartx and dmsetup are used")
        path = os.pathsep.join([str(host.stand_ins()), path])
    # disk-image-create calls the programs of its own virtual environment by name.
    path = os.pathsep.join([str(Path(todo.command[0]).parent), path])

    for folder in (todo.image.parent, todo.base.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with _alone(cache.folder(), path, progress) as lock:
        if todo.image.exists() and not force:
            # Whoever had the cache to itself until now was building the same.
            _copy_log(todo, log)
            return
        written = log or todo.log
        with (
            sweep.workplace(todo.folder, path, tmpfs=os.environ.get("DIB_NO_TMPFS", "0") == "0"),
            base.in_use(todo.base, path, progress, anew=force) as base_folder,
            durable.private(written) as sink,
        ):
            # TMPDIR: what hooks leave there when they are killed goes with the folder.
            settings = {
                "DIB_IMAGE_CACHE": str(base_folder),
                "DIB_NO_TMPFS": "1",  # it is in one of ours
                "TMPDIR": todo.environment["TMP_DIR"],
            }
            progress.line(f"building {todo.image.name}; log: {written}")
            durable.write(sink, redactor.redact(f"{shown(todo)}\n".encode()), written)
            dib.run(
                todo.command,
                {**environment_of(todo), **settings, "PATH": path},
                sink,
                progress,
                name=written,
                lock=lock,
                redactor=redactor,
            )
            if plan(options).image != todo.image:
                raise ImageError(
                    f"elements, agent or variables have changed while {todo.image.name} was "
                    "built: nobody can say what is in it; build again"
                )
            if log and log.is_file():
                durable.copy(log, todo.log, durable.PRIVATE)
            # The last step, and one that happens or does not: nobody sees half an image.
            durable.rename(todo.folder / "image.qcow2", todo.image)
        # Those of other distributions stay: they take long to make, and are not in the way.
        _tidy(todo.image.parent.glob(f"{todo.distribution}-*.qcow2"), path)
        _tidy(todo.base.parent.glob(f"{todo.distribution}-*"), path)
    size = todo.image.stat().st_size / 2**20
    progress.line(f"done: {todo.image}, {size:.0f} MiB")


def environment_of(todo: Plan) -> dict[str, str]:
    return {**os.environ, **todo.environment, **todo.secrets}


def _check_folder(cache: Path) -> None:
    """Refuse a path that the shell scripts of a build would take apart, as root."""
    if strange := sorted(set(_STRANGE.findall(str(cache)))):
        raise ImageError(
            f"the cache's folder is {str(cache)!r}, and diskimage-builder's shell scripts do not "
            f"quote {''.join(strange)!r}; set XDG_CACHE_HOME to another folder"
        )


@contextmanager
def _alone(cache: Path, path: str, progress: Progress) -> Iterator[TextIO]:
    """Hold the cache's lock, and sweep away what a killed build left: nobody else can own it."""
    with (cache / "lock").open("w") as lock:
        if not _locked(lock):
            progress.line("another build is going on; waiting for it to end")
            while not _locked(lock):
                progress.status("waiting for another build to end")
                time.sleep(0.5)
        for folder in cache.glob("build-*"):
            sweep.sweep(folder, path)
        # Former versions made the logs readable to all.
        for log in (cache / "images").glob("*.log"):
            log.chmod(durable.PRIVATE)
        yield lock


def _locked(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _tidy(entries: Iterator[Path], path: str) -> None:
    for old in sorted(entries, key=lambda entry: entry.stat().st_mtime)[:-_KEPT]:
        if old.is_dir():
            mounts.remove(old, path)
        else:
            old.unlink()
            old.with_suffix(".log").unlink(missing_ok=True)


def _copy_log(todo: Plan, log: Path | None) -> None:
    """Give the log of an image in the cache to who asks for it; an old image may have lost it."""
    if log is not None and todo.log.exists():
        durable.copy(todo.log, log, durable.PRIVATE)
