"""SELinux's policy for the EL-shaped guest images: Debian's, made by this machine's own programs.

The policy of EL cannot be had without EL. Debian's is the same reference policy with other patches:
its file contexts know the paths that EL and Debian share, and a Debian kernel boots it enforcing.
Where it is stricter than EL's, ``image-build/testing/el-base/policy.cil`` has what EL's lets.
Unlike EL 10's, it does not confine ``kernel_t``.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from dpm_image.build import inputs
from dpm_lab.debian.releases import BOOKWORM, ArchiveError
from dpm_lab.debian.system import System

#: Where the policy's root has the policy.
_PLACE = "etc/selinux/default"


def policy(top: Path, local: Path) -> Path:
    """Return the folder of the policy with the module `local`, made below `top` if it is not there.

    Compiling it takes seconds here and minutes in emulation, and what comes out does not depend on
    the machine, but for the files ``*.bin``.
    """
    system = System(
        _architecture(),
        "minbase",
        ("selinux-policy-default",),
        (
            "--mode=root",
            '--aptopt=APT::Install-Recommends "false"',
            f'--customize-hook=copy-in "{local}" /tmp',
            f'--customize-hook=chroot "$1" semodule -n -s default -i /tmp/{local.name}',
        ),
    )
    made_of = {"system": repr(system.packages), "debian": repr(BOOKWORM)}
    made_of |= {"local": inputs.digest(local), "program": inputs.digest(Path(__file__))}
    place = top / f"policy-{inputs.key(made_of)}"
    with (top / "policy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            if wrong := system.missing(BOOKWORM):
                raise ArchiveError(f"Debian's archive cannot give an SELinux policy: {wrong}")
            root = top / "policy.part"
            shutil.rmtree(root, ignore_errors=True)
            system.make(BOOKWORM, root)
            for old in top.glob("policy-*"):
                shutil.rmtree(old)
            (root / _PLACE).rename(place)
            shutil.rmtree(root)
    os.utime(place)
    return place


def _architecture() -> str:
    answer = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
    )
    return answer.stdout.strip()
