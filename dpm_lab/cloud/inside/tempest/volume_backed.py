"""Tempest's servers boot from volumes.

Tempest creates its servers from an image, and has no option for the other way; only some tests do
it themselves (``volume_backed`` of ``tempest.common.compute.create_test_server``). A partition has
no local disk. So the client asks as ``openstack server create --image NAME --boot-from-volume 1``
does: Nova has Cinder make a volume of the image, and deletes it with the server.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import Any


def from_volume(
    create_server: Callable[..., Any], images: Callable[[], Collection[str]]
) -> Callable[..., Any]:
    """Return `create_server` of Tempest's client, which makes servers that boot from a volume.

    Args:
        images: the ids of images of which a volume is made; asked at each call, since options are
            read after plug-ins are loaded. Others are left to Nova: an image of a server names its
            volumes, and a test may ask for an image that is not there
    """

    @functools.wraps(create_server)
    def create(self: Any, **asked: Any) -> Any:
        image = asked.get("imageRef")
        if image and image in images() and "block_device_mapping_v2" not in asked:
            disk = {
                "uuid": image,
                "source_type": "image",
                "destination_type": "volume",
                "boot_index": 0,
                "volume_size": 1,
                "delete_on_termination": True,
            }
            asked = {**asked, "imageRef": "", "block_device_mapping_v2": [disk]}
        return create_server(self, **asked)

    return create
