"""What people tell us is sealed under a key of their own, which a master key outside the database wraps.

A sealed value is text: ``s1.<number of its key>.<base64 of nonce and AES-256-GCM>``. It opens only under that key,
in the column it was made for. Once a person's key is destroyed, nothing of theirs can be read any more, wherever a
copy of the rows may lie.
"""

from __future__ import annotations

import json
import os
import secrets
from binascii import Error as NoBase64
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import bindparam, delete, exists, func, insert, or_, select, update

from bot.store.tables import ConversationRow, DataKeyRow, LeadRow
from bot.store.transaction import Transaction

_key = DataKeyRow.__table__  # type: ignore[attr-defined]
_conversation = ConversationRow.__table__  # type: ignore[attr-defined]
_lead = LeadRow.__table__  # type: ignore[attr-defined]

SEALED: Mapping[str, Mapping[str, Any]] = {
    "conversation": {"state": None, "findings": ""},
    "answer": {"value": None, "said": ""},
    "message": {"text": "", "page": None},
    "outbox": {"envelope": None},
    "lead": {"contact": {}, "flags": [], "criterion": "", "outcome": None, "eligible_from": None},
    "lead_event": {"detail": "", "before": None},
    "note": {"text": "", "about": "", "marked": ""},
    "quarantine": {"payload": None},
    "staff": {"totp": ""},
}
"""The columns that are sealed, and what each says when it holds nothing, or nothing any more."""

HOUSE, LOOK_UPS = "house", "look-ups"
"""What stands where others have a lane: the key of what is nobody's, and the secret of hashes for look-ups."""

_MARK = "s1"
_MOMENT = {"lead.eligible_from": date.fromisoformat}


class BadKey(Exception):
    """The master key is missing, or not one of this database. The text says which; nothing was changed."""


class Unreadable(Exception):
    """A value is not as it was sealed: it was changed, or comes from another place."""


# ---------------------------------------------------------------------- master keys


class Keyring:
    """The master keys of a process, by a name that tells nothing of them. The first is the one to go on with."""

    def __init__(self, masters: Sequence[str], again: Callable[[], Sequence[str]] | None = None) -> None:
        """``again`` reads the masters anew: asked when a key comes up that was not among them. Raises BadKey."""
        self._again = again
        self._ciphers: dict[str, AESGCM] = {}
        self.names = self._take(masters)
        if not self.names:
            raise BadKey("MASTER_KEY is missing.")

    @classmethod
    def of_environment(cls) -> Keyring:
        """For tools and tests: the MASTER_KEY of this process's environment alone. Raises BadKey."""
        return cls([key for key in [os.environ.get("MASTER_KEY", "")] if key])

    def _take(self, masters: Sequence[str]) -> tuple[str, ...]:
        for master in masters:
            made = HKDF(SHA256(), 38, None, b"prescreen master key").derive(master.encode())
            self._ciphers[made[32:].hex()] = AESGCM(made[:32])
        return tuple(self._ciphers)

    def wrap(self, name: str, number: int, secret: bytes) -> str:
        """A data key as the database keeps it, bound to its number."""
        nonce = os.urandom(12)
        sealed = self._cipher(name).encrypt(nonce, secret, b"data_key %d" % number)
        return b2a_base64(nonce + sealed, newline=False).decode()

    def unwrap(self, name: str, number: int, wrapped: str) -> bytes:
        """Raises BadKey where the master is none of ours, Unreadable where the row was changed."""
        cipher = self._cipher(name)
        try:
            sealed = a2b_base64(wrapped)
            return cipher.decrypt(sealed[:12], sealed[12:], b"data_key %d" % number)
        except (InvalidTag, ValueError) as error:
            raise Unreadable(f"data key {number}") from error

    def _cipher(self, name: str) -> AESGCM:
        if name not in self._ciphers and self._again is not None:
            self._take(self._again())
        try:
            return self._ciphers[name]
        except KeyError:
            raise BadKey("MASTER_KEY is not the key of this database.") from None


# ---------------------------------------------------------------------- a person's key


class DataKey:
    """A key under which the values of one person are sealed."""

    __slots__ = ("_cipher", "_head", "number", "secret")

    def __init__(self, number: int, secret: bytes) -> None:
        self.number, self.secret = number, secret
        self._cipher, self._head = AESGCM(secret), f"{_MARK}.{number:x}."

    def seal(self, column: str, value: Any) -> str:
        """``column`` is ``table.column``; ``value`` is what JSON can say."""
        nonce = os.urandom(12)
        try:
            said = orjson.dumps(value)
        except TypeError:  # half a character, or a number beyond 64 bits: only in what is set aside as it came
            said = json.dumps(value).encode()
        return self._head + b2a_base64(
            nonce + self._cipher.encrypt(nonce, said, column.encode()), newline=False
        ).decode("ascii")

    def open(self, column: str, sealed: Any) -> Any:
        """Raises Unreadable."""
        try:
            mark, number, text = sealed.split(".", 2)
            blob = a2b_base64(text)
            if mark != _MARK or int(number, 16) != self.number:
                raise Unreadable(column)
            said = self._cipher.decrypt(blob[:12], blob[12:], column.encode())
        except (InvalidTag, NoBase64, ValueError, AttributeError) as error:
            raise Unreadable(column) from error
        try:
            return orjson.loads(said)
        except orjson.JSONDecodeError:
            return json.loads(said)


