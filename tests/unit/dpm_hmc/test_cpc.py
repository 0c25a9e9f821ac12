"""What kind of machine a CPC is. Whether the options fit it: `tests.hmc.check`."""

from __future__ import annotations

from typing import Any

import pytest

from dpm_hmc.cpc import Cpc, find_cpc, version_number
from dpm_hmc.errors import ConfigError, HmcError, HttpError, NotFoundError, StateError
from nova_dpm.check import start
from tests.unit.nova_dpm.settings import CPC

URI = f"/api/cpcs/{CPC}"


class Answers:
    """An HMC that shows one CPC."""

    address = "hmc1"

    def __init__(
        self, api: tuple[int, int], features: list[str] | None = None, **changed: Any
    ) -> None:
        self._api = api
        self._features = features
        self._properties = {
            "name": "P0000P30",
            "dpm-enabled": True,
            "status": "active",
            "se-version": "2.16.0",
            "processor-count-ifl": 12,
            "storage-customer": 1024,
            **{name.replace("_", "-"): value for name, value in changed.items()},
        }

    def api_version(self) -> tuple[int, int]:
        return self._api

    def get(self, uri: str) -> Any:
        path, _, query = uri.partition("?properties=")
        if path == URI and not query:
            # What only some may read, or the HMC itself cannot ask for.
            raise HttpError(f"GET {uri}", 409, 272, "Unable to obtain STP configuration data")
        if path == URI:
            return {name: self._properties.get(name) for name in query.split(",")}
        if uri.endswith("/operations/list-features") and self._features is not None:
            return self._features
        raise NotFoundError(f"GET {uri}", 404, 1, "there is none")

    get_list = get


def find(api: tuple[int, int], features: list[str] | None = None, **changed: Any) -> Cpc:
    return find_cpc(Answers(api, features, **changed), CPC)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("2.16.0", 2016000),
        ("2.13.1", 2013001),
        ("2.17", 2017000),
        ("", 0),
        ("2.16.0.1", 2016000),
    ],
)
def test_versions_are_numbers_that_nova_can_compare(version: str, number: int) -> None:
    assert version_number(version) == number


def _feature(state: bool) -> list[dict[str, Any]]:
    return [{"name": "dpm-storage-management", "description": "", "state": state}]


@pytest.mark.parametrize(
    ("api", "se_version", "listed", "has"),
    [
        ((2, 1), "2.13.1", None, False),
        ((2, 20), "2.14.0", None, False),
        ((2, 23), "2.14.0", None, True),
        ((2, 35), "2.14.1", _feature(True), True),
        ((2, 35), "2.14.1", _feature(False), False),
        ((2, 35), "2.14.1", [], False),
        ((4, 10), "2.16.0", _feature(True), True),
        ((4, 10), "2.13.1", None, False),  # a z13 under a new HMC
        ((4, 10), "2.13.1", [], False),
    ],
)
def test_whether_there_are_storage_groups_is_the_firmware_s_to_say(
    api: tuple[int, int], se_version: str, listed: Any, has: bool
) -> None:
    changed = {} if listed is None else {"available_features_list": listed}

    assert find(api, se_version=se_version, **changed).has_storage_management is has


@pytest.mark.parametrize(
    ("api", "features", "has"),
    [
        ((2, 1), ["network-express-support"], True),  # is not asked
        ((4, 10), None, True),
        ((4, 10), [], True),
        ((4, 40), ["network-express-support"], False),
    ],
)
def test_virtual_switches_are_gone_with_network_express(
    api: tuple[int, int], features: list[str] | None, has: bool
) -> None:
    assert find(api, features).has_virtual_switches is has


def test_a_cpc_s_limits_are_read() -> None:
    cpc = find((4, 10))

    assert (cpc.name, cpc.processors, cpc.memory, cpc.uri) == ("P0000P30", 12, 1024, URI)


@pytest.mark.parametrize(
    ("changed", "error", "text"),
    [
        ({"dpm_enabled": False}, ConfigError, "not in DPM mode"),
        ({"status": "not-operating"}, StateError, "not-operating"),
    ],
)
def test_a_cpc_that_cannot_be_used_is_refused(
    changed: dict[str, Any], error: type[HmcError], text: str
) -> None:
    with pytest.raises(error, match=text):
        for each in start.state_checks(find((4, 10), **changed)):
            each.run()


@pytest.mark.parametrize(("se_version", "switches"), [("2.16.0", True), ("2.17.0", False)])
def test_where_the_features_are_not_shown_the_firmware_s_version_says_whether_there_are_switches(
    se_version: str, switches: bool
) -> None:
    found = find((4, 40), None, se_version=se_version)

    assert found.has_virtual_switches is switches
