"""A guest image that looks like EL's, for tests: Debian for s390x inside, EL outside.

No package of Red Hat's is to be had without a subscription. What the hooks of diskimage-builder
and of ``rhel-dpm`` look at is imitated (``image-build/testing/el-base``): os-release, ``dnf`` and
``yum`` (the real dnf, of Debian), ``platform-python``, entries of the Boot Loader Specification as
osbuild leaves them, ``grubby`` and ``subscription-manager``, and a repository of packages that are
empty, whose content the root has from Debian already. The shape of EL 9 is made of Debian 12, that
of EL 10 of Debian 13 or what is nearest to it: their kernel, systemd, dracut and NetworkManager are
of about the same age.

What is not of the same age, or not Debian's at all, is put right:

- ``/usr/local/bin`` of EL 9's shape has programs that know no more than EL 9's: ``stat`` without
  ``%Hd``, ``resize2fs`` without ``orphan_file`` and others (``root-9/usr/local/lib/el-9/older``).
- cloud-init is of 2025 (its ``ds-identify`` enables nothing for what is only "maybe" there,
  CVE-2024-6174), its units are as they are rendered for EL.
- ``kernel-install`` is systemd's own; its plug-ins ``20-zipl-kernel`` and ``91-zipl`` do what those
  of s390utils do.
- SELinux has a real policy (:mod:`tests.image.el_policy`) and the real ``setfiles``.
- A newer ``kernel-core`` is in a repository beside the other; its scriptlets call
  ``kernel-install`` as Red Hat's do.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from dpm_image.build import host, inputs
from dpm_lab import cache
from dpm_lab.debian.releases import (
    BACKPORTED_KERNEL,
    BACKPORTS,
    BOOKWORM,
    FORKY,
    TRIXIE,
    Release,
    choose,
)
from dpm_lab.debian.system import System
from dpm_lab.process import ask, run
from dpm_lab.source import CHECKOUT
from tests import notes
from tests.image import el_policy

#: What the shape of an EL release can be made of, the best first. Debian 12's own cloud-init is of
#: 2022, before CVE-2024-6174; it is a Python package, and Debian 13's runs with Debian 12's Python.
RELEASES = {
    "9": (BOOKWORM.picking("cloud-init", "trixie"), BOOKWORM.picking("cloud-init", "sid")),
    "10": (
        TRIXIE,
        BACKPORTS.picking("cloud-init", "trixie"),
        FORKY,
        BACKPORTED_KERNEL.picking("cloud-init", "trixie"),
    ),
}

#: The client that each release's cloud-init asks for an address with.
_DHCP = {"9": "isc-dhcp-client", "10": "dhcpcd-base"}

_DATA = CHECKOUT / "image-build/testing/el-base"

#: Where the image has its repository of empty packages.
_REPOSITORY = "usr/share/el-base"

_PACKAGES = (
    *("linux-image-s390x", "systemd-sysv", "dbus", "udev", "kmod", "iproute2", "network-manager"),
    *("openssh-server", "sudo", "cloud-init", "cloud-guest-utils", "python3", "python3-pyudev"),
    *("python3-yaml", "dnf", "rpm", "dracut", "s390-tools", "dmsetup", "multipath-tools"),
    *("e2fsprogs", "fdisk", "zstd", "iputils-ping", "procps", "policycoreutils", "selinux-utils"),
)

#: What hooks install on EL; names are those of EL's packages.
_STUBS = (
    *("NetworkManager", "ca-certificates", "cloud-init", "cloud-utils-growpart", "device-mapper"),
    *("device-mapper-multipath", "dracut", "dracut-config-generic", "e2fsprogs", "gdisk"),
    *(
        "gettext",
        "git",
        "git-core",
        "iputils",
        "lsof",
        "openssh-server",
        "passwd",
        "policycoreutils",
    ),
    *("policycoreutils-python-utils", "python3", "python3-libselinux", "python3-policycoreutils"),
    *("python3-pyudev", "python3-pyyaml", "rng-tools", "s390utils-base", "s390utils-core"),
    *("selinux-policy", "selinux-policy-targeted", "sudo", "tcpdump", "traceroute", "which"),
    *("util-linux", "xfsprogs", "zstd"),
)

#: The kernel of a release that came after the one in its image, by the name that ``uname`` says.
NEWER_KERNELS = {"9": "6.1.0-570.12.1.el9_6.s390x", "10": "6.13.0-55.9.1.el10_0.s390x"}

_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")

#: What the notes tell of a base: the packages that are not of the release itself, or that matter.
_TOLD = ("cloud-init", "systemd", "linux-image-s390x")


def _system(release: str) -> System:
    return System(
        "s390x",
        "minbase",
        (*_PACKAGES, _DHCP[release]),
        (
            "--mode=root",
            '--aptopt=APT::Install-Recommends "false"',
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
            "--dpkgopt=force-unsafe-io",
            f"--essential-hook={_DATA}/before-packages",
        ),
    )


_MADE_OF = "made-of"
_MIB = 2**20


@dataclass(frozen=True)
class ElBase:
    """A guest image and what names its repository, as the operator of a build has them."""

    release: str
    image: Path
    repositories: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables that a build on this image takes."""
        return {
            "DIB_RELEASE": self.release,
            "DIB_LOCAL_IMAGE": str(self.image),
            "DIB_YUM_REPO_CONF": str(self.repositories),
        }


