"""Whatever lies about after a crowd of people was served: every byte of it, to be searched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sqlalchemy import text

from bot.store import Store
from bot.store.vault import SEALED, DataKey, Unreadable

_SEALED = re.compile(rb"s1\.([0-9a-f]+)\.([A-Za-z0-9+/=]{38,})")


def spellings(words: str) -> list[bytes]:
    """How words may be written: as they are, as JSON, in base64 of any shift, in hexadecimal, in UTF-16."""
    import base64  # noqa: PLC0415

    raw = words.encode()
    shifted = [base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 :][:-4] for shift in range(3)]
    return [raw, raw.hex().encode(), words.encode("utf-16-le"), *(one for one in shifted if len(one) > 7)]


def files(folders: Iterable[Path]) -> Iterator[tuple[Path, bytes]]:
    """Every file below these folders with its bytes, or the file itself."""
    for folder in folders:
        for path in [folder] if folder.is_file() else sorted(folder.rglob("*")):
            if path.is_file():
                yield path, path.read_bytes()


def found(canaries: Iterable[str], places: Iterable[tuple[str | Path, bytes]]) -> list[str]:
    """Where any of these words can be read: ``place: word``, once each."""
    wanted = {spelling: word for word in canaries for spelling in spellings(word)}
    pattern = re.compile(b"|".join(re.escape(one) for one in sorted(wanted, key=len, reverse=True)))
    hits = {}
    for place, content in places:
        for hit in pattern.findall(content):
            hits[f"{place}: {wanted[hit]}"] = True
    return list(hits)


def remaining_keys(store: Store) -> dict[int, DataKey]:
    """Every data key that the database still has, opened with the master key."""
    with store.look() as db:
        rows = db.execute(text("SELECT id, master, wrapped FROM data_key")).all()
    return {row.id: DataKey(row.id, store.keys.unwrap(row.master, row.id, row.wrapped)) for row in rows}


def readable(
    keys: Mapping[int, DataKey], places: Iterable[tuple[str | Path, bytes]]
) -> Iterator[tuple[str, bytes]]:
    """All that can be read of what is sealed in these places with every key that is left."""
    columns = [f"{table}.{name}" for table, names in SEALED.items() for name in names]
    for place, content in places:
        for number, blob in set(_SEALED.findall(content)):
            key = keys.get(int(number, 16))
            for column in columns if key is not None else ():
                try:
                    said = key.open(column, f"s1.{number.decode()}.{blob.decode()}") if key is not None else None
                except Unreadable:
                    continue
                yield f"{place} ({column})", str(said).encode()
                break
