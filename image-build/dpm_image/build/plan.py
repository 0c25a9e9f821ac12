"""What a build would run, and where its results go: decided here, run by ``build``."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dpm_image.build import distributions, host, inputs, redact
from dpm_image.errors import ImageError
from dpm_lab import cache
from dpm_lab.source import CHECKOUT

# What of an element goes into the base system that it makes; all else is applied to it afterwards.
_BASE = ("environment.d", "mmdebstrap", "package-installs.yaml", "root.d")

_LATE = ("DIB_IMAGE_SIZE", "DIB_DPM_KERNEL_PARAMETERS")

#: Variables of a subscription that decide about what is in the image, and are no secrets.
_SUBSCRIPTION = ("REG_METHOD", "REG_REPOS", "REG_RELEASE", "REG_ENVIRONMENT", "REG_ORG")

#: More of them that may be shown. What is in neither list, or looks like a secret, is not.
_SHOWN = ("REG_SAT_URL", "REG_SAT_CERT", "REG_SAT_REPO", "REG_SERVER_URL", "REG_BASE_URL")


@dataclass(frozen=True)
class Options:
    """What can be chosen about an image; what is None is the element's own default.

    `local_image`, `repositories` and `subscription` are for a distribution whose base is an image
    that one has to bring along (RHEL). `subscription` has variables without the prefix ``REG_``,
    such as ``METHOD``; secrets do not belong there but into `activation_key_file`.
    """

    distribution: str = "debian"
    release: str | None = None
    size: int | None = None
    kernel_parameters: str | None = None
    secure_boot: bool = False
    packages: tuple[str, ...] = ()
    local_image: Path | None = None
    repositories: tuple[Path, ...] = ()
    subscription: Mapping[str, str] = field(default_factory=dict)
    activation_key_file: Path | None = None


@dataclass(frozen=True)
class Plan:
    """What a build would run, and where its results go."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    image: Path
    log: Path
    distribution: str = "debian"
    #: Variables whose values nobody may see; :func:`dpm_image.build.build.build` passes them on.
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def base(self) -> Path:
        """The folder of the base system, which outlives the build."""
        return Path(self.environment["DIB_IMAGE_CACHE"])


def plan(options: Options, checkout: Path = CHECKOUT) -> Plan:
    """Return what a build of `options` would do, without doing anything."""
    known = distributions.names(checkout)
    element = distributions.ELEMENT.format(options.distribution)
    if options.distribution not in known:
        raise ImageError(
            f"no element {element} in {checkout / 'elements'}; "
            f"there is {', '.join(known) or 'none at all'}"
        )
    settings = _settings(options)
    secrets = _secrets(options)
    made_with = settings | _files(settings) | {"diskimage-builder": inputs.builder_version()}
    # Those of a subscription say who asks for packages, not which; an element's may be inside.
    inside = {name: value for name, value in secrets.items() if name.startswith("DIB_")}
    made_with |= {name: inputs.fingerprint(value) for name, value in inside.items()}
    image_key = inputs.key(
        made_with
        | {"elements": inputs.digest(checkout / "elements"), "agent": inputs.agent(checkout)}
        | {"packages": " ".join(options.packages)}
    )
    base_key = _base_key(made_with, checkout / "elements" / element)

    folder = cache.folder(f"build-{image_key}")
    image = cache.folder("images", f"{element}-{image_key}.qcow2")
    environment = {
        **settings,
        "DIB_IMAGE_CACHE": str(cache.folder("base", f"{options.distribution}-{base_key}")),
        "ELEMENTS_PATH": os.pathsep.join(
            [str(checkout / "elements"), *filter(None, [os.environ.get("ELEMENTS_PATH")])]
        ),
        "TMP_DIR": str(folder / "tmp"),
    }
    # -x: the log has every command. -n: none of the tools that `base` installs for a person.
    command = [host.disk_image_create(), "-x", "-n", "-a", "s390x", "-t", "qcow2"]
    command += ["--qemu-img-options", "compression_type=zstd", "-o", str(folder / "image.qcow2")]
    if options.packages:
        command += ["-p", ",".join(options.packages)]
    return Plan(
        (*command, element),
        environment,
        folder,
        image,
        image.with_suffix(".log"),
        options.distribution,
        secrets,
    )


def shown(todo: Plan) -> str:
    """Return the command with its environment, to be pasted into a shell; secrets are left out."""
    settings = [f"{name}={shlex.quote(value)}" for name, value in sorted(todo.environment.items())]
    settings += [f"{name}=..." for name in sorted(todo.secrets)]
    return " \\\n  ".join([*settings, shlex.join(todo.command)])


def _base_key(made_with: Mapping[str, str], element: Path) -> str:
    if "DIB_LOCAL_IMAGE" in made_with:
        # The base is that image unpacked, and nothing of ours.
        own = {name: made_with.get(name, "") for name in ("DIB_LOCAL_IMAGE", "DIB_LOCAL_IMAGE/id")}
        return inputs.key(own)
    return inputs.key(
        {
            name: value
            for name, value in made_with.items()
            if name not in _LATE and not name.startswith("REG_")
        }
        | {name: inputs.digest(element / name) for name in _BASE}
    )


def _files(settings: Mapping[str, str]) -> dict[str, str]:
    """Return what identifies the files that variables name: they may change behind their names."""
    found = {}
    if image := settings.get("DIB_LOCAL_IMAGE"):
        found["DIB_LOCAL_IMAGE/id"] = inputs.identity(Path(image))
    for name in settings.get("DIB_YUM_REPO_CONF", "").split():
        found[f"DIB_YUM_REPO_CONF/{name}"] = inputs.digest(Path(name))
    return found


def _settings(options: Options) -> dict[str, str]:
    """Return the variables that say what is in the image: the caller's, and ours from `options`."""
    wanted = {
        name: value
        for name, value in os.environ.items()
        if (name.startswith("DIB_") and not redact.NAMES.search(name))
        or name in (*_SUBSCRIPTION, *_SHOWN)
    }
    chosen = {
        "DIB_RELEASE": options.release,
        "DIB_IMAGE_SIZE": None if options.size is None else str(options.size),
        "DIB_DPM_KERNEL_PARAMETERS": options.kernel_parameters,
        "DIB_DPM_SECURE_BOOT": "1" if options.secure_boot else None,
        "DIB_LOCAL_IMAGE": str(options.local_image.absolute()) if options.local_image else None,
        "DIB_YUM_REPO_CONF": " ".join(str(path.absolute()) for path in options.repositories)
        or None,
        **{f"REG_{name}": value for name, value in options.subscription.items()},
    }
    return wanted | {name: value for name, value in chosen.items() if value is not None}


def _secrets(options: Options) -> dict[str, str]:
    """Return the variables that are handed on, and never shown."""
    found = {
        name: value
        for name, value in os.environ.items()
        if (name.startswith("REG_") and name not in (*_SUBSCRIPTION, *_SHOWN))
        or (name.startswith("DIB_") and redact.NAMES.search(name))
    }
    if options.activation_key_file is not None:
        try:
            key = options.activation_key_file.read_text("utf-8").strip()
        except (OSError, UnicodeError) as error:
            raise ImageError(
                f"the activation key's file {options.activation_key_file} cannot be read: {error}"
            ) from None
        found["REG_ACTIVATION_KEY"] = key
    return found
