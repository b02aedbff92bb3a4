"""The database, SQLite or PostgreSQL: one way to open a transaction, and what its errors mean."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.pool import StaticPool

from bot import crash
from bot.store import vault
from bot.store.transaction import Transaction
from bot.store.vault import BadKey as BadKey
from bot.store.vault import Keyring

PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,  # FULL: a commit survives the power
    "foreign_keys": 1,
    "secure_delete": 1,  # deleted health words do not stay in the file
    "busy_timeout": 10_000,
    "mmap_size": 0,  # a failed read is an error, not a signal that ends the process
}

SERVER = {
    "synchronous_commit": "on",
    "lock_timeout": "5s",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "15s",  # a stopped process holds nobody up for longer
    "timezone": "UTC",
}
"""Settings of every connection to PostgreSQL."""

LOOKING = "prescreen_looking"
"""The option of a connection to SQLite that only reads."""

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = max(file.name[:4] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))
"""The newest schema that this code knows. Revisions are numbered in their order."""

MIGRATING = 0x9E5C9EE4
"""The advisory lock under which one process at a time changes the schema."""


class BadDatabase(Exception):
    """The database cannot be opened, or is none of ours."""


class NoRoom(Exception):
    """The disk is too full to take anything new."""


class Store:
    """An open database at the newest schema. Raises BadDatabase and BadKey."""

    def __init__(self, url: str, keys: Keyring | None = None) -> None:
        """``keys``: the master keys; without them, for tools and tests, MASTER_KEY of the environment."""
        self.keys = keys or Keyring.of_environment()
        self._log_holds_erased = False
        self.key = b""
        """What the rows of the audit are signed with, and what was erased is known by."""
        try:
            self.engine = _engine(url)
            self.migrate()
            with self.look() as db:
                self.secret = vault.look_ups(db)
                """What keyed hashes are made with: it is in the database, wrapped, and outlives the master key."""
            self.key = hashlib.blake2b(b"audit", key=self.secret[:64], digest_size=32).digest()
        except (OSError, DatabaseError) as error:
            raise BadDatabase(type(error).__name__) from error
        except BadKey:
            self.close()
            raise

    @property
    def server(self) -> bool:
        """A database server: other processes may serve from it at the same time."""
        return self.engine.dialect.name != "sqlite"

    @property
    def folder(self) -> Path | None:
        """Where the database's file lies, if it has one."""
        name = self.engine.url.database
        return None if self.server or name in (None, "", ":memory:") else Path(str(name)).resolve().parent

    @contextmanager
    def begin(self, at: datetime | None = None) -> Iterator[Transaction]:
        """One transaction, from BEGIN to COMMIT; any error rolls all of it back."""
        with self.engine.begin() as connection:
            db = Transaction(connection, at or datetime.now(UTC), self.keys, self.key)
            yield db
            db.finish()
        if db.erased:
            crash.point("erased")
            self._log_holds_erased = not self.server
        if self._log_holds_erased:
            self._log_holds_erased = not self._empty_log()

    @contextmanager
    def look(self, at: datetime | None = None) -> Iterator[Transaction]:
        """A consistent look at the database that writes nothing: no writer waits for it, and it waits for none.

        A statement that would write, or lock a row, is refused by the database.
        """
        with self.engine.connect() as connection:
            if self.server:
                looking = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            else:
                looking = connection.execution_options(**{LOOKING: True})
            with looking.begin():
                try:
                    yield Transaction(looking, at or datetime.now(UTC), self.keys, self.key)
                finally:
                    if not self.server:
                        looking.exec_driver_sql("PRAGMA query_only=0")

    def make_sure(self) -> None:
        """Puts what the write-ahead log holds into the file, synced. To be called before anybody is served.

        A process that was killed may have left turns that can be read and yet are not safe from a power cut.
        Raises BadDatabase if that cannot be mended.
        """
        if not self.server and not self._empty_log():
            raise BadDatabase("the write-ahead log cannot be brought into the file")

    def _empty_log(self) -> bool:
        """Moves the log into the file and cuts it off: it may hold what was erased. Returns whether it could."""
        raw = self.engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA busy_timeout=0")  # a reader in the way: it is done after the next commit
            busy, *_ = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy
        except sqlite3.OperationalError:  # a full disk: likewise
            return False
        finally:
            raw.cursor().execute(f"PRAGMA busy_timeout={PRAGMAS['busy_timeout']}")
            raw.close()

    def migrate(self) -> None:
        """Brings the schema up to date in one transaction: it arrives there, or stays where it was.

        A newer schema is left alone: each migration leaves room for the release before it, which may still run.
        """
        with self.engine.begin() as connection:
            if self.server:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATING})
                connection.execute(text("SET LOCAL statement_timeout = 0"))
            if inspect(connection).has_table("alembic_version"):
                at = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
                if at is not None and at >= HEAD:
                    return
            from alembic import command  # noqa: PLC0415 (seldom needed, and slow to import)
            from alembic.config import Config  # noqa: PLC0415

            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"], config.attributes["keys"] = connection, self.keys
            command.upgrade(config, "head")
            crash.point("migrated")

    def close(self) -> None:
        self.engine.dispose()


