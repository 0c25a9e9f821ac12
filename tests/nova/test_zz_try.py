from __future__ import annotations
import time
from typing import Any
import pytest
from tests.nova.test_life import on

@on("z16")
def test_zz(cloud: Any) -> None:
    server = cloud.boot([cloud.port()])
    cloud.act(server, "shelve")
    time.sleep(4)
    print("SHELVE", cloud.show(server)["status"], list(cloud.control.inventory()["partitions"]))
    try:
        cloud.act(server, "unshelve")
    except Exception as e:
        print("UNSHELVE", e)
    time.sleep(5)
    s = cloud.show(server)
    print("AFTER", s["status"], s.get("fault", {}).get("message"), s["OS-EXT-STS:task_state"], list(cloud.control.inventory()["partitions"]))
    cloud.delete(server)
