"""The console log, as a user of Nova reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dpm_lab.hmc import Fault
from tests.nova.machine import on

if TYPE_CHECKING:
    from tests.nova.cloud import Cloud


def _log(cloud: Cloud, server: dict[str, Any], length: int | None = None) -> str:
    asked = {} if length is None else {"length": length}
    answer = cloud.api.post_server_action(server["id"], {"os-getConsoleOutput": asked})
    return str(answer["output"])


@on("z16")
def test_a_user_reads_what_the_guest_has_said(cloud: Cloud) -> None:
    server = cloud.boot([cloud.port()])
    for text in ("Linux version 6.1\n", "\x1b[1mlogin\x1b[0m", "caf\xe9: "):
        cloud.control.add_os_message(cloud.partition(server)["object-uri"], text)

    # Nova removes control characters.
    assert _log(cloud, server) == "Linux version 6.1\n[1mlogin[0m\ncaf?: \n"
    assert _log(cloud, server, 2) == "caf?: \n"


@on("z16")
def test_a_user_is_told_that_there_is_none_and_the_server_stays_what_it_is(cloud: Cloud) -> None:
    server = cloud.boot([cloud.port()])
    refusal = Fault("GET", ".*/list-os-messages", status=403, reason=1, times=None)
    cloud.control.add_fault(refusal)

    body: dict[str, Any] = {"os-getConsoleOutput": {}}
    path = f"/servers/{server['id']}/action"
    answer = cloud.api.api_post(path, body, check_response_status=[404])

    said = answer.body["itemNotFound"]["message"]
    assert said.startswith("There is no console log: the HMC has not done what it was asked for")
    assert cloud.show(server)["status"] == "ACTIVE"
    assert "Operating System Messages" in cloud.log