def fresh(keys: Keyring, lane: str, master: str) -> tuple[DataKey, dict[str, Any]]:
    """A key that nobody had before, and its row."""
    key = DataKey(secrets.randbits(62) + 1, secrets.token_bytes(32))
    wrapped = keys.wrap(master, key.number, key.secret)
    return key, {"id": key.number, "lane": lane, "master": master, "wrapped": wrapped}


# ---------------------------------------------------------------------- whose key

_ADD = insert(_key)
_OF_LANE = select(_key).where(_key.c.lane == bindparam("lane")).order_by(_key.c.id).limit(1)
_HOUSE = select(_key).where(_key.c.lane == HOUSE).order_by(_key.c.id).limit(1).with_for_update(read=True)
_BY_NUMBER = select(_key).where(_key.c.id.in_(bindparam("numbers", expanding=True)))
_OF_CONVERSATION = select(_key).join(_conversation, _conversation.c.key_id == _key.c.id).where(
    _conversation.c.id == bindparam("of")
)  # fmt: skip
_OF_LEAD = select(_key).join(_lead, _lead.c.key_id == _key.c.id).where(_lead.c.id == bindparam("of"))


def of_row(db: Transaction, number: int | None, master: str | None, wrapped: str | None) -> DataKey:
    """A key whose row was read already. Raises Unreadable where there is none, and BadKey."""
    if number is None or master is None or wrapped is None:
        raise Unreadable("a key that is not there")
    known: DataKey | None = db.known.get(("key", number))
    if known is None:
        known = DataKey(number, db.keys.unwrap(master, number, wrapped))
        db.known["key", number] = known
    return known


def of_lane(db: Transaction, lane: str) -> DataKey | None:
    """The key of whoever is in this chat, if anything is kept of them."""
    if ("key", lane) not in db.known:
        row = db.execute(_OF_LANE, {"lane": lane}).first()
        db.known["key", lane] = None if row is None else of_row(db, row.id, row.master, row.wrapped)
    known: DataKey | None = db.known["key", lane]
    return known


def person(db: Transaction, lane: str) -> DataKey:
    """The key of whoever is in this chat, a new one where they have none."""
    known = of_lane(db, lane)
    if known is None:
        house(db)
        known, row = fresh(db.keys, lane, db.known["master"])
        db.gather(_ADD, row)
        db.known["key", lane] = db.known["key", known.number] = known
    return known


def house(db: Transaction) -> DataKey:
    """The key of what is nobody's. Which master wraps new keys is read with it, and stays so until the commit."""
    if ("key", HOUSE) not in db.known:
        row = db.execute(_HOUSE).one()
        db.known["master"] = row.master
        db.known["key", HOUSE] = of_row(db, row.id, row.master, row.wrapped)
    known: DataKey = db.known["key", HOUSE]
    return known


def of_conversation(db: Transaction, conversation_id: int) -> DataKey:
    """The key of the person of a conversation. Raises Unreadable where there is no such."""
    return _of(db, "conversation", conversation_id) or of_row(db, None, None, None)


def of_lead(db: Transaction, lead_id: int) -> DataKey:
    """The key of the person of a lead; the house's, where the lead has no details any more."""
    return _of(db, "lead", lead_id) or house(db)


def _of(db: Transaction, table: str, number: int) -> DataKey | None:
    known: DataKey | None = db.known.get(("key of", table, number))
    if known is None:
        query = _OF_LEAD if table == "lead" else _OF_CONVERSATION
        row = db.execute(query, {"of": number}).first()
        if row is not None:
            known = of_row(db, row.id, row.master, row.wrapped)
            db.known["key of", table, number] = known
    return known


def is_of(db: Transaction, table: str, number: int, key: DataKey | None) -> None:
    """Remembers, for this transaction, whose key that of a row is; None to forget it."""
    db.known["key of", table, number] = key


# ---------------------------------------------------------------------- rows


