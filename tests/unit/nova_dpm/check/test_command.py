"""nova-dpm-check as a command: which files it reads, what it prints, how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nova_dpm.check.command import main, read_configuration


def test_nova_is_not_imported() -> None:
    code = (
        "import sys, nova_dpm.check.command\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('nova', 'os_vif')])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_nova_conf_is_found_where_nova_looks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".nova").mkdir()
    (tmp_path / ".nova" / "nova.conf").write_text("[DEFAULT]\nhost = found\n")

    conf = read_configuration([], [])

    assert conf.host == "found"


def test_later_files_and_folders_win(tmp_path: Path) -> None:
    first, second = tmp_path / "1.conf", tmp_path / "2.conf"
    first.write_text("[dpm]\nmax_processors = 1\nmax_memory = 1024\n")
    second.write_text("[dpm]\nmax_processors = 2\n")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "3.conf").write_text("[dpm]\nmax_memory = 3072\n")

    conf = read_configuration([str(first), str(second)], [str(tmp_path / "conf.d")])

    assert (conf.dpm.max_processors, conf.dpm.max_memory) == (2, 3072)


def test_the_host_is_nova_s_default_where_it_is_not_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "from-the-system")
    empty = tmp_path / "nova.conf"
    empty.touch()

    assert read_configuration([str(empty)], []).host == "from-the-system"


def test_no_file_at_all_is_a_failure_with_a_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("oslo_config.cfg.find_config_files", lambda *args, **kwargs: [])
    monkeypatch.setattr("oslo_config.cfg.find_config_dirs", lambda *args, **kwargs: [])

    code = main([])

    assert code == 1
    assert "--config-file FILE" in capsys.readouterr().out


def test_another_driver_in_nova_conf_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "nova.conf"
    path.write_text("[DEFAULT]\ncompute_driver = libvirt.LibvirtDriver\n")

    main(["--config-file", str(path)])

    out = capsys.readouterr().out
    assert "libvirt.LibvirtDriver" in out
    assert "-> Set it to dpm.DPMDriver" in out


def test_a_file_that_is_not_there_is_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["--config-file", str(tmp_path / "none.conf")])

    assert code == 2
    assert "none.conf" in capsys.readouterr().err


def test_an_unknown_argument_is_exit_code_2() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--password", "secret"])

    assert ended.value.code == 2


def test_a_line_that_cannot_be_parsed_is_named_by_number_and_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "nova.conf"
    path.write_text("[dpm]\nhmc_password   it's-a-secret\n")

    code = main(["--config-file", str(path)])

    out, err = capsys.readouterr()
    assert code == 2
    assert "nova.conf:2" in err
    assert "secret" not in out + err


def test_wide_tables_fit_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    path = tmp_path / "nova.conf"
    path.write_text("[dpm]\nphysical_storage_adapter_mappings = nothing\n")

    main(["--config-file", str(path)])

    lines = capsys.readouterr().out.splitlines()
    wide = [line for line in lines if len(line) > 80 and str(tmp_path) not in line]
    assert wide == []


@pytest.mark.parametrize("password", ["pass$foo", "pass$host", "hunter2\n  hmc_port = 6794"])
def test_a_password_that_means_another_one_is_a_row_and_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], password: str
) -> None:
    path = tmp_path / "nova.conf"
    path.write_text(f"[DEFAULT]\nhost = $bar\n[dpm]\nhmc_password = {password}\n")

    code = main(["--config-file", str(path)])

    out, err = capsys.readouterr()
    assert code == 1
    assert "[dpm] hmc_password = (not shown)" in out
    assert "[DEFAULT] host = " in out
    assert not any(part in out + err for part in ("pass$", "foo", "hunter2"))


def test_a_dollar_of_the_compute_driver_that_means_nothing_has_its_cure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "nova.conf"
    path.write_text("[DEFAULT]\ncompute_driver = ${compute_driver}\n")

    main(["--config-file", str(path)])

    out = " ".join(capsys.readouterr().out.split())
    assert "compute_driver = (unreadable)" in out
    assert "write $$ for each $" in out


@pytest.mark.parametrize("argument", ["--config-file={}/nova.conf", "--config-dir={}", None])
def test_a_file_that_is_not_utf_8_is_named_with_the_line_and_exit_code_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    argument: str | None,
) -> None:
    path = tmp_path / ".nova" / "nova.conf"
    path.parent.mkdir()
    path.write_bytes("[dpm]\nhmc_password = schlüssel\n".encode("latin-1"))
    monkeypatch.setenv("HOME", str(tmp_path))

    code = main([argument.format(path.parent)] if argument else [])

    out, err = capsys.readouterr()
    assert code == 2
    assert f"{path}: line 2 is not UTF-8" in err
    assert "schl" not in out + err
