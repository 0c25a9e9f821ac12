"""Writers of Nova's test databases that wait for their turn."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import fixtures
import sqlalchemy
from oslo_db.sqlalchemy import enginefacade
from sqlalchemy.engine import URL, Connection, Engine

Manager = enginefacade._TransactionContextManager
WRITER = enginefacade._WRITER


class WaitingWriters(fixtures.Fixture):
    """A transaction that writes takes the database's write lock when it begins.

    oslo.db begins each transaction with ``BEGIN`` (``oslo_db/sqlalchemy/engines.py``), so that one
    that writes reads first. SQLite does not wait for the write lock in a transaction that has read
    (``sqlite3BtreeBeginTrans`` in ``src/btree.c``), and a reader takes that lock for a moment where
    it meets a commit (``walIndexReadHdr`` in ``src/wal.c``). On a busy machine an ``UPDATE`` was
    refused by that: "database is locked", though Nova's own fixture lets one writer in at a time.
    """

    def _setUp(self) -> None:
        self._open = threading.local()
        original = Manager._transaction_scope

        @contextmanager
        def scope(manager: Any, context: Any) -> Iterator[Any]:
            modes = self._modes(manager.reader.get_engine().url)
            inner = modes and not manager._independent
            modes.append(modes[-1] if inner else manager._mode)
            try:
                with original(manager, context) as resource:
                    yield resource
            finally:
                modes.pop()

        self.useFixture(fixtures.MockPatchObject(Manager, "_transaction_scope", scope))
        sqlalchemy.event.listen(Engine, "begin", self._begin)
        self.addCleanup(sqlalchemy.event.remove, Engine, "begin", self._begin)

    def _begin(self, connection: Connection) -> None:
        # Before oslo.db's own listener, which does nothing in a transaction that has begun.
        modes = self._modes(connection.engine.url)
        if modes and modes[-1] is WRITER and "in_transaction" not in connection.info:
            connection.execute(sqlalchemy.text("BEGIN IMMEDIATE"))
            connection.info["in_transaction"] = True

    def _modes(self, url: URL) -> list[Any]:
        """Return the modes of this thread's open scopes on a database, outermost first."""
        if not hasattr(self._open, "modes"):
            self._open.modes = defaultdict(list)
        modes: list[Any] = self._open.modes[url]
        return modes
