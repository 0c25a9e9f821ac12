"""The build's log has no secret in it, however a shell writes one."""

from __future__ import annotations

import os
import subprocess

import pytest

from dpm_image.build.redact import MARK, Redactor
from dpm_image.errors import ImageError

SECRETS = {
    "plain": "hunter2-hunter2",
    "single quote": "it's a secret",
    "double quote": 'say "please" now',
    "dollar": "pa$$word${x}",
    "backslash": "a\\b\\\\cdef",
    "all of them": "x'y\"z$(w)`v`\\u",
    "umlaut": "größe-und-maß",
    "tab": "one\ttwo\tthree",
    "blanks": "four words in it",
    "regular expression": ".*[a-z]+(|^$",
}

#: What diskimage-builder does with its environment: DIB_ENV, and a trace of what is done with it.
SCRIPT = """
export LC_ALL=C
DIB_ENV=$(declare -p DIB_DEV_USER_PASSWORD)
set -x
echo "$DIB_ENV"
echo "$DIB_DEV_USER_PASSWORD"
: "${DIB_DEV_USER_PASSWORD@Q}" "$(printf %q "$DIB_DEV_USER_PASSWORD")"
bash -xc 'echo "$1"' bash "echo ${DIB_DEV_USER_PASSWORD@Q}"
env | grep -a -A 3 ^DIB_DEV_USER_PASSWORD
"""


def shown(secret: str) -> bytes:
    """Return what a build's shell writes about `secret`."""
    return subprocess.run(
        ["bash", "-c", SCRIPT],
        env={**os.environ, "DIB_DEV_USER_PASSWORD": secret},
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ).stdout


def letters(text: bytes) -> bytes:
    """Return what is left of `text` without all that quotes."""
    return text.translate(None, delete=b"\\'\"$ ")


@pytest.mark.parametrize("secret", SECRETS.values(), ids=list(SECRETS))
def test_a_secret_is_redacted_as_shells_write_it(secret: str) -> None:
    lines = shown(secret).splitlines(keepends=True)
    redactor = Redactor({"DIB_DEV_USER_PASSWORD": secret})

    found = b"".join(map(redactor.redact, lines))

    assert secret.encode() not in found
    assert letters(secret.encode()) not in letters(found)
    assert found.count(MARK) >= 7, found.decode()
    assert b"echo" in found


def test_each_line_of_a_secret_is_redacted() -> None:
    key = "-----BEGIN KEY-----\nabcdefgh\nijklmnop\nq==\n-----END KEY-----"
    redactor = Redactor({"DIB_X_KEY": key})

    found = b"".join(map(redactor.redact, shown(key).splitlines(keepends=True)))

    assert b"abcdefgh" not in found
    assert b"ijklmnop" not in found


@pytest.mark.parametrize("secret", ["a", "abc", "a''b\"c"])
def test_a_secret_that_chance_would_find_is_refused(secret: str) -> None:
    with pytest.raises(ImageError, match="DIB_DEV_USER_PASSWORD cannot be kept out of"):
        Redactor({"DIB_DEV_USER_PASSWORD": secret})


@pytest.mark.parametrize(
    "name",
    [
        "DIB_X_PASSWORD",
        "DIB_X_PASSPHRASE",
        "REG_SECRET_X",
        "DIB_TOKEN",
        "DIB_X_TOKENS",
        "REG_X_KEY",
    ],
)
def test_a_name_tells_that_a_value_is_a_secret(name: str) -> None:
    with pytest.raises(ImageError, match=f"{name} cannot be kept out of"):
        Redactor({name: "abc"})


@pytest.mark.parametrize("name", ["DIB_X_KEYS", "DIB_KEYBOARD", "REG_ORG"])
def test_other_names_do_not(name: str) -> None:
    assert Redactor({name: "abc"}).redact(b"abc\n") == b"abc\n"


@pytest.mark.parametrize("value", ["1", "true"])
def test_a_switch_is_redacted_behind_its_name_only(value: str) -> None:
    redactor = Redactor({"REG_AUTO_ATTACH": value})

    line = redactor.redact(f'declare -x REG_AUTO_ATTACH="{value}" # {value}\n'.encode())

    assert line == b'declare -x REG_AUTO_ATTACH="(redacted)" # ' + value.encode() + b"\n"


def test_an_empty_secret_is_none() -> None:
    assert Redactor({"DIB_X_PASSWORD": ""}).redact(b"a line\n") == b"a line\n"


def test_a_secret_in_a_longer_one_does_not_leave_the_rest() -> None:
    redactor = Redactor({"REG_USER": "user", "REG_PASSWORD": "user-hush"})

    assert redactor.redact(b"user-hush user\n") == MARK + b" " + MARK + b"\n"


def test_a_password_in_an_address_is_redacted() -> None:
    line = Redactor({}).redact(
        b"http_proxy=http://me:hush@proxy:3128/ https://mirror.example/x@y\n"
    )

    assert line == b"http_proxy=http://(redacted)@proxy:3128/ https://mirror.example/x@y\n"
