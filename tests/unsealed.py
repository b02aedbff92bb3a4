"""What a raw query found, with what is sealed in it opened: for tests that look at rows as they lie there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bot.store import vault
from bot.store.transaction import Transaction
from bot.store.vault import SEALED, DataKey, Keyring, Unreadable

_SEALED = re.compile(r'"?(s1\.[0-9a-f]+\.[A-Za-z0-9+/=]+)"?')
COLUMNS = [f"{table}.{name}" for table, names in SEALED.items() for name in names]


def unsealed(db: Transaction, rows: Iterable[Iterable[Any]]) -> list[tuple[Any, ...]]:
    """The same rows; what a destroyed key had sealed is left as it is."""
    return [tuple(_opened(db, value) for value in row) for row in list(rows)]


def _opened(db: Transaction, value: Any) -> Any:
    number = numbered(value)
    if number is None:
        return value
    vault._load(db, [number])
    return opened(db.known["key", number], value)


def past_the_store(wrapped: Callable[[int], Mapping[str, Any] | None], value: Any) -> Any:
    """The same, of a value that another reader found; ``wrapped`` gives the row of a key by its number."""
    number = numbered(value)
    row = wrapped(number) if number is not None else None
    if number is None or row is None:
        return value
    keys = Keyring.of_environment()
    return opened(DataKey(number, keys.unwrap(row["master"], number, row["wrapped"])), value)


def numbered(value: Any) -> int | None:
    """The number of the key that a value is sealed under; None if it is not sealed."""
    found = _SEALED.fullmatch(value) if isinstance(value, str) else None
    return None if found is None else int(found[1].split(".")[1], 16)


def opened(key: DataKey | None, value: str) -> Any:
    """What a sealed value says, whatever column it is from; the value itself without its key."""
    for column in COLUMNS if key is not None else ():
        try:
            return key.open(column, value.strip('"')) if key is not None else value
        except Unreadable:
            continue
    return value
