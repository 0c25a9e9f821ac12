"""Frames get where they shall, and nowhere else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dpm_lab.network import NetworkError, Segment, taps
from dpm_lab.network.process import SwitchProcess
from dpm_lab.network.segments import SILENT, SWITCH, check
from dpm_lab.network.switch import Ports, Switch
from dpm_lab.network.taps import Tap
from tests import networks as parts
from tests.networks import ALL, CAN_TAP, A, B, C, Nic
from tests.running import is_over

FLAT = Segment("Z16", "OSA-A", 0)
VLAN = Segment("Z16", "OSA-A", 0, 101)
OTHER = Segment("Z16", "HIPER-A", 0)


@pytest.fixture
def networks() -> Iterator[Path]:
    """Return a folder with a short name, as sockets need one."""
    with tempfile.TemporaryDirectory(prefix="dpm-") as folder:
        yield Path(folder, "networks")


@pytest.fixture
def switch(networks: Path) -> Iterator[SwitchProcess]:
    """Return the switch of that folder."""
    with SwitchProcess(networks) as made:
        yield made


Plug = Callable[[Segment, str], Nic]


@pytest.fixture
def plug(switch: SwitchProcess) -> Iterator[Plug]:
    """Return a function that plugs a NIC in, and waits until its segment is served."""
    made: list[Nic] = []

    def plugged(segment: Segment, name: str) -> Nic:
        made.append(Nic(switch.networks, segment, name))
        _until(segment.switch(switch.networks).exists)
        return made[-1]

    yield plugged
    for each in made:
        each.close()


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("not within 30 s")


def test_a_frame_to_all_gets_to_all_of_its_segment_but_its_sender(plug: Plug) -> None:
    one, two, three = plug(FLAT, "1"), plug(FLAT, "2"), plug(FLAT, "3")

    one.send(ALL, A, b"to all")
    two.send(ALL, B, b"to all, too")

    assert one.next() == (B, b"to all, too")
    assert two.next() == (A, b"to all")
    assert [three.next(), three.next()] == [(A, b"to all"), (B, b"to all, too")]


def test_a_frame_to_one_that_was_heard_gets_to_nobody_else(plug: Plug) -> None:
    one, two, three = plug(FLAT, "1"), plug(FLAT, "2"), plug(FLAT, "3")
    two.send(ALL, B, b"here")
    assert [one.next(), three.next()] == [(B, b"here"), (B, b"here")]

    one.send(B, A, b"to B")
    one.send(ALL, A, b"to all")

    assert [two.next(), two.next()] == [(A, b"to B"), (A, b"to all")]
    assert three.next() == (A, b"to all")


def test_one_that_moves_is_found_where_it_was_heard_last(plug: Plug) -> None:
    one, two, three = plug(FLAT, "1"), plug(FLAT, "2"), plug(FLAT, "3")
    two.send(ALL, B, b"here")
    one.next(), three.next()
    three.send(ALL, B, b"now here")
    one.next(), two.next()

    one.send(B, A, b"to B")
    one.send(ALL, A, b"to all")

    assert three.next() == (A, b"to B")
    assert two.next() == (A, b"to all")


def test_a_frame_to_one_that_has_gone_is_no_end_of_the_switch(plug: Plug) -> None:
    one, two, three = plug(FLAT, "1"), plug(FLAT, "2"), plug(FLAT, "3")
    two.send(ALL, B, b"here")
    one.next(), three.next()
    two.close()

    one.send(B, A, b"nobody")
    one.send(B, A, b"anybody?")

    assert three.next() == (A, b"anybody?")


def test_one_that_does_not_read_holds_nobody_up(plug: Plug) -> None:
    one, two, _three = plug(FLAT, "1"), plug(FLAT, "2"), plug(FLAT, "3")

    for number in range(200):
        one.send(ALL, A, str(number).encode())
        assert two.next() == (A, str(number).encode())


@pytest.mark.parametrize(
    "other", [VLAN, OTHER, Segment("Z16", "OSA-A", 1), Segment("Z13", "OSA-A", 0)], ids=str
)
def test_no_frame_gets_into_another_segment(plug: Plug, other: Segment) -> None:
    one, two, apart = plug(FLAT, "1"), plug(FLAT, "2"), plug(other, "1")
    witness = plug(other, "2")

    one.send(ALL, A, b"flat")
    assert two.next() == (A, b"flat")
    witness.send(ALL, C, b"other")

    assert apart.next() == (C, b"other")


def test_a_segment_that_is_silent_passes_nothing_until_it_no_longer_is(networks: Path) -> None:
    FLAT.folder(networks).mkdir(parents=True)
    ports = Ports(FLAT.folder(networks))
    one, two = Nic(networks, FLAT, "1"), Nic(networks, FLAT, "2")
    source = str(FLAT.folder(networks) / "1")

    (FLAT.folder(networks) / SILENT).touch()
    ports.take(ALL + A + b"\x88\xb5lost", source)
    (FLAT.folder(networks) / SILENT).unlink()
    ports.take(ALL + A + b"\x88\xb5not lost", source)

    assert two.next() == (A, b"not lost")
    for each in (one, two, ports):
        each.close()


def test_ports_go_on_when_the_switch_is_started_again(networks: Path) -> None:
    with SwitchProcess(networks):
        one, two = Nic(networks, FLAT, "1"), Nic(networks, FLAT, "2")
        _until(FLAT.switch(networks).exists)
    FLAT.switch(networks).unlink()
    with SwitchProcess(networks):
        _until(FLAT.switch(networks).exists)

        one.send(ALL, A, b"again")

        assert two.next() == (A, b"again")
    one.close()
    two.close()


def test_there_is_one_switch_for_a_folder(
    switch: SwitchProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NetworkError, match="does not start"):
        SwitchProcess(switch.networks).start()

    assert f"another switch serves {switch.networks}" in capfd.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_switch_ends_with_who_started_it(networks: Path, number: signal.Signals) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from dpm_lab.network.process import SwitchProcess\n"
        "switch = SwitchProcess(Path(sys.argv[1])); switch.start()\n"
        "print(switch.pid, flush=True); time.sleep(600)"
    )
    words = [sys.executable, "-c", code, str(networks)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        owner.send_signal(number)
        owner.wait()

    _until(lambda: is_over(pid))


def test_names_of_segments_differ_and_are_short() -> None:
    all_of_it = [
        str(Segment(cpc, adapter, port, vlan))
        for cpc in ("CPC00001", "CPC00002")
        for adapter in ("OSD 0100 A13B-03", "OSD 0100 A13B-04")
        for port in (0, 1)
        for vlan in (None, 1, 4094)
    ]

    assert len(set(all_of_it)) == len(all_of_it)
    assert max(map(len, all_of_it)) <= 8 + 1 + 16 + 2 + 5


def test_a_folder_for_sockets_may_have_so_long_a_name(networks: Path) -> None:
    longest = Segment("C" * 8, "A" * 16, 15, 4094)
    fits = Path(f"{networks}/{'x' * (62 - len(str(networks)))}")
    check(fits)

    assert len(str(fits)) == 63
    assert len(str(longest.folder(fits) / "12345678")) <= 107
    assert len(str(longest.folder(fits) / SWITCH)) <= 107
    with pytest.raises(NetworkError, match=r"at most 63 characters, and this one 64; .*--networks"):
        check(Path(f"{fits}x"))


@pytest.mark.skipif(not CAN_TAP, reason="taps in namespaces need root, /dev/net/tun and iproute2")
class TestTaps:
    """Interfaces of Linux on a segment."""

    def test_two_namespaces_reach_each_other(self, switch: SwitchProcess) -> None:
        names = [f"dpm-test-{os.getpid()}-{each}" for each in "ab"]
        with parts.namespace(names[0]), parts.namespace(names[1]):
            for number, each in enumerate(names):
                parts.tap(each, f"t{number}", f"02:00:00:00:00:0{number}")
                parts.ip(
                    "-n", each, "address", "add", f"192.0.2.{number + 1}/24", "dev", f"t{number}"
                )
                taps.plug(switch.networks, Tap(f"t{number}", each, str(VLAN)))

            # Resolving the other's address takes frames both ways.
            def reach() -> bool:
                script = "import socket; socket.socket(2, 2).sendto(b'x', ('192.0.2.2', 9))"
                parts.ip("netns", "exec", names[0], sys.executable, "-c", script)
                return "02:00:00:00:00:01" in parts.ip("-n", names[0], "neighbour")

            _until(reach)

    def test_a_tap_is_plugged_in_again_by_the_next_switch(self, networks: Path) -> None:
        with parts.namespace(f"dpm-test-{os.getpid()}") as name:
            parts.tap(name, "t0", "02:00:00:00:00:01")
            with SwitchProcess(networks):
                taps.plug(networks, Tap("t0", name, str(FLAT)))
                _until(lambda: "LOWER_UP" in parts.ip("-n", name, "link", "show", "t0"))
            _until(lambda: "NO-CARRIER" in parts.ip("-n", name, "link", "show", "t0"))
            with SwitchProcess(networks):
                _until(lambda: "LOWER_UP" in parts.ip("-n", name, "link", "show", "t0"))
                taps.unplug(networks, "t0")
                _until(lambda: "NO-CARRIER" in parts.ip("-n", name, "link", "show", "t0"))

    def test_a_tap_that_is_removed_is_no_end_of_the_switch(
        self, switch: SwitchProcess, plug: Plug
    ) -> None:
        one, two = plug(FLAT, "1"), plug(FLAT, "2")
        with parts.namespace(f"dpm-test-{os.getpid()}") as name:
            parts.tap(name, "t0", "02:00:00:00:00:01")
            taps.plug(switch.networks, Tap("t0", name, str(FLAT)))
            _until(lambda: "LOWER_UP" in parts.ip("-n", name, "link", "show", "t0"))
            parts.ip("-n", name, "link", "delete", "t0")

        one.send(ALL, A, b"still here")

        assert two.next() == (A, b"still here")


def test_a_tap_that_is_not_there_is_said_once(networks: Path) -> None:
    said: list[str] = []
    switch = Switch(networks, said.append)
    taps.plug(networks, Tap("t8", "no-such-namespace", str(FLAT)))

    switch.look()
    switch.look()

    assert said == ["t8: [Errno 2] No such file or directory: '/run/netns/no-such-namespace'"]
    switch.close()
