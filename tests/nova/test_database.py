"""Nova's test databases, of which each test here has one."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from oslo_db.sqlalchemy import enginefacade

from tests.nova.database import WaitingWriters

READ = sqlalchemy.text("SELECT value FROM one")
WRITE = sqlalchemy.text("UPDATE one SET value = value + 1")


@enginefacade.transaction_context_provider
class User:
    """What transactions belong to."""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return a database of one row, of the kind that Nova's fixture makes."""
    path = tmp_path / "one.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE one (value INTEGER)")
        connection.execute("INSERT INTO one VALUES (1)")
    return path


def test_a_writer_that_has_read_waits_for_the_lock(database: Path) -> None:
    manager = enginefacade.transaction_context()
    manager.configure(connection=f"sqlite:///{database}")
    user = User()

    with WaitingWriters(), closing(sqlite3.connect(database, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        soon = threading.Timer(0.5, other.rollback)
        soon.start()
        with manager.writer.using(user) as session:
            with manager.reader.using(user) as inner:
                inner.execute(READ)
            session.execute(WRITE)
        soon.join()
        with manager.reader.using(user) as session:
            assert session.execute(READ).scalar() == 2


def test_a_reader_needs_no_lock(database: Path) -> None:
    manager = enginefacade.transaction_context()
    manager.configure(connection=f"sqlite:///{database}")
    user = User()

    with WaitingWriters(), manager.writer.using(user) as session:
        session.execute(WRITE)
        with manager.reader.independent.using(user) as reader:
            assert reader.execute(READ).scalar() == 1
