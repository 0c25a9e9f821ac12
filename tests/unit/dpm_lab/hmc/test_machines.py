"""Machine files: those of the lab, those of others, and wrong ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dpm_lab import __main__ as dpm_lab
from dpm_lab.hmc import Machine
from dpm_lab.hmc.errors import MachineError
from dpm_lab.hmc.machines.machine import names
from dpm_lab.hmc.machines.reading import read, read_all
from tests.hmc.lab.test_machines_of_others import DEFINITION


def test_the_list_has_all_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert dpm_lab.main(["hmc", "--list"]) == 0

    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()] == ["z13", "z14", "z16", "z17"]


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--machine", "z99", "--port", "0"], 1, "no machine 'z99': there are z13"),
        (["--machine", "none.yaml", "--port", "0"], 1, "No such file"),
        (["--fault", "POST"], 1, "METHOD URI KIND"),
        (["--password-file", "none"], 2, "none: No such file"),
        (["--host", "192.0.2.1", "--stomp-port", "0"], 1, "cannot be had"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], code: int, text: str
) -> None:
    assert dpm_lab.main(["hmc", *words]) == code

    said = capsys.readouterr().err
    assert text in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("name", names())
def test_a_machine_has_what_a_partition_needs(name: str) -> None:
    machine = Machine.load(name)
    kinds = [adapter["type"] for adapter in machine.adapters]

    assert kinds.count("fcp") >= 2
    assert {"osd", "hipersockets"} <= set(kinds)
    assert machine.cpc["processor-count-ifl"] > 0
    ports = [item["properties"]["port"] for item in machine.resource()["virtual_switches"]]
    assert (1 in ports) == machine.has_virtual_switches == (name != "z17")


def test_object_ids_become_uuids_and_uris_follow() -> None:
    _, machine = read(DEFINITION)

    assert machine.ready is not None
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", machine.cpc_object_id)
    assert machine.cpc_object_id == read(DEFINITION)[1].cpc_object_id
    assert "/api/adapters/osa" not in json.dumps(machine.ready)


@pytest.mark.parametrize(
    "said",
    [
        "object ids are no UUIDs, or missing, and became some: classic is ",
        "The HMC: users (1) not used: the lab has users of its own (--users).",
        "The HMC: tape links (1) not used: the lab has no tape.",
        "CPC DPM: capacity groups (1) not used",
        "CPC DPM: filled in status = 'active', ",
        "virtual switches: 1 made",
        "virtual switches: filled in type = 'osd', ",
        "Virtual switch Stray is not used: its backing adapter /api/adapters/gone is not in",
        "NIC lost of partition WEB is not used",
        "Partition WEB: virtual functions (1) not used",
        "Adapter ODD is not used: neither 'adapter-family' nor 'type' tells what it is",
        "A virtual storage resource of Disks has no port",
        "storage volumes: filled in size = 1.0, ",
        "CPC DPM: this format has no API features; taken for none.",
    ],
)
def test_what_was_filled_in_and_what_is_not_used_is_said(said: str) -> None:
    notes = [note for machine in read(DEFINITION) for note in machine.notes]

    assert len([note for note in notes if said in note]) == 1, "\n".join(notes)


WRONG = {
    "": "is empty. It is read: a machine of the lab",
    "- a": "holds a list, no mapping",
    "a: [1": "no YAML: did not find expected",
    "hosts: {hmc: {}}": "is zhmcclient's HMC inventory",
    "colour: red": "has 'colour' at its top. It is read",
    "hmc_definition: []": "'hmc_definition' is no mapping",
    "hmc_definition: {cpcs: []}": "it has no CPC ('cpcs')",
    "hmc_definition: {cpcs: {}}": "it has no CPC ('cpcs')",
    "hmc_definition: {cpcs: {a: b}}": "'cpcs' is no list",
    "hmc_definition: {cpcs: [{name: a}]}": "cpcs[0] has no 'properties'",
    "hmc_definition: {cpcs: [{properties: {name: a}, adapters: [b]}]}": "adapters[0] is no mapping",
    "cpc: {name: a}": "it lacks 'name'",
    "{name: a, description: b, hmc: {version: 1}, cpc: {name: c}}": "it lacks 'hmc/api-version'",
}


@pytest.mark.parametrize(("text", "said"), WRONG.items(), ids=WRONG)
def test_a_file_that_is_no_machine_is_said_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(text)

    assert dpm_lab.main(["hmc", "--machine", str(path), "--port", "0"]) == 1

    error = capsys.readouterr().err
    assert "odd.yaml" in error
    assert said in error
    assert len(error.splitlines()) == 1
    assert "KeyError" not in error


def test_two_machines_of_one_cpc_are_refused() -> None:
    with pytest.raises(MachineError, match="two machines have the CPC"):
        read_all((DEFINITION, DEFINITION))
