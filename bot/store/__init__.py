"""The database: one engine, one way to open a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import StaticPool

PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,  # FULL: a commit survives the power
    "foreign_keys": 1,
    "secure_delete": 1,  # deleted health words do not stay in the file
    "busy_timeout": 10_000,
}


ERASED = "erased"
"""Set on a connection's ``info`` by a transaction that removes what a person told us."""


class BadDatabase(Exception):
    """The database cannot be opened, or is none of ours."""


class Store:
    """An open database at the newest schema. Raises BadDatabase."""

    def __init__(self, url: str) -> None:
        try:
            self.engine = _engine(url)
            self.migrate()
        except (OSError, DatabaseError, CommandError) as error:
            raise BadDatabase(type(error).__name__) from error

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction, from BEGIN IMMEDIATE to COMMIT; any error rolls all of it back."""
        with self.engine.begin() as connection:
            yield connection
            erased = connection.info.pop(ERASED, False)
        if erased:
            self._empty_log()

    def _empty_log(self) -> None:
        """Moves the write-ahead log into the file and cuts it off: it still held what was erased."""
        raw = self.engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            raw.close()

    def migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self.engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        self.engine.dispose()


def _engine(url: str) -> Engine:
    memory = url.endswith(("://", ":memory:"))
    if not memory:
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        hide_parameters=True,  # error texts carry no answers
        poolclass=StaticPool if memory else None,
        connect_args={"check_same_thread": False},
    )
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(raw: Any, _record: Any) -> None:
    raw.isolation_level = None  # we say BEGIN ourselves: the driver leaves reads outside transactions
    for name, value in PRAGMAS.items():
        raw.execute(f"PRAGMA {name}={value}")


def _on_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
