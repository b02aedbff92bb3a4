"""backup, restore and resume: a copy of the database while it is served, and a way back that sends nothing."""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DatabaseError
from sqlmodel import SQLModel

from bot import sealed_file
from bot.app import store_of
from bot.keyring import keyring
from bot.leader import LEADING
from bot.settings import load
from bot.store import BadDatabase, BadKey, Store, conversations, outbox, tombstones
from bot.store.tombstones import Stone
from bot.store.vault import Keyring

PROBLEM = 1
OWN = frozenset({"alembic_version", "attempt", "data_key", "heartbeat"})
"""Tables about the house itself: a database that holds nothing else is empty."""
APART = "The file is sealed under the master key. Keep the key in another place: without it, nothing comes back."
DAMAGED = "The copy is damaged, or none of ours. Nothing was changed."
SQLITE, POSTGRES = b"SQLite format 3\0", b"PGDMP"
"""How the two kinds of copies begin."""


class Refused(Exception):
    """It is not done; the text says why, and what to do. Nothing was changed."""


def add_to(verbs: Any) -> None:
    backup = verbs.add_parser("backup", help="copy the database into a file, also while it is served", epilog=APART)
    backup.add_argument("file", type=Path, help="where to; it must not exist yet")
    backup.set_defaults(run=_backup)
    restore = verbs.add_parser(
        "restore", help="put a copy in the place of the database; then nothing is sent until `resume`", epilog=APART
    )
    restore.add_argument("file", type=Path, help="what `prescreen backup` made")
    restore.add_argument("--force", action="store_true", help="even if the database is not empty: it is lost")
    restore.add_argument(
        "--erased",
        type=Path,
        metavar="FILE",
        help="a log, or any text, that tells of what was erased since the copy was made; it is erased again",
    )
    restore.set_defaults(run=_restore)
    resume = verbs.add_parser("resume", help="send again after a restore, from what was waiting in the copy")
    resume.set_defaults(run=_resume)


def _backup(options: argparse.Namespace) -> int:
    settings = load()
    return _kindly(_save, make_url(settings.database_url), options.file, keyring(settings))


def _restore(options: argparse.Namespace) -> int:
    settings = load()
    try:
        said = options.erased.read_text(encoding="utf-8", errors="replace") if options.erased else ""
    except OSError as error:
        print(f"{options.erased} cannot be read: {error.strerror}.", file=sys.stderr)
        return PROBLEM
    stones = tombstones.said_in(said)
    given = make_url(settings.database_url), options.file, options.force, keyring(settings), stones
    return _kindly(_bring_back, *given)


def _kindly(do: Any, *given: Any) -> int:
    try:
        print(do(*given))
    except Refused as refused:
        print(refused, file=sys.stderr)
        return PROBLEM
    except OSError as error:
        print(f"The file cannot be used: {type(error).__name__}.", file=sys.stderr)
        return PROBLEM
    return 0


def _resume(_options: argparse.Namespace) -> int:
    store = store_of(load())
    with store.begin() as db:
        house, waiting = conversations.heartbeat(db), outbox.waiting(db)
        conversations.beat(db, db.at, paused=False)
    store.close()
    if house is None or not house["paused"]:
        print("Sending was not paused.")
    else:
        print(f"Sending goes on. Messages that were waiting: {waiting}.")
    return 0


# ---------------------------------------------------------------------- there


def _save(url: URL, file: Path, keys: Keyring) -> str:
    """The copy has its name only once it is whole, and nobody else may read it."""
    if file.exists():
        raise Refused("There is a file of that name. Choose another.")
    with _beside(file) as made:
        if url.get_backend_name() == "sqlite":
            _copy_file(_path(url), made)
            _examine_file(made)
        else:
            with made.open("wb") as to:
                if _run(url, ["pg_dump", "--format=custom", "--lock-wait-timeout=10s"], to):
                    raise Refused("pg_dump could not read the database. Is it as new as the server?")
            _examine_dump(made)
        with _beside(file) as sealed:
            sealed_file.seal(keys, made, sealed, _masters(url, made))
            _sync(sealed)
            sealed.rename(file)
    _sync(file.absolute().parent)
    return f"Everything stored until now is in the copy. {APART}"


def _masters(url: URL, made: Path) -> set[str]:
    """The names of the master keys that a copy needs; none before rows were sealed."""
    asked = "SELECT DISTINCT master FROM data_key"
    if url.get_backend_name() == "sqlite":
        with closing(_read_only(made)) as db:
            try:
                return {str(name) for (name,) in db.execute(asked)}
            except sqlite3.OperationalError:
                return set()
    import psycopg  # noqa: PLC0415 (not needed on SQLite)

    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, connect_timeout=5) as server:
        try:
            return {str(name) for (name,) in server.execute(asked)}
        except psycopg.errors.UndefinedTable:
            return set()


