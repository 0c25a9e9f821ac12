"""tempest.conf says of the driver what the support matrix says."""

from __future__ import annotations

import configparser
import stat
from pathlib import Path
from typing import Any

import pytest

from dpm_lab.cloud.api import Api
from dpm_lab.cloud.errors import ApiError, CloudError
from dpm_lab.cloud.place import HOST, MACHINE, PORTS, Place
from dpm_lab.cloud.tempest import configuration
from dpm_lab.cloud.tempest.configuration import FEATURES, Things

MATRIX = Path(__file__).parents[5] / "doc" / "source" / "support-matrix.ini"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a cloud that was never up."""
    return Place.make(tmp_path / "cloud", HOST, [MACHINE], PORTS)


def _written(place: Place) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(place.of("tempest", "etc", "tempest.conf"), encoding="utf-8")
    return parser


class _Cloud(Api):
    """The cloud's answers."""

    def __init__(self, place: Place, images: list[dict[str, str]]) -> None:
        super().__init__(place)
        self.images = images

    def get(self, service: str, path: str, seconds: float = 0.0) -> Any:
        if service == "glance":
            return {"images": self.images}
        flavors = {"dpm.small": "1", "dpm.big": "2", "mine": "3"}
        return {"flavors": [{"name": name, "id": each} for name, each in flavors.items()]}


@pytest.mark.parametrize("option", FEATURES)
def test_a_feature_is_there_if_the_support_matrix_has_it(option: str) -> None:
    matrix = configparser.ConfigParser(interpolation=None)
    matrix.read(MATRIX, encoding="utf-8")
    section, is_there = FEATURES[option]

    assert is_there == (matrix[section]["state"] != "missing")


def test_what_the_driver_lacks_is_switched_off(place: Place) -> None:
    sections = configuration.configuration(place, Things("image", "small", "big"))

    features = sections["compute-feature-enabled"]
    assert (features["pause"], features["shelve"]) == ("false", "true")
    assert set(FEATURES) <= set(features)


def test_it_is_written_for_its_owner_with_the_ids_of_the_cloud(place: Place) -> None:
    configuration.write(place, _Cloud(place, [{"id": "i", "dpm_lab_file": "nothing"}]))

    written = _written(place)
    assert dict(written["compute"]).items() >= {
        ("image_ref", "i"),
        ("image_ref_alt", "i"),
        ("flavor_ref", "1"),
        ("flavor_ref_alt", "2"),
    }
    assert written["auth"]["admin_password"] == place.secrets.admin
    path = place.of("tempest", "etc", "tempest.conf")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_cloud_without_its_image_says_what_to_do(place: Place) -> None:
    with pytest.raises(CloudError, match="no image debian-dpm: 'dpm-lab cloud up' makes it"):
        configuration.things(_Cloud(place, []))


def test_a_cloud_that_is_down_is_an_error(place: Place) -> None:
    with pytest.raises(ApiError, match="refused"):
        configuration.things(Api(Place(place.folder, place.secrets, "127.0.0.1", ports=_closed())))


def _closed() -> dict[str, int]:
    return dict.fromkeys(PORTS, 1)
