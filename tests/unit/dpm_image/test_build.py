"""What ``dpm-image build`` would run, when it runs anything, and what it says while it does."""

from __future__ import annotations

import io
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import dpm_lab.cache
from dpm_image.__main__ import main
from dpm_image.build import build, dib, distributions, host, plan
from dpm_image.build.plan import Options
from dpm_image.errors import ImageError
from dpm_lab.progress import Progress

DEBIAN = Options()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in list(os.environ):
        if name.startswith(("DIB_", "REG_")):
            monkeypatch.delenv(name)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of nothing but what decides about an image."""
    top = tmp_path / "checkout"
    element = top / "elements/debian-dpm"
    (element / "environment.d").mkdir(parents=True)
    (element / "element-deps").write_text("dpm-guest\nvm\n")
    (element / "environment.d/09-debian-dpm.bash").write_text("export DIB_RELEASE=bookworm\n")
    (element / "README.rst").write_text("text\n")
    (top / "elements/zipl-dpm").mkdir()
    (top / "elements/zipl-dpm/element-deps").write_text("package-installs\n")
    (top / "tools").mkdir()
    install = top / "tools/install-guest"
    install.write_text('#!/bin/sh\ncp "$(dirname "$0")/agent.py" "$1/"\n')
    install.chmod(0o755)
    (top / "tools/agent.py").write_text("1\n")
    return top


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def fake_builder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A disk-image-create that writes its arguments into the image; the file counts its runs."""
    runs = tmp_path / "runs"
    runs.touch()
    program = tmp_path / "bin/disk-image-create"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/bash\n"
        f"echo run >>{runs}\n"
        'echo "2026-01-02 03:04:05.678 | dib-run-parts Running /x/hooks/root.d/08-base"\n'
        'if [ -n "${FAKE_FAILURE:-}" ]; then\n'
        '    echo "2026-01-02 03:04:05.678 | + some trace"\n'
        '    echo "E: $FAKE_FAILURE"\n'
        '    echo "2026-01-02 03:04:05.678 | + lib/img-functions:trap_cleanup:37   :   exit 1"\n'
        '    echo "umount: said while cleaning up"\n'
        "    exit 100\n"
        "fi\n"
        'while [ "$1" != -o ]; do shift; done\n'
        'echo "image of $DIB_RELEASE" >"$2"\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(host, "disk_image_create", lambda: str(program))
    monkeypatch.setattr(host, "check_tools", lambda _: None)
    monkeypatch.setattr(host, "enable_emulation", lambda: None)
    monkeypatch.setattr(host, "has_device_mapper", lambda: True)
    return runs


def runs(counter: Path) -> int:
    return len(counter.read_text().splitlines())


def test_only_elements_that_make_whole_images_are_distributions(checkout: Path) -> None:
    assert distributions.names(checkout) == ("debian",)


def test_an_unknown_distribution_is_an_error_that_names_the_known(checkout: Path) -> None:
    with pytest.raises(ImageError, match=r"suse-dpm.*there is debian"):
        plan.plan(Options(distribution="suse"), checkout)


def test_the_same_inputs_are_the_same_image(checkout: Path) -> None:
    assert plan.plan(DEBIAN, checkout) == plan.plan(Options(), checkout)


@pytest.mark.parametrize(
    "options",
    [
        Options(release="trixie"),
        Options(size=4),
        Options(kernel_parameters="quiet"),
        Options(secure_boot=True),
        Options(packages=("tcpdump",)),
    ],
)
def test_other_options_are_another_image(checkout: Path, options: Options) -> None:
    assert plan.plan(options, checkout).image != plan.plan(DEBIAN, checkout).image


@pytest.mark.parametrize(
    "name", ["tools/agent.py", "elements/zipl-dpm/element-deps", "elements/debian-dpm/install.d"]
)
def test_a_change_of_agent_or_elements_is_another_image(checkout: Path, name: str) -> None:
    before = plan.plan(DEBIAN, checkout).image

    (checkout / name).write_text("changed\n")

    assert plan.plan(DEBIAN, checkout).image != before


def test_a_change_of_a_readme_is_the_same_image(checkout: Path) -> None:
    before = plan.plan(DEBIAN, checkout).image

    (checkout / "elements/debian-dpm/README.rst").write_text("better text\n")

    assert plan.plan(DEBIAN, checkout).image == before


