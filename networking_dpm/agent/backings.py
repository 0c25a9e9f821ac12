"""What is behind the physical networks of a host, as the HMC says.

HMC permission: access to the CPC, to its adapters and, up to z16, to its virtual switches; no task.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass

from dpm_hmc import answers
from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from dpm_hmc.cpc import UP, Cpc, find_cpc, listing, object_id, require_dpm_mode
from dpm_hmc.errors import ConfigError, DpmError, HttpError, StateError
from dpm_hmc.networks import ADAPTER, VSWITCH, adapter_problem, takes_nics
from networking_dpm.conf import MAPPINGS, Mapping
from networking_dpm.report import Backing


@dataclass(frozen=True)
class Found:
    """What is behind a physical network.

    Args:
        backing: that ports are plugged into
        adapter_id: of the adapter
        adapter_type: of it
        words: all of it for people
        doubt: why NICs there may have no network, if anything
    """

    backing: Backing
    adapter_id: str
    adapter_type: str
    words: str
    doubt: str = ""

    def is_where(self, other: Found) -> bool:
        """Whether it is the same port of the same adapter, whatever the names."""
        mine = (self.backing, self.adapter_id, self.adapter_type)
        return mine == (other.backing, other.adapter_id, other.adapter_type)


def usable_cpc(hmc: Hmc, cpc_object_id: str) -> Cpc:
    """Find the CPC.

    Raises:
        ConfigError: there is no such CPC, or it is not in DPM mode.
        StateError: it is down, and does not say what it has.
        HmcError: the HMC cannot be asked.
    """
    cpc = find_cpc(hmc, cpc_object_id)
    require_dpm_mode(cpc)
    if cpc.status not in UP:
        raise StateError(f"CPC {cpc.name} is {cpc.status}", "Start it on the HMC")
    return cpc


class Look:
    """One look at what is behind physical networks.

    Args:
        hmc: the session
        cpc: that has it
        before: what was found by the last look, by physical network: it is asked for first
    """

    def __init__(self, hmc: Hmc, cpc: Cpc, before: MappingABC[str, Found]) -> None:
        self._hmc = hmc
        self._cpc = cpc
        self._before = before
        self._seen: dict[str, Properties] = {}

    def find(self, mapping: Mapping) -> Found:
        """Look up what is behind a physical network.

        Raises:
            ConfigError: what the option names is not there, or takes no NICs.
            HmcError: the HMC failed.
        """
        before = self._before.get(mapping.physical_network)
        if (
            before
            and before.backing.vif_type == VSWITCH
            and before.backing.object_id == mapping.object_id
        ):
            switch = self._shown(_switch_uri(mapping.object_id))
            if switch is not None:
                return self._on_named_switch(mapping, switch)
        adapter = self._shown(f"/api/adapters/{mapping.object_id}")
        if adapter is not None:
            return self._on_adapter(mapping, adapter)
        if self._cpc.has_virtual_switches:
            switch = self._shown(_switch_uri(mapping.object_id))
            if switch is not None:
                return self._on_named_switch(mapping, switch)
        kinds = "adapter or virtual switch" if self._cpc.has_virtual_switches else "adapter"
        raise self._wrong(mapping, f"HMC {self._hmc.address} shows no such {kinds} to this user")

    def _on_adapter(self, mapping: Mapping, adapter: Properties) -> Found:
        name, kind = answers.text(adapter, "name"), answers.optional_text(adapter, "type")
        port = mapping.port or 0
        uri = f"/api/adapters/{mapping.object_id}"
        if adapter.get("parent", self._cpc.uri) != self._cpc.uri:
            raise self._wrong(mapping, f"adapter {name} is not one of CPC {self._cpc.name}")
        if not takes_nics(adapter):
            raise self._wrong(
                mapping,
                f"adapter {name} is of type {kind}: it is no OSA (osd), HiperSockets or Network "
                "Express adapter",
            )
        if f"{uri}/network-ports/{port}" not in answers.uris(adapter, "network-port-uris"):
            raise self._wrong(mapping, f"adapter {name} has no port {port}")
        where = f"port {port} of adapter {name} ({kind})"
        doubt = adapter_problem(adapter)
        if not self._cpc.has_virtual_switches:
            backing = Backing(ADAPTER, mapping.object_id, port)
            return Found(backing, mapping.object_id, kind, where, doubt)
        switch_id, switch = self._switch_of(mapping, uri, port, kind)
        words = f"virtual switch {answers.text(switch, 'name')} ({switch_id}) on {where}"
        return Found(Backing(VSWITCH, switch_id, port), mapping.object_id, kind, words, doubt)

    def _on_named_switch(self, mapping: Mapping, switch: Properties) -> Found:
        name = answers.text(switch, "name")
        if switch.get("parent", self._cpc.uri) != self._cpc.uri:
            raise self._wrong(mapping, f"virtual switch {name} is not one of CPC {self._cpc.name}")
        if mapping.port is not None:
            raise self._wrong(
                mapping, f"virtual switch {name} knows its port itself", "Leave the port out"
            )
        port = answers.number(switch, "port")
        uri = answers.uri(switch, "backing-adapter-uri")
        words = f"virtual switch {name} ({mapping.object_id}) on port {port} of adapter "
        backing = Backing(VSWITCH, mapping.object_id, port)
        identity, kind = uri.rsplit("/", 1)[-1], answers.optional_text(switch, "type")
        adapter = self._shown(uri)
        if adapter is None:
            doubt = "on an adapter that this user may not see"
            return Found(backing, identity, kind, words + identity, doubt)
        words += f"{answers.text(adapter, 'name')} ({answers.optional_text(adapter, 'type')})"
        return Found(backing, identity, kind, words, adapter_problem(adapter))

    def _switch_of(
        self, mapping: Mapping, adapter_uri: str, port: int, kind: str
    ) -> tuple[str, Properties]:
        """Find the virtual switch of an adapter's port; first look at the one that it was."""

        def fits(switch: Properties | None) -> bool:
            return (
                switch is not None
                and switch.get("backing-adapter-uri") == adapter_uri
                and switch.get("port") == port
            )

        before = self._before.get(mapping.physical_network)
        if before and before.backing.vif_type == VSWITCH:
            known = self._shown(_switch_uri(before.backing.object_id))
            if known is not None and fits(known):
                return before.backing.object_id, known
        listed = self._hmc.get(f"{self._cpc.uri}/virtual-switches?type={kind}")
        for each in answers.objects(listed, "virtual-switches"):
            switch = self._shown(answers.uri(each, "object-uri"))
            if switch is not None and fits(switch):
                return object_id(each), switch
        raise self._wrong(
            mapping,
            f"HMC {self._hmc.address} shows no virtual switch of this adapter's port to this user",
            "Give the user access to the virtual switch",
        )

    def _shown(self, uri: str) -> Properties | None:
        """Return an object's properties, asked once in a look; None where it is not shown."""
        try:
            if uri not in self._seen:
                self._seen[uri] = self._hmc.get(uri)
        except HttpError as error:
            if not error.is_hidden:
                raise
            return None
        return self._seen[uri]

    def _wrong(self, mapping: Mapping, problem: str, cure: str = "") -> ConfigError:
        return ConfigError(
            MAPPINGS,
            str(mapping),
            problem,
            cure or f"Name an adapter that servers can be plugged into; there is {self.adapters()}",
        )

    def adapters(self) -> str:
        try:
            shown = answers.objects(self._hmc.get(f"{self._cpc.uri}/adapters"), "adapters")
            return listing(
                (answers.text(each, "name"), object_id(each)) for each in shown if takes_nics(each)
            )
        except DpmError as error:
            return f"none that is shown ({error.finding})"


def _switch_uri(identity: str) -> str:
    return f"/api/virtual-switches/{identity}"