def sealed(key: DataKey, table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values of one row, those sealed that are to be. What holds nothing stays as it is."""
    nothing = SEALED[table]
    made = dict(values)
    for name in nothing.keys() & made.keys():
        value = made[name]
        if value != nothing[name]:
            plain = value.isoformat() if isinstance(value, date) else value
            made[name] = key.seal(f"{table}.{name}", plain)
    return made


def opened(db: Transaction, table: str, rows: Iterable[Mapping[Any, Any]]) -> list[dict[str, Any]]:
    """The rows with what they say, as dicts. What a destroyed key had sealed says nothing any more.

    Raises Unreadable for a value that was changed, or that nobody sealed.
    """
    found, nothing = [dict(row) for row in rows], SEALED[table]
    names = [name for name in nothing if found and name in found[0]]
    numbers = {_number(table, row[name]) for row in found for name in names if row[name] != nothing[name]}
    _load(db, numbers)
    for row in found:
        for name in names:
            if row[name] == nothing[name]:
                continue
            key: DataKey | None = db.known["key", _number(table, row[name])]
            column = f"{table}.{name}"
            row[name] = nothing[name] if key is None else key.open(column, row[name])
            if column in _MOMENT and row[name] is not None:
                row[name] = _MOMENT[column](row[name])
    return found


def opened_one(db: Transaction, table: str, row: Mapping[Any, Any] | None) -> dict[str, Any] | None:
    return None if row is None else opened(db, table, [row])[0]


def _number(table: str, value: Any) -> int:
    try:
        mark, number, _ = value.split(".", 2)
        if mark == _MARK:
            return int(number, 16)
    except (AttributeError, ValueError):
        pass
    raise Unreadable(table)


def _load(db: Transaction, numbers: Collection[int]) -> None:
    unknown = [number for number in numbers if ("key", number) not in db.known]
    if unknown:
        for row in db.execute(_BY_NUMBER, {"numbers": unknown}).all():
            of_row(db, row.id, row.master, row.wrapped)
        for number in unknown:
            db.known.setdefault(("key", number), None)


# ---------------------------------------------------------------------- the end of a key


def release(db: Transaction, numbers: Collection[int], lane: str = "") -> None:
    """Destroys those of these keys, and of this lane, under which nothing of a person is kept any more."""
    used = or_(
        exists().where(_conversation.c.key_id == _key.c.id),
        exists().where(_lead.c.key_id == _key.c.id),
    )
    mine = or_(_key.c.id.in_(list(numbers)), _key.c.lane == lane)
    gone = list(db.execute(select(_key.c.id).where(mine, _key.c.lane.not_in((HOUSE, LOOK_UPS)), ~used)).scalars())
    if gone:
        db.execute(delete(_key).where(_key.c.id.in_(gone)))
        db.erased = True
        for name, known in list(db.known.items()):
            if isinstance(known, DataKey) and known.number in gone:
                db.known[name] = None


def move(db: Transaction, lane: str, to: str) -> None:
    """The person of one chat goes on in another: what is kept of them there is sealed under the same key."""
    db.execute(update(_key).where(_key.c.lane == lane).values(lane=to))
    db.known["key", to], db.known["key", lane] = db.known.get(("key", lane)) or of_lane(db, to), None


# ---------------------------------------------------------------------- the database as a whole


def look_ups(db: Transaction) -> bytes:
    """The secret that every keyed hash is made with. It outlives the master key. Raises BadKey for a wrong one."""
    row = db.execute(_OF_LANE, {"lane": LOOK_UPS}).one()
    return db.keys.unwrap(row.master, row.id, row.wrapped)


def count(db: Transaction) -> dict[str, int]:
    """How many keys each master wraps, by its name."""
    rows = db.execute(select(_key.c.master, func.count()).group_by(_key.c.master))
    return {str(master): int(number) for master, number in rows}


def in_use(db: Transaction) -> str:
    """The name of the master that wraps new keys."""
    return str(db.execute(_HOUSE).one().master)


def go_on_with(db: Transaction, master: str) -> None:
    """From now on new keys are wrapped by this master: the house's own key says so."""
    row = db.execute(select(_key).where(_key.c.lane == HOUSE).with_for_update()).one()
    _rewrap(db, [row], master)


def rewrap(db: Transaction, master: str, most: int) -> int:
    """Wraps some keys that another master wraps by this one. Returns how many; 0 when all are."""
    old = select(_key).where(_key.c.master != master).order_by(_key.c.id).limit(most)
    rows = db.execute(old.with_for_update(skip_locked=True)).all()
    _rewrap(db, rows, master)
    return len(rows)


def _rewrap(db: Transaction, rows: Iterable[Any], master: str) -> None:
    for row in rows:
        secret = db.keys.unwrap(row.master, row.id, row.wrapped)
        again = {"master": master, "wrapped": db.keys.wrap(master, row.id, secret)}
        db.execute(update(_key).where(_key.c.id == row.id, _key.c.wrapped == row.wrapped).values(**again))


def read_file(path: Path) -> list[str]:
    """The masters in a file, one a line, the one to go on with first. Raises OSError."""
    return [line.strip() for line in path.read_text(encoding="ascii").splitlines() if line.strip()]