def test_a_variable_of_the_callers_is_another_image(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = plan.plan(DEBIAN, checkout)

    monkeypatch.setenv("DIB_ROOT_LABEL", "other")

    assert plan.plan(DEBIAN, checkout).image != before.image


def test_the_base_system_is_shared_by_images_that_differ_later(checkout: Path) -> None:
    later = Options(kernel_parameters="quiet", size=4, packages=("tcpdump",))

    base = [plan.plan(one, checkout).environment["DIB_IMAGE_CACHE"] for one in (DEBIAN, later)]

    assert base[0] == base[1]


@pytest.mark.parametrize(
    ("name", "another"), [("root.d", True), ("mmdebstrap", True), ("install.d", False)]
)
def test_what_makes_the_base_system_decides_whether_another_is_made(
    checkout: Path, name: str, another: bool
) -> None:
    before = plan.plan(DEBIAN, checkout).base

    (checkout / "elements/debian-dpm" / name).write_text("changed\n")

    assert (plan.plan(DEBIAN, checkout).base != before) is another


def test_options_become_variables_and_arguments(checkout: Path) -> None:
    options = Options(release="trixie", size=4, kernel_parameters="a b", packages=("x", "y"))

    todo = plan.plan(options, checkout)

    assert todo.environment["DIB_RELEASE"] == "trixie"
    assert todo.environment["DIB_IMAGE_SIZE"] == "4"
    assert todo.environment["DIB_DPM_KERNEL_PARAMETERS"] == "a b"
    assert todo.command[-3:] == ("-p", "x,y", "debian-dpm")


def test_secure_boot_is_a_variable_and_is_not_there_unless_asked_for(checkout: Path) -> None:
    secure = plan.plan(Options(secure_boot=True), checkout).environment

    assert secure["DIB_DPM_SECURE_BOOT"] == "1"
    assert "DIB_DPM_SECURE_BOOT" not in plan.plan(DEBIAN, checkout).environment


def test_secure_boot_of_debian_is_refused_in_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = main(["build", "debian", "--dry-run", "--secure-boot"])

    assert status == 1
    said = capsys.readouterr().err
    assert said.startswith("dpm-image build: DIB_DPM_SECURE_BOOT is set")
    assert said.count("\n") == 1


def test_dry_run_prints_the_command_and_runs_nothing(
    fake_builder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["build", "debian", "--dry-run", "--kernel-parameters", "a b"])

    text = capsys.readouterr().out
    assert status == 0
    assert "DIB_DPM_KERNEL_PARAMETERS='a b'" in text
    assert " debian-dpm\n# debian-dpm-" in text
    assert "ELEMENTS_PATH=" in text
    assert runs(fake_builder) == 0
    assert not dpm_lab.cache.folder().exists()


def test_an_image_is_built_once(fake_builder: Path, said: io.StringIO) -> None:
    first = build.build(Options(release="bookworm"), progress=Progress(said))
    second = build.build(Options(release="bookworm"), progress=Progress(said))

    assert first == second
    assert first.read_text() == "image of bookworm\n"
    assert runs(fake_builder) == 1
    assert "nothing has changed" in said.getvalue()


def test_force_builds_again(fake_builder: Path, said: io.StringIO) -> None:
    build.build(progress=Progress(said))
    build.build(force=True, progress=Progress(said))

    assert runs(fake_builder) == 2


@pytest.mark.usefixtures("fake_builder")
def test_the_umask_of_who_builds_is_not_that_of_the_build(said: io.StringIO) -> None:
    mine = os.umask(0o077)
    try:
        image = build.build(progress=Progress(said))
    finally:
        os.umask(mine)

    # The file is the fake builder's own.
    assert image.stat().st_mode & 0o777 == 0o644


@pytest.mark.usefixtures("fake_builder")
def test_output_is_a_copy_with_the_log_beside_it(tmp_path: Path, said: io.StringIO) -> None:
    output = tmp_path / "here/my.qcow2"

    path = build.build(Options(release="bookworm"), output=output, progress=Progress(said))

    assert path == output
    assert output.read_text() == "image of bookworm\n"
    assert "root.d/08-base" in output.with_suffix(".log").read_text()
    assert sorted(one.name for one in output.parent.iterdir()) == ["my.log", "my.qcow2"]


@pytest.mark.usefixtures("fake_builder")
def test_a_failure_names_hook_last_words_and_log(
    tmp_path: Path, said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_FAILURE", "Unable to locate package")
    log = tmp_path / "build.log"

    with pytest.raises(dib.BuildError) as failure:
        build.build(log=log, progress=Progress(said))

    text = str(failure.value)
    assert "root.d/08-base failed (exit status 100)" in text
    assert "E: Unable to locate package" in text
    assert "some trace" not in text
    assert "said while cleaning up" not in text
    assert str(log) in text
    assert "some trace" in log.read_text()


@pytest.mark.usefixtures("fake_builder")
def test_a_failure_leaves_nothing_that_looks_like_an_image(
    said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_FAILURE", "no")

    with pytest.raises(dib.BuildError):
        build.build(progress=Progress(said))

    cache = dpm_lab.cache.folder()
    assert list(cache.glob("build-*")) == []
    assert list(cache.rglob("*.qcow2")) == []


@pytest.mark.usefixtures("fake_builder")
def test_what_a_killed_build_left_is_swept_away(said: io.StringIO) -> None:
    left = dpm_lab.cache.folder() / "build-0123456789ab/dib_build.x"
    left.mkdir(parents=True)

    build.build(progress=Progress(said))

    assert not left.parent.exists()


@pytest.mark.usefixtures("fake_builder")
def test_the_oldest_images_go_when_there_are_too_many(said: io.StringIO) -> None:
    images = [build.build(Options(size=size), progress=Progress(said)) for size in range(1, 7)]

    assert [image.exists() for image in images] == [False, False, True, True, True, True]


def test_phases_and_hooks_are_shown_as_they_begin(said: io.StringIO) -> None:
    watch = dib.Watch(Progress(said))

    watch.see("2026-01-02 03:04:05.678 | dib-run-parts Running /x/in_target.d/install.d/50-x")
    watch.see("2026-01-02 03:04:05.678 | Converting image using qemu-img convert")

    assert "packages and files" in said.getvalue()
    assert "conversion to qcow2" in said.getvalue()
    assert watch.hook == "conversion to qcow2"


def test_what_fails_after_a_hook_is_not_laid_to_its_charge(said: io.StringIO) -> None:
    watch = dib.Watch(Progress(said))

    watch.see("dib-run-parts Running /x/in_target.d/install.d/99-package-uninstalls")
    watch.see("> + echo trace of a program")
    watch.see("dib-run-parts 99-package-uninstalls completed")
    watch.see("E: Unable to locate package no-such-package")

    assert watch.hook == "install.d (after 99-package-uninstalls)"
    assert watch.tail == ("E: Unable to locate package no-such-package",)


@pytest.fixture
def local_image(tmp_path: Path) -> Path:
    """A qcow2 that begins as zipl leaves a disk."""
    raw = tmp_path / "disk.raw"
    raw.write_bytes(b"zIPL".ljust(2**16, b"\0"))
    image = tmp_path / "rhel-9-s390x-kvm.qcow2"
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, image], check=True)
    return image


@pytest.fixture
def rhel(local_image: Path, tmp_path: Path) -> Options:
    """What a build of RHEL needs, the key in a file."""
    key = tmp_path / "key"
    key.write_text("hush-hush\n")
    return Options(
        distribution="rhel",
        local_image=local_image,
        subscription={"METHOD": "portal", "ORG": "1234567"},
        activation_key_file=key,
    )


def arguments(options: Options) -> list[str]:
    """Return `options` as one types them."""
    assert options.local_image is not None
    words = ["build", "rhel", "--local-image", str(options.local_image)]
    words += [f"--reg-{name.lower()}={value}" for name, value in options.subscription.items()]
    return [*words, "--activation-key-file", str(options.activation_key_file)]


def test_both_distributions_can_be_built() -> None:
    assert distributions.names() == ("debian", "rhel")


def test_list_names_distributions_needs_and_images(
    fake_builder: Path, said: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runs(fake_builder) == 0
    image = build.build(progress=Progress(said))

    status = main(["list"])

    text = capsys.readouterr().out
    assert status == 0
    assert re.search(r"^rhel +9, 10 +a RHEL guest image", text, re.MULTILINE)
    assert str(image) in text


def test_the_base_is_an_option_or_a_variable_and_the_image_is_the_same(
    rhel: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_option = plan.plan(rhel)

    monkeypatch.setenv("DIB_LOCAL_IMAGE", str(rhel.local_image))
    monkeypatch.setenv("REG_METHOD", "portal")
    monkeypatch.setenv("REG_ORG", "1234567")
    monkeypatch.setenv("REG_ACTIVATION_KEY", "hush-hush")
    by_variable = plan.plan(Options(distribution="rhel"))

    assert by_variable == by_option


def test_another_base_image_of_the_same_name_is_another_image(
    rhel: Options, local_image: Path
) -> None:
    before = plan.plan(rhel)

    local_image.write_bytes(local_image.read_bytes() + b"more")

    after = plan.plan(rhel)
    assert after.image != before.image
    assert after.base != before.base


def test_the_unpacked_base_and_packages_are_kept_when_anything_else_changes(rhel: Options) -> None:
    other = replace(rhel, size=9, packages=("tcpdump",), subscription={"METHOD": "disable"})

    assert plan.plan(other).base == plan.plan(rhel).base
    assert plan.plan(other).image != plan.plan(rhel).image


def test_another_activation_key_is_the_same_image(rhel: Options, tmp_path: Path) -> None:
    before = plan.plan(rhel).image

    (tmp_path / "key").write_text("another\n")

    assert plan.plan(rhel).image == before


def test_a_password_that_an_element_puts_inside_is_another_image_and_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DIB_DEV_USER_PASSWORD", "hush-hush")
    first = plan.plan(DEBIAN)
    monkeypatch.setenv("DIB_DEV_USER_PASSWORD", "whisper")
    second = plan.plan(DEBIAN)

    assert first.image != second.image
    assert "hush-hush" not in plan.shown(first) + repr(first)


def test_a_dry_run_of_rhel_shows_everything_but_secrets(
    rhel: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main([*arguments(rhel), "--dry-run"])

    text = capsys.readouterr().out
    assert status == 0
    assert f"DIB_LOCAL_IMAGE={rhel.local_image}" in text
    assert "REG_METHOD=portal" in text
    assert "REG_ACTIVATION_KEY=..." in text
    assert "hush-hush" not in text


def test_secrets_reach_the_build_by_its_environment_and_nothing_that_is_written(
    rhel: Options, fake_builder: Path, tmp_path: Path, said: io.StringIO
) -> None:
    seen = tmp_path / "seen"
    program = tmp_path / "bin/disk-image-create"
    text = program.read_text().replace(
        "#!/bin/bash\n", f"#!/bin/bash\necho $REG_ACTIVATION_KEY >{seen}\n"
    )
    program.write_text(text)
    log = tmp_path / "build.log"

    build.build(rhel, log=log, progress=Progress(said))

    assert runs(fake_builder) == 1
    assert seen.read_text() == "hush-hush\n"
    assert "hush-hush" not in log.read_text() + said.getvalue()
    assert "hush-hush" not in " ".join(plan.plan(rhel).command)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"local_image": None}, "DIB_LOCAL_IMAGE is not set"),
        ({"release": "8"}, "DIB_RELEASE is 8"),
        ({"subscription": {}}, "packages need a subscription"),
        ({"subscription": {"METHOD": "portal"}}, "REG_ORG is not"),
    ],
)
def test_what_is_missing_is_one_sentence_before_anything_is_run(
    rhel: Options, fake_builder: Path, said: io.StringIO, change: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(distributions.NotReadyError, match=sentence) as failure:
        build.build(replace(rhel, **change), progress=Progress(said))

    assert "\n" not in str(failure.value)
    assert runs(fake_builder) == 0
    assert not dpm_lab.cache.folder().exists()


def test_an_unreadable_key_file_is_said_without_a_trace(
    rhel: Options, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "key").unlink()

    assert main(arguments(rhel)) == 1
    assert "activation key's file" in capsys.readouterr().err


def test_help_shows_the_whole_way_for_rhel(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["build", "--help"])

    text = capsys.readouterr().out
    for step in ("--local-image", "--activation-key-file", "dpm-image verify", "dpm-image boot"):
        assert step in text
