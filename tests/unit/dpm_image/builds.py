"""``dpm-image build`` as a process of its own, with a disk-image-create that stops where wanted.

The fake makes what the real one makes: mounts, a loop device with a mounted file system, a base
system in its cache, and children that ignore signals. All of it, and nothing else on the machine,
has the test's folder in its environment or name.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.foreground import FOREGROUND
from tests.running import loop_files, mounts

#: Longer than any step takes on a busy machine; a wait that gets here is a failure.
PATIENCE = 120.0

#: Where the fake can stop.
PHASES = ("root.d", "cached", "install.d", "finalise.d", "qemu-img")

_FAKE = r"""#!/bin/bash
set -eu
while [ "$1" != -o ]; do shift; done
image=$2
at() { # PHASE: tells of it, and stays there if that is wanted.
    echo "2026-01-02 03:04:05.678 | dib-run-parts Running /x/hooks/$1/50-fake"
    [ "${FAKE_STOP:-}" = "$1" ] || return 0
    for session in "" setsid; do
        $session bash -c 'trap "" TERM INT HUP; while :; do sleep 1; done' fake &
    done
    : >"$FAKE_STOPPED"
    trap "" TERM INT HUP
    while :; do sleep 1; done
}
build=$(mktemp -d "$TMP_DIR/dib_build.XXXXXXXX")
mkdir "$build/mnt"
mount -t tmpfs tmpfs "$build/mnt"
mkdir "$build/mnt/dev"
mount --bind "$FAKE_VICTIM" "$build/mnt/dev" # the real one: the host's own /dev
tarball=$DIB_IMAGE_CACHE/debootstrap-debian-bookworm-s390x.tar.gz
if [ ! -e "$tarball" ]; then
    [ -z "${FAKE_NO_ARCHIVE:-}" ] || { echo "E: the archive has no such file"; exit 1; }
    echo base >>"$FAKE_RUNS"
    tar -C / -cz etc/hostname >"$build/whole"
    head -c 100 "$build/whole" >"$tarball"
    at root.d
    cp "$build/whole" "$tarball"
else
    tar -tzf "$tarball" >/dev/null
fi
at cached
(set -x && : "$(declare -p "${!DIB_@}")" && env)
[ -z "${FAKE_TOUCHES:-}" ] || touch "$FAKE_TOUCHES"
[ -z "${FAKE_FAILURE:-}" ] || { echo "E: failed with $DIB_DEV_USER_PASSWORD"; exit 1; }
at install.d
truncate -s 8M "$TMP_DIR/image0.raw"
disk=$(losetup --find --show "$TMP_DIR/image0.raw")
mkfs.ext4 -q "$disk"
mkdir "$build/root"
mount "$disk" "$build/root"
at finalise.d
umount "$build/root"
losetup -d "$disk"
echo "half of the image" >"$image"
at qemu-img
echo "image" >"$image"
umount "$build/mnt/dev" "$build/mnt"
"""

_MAIN = """
import sys
from dpm_image.build import host
host.disk_image_create = lambda: sys.argv[1]
host.check_tools = lambda distribution: None
host.enable_emulation = lambda: None
host.has_device_mapper = lambda: True
from dpm_image.__main__ import main
sys.exit(main(sys.argv[2:]))
"""


@dataclass
class Builds:
    """Builds with one cache, below `top`."""

    top: Path

    def __post_init__(self) -> None:
        self.program = self.top / "bin/disk-image-create"
        self.program.parent.mkdir()
        self.program.write_text(_FAKE)
        self.program.chmod(0o755)
        self.stopped = self.top / "stopped"
        self.runs = self.top / "runs"
        self.runs.touch()
        self.victim = self.top / "victim"
        self.victim.mkdir()
        (self.victim / "file").write_text("not the build's\n")

    @property
    def cache(self) -> Path:
        """The cache of all of them."""
        return self.top / "cache/nova-dpm"

    def start(
        self,
        *words: str,
        stop: str = "",
        ignoring: str = "",
        **environment: str,
    ) -> subprocess.Popen[str]:
        """Start a build that stops in phase `stop`, and wait until it is there.

        `ignoring` are signals that are ignored on entry.
        """
        kept = {name: text for name, text in os.environ.items() if not name.startswith("DIB_")}
        shell = ["sh", "-c", f'trap "" {ignoring}; exec "$@"' if ignoring else 'exec "$@"', "sh"]
        command = [
            *FOREGROUND,
            *shell,
            sys.executable,
            "-c",
            _MAIN,
            str(self.program),
            "build",
            *words,
        ]
        self.stopped.unlink(missing_ok=True)
        process = subprocess.Popen(
            command,
            env=kept
            | {
                "XDG_CACHE_HOME": str(self.top / "cache"),
                "FAKE_STOP": stop,
                "FAKE_STOPPED": str(self.stopped),
                "FAKE_RUNS": str(self.runs),
                "FAKE_VICTIM": str(self.victim),
            }
            | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if stop:
            until(lambda: self.stopped.exists() or process.poll() is not None)
            if process.poll() is not None:
                raise AssertionError(process.communicate()[0])
        return process

    def build(self, *words: str, **environment: str) -> tuple[int, str]:
        """Build to the end; return exit status and what was said."""
        process = self.start(*words, **environment)
        said, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, said

    def processes(self) -> list[str]:
        """Return the command lines of all that runs for these builds."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if str(self.stopped).encode() in (folder / "environ").read_bytes():
                    found.append((folder / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
        return found

    def mounts(self, *, own: bool = True) -> list[str]:
        """Return what is mounted for these builds, with or without dpm-image's own tmpfs."""
        places = [line.split()[4] for line in mounts() if str(self.top) in line]
        return [place for place in places if own or not re.search(r"/build-\w+/tmp$", place)]

    def loops(self) -> list[str]:
        """Return the loop devices with a file of these builds."""
        return [name for name in loop_files() if str(self.top) in name]

    def left(self) -> list[str]:
        """Return all that should be gone after the end of a build."""
        assert (self.victim / "file").read_text() == "not the build's\n"
        folders = [str(path) for path in self.cache.glob("build-*")]
        folders += [str(path) for path in (self.cache / "base").glob("*.new")]
        return self.processes() + self.mounts() + self.loops() + folders

    def wait_for_lock(self) -> None:
        """Wait until nobody holds the cache's lock."""
        with (self.cache / "lock").open("r+") as lock:

            def free() -> bool:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
                return True

            until(free)


def until(what: object) -> None:
    """Wait until `what()` is true."""
    assert callable(what)
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
