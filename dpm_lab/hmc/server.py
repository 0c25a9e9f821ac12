"""The HMC in threads of this process."""

from __future__ import annotations

import contextlib
import secrets
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from dpm_lab.hmc.api import users
from dpm_lab.hmc.api.behaviour import Behaviour
from dpm_lab.hmc.api.users import User, Users
from dpm_lab.hmc.control import Control, Desk
from dpm_lab.hmc.machines import reading
from dpm_lab.hmc.machines.machine import Machine
from dpm_lab.hmc.wire import certificates
from dpm_lab.hmc.wire.https import Handler
from dpm_lab.hmc.wire.keeper import Keeper
from dpm_lab.hmc.wire.listener import Listener
from dpm_lab.hmc.wire.service import Service
from dpm_lab.hmc.wire.sessions import Sessions
from dpm_lab.network.process import SwitchProcess
from dpm_lab.startable import Startable

if TYPE_CHECKING:
    from dpm_lab.hmc.guests import Make, StorageGuests
    from dpm_lab.storage import Storage

HOST = "127.0.0.1"
USERID = "labuser"


class HmcServer(Startable):
    """An HMC with machines, in threads of this process. A context manager.

    Args:
        machines: names of machines of the lab, or files
        host: an address of this machine; 127.0.0.2 and so on are there without further ado, for
            clients that insist on the HMC's own port, and for more than one HMC
        port: 0: any that is free
        stomp_port: that of notifications; zhmcclient's auto-updater knows no other than 61612
        folder: where the certificates go; None: a temporary one, removed at the end
        idle: seconds without a request after which a session ends; None: never
        lifetime: seconds after which a session ends in any case; None: never
        behaviour: points of `dpm_lab.hmc.api.behaviour.Behaviour` that differ, by name
        durations: seconds that operations take, by name (`dpm_lab.hmc.api.jobs.DURATIONS`)
        users_file: YAML, what users may do and see (`dpm_lab.hmc.api.users.read`)
        keep: whether certificates and all that is on the machines stay in `folder`, for an HMC
            that is started again with it
        storage: the disks that partitions boot from, as guests in QEMU; None: they boot nothing
        make_guest: makes a guest (default: one in QEMU)
        networks: the folder of the networks that NICs of guests lead to, whose switch this HMC
            runs; None: they lead nowhere
        cabled: ports of adapters that lead to the network of another one, each as
            ``Z13/OSA-A.0=Z16/OSA-A.0``

    Raises:
        MachineError: a machine is not there or not right, or a port of `cabled` is not there
        ControlError: there is no such behaviour or duration
        StartError: the port cannot be had
        NetworkError: the networks cannot be had
    """

    def __init__(
        self,
        *machines: str | Path | Machine,
        host: str = HOST,
        port: int = 0,
        stomp_port: int = 0,
        userid: str = USERID,
        password: str | None = None,
        folder: Path | None = None,
        latency: float = 0.0,
        idle: float | None = None,
        lifetime: float | None = None,
        logs: tuple[TextIO, ...] = (),
        behaviour: Mapping[str, Any] | None = None,
        durations: Mapping[str, Any] | None = None,
        users_file: Path | None = None,
        keep: bool = False,
        storage: Storage | None = None,
        make_guest: Make | None = None,
        networks: Path | None = None,
        cabled: Sequence[str] = (),
    ) -> None:
        self.machines = reading.read_all(machines or ("z16",))
        self.host = host
        self.port = port
        self.stomp_port = stomp_port
        self.userid = userid
        self.password = password if password is not None else secrets.token_urlsafe(12)
        self.token = secrets.token_urlsafe(24)
        self._folder = folder
        self._keep = keep
        self._stack = contextlib.ExitStack()
        self._networks = networks
        first = User(userid, self.password)
        initial = users.read(users_file, first) if users_file is not None else [first]
        sessions = Sessions(Users(initial), idle=idle, lifetime=lifetime)
        self.service = Service(
            self.machines,
            sessions,
            *logs,
            behaviour=Behaviour().changed(behaviour or {}),
            durations=durations,
        )
        self.service.latency = latency
        self._guests: StorageGuests | None = None
        if storage is not None:
            # Late: an HMC whose partitions boot nothing does without all of it.
            from dpm_lab.hmc import cables
            from dpm_lab.hmc.guests import StorageGuests

            self._guests = StorageGuests(
                self.service.tree,
                storage,
                make_guest,
                networks=networks,
                cabled=cables.parse(cabled, self.machines),
            )
            self.service.tree.guests = self._guests
        self.desk = Desk(self.service)
        self.control = Control(self.desk.call)

    def start(self) -> None:
        """Make the certificates and listen."""
        try:
            self._listen()
        except BaseException:
            self.close()
            raise

    def _listen(self) -> None:
        self.folder = self._folder or Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="dpm-hmc-"))
        )
        if self._guests is not None:
            self._guests.work_in(self.folder / "guests")
        if self._networks is not None:
            self._stack.enter_context(SwitchProcess(self._networks))
        files = certificates.kept(self.folder, self.host) if self._keep else None
        files = files or certificates.make(self.folder, self.host)
        self.ca_file = files.ca
        if self._keep:
            Keeper(self.service.tree, self.folder / "machine.json").start()
        context = files.server_context()
        https = Listener(self.host, self.port, context, self._serve)
        self._stack.callback(https.close)
        stomp = Listener(self.host, self.stomp_port, context, self.service.broker.serve)
        self._stack.callback(stomp.close)
        self.port, self.stomp_port = https.port, stomp.port

    def _serve(self, client: ssl.SSLSocket) -> None:
        service = self.service
        Handler(client, service.answer, self.desk.answer, self.token, service.console)

    def close(self) -> None:
        """Stop listening, cut all connections, end all guests, remove what is temporary."""
        self.service.close()
        if self._guests is not None:
            self._guests.close()
        self._stack.close()
