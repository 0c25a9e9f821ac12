"""Servers of Tempest boot from volumes, where nothing else is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from dpm_lab.cloud.inside.tempest.volume_backed import from_volume

IMAGE = "11111111-0000-0000-0000-000000000001"


def _asked(**given: Any) -> dict[str, Any]:
    class Client:
        def create_server(self, **asked: Any) -> dict[str, Any]:
            return asked

    Client.create_server = from_volume(Client.create_server, lambda: {IMAGE})  # type: ignore[method-assign]
    return Client().create_server(**given)


def test_a_server_from_the_image_gets_a_volume_that_goes_with_it() -> None:
    asked = _asked(name="a", imageRef=IMAGE, flavorRef="1")

    assert asked == {
        "name": "a",
        "imageRef": "",
        "flavorRef": "1",
        "block_device_mapping_v2": [
            {
                "uuid": IMAGE,
                "source_type": "image",
                "destination_type": "volume",
                "boot_index": 0,
                "volume_size": 1,
                "delete_on_termination": True,
            }
        ],
    }


@pytest.mark.parametrize(
    "given",
    [
        {"imageRef": "22222222-0000-0000-0000-000000000002"},
        {"imageRef": ""},
        {"imageRef": IMAGE, "block_device_mapping_v2": [{"uuid": "v"}]},
        {"flavorRef": "1"},
    ],
    ids=["another image", "no image", "disks of its own", "no image at all"],
)
def test_anything_else_is_left_as_it_is(given: dict[str, Any]) -> None:
    assert _asked(**given) == given
