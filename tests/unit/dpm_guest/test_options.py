"""The command line of dpm-guest, and the texts made from its table."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dpm_guest import helptext
from dpm_guest.__main__ import main
from dpm_guest.errors import UsageError
from dpm_guest.options import COMMANDS, OPTIONS, parse


def test_options_may_stand_anywhere() -> None:
    options = parse(
        ["--cmdline=c", "configure", "-n", "0600", "--sysfs", "s", "--timeout", "5", "0700"]
    )

    assert (options.command, options.operands) == ("configure", ["0600", "0700"])
    assert (options.cmdline, options.sysfs, options.timeout) == ("c", "s", 5)
    assert options.dry_run
    assert not options.verbose


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "no command; one of: configure, setmac, retry, status, report"),
        (["go"], "unknown command 'go'"),
        (["status", "--frob"], "unknown option --frob"),
        (["status", "--cmdline"], "--cmdline needs a value: --cmdline FILE"),
        (["status", "--json=1"], "--json takes no value"),
        (["setmac", "--json", "0600"], "--json does not belong to setmac"),
        (["status", "--timeout", "3"], "--timeout does not belong to status"),
        (["configure", "--timeout", "soon"], "'soon' is not a number of seconds"),
        (["configure", "--timeout", "0"], "'0' is not a number of seconds"),
        (["configure", "--timeout", "nan"], "'nan' is not a number of seconds"),
        (["setmac"], "setmac needs a BUS-ID|INTERFACE"),
        (["setmac", "0600", "0700"], "what is '0700'?"),
        (["status", "0600"], "what is '0600'?"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_one_sentence(
    words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words)

    assert why in str(caught.value)
    assert main(words) == 2
    assert why in capsys.readouterr().err


def test_a_bus_id_that_is_none_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["configure", "--cmdline", os.devnull, "eth0"]) == 2
    assert "'eth0' is no bus id" in capsys.readouterr().err


@pytest.mark.parametrize("text", [helptext.help_text(), helptext.man_page(), helptext.completion()])
def test_help_man_page_and_completion_name_every_command_and_option(text: str) -> None:
    for name in [command.name for command in COMMANDS] + [option.name for option in OPTIONS]:
        assert name in text.replace("\\-", "-"), name


def test_help_names_the_off_switch_and_the_exit_codes() -> None:
    text = helptext.help_text()

    assert "dpm_guest=off" in text
    assert "something is not" in text


def test_the_man_page_is_good_roff(tmp_path: Path) -> None:
    page = tmp_path / "dpm-guest.8"
    page.write_text(helptext.man_page())

    lint = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", page], capture_output=True, text=True, check=True
    )

    assert lint.stderr == ""


def complete(*words: str) -> list[str]:
    """What bash offers for the last of `words`."""
    script = (
        f"{helptext.completion()}\n"
        'COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _dpm_guest\n'
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script, "-", "dpm-guest", *words], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_bash_completes_commands_options_and_interfaces() -> None:
    assert complete("s") == ["setmac", "status"]
    assert "--json" in complete("status", "--")
    assert "--json" not in complete("configure", "--")
    assert complete("configure", "--ti") == ["--timeout"]
    assert "lo" in complete("setmac", "")
    assert complete("report", f"{__file__[:-1]}") == [__file__]
    assert "--force" in complete("report", "-")
