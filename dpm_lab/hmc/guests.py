"""Partitions as guests in QEMU, with disks of the lab's storage subsystem."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Callable, Iterator, Sequence

from dpm_lab.guests.qemu import emulator, prepare
from dpm_lab.guests.qemu.nics import made_up_mac
from dpm_lab.guests.qemu.partition import Cable, Device, Hardware, disk, nic
from dpm_lab.guests.qemu.running import ParametersOnDisk, Running, State, Teller
from dpm_lab.hmc import cables
from dpm_lab.hmc.api import attachments, fabric, fields
from dpm_lab.hmc.api.barriers import Path
from dpm_lab.hmc.api.resources import Resource
from dpm_lab.hmc.api.statuses import Status
from dpm_lab.hmc.api.terminals import Terminal
from dpm_lab.hmc.api.tree import Tree
from dpm_lab.network.segments import LONGEST
from dpm_lab.progress import Progress
from dpm_lab.storage import Lun, Storage

#: NICs that a guest in QEMU can have: channel devices.
_CARDS = frozenset({"osd", "iqd"})

#: As much of a NIC's id as a socket is named by: such names must be short.
_SHORT = 8

_STATUS = {
    State.RUNS: Status.ACTIVE,
    State.NOTHING_LOADED: Status.PAUSED,
    State.HALTED: Status.PAUSED,
    State.CRASHED: Status.TERMINATED,
}

#: A guest's monitor is a socket in it.
_LONGEST_FOLDER = LONGEST - len("/dpm-guest-12345678/monitor")

#: Makes a guest: `Running`, or what stands in for it.
Make = Callable[..., Running]


class StorageGuests:
    """The guests of one HMC; all but `close` is called with the lock of its tree held.

    Args:
        make: makes a guest (default: one in QEMU)
        cpu: QEMU's name of the emulated processor
        networks: the folder of the networks that NICs lead to; None: they lead nowhere
        cabled: ports that lead to the network of another one
    """

    boot = True

    def __init__(
        self,
        tree: Tree,
        storage: Storage,
        make: Make | None = None,
        *,
        cpu: str = "max",
        networks: pathlib.Path | None = None,
        cabled: cables.Cables | None = None,
    ) -> None:
        self._tree = tree
        self._storage = storage
        self._make = make or Running
        self._cpu = cpu
        self._networks = networks.absolute() if networks is not None else None
        self._cabled = cabled or {}
        self._program = str(emulator.find(Progress(quiet=True)))
        self._sandbox = prepare.has_sandbox(self._program)
        self._guests: dict[str, Running] = {}
        #: Those that were switched off and have not ended yet, with what is called then.
        self._ending: dict[Running, Callable[[], None]] = {}
        self._closed = False
        self._folder: pathlib.Path | None = None

    def work_in(self, folder: pathlib.Path) -> None:
        """Have the files of running guests in a folder, without those that a crash left there."""
        shutil.rmtree(folder, ignore_errors=True)
        if len(str(folder).encode()) <= _LONGEST_FOLDER:
            folder.mkdir(mode=0o700)
            self._folder = folder

    def obstacle(self, path: Path) -> str | None:
        """Return why a host does not see a LUN."""
        if path.target not in self._storage.targets:
            return "zoning"
        seen = self._storage.find(path.host, path.target, path.lun)
        return "masking" if seen is None else None

    def start(self, partition: Resource) -> None:
        """Boot from the LUN that the first path that works leads to."""
        if self._closed:
            return
        self.stop(partition, lambda: None)
        uri, properties = partition.uri, partition.properties
        lun = self._boot_lun(partition)
        hardware = Hardware(
            memory=properties["initial-memory"],
            processors=properties.get("ifl-processors") or properties.get("cp-processors") or 1,
            devices=self._devices(partition, lun),
            program=self._program,
            cpu=self._cpu,
            sandbox=self._sandbox,
        )
        on_disk = None
        if lun is not None:
            name = lun.name
            on_disk = ParametersOnDisk(
                self._storage.files(name),
                lun.parameters,
                lambda *texts: self._storage.note_parameters(name, *texts),
            )
        guest: Running

        def mine() -> bool:
            return self._guests.get(uri) is guest

        def text(line: str) -> None:
            with self._tree.lock:
                if mine():
                    self._tree.os_messages.add(uri, line)

        def state(now: State) -> None:
            with self._tree.lock:
                if mine() and uri in self._tree.resources:
                    self._tree.settling.pop(uri, None)
                    properties["status"] = _STATUS[now]
                    self._tree.changed()

        def devices() -> Sequence[Device]:
            with self._tree.lock:
                return self._devices(partition, lun) if mine() else hardware.devices

        def ended() -> None:
            with self._tree.lock:
                if mine():
                    del self._guests[uri]
                then = self._ending.pop(guest, None)
                if then is not None and uri in self._tree.resources:
                    then()
                    self._tree.changed()

        guest = self._guests[uri] = self._make(
            partition.name,
            hardware,
            Teller(text, state, devices, ended),
            disk=on_disk,
            parameters=properties["boot-os-specific-parameters"],
            folder=self._folder,
        )
        guest.start()

    def stop(self, partition: Resource, ended: Callable[[], None]) -> None:
        """Switch off, whatever the guest is doing; its disks are free when it has ended."""
        guest = self._guests.pop(partition.uri, None)
        if guest is None:
            ended()
            return
        self._ending[guest] = ended
        guest.end()

    def psw_restart(self, partition: Resource) -> None:
        """Interrupt the guest; one that has ended stays as it is."""
        guest = self._guests.get(partition.uri)
        if guest is not None:
            guest.psw_restart()

    def terminal(self, partition: Resource) -> Terminal | None:
        """Go to the ASCII console of a partition's guest."""
        guest = self._guests.get(partition.uri)
        return guest.seat() if guest is not None else None

    def command(self, partition: Resource, text: str) -> bool:
        """Type a line at the guest's console: it is one with the line-mode console here."""
        guest = self._guests.get(partition.uri)
        if guest is None:
            return False
        guest.type(text)
        return True

    def stop_all(self) -> None:
        """Switch all off; they end soon."""
        while self._guests:
            _, guest = self._guests.popitem()
            self._ending[guest] = lambda: None
            guest.end()

    def close(self) -> None:
        """Switch all off, and wait until they have ended. Without the lock."""
        with self._tree.lock:
            self._closed = True
            self.stop_all()
            ending = tuple(self._ending)
        # A guest's thread takes the lock to tell what becomes of it.
        for guest in ending:
            guest.join()

    def _boot_lun(self, partition: Resource) -> Lun | None:
        for path in fabric.boot_paths(self._tree, partition):
            if fabric.obstacle(self._tree, path) is None:
                return self._storage.find(path.host, path.target, path.lun)
        return None

    def _devices(self, partition: Resource, boot: Lun | None) -> tuple[Device, ...]:
        """Return what a partition has now: its NICs, and the LUNs that its hosts see."""
        se_version = self._tree.machine(partition).se_version
        may_set_mac = fields.takes("mac-address", self._tree.api_version, se_version)
        found = []
        for each in partition.of("nic"):
            if each.properties["type"] in _CARDS:
                devno = each.properties["device-number"]
                mac = each.properties["mac-address"] if may_set_mac else made_up_mac(devno)
                found.append(nic(devno, mac, self._cable(each)))
        wwpns = list(_hosts(self._tree, partition))
        for lun in self._storage.seen_by(*wwpns):
            is_boot = boot is not None and lun.number == boot.number
            found.append(disk(lun.number, self._storage.files(lun.name), boot=is_boot))
        return tuple(found)

    def _cable(self, nic: Resource) -> Cable | None:
        segment = cables.segment(self._tree, nic, self._cabled)
        if self._networks is None or segment is None:
            return None
        segment.ask_for(self._networks)
        end = segment.folder(self._networks) / nic.id[:_SHORT]
        return Cable(end, segment.switch(self._networks))


def _hosts(tree: Tree, partition: Resource) -> Iterator[str]:
    for hba in partition.of("hba"):
        yield hba.properties["wwpn"]
    for uri in partition.properties.get("storage-group-uris", ()):
        for resource in attachments.resources(tree.find(uri), partition):
            yield resource.properties["world-wide-port-name"]
