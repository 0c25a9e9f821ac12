"""Whether all who tell something of a failure tell the same story: what differs is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dpm_lab.cloud.chain.stories import STORIES, Seen, Story, judge, screen, telling

STORY = Story(
    "the guest's kernel panics",
    "the console has the reason",
    "SHUTOFF, Shutdown",
    console="Kernel panic - not syncing",
    more={"last event": "^stop, "},
)
SEEN = Seen(
    "echo c > /proc/sysrq-trigger",
    "SHUTOFF, Shutdown",
    console="debian login:\nKernel panic - not syncing: sysrq triggered crash\nCPU: 0\n",
    more={"last event": "stop, 2026-11-27T08:00:00Z"},
)


def test_a_failure_of_which_all_tell_the_same_has_no_problem() -> None:
    assert judge(STORY, SEEN) == []


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (replace(SEEN, server="ACTIVE, Running"), "server: ACTIVE, Running; expected: "),
        (replace(SEEN, fault="stop: no HMC"), "fault: stop: no HMC; expected: ^$"),
        (replace(SEEN, console="login:"), "console log: login:; expected: Kernel panic"),
        (replace(SEEN, console=""), "console log: nothing; expected: Kernel panic"),
        (replace(SEEN, agent="0.0.0001 ok"), "dpm-guest status: 0.0.0001 ok; expected: ^$"),
        (replace(SEEN, more={}), "last event: nothing; expected: ^stop, "),
    ],
)
def test_what_tells_another_story_is_named(seen: Seen, said: str) -> None:
    (problem,) = judge(STORY, seen)

    assert problem.startswith(said)


def test_a_fault_that_is_missing_is_named() -> None:
    story = replace(STORY, fault="an operator finds the reason")

    assert judge(story, SEEN) == ["fault: nothing; expected: an operator finds the reason"]


def test_the_lines_of_a_console_that_tell_something_are_shown_and_the_last_where_none_does() -> (
    None
):
    assert telling("Welcome\ndpm-guest: 0.0.0001 ok\nother\n") == ["dpm-guest: 0.0.0001 ok"]
    assert telling("one\ntwo\n\n") == ["one", "two"]
    assert telling("one\ntwo\nlogin:\n", "^one$") == ["one"]
    assert telling("") == []


def test_a_failure_is_a_block_with_who_says_what_and_the_verdict() -> None:
    shown = screen("crashed", STORY, SEEN, []).splitlines()

    assert shown[0] == "crashed: the guest's kernel panics"
    assert "  server                 SHUTOFF, Shutdown" in shown
    assert "  last event             stop, 2026-11-27T08:00:00Z" in shown
    assert "    Kernel panic - not syncing: sysrq triggered crash" in shown
    assert shown[-1] == "  the same story: the console has the reason"
    assert screen("crashed", STORY, SEEN, ["server: x"]).splitlines()[-1] == "  WRONG: server: x"


def test_a_guest_that_was_shut_down_says_so_last() -> None:
    seen = Seen(
        "poweroff",
        "SHUTOFF, Shutdown",
        console="[  141.330033] systemd-shutdown[1]: Powering off.",
        more={"last event": "stop, 2026-11-27T08:05:30.000000"},
    )

    assert judge(STORIES["shut-down"], seen) == []
    assert judge(STORIES["shut-down"], replace(seen, console="debian login:"))


def test_what_a_guest_writes_moves_no_cursor() -> None:
    assert "\x1b" not in screen("crashed", STORY, replace(SEEN, console="login: \x1b[2J"), [])


def test_a_system_without_agent_is_told_by_what_its_console_lacks() -> None:
    story = STORIES["no-agent"]
    seen = Seen("", "ACTIVE, Running", agent="sudo: dpm-guest: command not found")

    assert judge(story, replace(seen, console="Welcome\ndebian login:")) == []
    assert judge(story, replace(seen, console="dpm-guest: x\ndebian login:"))