def el_base(release: str) -> ElBase:
    """Return the guest image in the shape of EL `release`, made if the cache has none."""
    host.enable_emulation()
    choice = choose(
        RELEASES[release],
        is_made=lambda debian: _folder(release, debian).is_dir(),
        missing=_system(release).missing,
    )
    folder = _folder(release, choice.release)
    base = ElBase(release, folder / f"el-{release}-s390x.qcow2", folder / "el-base.repo")
    with cache.made_once(folder, instead_of=f"{release}-*") as new:
        if new is not None:
            with tempfile.TemporaryDirectory(prefix="work-", dir=new) as place:
                _make(release, choice.release, Path(place), new, base)
    told = (folder / _MADE_OF).read_text(encoding="utf-8")
    notes.add(f"the shape of EL {release}: Debian {choice}; {told}")
    return base


def _folder(release: str, debian: Release) -> Path:
    programs = (cache.program(file) for file in (__file__, el_policy.__file__))
    key = cache.key(inputs.digest(_DATA), *programs, repr(debian))
    return cache.folder("el-base", f"{release}-{key}")


def _make(release: str, debian: Release, place: Path, done: Path, base: ElBase) -> None:
    root = place / "root"
    policy = el_policy.policy(_DATA / "policy.cil")
    _system(release).make(debian, root)
    run([str(_DATA / "after-packages"), str(root), release, str(policy)])
    (done / _MADE_OF).write_text(_versions(root), encoding="utf-8")
    _compile_python(root)
    (root / "etc/yum.repos.d").mkdir(exist_ok=True)
    packages = root / _REPOSITORY
    packages.mkdir()
    (kernel,) = (path.name for path in (root / "usr/lib/modules").iterdir())
    _stub_packages(release, packages, place, kernel)
    # What an installed EL has of itself: its release is a package, and dnf asks for that; so is its
    # kernel, which was installed before the tests begin.
    known = ["rpm", "--root", str(root), "--dbpath", "/var/lib/rpm", "--nodeps", "--nosignature"]
    versioned = f"kernel-core-{'-'.join(_in_rpms_words(kernel))}"
    first = [f"{name}.noarch.rpm" for name in (f"redhat-release-{release}-1", versioned)]
    run([*known, "--noscripts", "-i", *(str(packages / name) for name in first)])
    (done / base.repositories.name).write_text(
        f"[el-base]\nname=Empty packages\nbaseurl=file:///{_REPOSITORY}\nenabled=1\ngpgcheck=0\n"
    )
    _disk(root, done / base.image.name, place)


def _versions(root: Path) -> str:
    form = "--showformat=${Package} ${Version}, "
    return run(["dpkg-query", f"--root={root}", "--show", form, *_TOLD]).removesuffix(", ")


