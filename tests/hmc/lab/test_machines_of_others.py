"""Machines that others described: HMC definitions of zhmcclient, DPM exports, and wrong files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import zhmcclient

from dpm_lab.hmc import HmcServer
from dpm_lab.hmc.machines.reading import parse
from tests.hmc.lab.client import Lab, refused
from tests.hmc.lab.test_storage_groups import BOOT

DEFINITION = Path(__file__).parent / "foreign/definition.yaml"
CPC = "00000000-0000-4000-8000-0000000000c0"


def uuid_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def export(se_version: str, **changes: Any) -> dict[str, Any]:
    """A CPC as ``zhmc cpc dpm-export`` writes it: hundreds of cards, none of them for FCP."""
    adapters: list[dict[str, Any]] = []
    ports: list[dict[str, Any]] = []
    kinds = [("ficon", "not-configured", "storage")] * 200
    if se_version < "2.17":
        kinds += [("osa", "osd", "network")] * 60
    else:
        kinds += [("network-express", "network-express-hybrid", "network")] * 60
    for number, (family, kind, ports_of) in enumerate(kinds):
        uri = f"/api/adapters/{uuid_of(number)}"
        port = f"{uri}/{ports_of}-ports/0"
        adapters.append(
            {
                "object-uri": uri,
                "object-id": uuid_of(number),
                "name": f"Card {number:04d}",
                "adapter-family": family,
                "type": kind,
                "parent": f"/api/cpcs/{CPC}",
                f"{ports_of}-port-uris": [port],
                "port-count": 1,
            }
        )
        ports.append({"element-uri": port, "element-id": "0", "index": 0, "parent": uri})
    features = ["network-express-support"] if se_version >= "2.17" else []
    return {
        "se-version": se_version,
        "available-api-features-list": features,
        "available-features-list": [{"name": "dpm-storage-management", "state": True}],
        "cpc-properties": {"auto-start-list": [], "description": "exported"},
        "adapters": adapters,
        "network-ports": [each for each in ports if "/network-" in each["element-uri"]],
        "storage-ports": [each for each in ports if "/storage-" in each["element-uri"]],
        "storage-sites": [{"name": "Primary Site"}],
        "capacity-groups": [],
        "partitions": [],
        **changes,
    }


def test_a_definition_of_zhmcclient_is_an_hmc() -> None:
    with HmcServer(DEFINITION) as hmc:
        lab = Lab(hmc)
        classic, lab.__dict__["cpc"] = zhmcclient.Client(lab.session).cpcs.list()

        assert [each.name for each in classic.lpars.list()] == ["LPAR"]
        with refused(409, 5):
            classic.partitions.create({"name": "no", "initial-memory": 1, "maximum-memory": 1})
        assert [each.name for each in lab.cpc.adapters.list()] == ["OSA", "FCP"]
        found = lab.cpc.virtual_switches.list(full_properties=True)
        kinds = [(each.prop("type"), each.prop("port")) for each in found]
        assert kinds == [("osd", 0), ("osd", 1)]
        (web,) = lab.cpc.partitions.list()
        (nic,) = web.nics.list(full_properties=True)
        assert (nic.prop("device-number"), nic.prop("type")) == ("0010", "osd")
        assert re.fullmatch(r"02(:[0-9a-f]{2}){5}", nic.prop("mac-address"))
        (group,) = web.list_attached_storage_groups()
        (resource,) = group.virtual_storage_resources.list(full_properties=True)
        assert resource.prop("adapter-port-uri") is None
        assert lab.properties(lab.cpc)["processor-count-ifl"] == 4


def test_what_others_described_goes_on_living() -> None:
    with HmcServer(DEFINITION, behaviour={"after-start": "none", "after-stop": "none"}) as hmc:
        lab = Lab(hmc)
        lab.__dict__["cpc"] = zhmcclient.Client(lab.session).cpcs.find(name="DPM")
        (web,) = lab.cpc.partitions.list()
        lab.start(web)
        lab.stop(web)
        partition = lab.partition("new")
        partition.nics.create({"name": "eth", "virtual-switch-uri": lab.switch(1)})
        group = lab.group("more", **{"storage-volumes": [BOOT]})
        group.add_candidate_adapter_ports([lab.port("FCP")])
        partition.attach_storage_group(group)
        lab.start(partition)
        assert lab.status(partition) == "active"

        web.nics.list()[0].delete()
        lab.control.reset()

        (web,) = lab.cpc.partitions.list()
        assert [each.name for each in web.nics.list()] == ["eth"]


def test_an_export_is_a_machine(tmp_path: Path) -> None:
    partition = {
        "object-uri": f"/api/partitions/{uuid_of(1)}",
        "object-id": uuid_of(1),
        "name": "web",
        "cpc-name": "BIG",
        "initial-memory": 1024,
        "maximum-memory": 1024,
        "ifl-processors": 1,
        "status": "stopped",
    }
    switch = {
        "object-uri": f"/api/virtual-switches/{uuid_of(2)}",
        "object-id": uuid_of(2),
        "name": "200.P0.OSD",
        "type": "osd",
        "port": 0,
        "backing-adapter-uri": f"/api/adapters/{uuid_of(200)}",
    }
    nic = {
        "parent": partition["object-uri"],
        "element-id": "1",
        "name": "eth",
        "type": "osd",
        "device-number": "0001",
        "mac-address": "82:00:00:00:00:01",
        "virtual-switch-uri": switch["object-uri"],
    }
    lists = {"partitions": [partition], "virtual-switches": [switch], "nics": [nic]}
    path = tmp_path / "big.json"
    path.write_text(json.dumps(export("2.16.0", **lists)))

    with HmcServer(path) as hmc:
        lab = Lab(hmc)

        assert (lab.cpc.name, lab.cpc.uri) == ("BIG", f"/api/cpcs/{CPC}")
        adapters = lab.cpc.adapters.list(full_properties=True)
        assert [each.prop("type") for each in adapters].count("not-configured") == 200
        assert len(lab.cpc.virtual_switches.list()) == 60
        (web,) = lab.cpc.partitions.list()
        assert web.nics.list()[0].get_property("mac-address") == "82:00:00:00:00:01"
        with refused(400, 7, "FCP"):
            lab.group().add_candidate_adapter_ports(adapters[0].ports.list())
        assert hmc.machines[0].api_version == (4, 10)


def test_an_export_of_a_z17_has_network_express(tmp_path: Path) -> None:
    path = tmp_path / "z17.yaml"
    path.write_text(json.dumps(export("2.17.0")))

    with HmcServer(path) as hmc:
        lab = Lab(hmc)
        partition = lab.partition()
        uri = f"/api/adapters/{uuid_of(259)}/network-ports/0"
        given = {"network-adapter-port-uri": uri}

        with refused(400, 15, "The field type is required"):
            partition.nics.create({"name": "a", **given})
        partition.nics.create({"name": "a", **given, "type": "neth"})
        assert lab.cpc.virtual_switches.list() == []


def test_a_cpc_without_ifls_has_none() -> None:
    definition = {"cpcs": [{"properties": {"name": "CPS", "dpm-enabled": True}}]}
    properties: dict[str, Any] = definition["cpcs"][0]["properties"]
    properties["processor-count-general-purpose"] = 8

    (machine,) = parse(json.dumps({"hmc_definition": definition}), "cps.yaml")

    with HmcServer(machine) as hmc:
        lab = Lab(hmc)
        assert lab.properties(lab.cpc)["processor-count-ifl"] == 0
        with refused(400, 7, "CPS has 0"):
            lab.partition()
        lab.partition(**{"ifl-processors": 0, "cp-processors": 1})


def test_what_the_lab_itself_dumps_is_read(z16: Lab, tmp_path: Path) -> None:
    partition = z16.partition("web", description="mine")
    nic = partition.nics.create({"name": "eth", "virtual-switch-uri": z16.switch()})
    partition.attach_storage_group(z16.group(**{"storage-volumes": [BOOT]}))
    path = tmp_path / "dump.yaml"
    path.write_text(zhmcclient.Client(z16.session).to_hmc_yaml())
    wanted = z16.properties(nic)["mac-address"], z16.cpc.uri

    with HmcServer(path) as hmc:
        lab = Lab(hmc)
        (web,) = lab.cpc.partitions.list()
        (eth,) = web.nics.list()
        assert (lab.properties(eth)["mac-address"], lab.cpc.uri) == wanted
        assert lab.properties(web)["description"] == "mine"
        (group,) = web.list_attached_storage_groups()
        assert len(group.virtual_storage_resources.list()) == 2