def _copy_file(source: Path, to: Path) -> None:
    """All pages of one moment, in one step: whoever writes meanwhile is not held up, and not in it."""
    if not source.exists():
        raise Refused("There is no database there yet. Check DATABASE_URL.")
    try:
        with closing(_read_only(source)) as db, closing(sqlite3.connect(to)) as made:
            made.execute("PRAGMA synchronous=OFF")  # it is synced as a whole
            db.backup(made)
            made.execute("PRAGMA journal_mode=DELETE")  # one file, and nothing beside it
    except sqlite3.Error as error:
        raise Refused(f"The database cannot be copied: {type(error).__name__}. Run: prescreen doctor") from None


# ---------------------------------------------------------------------- and back


def _bring_back(url: URL, file: Path, force: bool, keys: Keyring, stones: Sequence[Stone] = ()) -> str:
    if not sealed_file.is_sealed(file):
        return _replace(url, file, force, keys, stones)  # the release before sealed nothing
    with tempfile.TemporaryDirectory(prefix="prescreen-") as folder:  # mode 0700
        plain = Path(folder) / "copy"
        try:
            sealed_file.unseal(keys, file, plain)
        except sealed_file.Damaged:
            raise Refused(DAMAGED) from None
        except BadKey as error:
            raise Refused(f"{error} Set MASTER_KEY, or MASTER_KEYS_OLD, to it. Nothing was changed.") from None
        return _replace(url, plain, force, keys, stones)


def _replace(url: URL, file: Path, force: bool, keys: Keyring, stones: Sequence[Stone]) -> str:
    with file.open("rb") as beginning:
        kind = beginning.read(16)
    sqlite = url.get_backend_name() == "sqlite"
    if not kind.startswith(SQLITE if sqlite else POSTGRES):
        raise Refused("The file is no copy of such a database. A copy goes back to the kind that it came from.")
    (_examine_file if sqlite else _examine_dump)(file)
    again = (_into_file if sqlite else _into_server)(url, file, force, keys, stones)
    told = f" People who were erased since, and are erased again: {again}." if again else ""
    return f"Restored.{told} Nothing is sent until you run: prescreen resume"


