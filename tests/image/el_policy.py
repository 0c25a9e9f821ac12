"""SELinux's policy for the EL-shaped guest images: Debian's, made by this machine's own programs.

The policy of EL cannot be had without EL. Debian's is the same reference policy with other patches:
its file contexts know the paths that EL and Debian share, and a Debian kernel boots it enforcing.
Where it is stricter than EL's, ``image-build/testing/el-base/policy.cil`` has what EL's lets.
Unlike EL 10's, it does not confine ``kernel_t``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from dpm_lab import cache
from dpm_lab.debian.releases import BOOKWORM, ArchiveError
from dpm_lab.debian.system import System
from dpm_lab.process import run

#: Where the policy's root has the policy.
_PLACE = "etc/selinux/default"


def policy(local: Path) -> Path:
    """Return the folder of the policy with the module `local`, made if the cache has none.

    Compiling it takes seconds here and minutes in emulation, and what comes out does not depend on
    the machine, but for the files ``*.bin``.
    """
    system = System(
        run(["dpkg", "--print-architecture"]).strip(),
        "minbase",
        ("selinux-policy-default",),
        (
            "--mode=root",
            '--aptopt=APT::Install-Recommends "false"',
            f'--customize-hook=copy-in "{local}" /tmp',
            f'--customize-hook=chroot "$1" semodule -n -s default -i /tmp/{local.name}',
        ),
    )
    key = cache.key(
        repr(system.packages), repr(BOOKWORM), local.read_text(), cache.program(__file__)
    )
    place = cache.folder("el-base", f"policy-{key}")
    with cache.made_once(place, instead_of="policy-*") as new:
        if new is not None:
            if wrong := system.missing(BOOKWORM):
                raise ArchiveError(f"Debian's archive cannot give an SELinux policy: {wrong}")
            with tempfile.TemporaryDirectory(prefix="work-", dir=new) as root:
                system.make(BOOKWORM, Path(root))
                for file in (Path(root) / _PLACE).iterdir():
                    file.rename(new / file.name)
    return place
