"""The options of ``dpm-image boot``."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from dpm_image.__main__ import main


def planned(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    assert main(["boot", "debian.qcow2", "--dry-run", *options]) == 0
    return shlex.split(capsys.readouterr().out)


def test_nics_and_tuples_mean_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    nics = planned(capsys, "--nic", "0001,1,0a0000000011", "--nic", "0004,0")
    tuples = planned(capsys, "--tuples", "0001,1,0a0000000011;0004,0;")

    assert nics == tuples
    assert "virtio-net-ccw,netdev=nic2,mac=52:54:00:dd:00:04,devno=fe.0.0004" in nics


def test_a_kernel_ipl_appends_operators_text_and_tuples(capsys: pytest.CaptureFixture[str]) -> None:
    words = planned(capsys, "--ipl", "kernel", "--nic", "0001,0", "--append", "quiet")

    assert words[words.index("-append") + 1] == "<parameters of the image> quiet 0001,0;"


def test_the_machine_starts_where_its_metadata_service_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = planned(capsys, "--nic", "0001,0")
    with_drive = planned(capsys, "--nic", "0001,0", "--config-drive")

    assert words[0] == "nsenter"
    assert with_drive[0] == "qemu-system-s390x"
    assert "-drive" in with_drive
    assert "-drive" not in words


def test_machine_options_reach_qemu(capsys: pytest.CaptureFixture[str]) -> None:
    words = planned(capsys, "--memory", "2048", "--smp", "4", "--keep", "mine.qcow2")

    assert words[words.index("-m") + 1] == "2048"
    assert words[words.index("-smp") + 1] == "4,maxcpus=4"
    assert any('"filename": "mine.qcow2"' in word for word in words)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--nic", "0001,99"], "port '99' is not 0 to 15"),
        (["--nic", "eth0"], "no tuple"),
        (["--nic", "0001,0", "--tuples", "0001,0;"], "not allowed with"),
        (["--console", "--run", "true"], "exclude each other"),
        (["--ipl", "network"], "invalid choice"),
        ([], "required"),
    ],
)
def test_a_usage_error_names_the_option_and_ends_with_status_2(
    capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    image = ["debian.qcow2"] if options else []

    with pytest.raises(SystemExit) as caught:
        main(["boot", *image, *options])

    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_an_image_that_is_not_there_ends_with_status_1_and_a_cure(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["boot", str(tmp_path / "none.qcow2"), "--log", str(tmp_path / "log")]) == 1

    assert "none.qcow2: no such image; build one with `dpm-image build`" in capsys.readouterr().err


def test_user_data_that_cannot_be_read_are_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["boot", "x.qcow2", "--user-data", str(tmp_path / "none")]) == 1

    assert "none cannot be read as text" in capsys.readouterr().err