def _compile_python(root: Path) -> None:
    (library,) = (path for path in (root / "usr/lib").glob("python3.*") if path.is_dir())
    own = Path("/usr/bin") / library.name
    # Bytecode does not depend on the machine: this machine's Python is used where it is as old.
    command = [str(own)] if own.exists() else ["chroot", str(root), library.name]
    prefix = root if own.exists() else Path("/")
    packages = ["cloudinit", "configobj.py", "dateutil", "debconf.py", "dnf", "hawkey", "idna"]
    packages += ["jinja2", "jsonpatch.py", "jsonpointer.py", "jsonschema", "libdnf", "markupsafe"]
    packages += ["netifaces.py", "oauthlib", "pyudev", "requests", "serial", "urllib3", "yaml"]
    paths = [str(prefix / "usr/lib/python3/dist-packages" / name) for name in packages]
    there = [path for path in paths if (root / path.removeprefix(str(prefix)).lstrip("/")).exists()]
    command += ["-m", "compileall", "-q", "-j", "2", "-s", str(prefix), "-p", "/"]
    ask([*command, *there])


def _stub_packages(release: str, packages: Path, place: Path, kernel: str) -> None:
    head = "License: none\nBuildArch: noarch\nRelease: 1\nSummary: Empty, for tests\n"
    parts = [f"Name: el-base\nVersion: {release}\n{head}%description\nEmpty.\n"]
    for name in _STUBS:
        parts.append(f"%package -n {name}\nSummary: Empty\n%description -n {name}\nEmpty.\n")
        parts.append(f"%files -n {name}\n")
    parts.append(
        "%package -n redhat-release\nSummary: Empty\n"
        f"Provides: system-release = {release}\nProvides: system-release(releasever) = {release}\n"
        "%description -n redhat-release\nEmpty.\n%files -n redhat-release\n"
    )
    spec = place / "el-base.spec"
    spec.write_text("\n".join(parts))
    _rpmbuild(spec, packages, place)
    for number, name in enumerate((kernel, NEWER_KERNELS[release])):
        spec = place / f"kernel-{number}.spec"
        spec.write_text(_kernel_spec(name, kernel))
        _rpmbuild(spec, packages, place)
    run(["createrepo_c", "--quiet", str(packages)])


def _kernel_spec(name: str, twin: str) -> str:
    """Return the spec file of a ``kernel-core`` that is Debian's kernel `twin`, called `name`.

    The scriptlets are those of RHEL's kernel.spec, where it matters what they call and what becomes
    of its exit status.
    """
    version, release = _in_rpms_words(name)
    modules, other = f"/lib/modules/{name}", f"/lib/modules/{twin}"
    return f"""\
Name: kernel-core
Version: {version}
Release: {release}
License: none
BuildArch: noarch
Summary: For tests
Provides: installonlypkg(kernel)
%description
Its files are those of the kernel that is there.
%post
[ -e {modules} ] || cp --archive --link {other} {modules}
%posttrans
kernel-install add {name} {modules}/vmlinuz || exit $?
%preun
kernel-install remove {name} || exit $?
%postun
rm -rf {modules}
%files
"""


def _in_rpms_words(kernel: str) -> tuple[str, str]:
    """Return version and release of a kernel that calls itself so; EL's end in the machine."""
    version, _, rest = kernel.partition("-")
    return version, rest.removesuffix("s390x").rstrip(".-") or "1"


def _rpmbuild(spec: Path, packages: Path, place: Path) -> None:
    define = ["--define", f"_topdir {place / 'rpmbuild'}", "--define", f"_rpmdir {packages}"]
    define += ["--define", "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm"]
    run(["rpmbuild", "--quiet", *define, "-bb", str(spec)])


def _disk(root: Path, image: Path, place: Path) -> None:
    """Write the root into an ext4 file system in the only partition of a qcow2."""
    raw = place / "disk.raw"
    used = int(run(["du", "-s", "-x", "--block-size=1M", str(root)]).split()[0])
    size = used * 5 // 4 + 200
    with raw.open("wb") as disk:
        disk.truncate((size + 1) * _MIB)
    run(["sfdisk", "--quiet", "--no-tell-kernel", raw], given="label: dos\n1MiB,,83\n")
    run(
        [
            "mkfs.ext4",
            "-q",
            "-F",
            "-L",
            "root",
            "-E",
            f"offset={_MIB}",
            "-d",
            str(root),
            str(raw),
            f"{size}M",
        ]
    )
    # The first thing on a disk that zipl was at, by which a build knows s390x images.
    with raw.open("r+b") as disk:
        disk.write(b"zIPL")
    run(["qemu-img", "convert", "-q", "-O", "qcow2", str(raw), str(image)])
