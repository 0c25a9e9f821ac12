"""How the lab is told to behave as one HMC or another."""

from __future__ import annotations

import pytest

from dpm_lab.hmc import HmcServer
from dpm_lab.hmc.errors import ControlError
from tests.hmc.lab.client import Lab


def test_a_reset_puts_back_how_long_things_took_at_the_start() -> None:
    with HmcServer("z16", durations={"start": 0}, behaviour={"after-start": "none"}) as hmc:
        lab = Lab(hmc)
        lab.control.set_duration("start", 60)
        lab.control.reset()
        partition = lab.partition()

        partition.start(wait_for_completion=False)

        assert lab.status(partition) == "active"


def test_a_reset_puts_back_how_it_was_started() -> None:
    with HmcServer("z17", behaviour={"network-express-wants-type": "no"}) as hmc:
        lab = Lab(hmc)
        given = {"network-adapter-port-uri": lab.port("NETX-01").uri}
        lab.control.set_behaviour(network_express_wants_type=True)
        lab.control.reset()

        lab.partition().nics.create({"name": "a", **given})
        with pytest.raises(ControlError, match="colour"):
            lab.control.set_behaviour(colour="red")