def clock_of(db: Transaction) -> datetime | None:
    """The clock of a database server; None where the database has none but ours."""
    return db.execute(text("SELECT clock_timestamp()")).scalar() if db.server else None


def unstorable(error: BaseException) -> bool:
    """Whether nothing can be stored now, which is no fault of what was to be stored."""
    if isinstance(error, NoRoom):
        return True
    if not isinstance(error, OperationalError | InterfaceError | InternalError):
        return False
    if str(getattr(error.orig, "sqlstate", "")).startswith("54"):  # too long for an index, say: its own fault
        return False
    return getattr(error.orig, "sqlite_errorname", "") != "SQLITE_ERROR"  # that one is a mistake of ours


def worth_another_try(error: BaseException) -> bool:
    """Whether the same transaction may well succeed at once: another one was in its way."""
    states = ("40001", "40P01", "55P03")  # serialization, deadlock, lock not available
    return isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", "") in states


def broken(error: BaseException) -> bool:
    """Whether the disk or the file can no longer be trusted: after a failed fsync nothing more may be confirmed."""
    name = str(getattr(error.orig, "sqlite_errorname", "")) if isinstance(error, DBAPIError) else ""
    return name.startswith(("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB"))


def _engine(url: str) -> Engine:
    address = make_url(url)
    common: dict[str, Any] = {
        "hide_parameters": True,  # error texts carry no answers
        "json_serializer": _dumps,
        "json_deserializer": _loads,
    }
    if address.get_backend_name() != "sqlite":
        options = " ".join(f"-c {name}={value}" for name, value in SERVER.items())
        return create_engine(
            address.set(drivername="postgresql+psycopg"),
            connect_args={"options": options, "connect_timeout": 5, "tcp_user_timeout": 10_000},
            pool_pre_ping=True,
            pool_size=4,
            **common,
        )
    memory = address.database in (None, "", ":memory:")
    if not memory:
        Path(str(address.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        poolclass=StaticPool if memory else None,
        connect_args={"check_same_thread": False},
        **common,
    )
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _dumps(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # half a character, or a number beyond 64 bits: only in what is set aside as it came
        return json.dumps(value)


def _loads(data: str | bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data)


def _on_connect(raw: Any, _record: Any) -> None:
    raw.isolation_level = None  # we say BEGIN ourselves: the driver leaves reads outside transactions
    for name, value in PRAGMAS.items():
        raw.execute(f"PRAGMA {name}={value}")


def _on_begin(connection: Connection) -> None:
    if connection.get_execution_options().get(LOOKING):
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("PRAGMA query_only=1")
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
