"""One open transaction: rows are gathered and written together; what it read, it reads once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Executable
from sqlalchemy.engine import CursorResult

if TYPE_CHECKING:
    from bot.store.vault import Keyring


class Transaction:
    """What the store's functions are given. Anything executed sees all that was gathered before it."""

    def __init__(self, connection: Connection, at: datetime, keys: Keyring, key: bytes = b"") -> None:
        self.connection = connection
        self.keys = keys
        """The master keys, which are not in the database."""
        self.key = key
        """What the rows of the audit are signed with: it is not in the database."""
        self.at = at
        """When it is, for everything that is done in this transaction."""
        self.known: dict[Hashable, Any] = {}
        """What was read already, by a key of the reader's own."""
        self.locked: set[str] = set()
        """Lanes that nobody else moves until this ends, where there is anybody else."""
        self.lanes: set[str] = set()
        """Lanes that may have something to send because of this transaction."""
        self.freed: set[str] = set()
        """Lanes whose message under way was brought to its end."""
        self.claimed: list[Any] = []
        """Messages that are sent as soon as this is committed."""
        self.counts: Counter[tuple[str, str]] = Counter()
        """What this transaction adds to the metrics, once it is committed: counter and label."""
        self.spans: list[tuple[str, float]] = []
        """Likewise: durations in seconds, by the name of their histogram."""
        self.erased = False
        """Something that a person told us was removed."""
        self.gone: set[str] = set()
        """Lanes, ``conversation:1`` and ``lead:1`` to which nothing that was claimed before may go any more."""
        self.last: list[Callable[[Transaction], None]] = []
        """What is done at the very end: what it locks is held no longer than the commit takes."""
        self._gathered: dict[Executable, list[Mapping[str, Any]]] = {}
        self._expected: dict[Executable, Exception] = {}

    @property
    def server(self) -> bool:
        """A database server, where other processes write at the same time."""
        return self.connection.dialect.name != "sqlite"

    def gather(self, statement: Executable, row: Mapping[str, Any], every: Exception | None = None) -> None:
        """Adds a row to a statement that is executed once for all its rows.

        ``every`` is raised when not every row of the statement changed a row of the table.
        """
        self._gathered.setdefault(statement, []).append(row)
        if every is not None:
            self._expected[statement] = every

    def execute(
        self, statement: Executable, rows: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        self.flush()
        return self.connection.execute(statement, rows)

    def at_once(self, statement: Executable, row: Mapping[str, Any]) -> CursorResult[*tuple[Any, ...]]:
        """Executes what depends on nothing that was gathered, as leads and staff never do, and flushes nothing."""
        return self.connection.execute(statement, row)

    def finish(self) -> None:
        """Writes all that is left to write. Nothing may be done after it but the commit."""
        self.flush()
        for do in self.last:
            do(self)
        self.last.clear()
        self.flush()

    def flush(self) -> None:
        gathered, self._gathered = self._gathered, {}
        for statement, rows in gathered.items():
            changed = self.connection.execute(statement, rows).rowcount
            error = self._expected.get(statement)
            if error is not None and changed != len(rows):
                raise error
