"""The report: what an HMC answers, without what is its owner's business."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from dpm_lab.hmc import Fault
from nova_dpm.check.anonymous import Anonymous
from nova_dpm.check.command import main
from tests.hmc.check.conftest import Bench

UUID = "c8a767f4-1e76-536c-b387-ff6d02468464"


def made(bench: Bench, tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "report.tar.gz"
    main(["--config-file", str(bench.write()), "--report", str(path)])
    assert path.stat().st_mode & 0o077 == 0
    with tarfile.open(path) as archive:
        [name] = archive.getnames()
        file = archive.extractfile(name)
        assert file is not None
        found: dict[str, Any] = json.load(file)
    return found


def texts(value: Any) -> set[str]:
    """Return all texts in an answer, and what its keys are."""
    if isinstance(value, dict):
        return {each for item in value.values() for each in texts(item)}
    if isinstance(value, list):
        return {each for item in value for each in texts(item)}
    return {value} if isinstance(value, str) else set()


def private(bench: Bench) -> set[str]:
    """Return what an owner would not show: names, ids, addresses, serial numbers."""
    tree = bench.hmc.service.tree
    found = {bench.hmc.password, bench.hmc.userid, bench.hmc.host}
    named = re.compile("name|id$|serial|wwpn|mac-address|description|location|world-wide")
    for uri, resource in tree.faked.all_resources.items():
        found.add(uri.rpartition("/")[2])
        for key, value in resource.properties.items():
            if isinstance(value, str) and len(value) > 3 and named.search(key):
                found.add(value)
    return {each for each in found if not re.fullmatch("[0-9a-f]{1,4}|[a-z-]+", each)}


def test_a_report_has_what_is_asked_for_and_nothing_of_the_owners(
    bench: Bench, tmp_path: Path
) -> None:
    bench.hmc.control.add_partitions(2, "payroll-of-ours-{}")

    report = made(bench, tmp_path)

    text = json.dumps(report)
    assert sorted(each for each in private(bench) if each in text) == []
    answers = report["answers"]
    [cpc] = [each for uri, each in answers.items() if re.fullmatch(r"/api/cpcs/id-\d+", uri)]
    assert cpc["status"] == "active"
    assert {"fcp", "osd"} <= texts([each for uri, each in answers.items() if "adapters" in uri])
    refused = [each for uri, each in answers.items() if "no-such" in uri]
    assert len(refused) == 3
    assert all({"http-status", "reason"} == set(each) for each in refused)


def test_a_report_says_what_a_user_reads_of_itself(bench: Bench, tmp_path: Path) -> None:
    report = made(bench, tmp_path)

    answers = report["answers"]
    [role] = [each for uri, each in answers.items() if uri.startswith("/api/user-roles/")]
    by_class = {"permitted-object": "partition", "permitted-object-type": "object-class"}
    assert by_class in role["permissions"]
    [task] = [
        each
        for each in answers["/api/console/tasks"]["tasks"]
        if each["name"] == "configure-storage-storageadmin"
    ]
    assert task["element-uri"] in {each["permitted-object"] for each in role["permissions"]}
    assert answers["/api/users/this-user"]["user-roles"] == [role["object-uri"]]


def test_nothing_is_changed_on_the_hmc(bench: Bench, tmp_path: Path) -> None:
    bench.hmc.control.reset_log()

    made(bench, tmp_path)

    asked = {each.method for each in bench.hmc.control.requests() if "/sessions" not in each.uri}
    assert asked == {"GET"}


def test_an_hmc_that_fails_in_the_middle_is_part_of_the_report(
    bench: Bench, tmp_path: Path
) -> None:
    bench.hmc.control.add_fault(Fault("GET", ".*/adapters", status=403, reason=1, times=None))

    report = made(bench, tmp_path)

    [shown] = [each for uri, each in report["answers"].items() if uri.endswith("/adapters")]
    assert shown == {"http-status": 403, "reason": 1}


def test_a_file_that_is_there_is_left_alone(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.tar.gz"
    path.write_text("mine")

    assert main(["--config-file", str(bench.write()), "--report", str(path)]) == 1

    assert "no report: " in capsys.readouterr().err
    assert path.read_text() == "mine"


def test_a_wrong_option_is_said_and_no_report_is_made(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.tar.gz"

    assert main(["--config-file", str(bench.write(hmc=None)), "--report", str(path)]) == 1

    assert "no report: first hmc has to be right" in capsys.readouterr().err
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("status", "active", "active"),
        ("status", "Prod 1: down?", "text-1 (13 characters)"),
        ("name", "active", "text-1 (6 characters)"),
        ("object-id", UUID, "id-1"),
        ("object-uri", f"/api/cpcs/{UUID}", "/api/cpcs/id-1"),
        ("mac-address", "02:d2:4d:80:b9:88", "mac-1"),
        ("machine-serial-number", "0000020A87B8", "..."),
        ("serial-number", 12345, "..."),
        ("wwpn", "c05076d08001a700", "wwpn-or-lun-1"),
        ("boot-ftp-password", "secret", "..."),
        ("maximum-memory", 4096, 4096),
        ("description", "", ""),
        ("description", None, None),
    ],
)
def test_a_value_is_shown_if_it_is_a_word_of_the_api(name: str, value: Any, shown: Any) -> None:
    assert Anonymous().answer({name: value}) == {name: shown}


def test_the_same_value_is_the_same_word(bench: Bench) -> None:
    anonymous = Anonymous()

    first, second = anonymous.answer([{"name": "a"}, {"name": "b"}])

    assert anonymous.answer({"parent-name": "b"}) == {"parent-name": second["name"]}
    assert first["name"] != second["name"]
