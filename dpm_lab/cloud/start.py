"""Brings a cloud up: each service in a thread that waits, starts it and looks until it answers."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

from dpm_lab.cloud import causes, configuration, databases, environment, processes, things, wires
from dpm_lab.cloud.api import Api, openrc
from dpm_lab.cloud.errors import CloudError
from dpm_lab.cloud.place import Place
from dpm_lab.cloud.services import BY_NAME, DATABASES, USERS, Service, here
from dpm_lab.guests.qemu import emulator
from dpm_lab.hmc.wire.files import SECRET, write_new
from dpm_lab.progress import Progress

#: Seconds in which a service has to answer, on a machine that does a lot besides.
LIMIT = 300.0
#: A log that is larger becomes `.1` at the next start.
_LOG_BYTES = 20_000_000


class Aborted(Exception):
    """Something else failed."""


class Start:
    """One start of a cloud. What runs already is left alone.

    Args:
        progress: is told what happens
        image: the one that Glance shall have
    """

    def __init__(self, place: Place, progress: Progress, image: Path | None = None) -> None:
        self._place = place
        self._progress = progress
        self._image = image
        self._api = Api(place)
        self._abort = threading.Event()
        self._services = here(place)
        names = (*(each.name for each in self._services), DATABASES, USERS)
        self._done = {name: threading.Event() for name in names}
        #: The file that says that the first start got as far as users.
        self._made = place.of("state", "made")
        #: What this start started, and how long each log was before.
        self._started: dict[str, int] = {}

    def run(self) -> None:
        """Bring it up; where that fails, end what this start started.

        Raises:
            CloudError: a service does not come up; says which, and likely why.
        """
        try:
            self._run()
        except BaseException:
            self._abort.set()
            self._progress.clear()
            processes.stop(self._place, self._started, patience=5.0)
            processes.sweep(self._place)
            raise

    def _run(self) -> None:
        self._prepare()
        jobs: list[Callable[[], None]] = [self._databases, self._users]
        jobs += [lambda service=each: self._service(service) for each in self._services]  # type: ignore[misc]
        with ThreadPoolExecutor(max_workers=len(jobs)) as pool:
            futures = [pool.submit(job) for job in jobs]
            try:
                self._wait(futures)
            finally:
                self._abort.set()
        for service in self._services:
            if processes.runs(self._place, service.name) is None:
                raise self._failure(service, "ended after it had answered")
        self._progress.line("all services answer")
        made = things.make(
            self._place, self._api, self._progress, self._image, has_dhcp=not wires.obstacle()
        )
        self._progress.line(f"there are {made}")

    def _wait(self, futures: list[Future[None]]) -> None:
        left = set(futures)
        while left:
            done, left = wait(left, timeout=0.5, return_when=FIRST_EXCEPTION)
            errors = [error for each in done if (error := each.exception())]
            for error in errors:
                if not isinstance(error, Aborted):
                    self._abort.set()
                    raise error
            missing = [name for name, event in self._done.items() if not event.is_set()]
            if missing:
                self._progress.status(f"waiting for {', '.join(missing)}")

    # -- before anything starts

    def _prepare(self) -> None:
        place = self._place
        environment.check_programs(boot=place.boot)
        if place.boot:
            emulator.find(self._progress)  # which may have to be fetched
        environment.make(self._progress)
        left = processes.sweep(place)
        if left:
            self._progress.line(f"ended {left} processes that a crash had left")
        if why := wires.obstacle():
            self._progress.line(f"without DHCP and metadata on the networks: {why}")
        if processes.runs(place, "neutron-dhcp-agent") is None:
            processes.stop(place, ["neutron-dhcp-agent"])  # what it left
            wires.remove(place)
        self._check_ports()
        environment.link_ours(place)
        if not self._made.exists():
            # A first start that failed half-way leaves nothing that a second one could use.
            for name in ("mariadb", "rabbitmq", "state"):
                shutil.rmtree(place.of(name), ignore_errors=True)
        for name in ("etc", "hmc", "log", "networks", "rabbitmq", "run", "state"):
            place.of(name).mkdir(exist_ok=True, mode=0o700)
        if not place.hmc_password.exists():
            write_new(place.hmc_password, secrets.token_urlsafe(12), SECRET)
        configuration.write(place, environment.folder())
        write_new(place.of("openrc"), openrc(place, str(environment.folder())), SECRET)
        if processes.runs(place, "mariadb") is None:
            databases.prepare(place)

    def _check_ports(self) -> None:
        missing = (
            each for each in self._services if processes.runs(self._place, each.name) is None
        )
        for name in (name for each in missing for name in each.ports):
            port = self._place.ports[name]
            # RabbitMQ looks whether anybody has Erlang's port at any address, and then gives up
            # (``rabbit_prelaunch_dist``, "dist_port_already_used").
            host = {"epmd": "127.0.0.1", "erlang": ""}.get(name, self._place.host)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError as error:
                    raise CloudError(
                        f"{name}: port {port} of {host or 'any address'}: {error.strerror}; choose"
                        f" another with --port {name}=N or --host (both after 'down --purge')"
                    ) from error

    # -- steps that are no services

    def _databases(self) -> None:
        self._await("mariadb")
        began = time.monotonic()
        try:
            how = databases.sync(self._place, self._restarted)
        except CloudError as error:
            raise self._failed_step("databases", error) from error
        self._progress.line(f"{DATABASES}: {how} ({time.monotonic() - began:.0f} s)")
        self._done[DATABASES].set()

    def _restarted(self, between: Callable[[], None]) -> None:
        service = BY_NAME["mariadb"]
        processes.stop(self._place, [service.name], patience=60.0)
        between()
        self._bring_up(service)

    def _users(self) -> None:
        self._await(DATABASES)
        if not self._made.exists():
            began = time.monotonic()
            python = str(environment.folder() / "bin/python")
            words = [python, "-m", "dpm_lab.cloud.inside.users", str(self._place.folder)]
            try:
                databases.step(self._place, USERS, words)
            except CloudError as error:
                raise self._failed_step(USERS, error) from error
            self._made.touch()
            self._progress.line(f"{USERS}: made ({time.monotonic() - began:.0f} s)")
        self._done[USERS].set()

    def _failed_step(self, name: str, error: CloudError) -> CloudError:
        text = self._place.log(name).read_text(encoding="utf-8", errors="replace")
        return CloudError(_explained(str(error), text, str(self._place.log(name))))

    # -- services

    def _service(self, service: Service) -> None:
        for name in service.after:
            self._await(name)
        began = time.monotonic()
        self._bring_up(service)
        self._progress.line(f"{service.name} answers ({time.monotonic() - began:.0f} s)")
        self._done[service.name].set()

    def _await(self, name: str) -> None:
        while not self._done[name].wait(0.2):
            if self._abort.is_set():
                raise Aborted

    def _bring_up(self, service: Service) -> None:
        place = self._place
        process: subprocess.Popen[bytes] | None = None
        log = place.log(service.name)
        if processes.runs(place, service.name) is None:
            processes.stop(place, [service.name], patience=3.0)
            if log.exists() and log.stat().st_size > _LOG_BYTES:
                log.replace(log.with_suffix(".log.1"))
            variables = {**environment.variables(place), **service.variables(place)}
            self._started[service.name] = log.stat().st_size if log.exists() else 0
            process = processes.start(place, service.name, service.command(place), variables)
        until = time.monotonic() + LIMIT
        pause = 0.2
        while not service.answers(place, self._api):
            if process is not None and process.poll() is not None:
                raise self._failure(service, f"ended with {process.returncode}")
            if time.monotonic() > until:
                raise self._failure(service, f"does not answer after {LIMIT:.0f} s")
            if self._abort.wait(pause):
                raise Aborted
            pause = min(pause * 1.3, 1.5)

    def _failure(self, service: Service, what: str) -> CloudError:
        log = self._place.log(service.name)
        text = ""
        with suppress(OSError), log.open("rb") as file:
            file.seek(self._started.get(service.name, 0))
            text = file.read().decode(errors="replace")
        return CloudError(_explained(f"{service.name} ({service.what}) {what}", text, str(log)))


def _explained(what: str, log: str, path: str) -> str:
    lines = causes.last(log)
    cause = causes.likely(lines)
    said = "".join(f"\n    {line}" for line in lines) or " (nothing)"
    text = f"{what}. Its last lines:{said}"
    if cause:
        text += f"\nLikely cause: {cause}"
    return f"{text}\nAll of it: {path}"
