"""Who polls, sends and sweeps: one process at a time, and the database is the judge."""

from __future__ import annotations

import asyncio
import fcntl
import secrets
from collections.abc import AsyncIterator
from io import TextIOWrapper
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from bot.store import Store
from bot.store.outbox import CALLS

LEADING = 0x1EAD1E4D
"""The advisory lock that the leader's one idle transaction holds."""


class Leadership:
    """Taken without waiting, and lost with the process or its connection: nothing has to expire.

    SQLite: a lock on a file beside the database. PostgreSQL: an advisory lock of a transaction that is kept
    open. A leader that is stopped asks nothing any more, so the server ends its idle transaction and another
    one may lead; what the first one would still write is refused by its ``token``.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.token = secrets.token_hex(8)
        self._file: TextIOWrapper | None = None
        self._connection: Connection | None = None

    def take(self) -> bool:
        """Whether this process leads from now on."""
        return self._take_server() if self._store.server else self._take_file()

    def holds(self) -> bool:
        """Whether it still does. To be asked every few seconds, which also keeps it."""
        if self._connection is None:
            return self._file is not None
        try:
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            self.release()
            return False
        return True

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def _take_file(self) -> bool:
        name = self._store.engine.url.database
        if name in (None, "", ":memory:"):
            return True
        file = Path(f"{name}.lock").open("w")  # noqa: SIM115 (held for as long as we lead)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def _take_server(self) -> bool:
        try:
            connection = self._store.engine.connect()
        except SQLAlchemyError:  # the server is gone: nobody leads until it is back
            return False
        try:
            if not connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": LEADING}).scalar():
                connection.close()
                return False
        except SQLAlchemyError:
            connection.close()
            return False
        self._connection = connection
        return True


async def calls(store: Store, until: asyncio.Event) -> AsyncIterator[None]:
    """What other processes call when they put something into the outbox. Raises when the server is gone."""
    import psycopg  # noqa: PLC0415 (not needed on SQLite)

    address = store.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
        await connection.execute(f"LISTEN {CALLS}")
        while not until.is_set():
            async for _ in connection.notifies(timeout=1.0):
                yield
