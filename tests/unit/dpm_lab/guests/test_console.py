"""How far a boot is, from what its console says."""

from __future__ import annotations

import pytest

from dpm_lab.guests.qemu.console import TAIL, Console, Line, brief, clean

BOOT = (
    b"LOADPARM=[        ]\r\nUsing virtio-blk.\r\n"
    b"[    0.050000] Linux version 6.1.0-50-s390x (debian-kernel@lists.debian.org)\r\n"
    b"[    1.600000] Run /init as init process\r\nLoading, please wait...\r\n"
    b"[    6.700000] systemd[1]: systemd 252.39-1~deb12u1 running in system mode\r\n"
    b"[\x1b[0;32m  OK  \x1b[0m] Finished \x1b[0;1;39mdpm-guest.service\x1b[0m - Configure\r\n"
    b"[   30.100000] cloud-init[233]: Cloud-init v. 22.4.2 running 'init-local' at now\r\n"
    b"\r\nDebian GNU/Linux 12 dpm-host ttysclp0\r\n\r\ndpm-host login: "
)


def lines(data: bytes) -> list[Line]:
    return list(Console().feed(data))


def test_phases_follow_each_other() -> None:
    assert [line.phase for line in lines(BOOT + b"\r\n") if line.phase] == [
        "kernel",
        "initramfs",
        "systemd",
        "dpm-guest",
        "cloud-init",
        "login",
    ]


def test_a_boot_never_goes_back_to_an_earlier_phase() -> None:
    console = Console()
    list(console.feed(BOOT))

    list(console.feed(b"\r\nLinux version 6.1\r\n"))

    assert console.phase == "login"


def test_colours_and_carriage_returns_are_taken_out() -> None:
    assert clean("[\x1b[0;32m  OK  \x1b[0m] Reached target \x1b[0;1;39mx\x1b[0m.\r") == (
        "[  OK  ] Reached target x."
    )
    # systemd's line about what is being waited for goes up again before each turn (ESC M).
    assert clean("\x1bM\r\x1b[K[ ***  ] (4 of 5) Job x/start running") == (
        "[ ***  ] (4 of 5) Job x/start running"
    )


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("[ 3.2] Kernel panic - not syncing: VFS: Unable to mount root fs\n", "panicked"),
        ("(initramfs) ", "initramfs"),
        ("You are in emergency mode. After logging in, type\n", "emergency"),
        ("! No IPL device available !\n", "firmware"),
        ("Failed to load OS from hard disk\n", "firmware"),
    ],
)
def test_the_end_of_a_boot_is_seen_even_in_a_prompt(text: str, meaning: str) -> None:
    (line,) = lines(text.encode())

    assert meaning in (line.fatal or "")


def test_a_prompt_is_seen_though_its_line_does_not_end() -> None:
    assert [line.phase for line in lines(BOOT)][-1] == "login"
    assert [line.phase for line in lines(b"Last login: Thu")] == []


def test_lines_come_whole_in_whatever_pieces_they_come_in() -> None:
    console = Console()

    pieces = [line for i in range(len(BOOT)) for line in console.feed(BOOT[i : i + 1])]

    assert pieces == lines(BOOT)


def test_the_last_lines_are_kept() -> None:
    console = Console()

    list(console.feed(b"".join(b"%d\n" % i for i in range(100))))

    assert list(console.tail) == [str(i) for i in range(100 - TAIL, 100)]


def test_a_brief_line_has_no_clock_and_an_end() -> None:
    assert brief("[    1.712338] Linux version 6.1") == "Linux version 6.1"
    assert brief("x" * 200) == "x" * 87 + "..."
