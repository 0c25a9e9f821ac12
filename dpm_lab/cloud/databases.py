"""MariaDB's data, and the schemas of all services.

Making the schemas takes a minute of two processors, and they are always the same. So they are kept
as a data folder, by what they are made of: nothing in it is a secret, and none belongs to a cloud.
"""

from __future__ import annotations

import getpass
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from dpm_lab import cache
from dpm_lab.cloud import environment
from dpm_lab.cloud.errors import CloudError
from dpm_lab.cloud.place import Place
from dpm_lab.hmc.wire.files import SECRET, write_new
from dpm_lab.process import run

NAMES = (
    "keystone",
    "glance",
    "placement",
    "nova_api",
    "nova_cell0",
    "nova_cell1",
    "neutron",
    "cinder",
)
#: Nova fills these in from its own configuration (nova 34, ``objects/cell_mapping.py``), so that
#: what is kept has no password, address or port.
_DATABASE = "{scheme}://{username}:{password}@{hostname}:{port}/%s?{query}"
_BUS = "{scheme}://{username}:{password}@{hostname}:{port}/"


def data(place: Place) -> Path:
    """Where MariaDB's data is."""
    return place.of("mariadb")


def synced(place: Place) -> Path:
    """The file that says that the schemas are there."""
    return place.of("mariadb", ".dpm-lab-synced")


def kept() -> Path:
    """Where schemas are kept that are made of what is installed."""
    version = run(["mariadbd", "--no-defaults", "--version"])
    parts = environment.CONSTRAINTS.read_bytes(), version, cache.program(__file__)
    return cache.folder("cloud", f"schemas-{cache.key(*parts)}")


def prepare(place: Place) -> None:
    """Make MariaDB's data folder where there is none, with the schemas where they are kept."""
    if not synced(place).exists():
        shutil.rmtree(data(place), ignore_errors=True)
        if kept().is_dir():
            shutil.copytree(kept(), data(place))
        else:
            user = getpass.getuser()
            run(
                [
                    "mariadb-install-db",
                    "--no-defaults",
                    f"--datadir={data(place)}",
                    "--skip-test-db",
                    # root comes in by its user id alone, and nobody over TCP.
                    "--auth-root-authentication-method=socket",
                    f"--auth-root-socket-user={user}",
                    *([f"--user={user}"] if user == "root" else []),
                ]
            )
    statements = [f"CREATE DATABASE IF NOT EXISTS {name};" for name in NAMES]
    password = place.secrets.database
    statements.append(f"CREATE OR REPLACE USER openstack@'%' IDENTIFIED BY '{password}';")
    statements.append("GRANT ALL ON *.* TO openstack@'%';")
    write_new(place.of("etc", "mariadb.sql"), "\n".join(statements) + "\n", SECRET)


def command(place: Place) -> list[str]:
    """Return MariaDB's command. Nothing of a cloud has to survive a power cut."""
    user = getpass.getuser()
    return [
        "mariadbd",
        "--no-defaults",
        *([f"--user={user}"] if user == "root" else []),
        f"--datadir={data(place)}",
        f"--socket={place.of('run', 'mariadb.sock')}",
        f"--pid-file={place.of('run', 'mariadb.pid')}",
        f"--bind-address={place.host}",
        f"--port={place.ports['mariadb']}",
        f"--init-file={place.of('etc', 'mariadb.sql')}",
        "--skip-name-resolve",
        "--skip-log-bin",
        "--max-connections=500",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=0",
        "--innodb-log-file-size=32M",
        # The pages that all services use, and not more: they are in the kernel's cache besides.
        "--innodb-buffer-pool-size=32M",
        "--aria-pagecache-buffer-size=8M",
        "--performance-schema=0",
        "--character-set-server=utf8mb4",
    ]


def sync(place: Place, restarted: Callable[[Callable[[], None]], None]) -> str:
    """Make the schemas where they are not there, and keep them. Return what was done.

    Args:
        restarted: stops MariaDB, calls what it is given, starts MariaDB and waits for it

    Raises:
        CloudError: a program that makes them fails.
    """
    if synced(place).exists():
        return "there already"
    failures: list[CloudError] = []
    lanes = [threading.Thread(target=_lane, args=(place, lane, failures)) for lane in _lanes(place)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    if failures:
        raise failures[0]
    restarted(lambda: _keep(place))
    return "made"


def _keep(place: Place) -> None:
    synced(place).touch()
    with cache.made_once(kept(), instead_of="schemas-*") as new:
        if new is not None:
            shutil.copytree(data(place), new, dirs_exist_ok=True)


def _lanes(place: Place) -> Sequence[Sequence[list[str]]]:
    """Return what makes the schemas: lanes side by side, of about the same length."""
    bin_folder = environment.folder() / "bin"

    def program(name: str, *files: str) -> list[str]:
        options = [part for file in files for part in ("--config-file", str(place.of("etc", file)))]
        return [str(bin_folder / name), *options]

    nova = program("nova-manage", "nova/nova.conf", "nova/database.conf")
    neutron = program("neutron-db-manage", "neutron/neutron.conf", "neutron/ml2.conf")
    cell1 = ["--database_connection", _DATABASE % "nova_cell1", "--transport-url", _BUS]
    return (
        (
            [*program("keystone-manage", "keystone/keystone.conf"), "db_sync"],
            [*neutron, "upgrade", "heads"],
            [*program("glance-manage", "glance/glance-api.conf"), "db_sync"],
        ),
        (
            [*program("placement-manage", "placement/placement.conf"), "db", "sync"],
            [*nova, "api_db", "sync"],
            [*nova, "cell_v2", "map_cell0", "--database_connection", _DATABASE % "nova_cell0"],
            [*nova, "cell_v2", "create_cell", "--name", "cell1", *cell1],
            [*nova, "db", "sync"],
            [*program("cinder-manage", "cinder/cinder.conf"), "db", "sync"],
        ),
    )


def _lane(place: Place, commands: Sequence[list[str]], failures: list[CloudError]) -> None:
    for words in commands:
        if failures:
            return
        try:
            step(place, "databases", words)
        except CloudError as error:
            failures.append(error)


def step(place: Place, name: str, words: Sequence[str]) -> None:
    """Run a program that ends by itself, in the cloud's environment; its output goes to a log.

    Raises:
        CloudError: it fails.
    """
    log = place.log(name)
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as output:
        done = subprocess.run(
            words,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment.variables(place)),
            cwd=place.folder,
        )
    if done.returncode:
        program = Path(words[0]).name
        raise CloudError(f"{program} {words[-2]} {words[-1]} ended with {done.returncode}")
