"""``dpm-image build`` is ended by a signal: nothing of it is left, at whatever moment that was."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.dpm_image.builds import PATIENCE, PHASES, Builds, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts and namespaces need root"),
]


@pytest.fixture
def builds(tmp_path: Path) -> Iterator[Builds]:
    """Builds; what a failing test leaves of them is ended."""
    made = Builds(tmp_path)
    yield made
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if str(made.stopped).encode() in (folder / "environ").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)
        except OSError:
            continue


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("phase", PHASES)
def test_a_signal_leaves_nothing_and_is_the_exit_status(
    builds: Builds, phase: str, number: signal.Signals
) -> None:
    building = builds.start(stop=phase)

    building.send_signal(number)
    said, _ = building.communicate(timeout=PATIENCE)

    assert building.returncode == 128 + number, said
    assert builds.left() == []
    assert list((builds.cache / "images").glob("*.qcow2")) == []


@pytest.mark.parametrize("phase", PHASES)
def test_after_sigkill_the_lock_is_free_when_all_processes_are_gone_and_the_next_build_sweeps(
    builds: Builds, phase: str
) -> None:
    building = builds.start(stop=phase)

    building.kill()
    building.wait(PATIENCE)
    builds.wait_for_lock()

    assert builds.processes() == []
    assert builds.mounts(own=False) == []
    assert list((builds.cache / "images").glob("*.qcow2")) == []
    status, said = builds.build()
    assert status == 0, said
    assert builds.left() == []
    assert [image.read_text() for image in (builds.cache / "images").glob("*.qcow2")] == ["image\n"]


def test_mounts_of_a_build_are_not_the_hosts(builds: Builds) -> None:
    building = builds.start(stop="finalise.d")

    seen = builds.mounts(own=False)

    building.terminate()
    building.communicate(timeout=PATIENCE)
    assert seen == []


def test_a_second_signal_does_not_cut_the_tidying_up_short(builds: Builds) -> None:
    building = builds.start(stop="finalise.d")

    for _ in range(5):  # it ends after the first of them, and then they have to be over
        building.send_signal(signal.SIGTERM)
        building.send_signal(signal.SIGINT)
    said, _ = building.communicate(timeout=PATIENCE)

    assert building.returncode in {130, 143}, said
    assert "Traceback" not in said
    assert builds.left() == []


def test_sigint_counts_though_it_was_ignored_on_entry(builds: Builds) -> None:
    building = builds.start(stop="install.d", ignoring="INT")

    building.send_signal(signal.SIGINT)
    said, _ = building.communicate(timeout=PATIENCE)

    assert building.returncode == 130, said
    assert builds.left() == []


def test_sighup_stays_ignored_where_nohup_ignores_it(builds: Builds) -> None:
    building = builds.start(stop="install.d", ignoring="HUP")

    building.send_signal(signal.SIGHUP)
    building.send_signal(signal.SIGTERM)
    said, _ = building.communicate(timeout=PATIENCE)

    assert building.returncode == 143, said


def test_who_waits_for_another_build_ends_too(builds: Builds) -> None:
    builds.cache.mkdir(parents=True)
    with (builds.cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = builds.start()
        assert waiting.stdout is not None
        until(lambda: "waiting for it to end" in waiting.stdout.readline())

        waiting.terminate()
        said, _ = waiting.communicate(timeout=PATIENCE)

    assert waiting.returncode == 143, said
    assert builds.left() == []


def test_a_second_build_waits_for_what_a_killed_one_still_does(builds: Builds) -> None:
    first = builds.start(stop="install.d")
    second = builds.start()
    assert second.stdout is not None
    until(lambda: "waiting for it to end" in second.stdout.readline())

    first.kill()
    first.wait(PATIENCE)
    said, _ = second.communicate(timeout=PATIENCE)

    assert second.returncode == 0, said
    assert builds.left() == []