def _into_file(url: URL, file: Path, force: bool, keys: Keyring, stones: Sequence[Stone]) -> int:
    target = _path(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{target}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused("A process serves this database. Stop it first.") from None
        if not force and _holds_something(target):
            raise Refused("The database is not empty. With --force everything in it is lost.")
        with _beside(target) as made:
            _copy_file(file, made)
            known = [*stones, *(_stones(f"sqlite:///{target}", keys) if target.exists() else ())]
            again = _pause(f"sqlite:///{made}", keys, known)
            _put_away_log(target)
            made.rename(target)
        _sync(target.absolute().parent)
    return again


def _into_server(url: URL, file: Path, force: bool, keys: Keyring, stones: Sequence[Stone]) -> int:
    import psycopg  # noqa: PLC0415 (not needed on SQLite)

    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        connection = psycopg.connect(address, autocommit=True, connect_timeout=5)
    except psycopg.Error as error:
        raise BadDatabase(type(error).__name__) from None
    with connection as db:
        (leads,) = db.execute("SELECT pg_try_advisory_lock(%s)", (LEADING,)).fetchone() or (False,)
        if not leads:
            raise Refused("A process serves this database. Stop it first.")
        there = [row[0] for row in db.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema")]
        tables = sorted({*SQLModel.metadata.tables, "alembic_version"} & set(there))
        full = [
            name
            for name in set(tables) - OWN
            if db.execute(
                psycopg.sql.SQL("SELECT 1 FROM {} LIMIT 1").format(psycopg.sql.Identifier(name))
            ).fetchone()
        ]
        if full and not force:
            raise Refused("The database is not empty. With --force everything in it is lost.")
        address = url.render_as_string(hide_password=False)
        known = [*stones, *(_stones(address, keys) if "tombstone" in there else ())]
        (schema,) = db.execute("SELECT current_schema").fetchone() or ("public",)
        if not _pour(url, file, schema, tables):
            raise Refused("The database did not take the copy, and is as it was.")
        return _pause(address, keys, known)


def _pour(url: URL, file: Path, schema: str, tables: list[str]) -> bool:
    """Old tables out, the copy in, sending paused: one transaction. Returns whether it was committed."""
    before = "BEGIN;\n" + f'DROP FUNCTION IF EXISTS "{schema}".audit_refuses() CASCADE;\n'
    before += "".join(f'DROP TABLE IF EXISTS "{schema}"."{name}" CASCADE;\n' for name in tables)
    after = (
        f'INSERT INTO "{schema}".heartbeat (id, at, running, leader, paused) '  # noqa: S608 (names are our own)
        "VALUES (1, now(), false, '', true) ON CONFLICT (id) DO UPDATE "  # nosec B608
        "SET running = false, leader = '', paused = true;\nCOMMIT;\n"
    )
    with tempfile.TemporaryFile() as script:
        script.write(before.encode())
        script.flush()
        if _run(None, ["pg_restore", "--no-owner", "--no-privileges", "--file=-", str(file)], script):
            return False
        script.seek(0, os.SEEK_END)
        script.write(after.encode())
        script.seek(0)
        words = ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"]
        return _run(url, words, None, script) == 0


def _stones(url: str, keys: Keyring) -> list[Stone]:
    """What the database that is replaced knows to be erased; nothing where it cannot be read any more."""
    try:
        with closing(Store(url, keys)) as store, store.look() as db:
            return tombstones.every(db)
    except (BadDatabase, BadKey, DatabaseError):
        print("The old database cannot be read. If anybody was erased since, add: --erased LOG", file=sys.stderr)
        return []


def _pause(url: str, keys: Keyring, stones: Sequence[Stone]) -> int:
    """Brings the copy up to date, lets it send nothing, and erases again whom it should not hold any more."""
    with closing(Store(url, keys)) as store, store.begin() as db:
        again = tombstones.apply(db, stones)
        conversations.beat(db, db.at, paused=True, running=False, leader="")
        return again


def _put_away_log(target: Path) -> None:
    """What the old file's log holds goes into it, or is lost with it: it must not be taken for the new one's."""
    if target.exists():
        try:
            with closing(sqlite3.connect(target)) as db:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            pass  # it is broken, which may be why it is replaced
    for beside in ("-wal", "-shm"):
        Path(f"{target}{beside}").unlink(missing_ok=True)


# ---------------------------------------------------------------------- what is in it


def _examine_file(file: Path) -> None:
    try:
        with closing(_read_only(file)) as db:
            well = db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            well = well and db.execute("PRAGMA foreign_key_check").fetchone() is None
            db.execute("SELECT version_num FROM alembic_version")
    except sqlite3.Error:
        well = False
    if not well:
        raise Refused(DAMAGED)


def _examine_dump(file: Path) -> None:
    with tempfile.TemporaryFile() as listed:
        damaged = _run(None, ["pg_restore", "--list", str(file)], listed)
        listed.seek(0)
        ours = b" alembic_version " in listed.read()
    if damaged or not ours or _run(None, ["pg_restore", f"--file={os.devnull}", str(file)]):
        raise Refused(DAMAGED)


def _holds_something(file: Path) -> bool:
    if not file.exists() or file.stat().st_size == 0:
        return False
    try:
        with closing(_read_only(file)) as db:
            tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            looks = [f'SELECT 1 FROM "{name}" LIMIT 1' for name in set(tables) - OWN]  # noqa: S608 # nosec B608
            return any(db.execute(look).fetchone() for look in looks)
    except sqlite3.Error:
        return True  # nobody can tell


# ---------------------------------------------------------------------- tools


def _path(url: URL) -> Path:
    if url.database in (None, "", ":memory:"):
        raise Refused("DATABASE_URL names a database in memory: there is nothing to copy.")
    return Path(str(url.database))


def _read_only(file: Path) -> sqlite3.Connection:
    """A connection that can never empty the log of whoever serves."""
    return sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True, timeout=10)


@contextmanager
def _beside(file: Path) -> Iterator[Path]:
    """An empty file beside this one, for our eyes only. It is gone afterwards, unless it was renamed."""
    number, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.absolute().parent)  # mode 0600
    os.close(number)
    try:
        yield Path(name)
    finally:
        for end in ("", "-wal", "-shm", "-journal"):
            Path(f"{name}{end}").unlink(missing_ok=True)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _run(url: URL | None, words: list[str], to: IO[bytes] | None = None, script: IO[bytes] | None = None) -> int:
    """Runs one of PostgreSQL's own programs. No password is among its words, and nothing it says is shown."""
    program = shutil.which(words[0])
    if program is None:
        raise Refused(f"{words[0]} is not on the PATH. Install PostgreSQL's client programs, as new as the server.")
    environment = dict(os.environ)
    if url is not None:
        if url.password is not None:
            environment["PGPASSWORD"] = str(url.password)
        address = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
        words = [*words, f"--dbname={address}"]
    done = subprocess.run(  # noqa: S603 (a fixed program, and no shell)  # nosec B603
        [program, *words[1:]],
        stdin=script or subprocess.DEVNULL,
        stdout=to or subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        check=False,
    )
    return done.returncode
