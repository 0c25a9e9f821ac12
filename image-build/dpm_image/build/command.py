"""``dpm-image build``: an image of a distribution, by one word."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dpm_image.build import distributions
from dpm_image.build.build import build, environment_of
from dpm_image.build.plan import Options, plan, shown

_DESCRIPTION = """\
Build an s390x image with the agent inside. Standard output is its path. An image whose inputs
(elements, agent, options, variables DIB_* and REG_*) are unchanged comes from the cache; the base
system and downloaded packages are kept for the next build. `dpm-image list` lists what there is.
"""

_EPILOG = """\
RHEL, the whole way:
  1. Get the KVM guest image of RHEL 9 or 10 for s390x (qcow2) from Red Hat's customer portal, and
     an activation key of your organisation, or repositories of your own as .repo files.
  2. dpm-image build rhel --release 9 --local-image rhel-9-s390x-kvm.qcow2 \\
         --reg-method portal --reg-org 1234567 --activation-key-file key \\
         --output rhel-9-dpm.qcow2
     (the key may also be in the variable REG_ACTIVATION_KEY; RHEL 10 needs --reg-repos, too; with
     repositories of your own, --repositories FILE in place of the --reg options)
  3. dpm-image verify rhel-9-dpm.qcow2
  4. dpm-image boot rhel-9-dpm.qcow2 --memory 2048 --nic 0001,0,0a0000000011
  5. openstack image create --disk-format qcow2 --file rhel-9-dpm.qcow2 rhel-9-dpm
  --dry-run before 2 says what would be run. What is missing is said before anything starts.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``build`` to the command's parser."""
    parser = subparsers.add_parser(
        "build",
        help="build an image",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "distribution",
        nargs="?",
        default="debian",
        choices=distributions.names() or ("debian",),
        help="default: %(default)s",
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
        "--secure-boot",
        action="store_true",
        help="RHEL only, and z15 or later: write the signatures of boot loader and kernel into the "
        "boot map (DIB_DPM_SECURE_BOOT); z14 and earlier cannot boot such an image",
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
    parser.add_argument(
        "--force",
        action="store_true",
        help="make all of it anew, image and base system, even if the cache has them",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print what would be run, without secrets, and what is missing for it; do nothing",
    )
    _add_base_options(parser.add_argument_group("RHEL: base image and packages"))


def _add_base_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--local-image", type=Path, metavar="FILE", help="the guest image (DIB_LOCAL_IMAGE)"
    )
    group.add_argument(
        "--repositories",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a .repo file for the time of the build (DIB_YUM_REPO_CONF); may be given more than "
        "once",
    )
    for name, metavar, text in _SUBSCRIPTION:
        group.add_argument(
            f"--reg-{name}",
            metavar=metavar,
            help=f"{text} (REG_{name.upper().replace('-', '_')})",
        )
    group.add_argument(
        "--activation-key-file",
        type=Path,
        metavar="FILE",
        help="a file with the activation key (REG_ACTIVATION_KEY); secrets are never arguments",
    )


_SUBSCRIPTION = (
    ("method", "METHOD", "portal, satellite or disable"),
    ("org", "ID", "the organisation that the activation key belongs to"),
    ("repos", "NAMES", "repositories, with commas between them; RHEL 9's are known"),
    ("sat-url", "URL", "the Satellite server"),
)


def options_from(args: argparse.Namespace) -> Options:
    """Return what the parsed arguments ask for."""
    given = {name: getattr(args, f"reg_{name.replace('-', '_')}") for name, _, _ in _SUBSCRIPTION}
    return Options(
        distribution=args.distribution,
        release=args.release,
        size=args.size,
        kernel_parameters=args.kernel_parameters,
        secure_boot=args.secure_boot,
        packages=tuple(args.package),
        local_image=args.local_image,
        repositories=tuple(args.repositories),
        subscription={
            name.upper().replace("-", "_"): value for name, value in given.items() if value
        },
        activation_key_file=args.activation_key_file,
    )


def run(args: argparse.Namespace) -> int:
    """Build, and print the image's path."""
    options = options_from(args)
    if args.dry_run:
        todo = plan(options)
        print(shown(todo))
        state = "is in the cache" if todo.image.exists() else "is not in the cache"
        print(f"# {todo.image.name} {state}", flush=True)
        distributions.check(todo.distribution, environment_of(todo))
        return 0
    image = build(options, output=args.output, log=args.log, force=args.force)
    print(image)
    sys.stdout.flush()
    return 0
