"""A file sealed as a whole under a master key, read and written a piece at a time: copies of the database.

First a line that says what it is, then a line of JSON: which master key wraps the file's own key, and which ones
the copy inside needs besides. Then pieces of AES-256-GCM, numbered and the last one marked, so that none can be
changed, left out, moved or cut off unseen.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bot.store.vault import BadKey, Keyring, Unreadable

MARK = b"Prescreen sealed copy 1\n"
PIECE = 1 << 20
"""Bytes that are sealed at a time."""
_TAG = 16
_HEAD = 4096
"""Bytes of the second line at most."""


class Damaged(Exception):
    """The file is not what was sealed: it was changed or cut off."""


def seal(keys: Keyring, source: Path, to: Path, needs: Collection[str] = ()) -> None:
    """Writes what is in ``source`` to ``to``, sealed. ``needs``: names of masters that what is inside needs."""
    own = secrets.token_bytes(32)
    name = keys.names[0]
    said = {"master": name, "wrapped": keys.wrap(name, 0, own), "needs": sorted({*needs, name})}
    head = MARK + json.dumps(said).encode() + b"\n"
    cipher, number = AESGCM(own), 0
    with source.open("rb") as plain, to.open("wb") as sealed:
        sealed.write(head)
        piece = plain.read(PIECE)
        while True:
            after = plain.read(PIECE)
            sealed.write(cipher.encrypt(_nonce(number, last=not after), piece, head))
            if not after:
                return
            piece, number = after, number + 1


def is_sealed(file: Path) -> bool:
    with file.open("rb") as beginning:
        return beginning.read(len(MARK)) == MARK


def unseal(keys: Keyring, source: Path, to: Path) -> None:
    """The way back. Raises Damaged, and BadKey, before anything is written, where a master is missing."""
    with source.open("rb") as sealed:
        head, said = _head(sealed)
        if missing := {*said["needs"]} - {*keys.names}:
            raise BadKey(f"MASTER_KEY is not the key of this copy: it needs {', '.join(sorted(missing))}.")
        try:
            cipher = AESGCM(keys.unwrap(said["master"], 0, said["wrapped"]))
            with to.open("wb") as plain:
                _pieces(cipher, head, sealed, plain)
        except (Unreadable, InvalidTag) as error:
            raise Damaged from error


def _head(sealed: IO[bytes]) -> tuple[bytes, dict[str, str]]:
    mark, line = sealed.readline(_HEAD), sealed.readline(_HEAD)
    try:
        said = json.loads(line)
        if mark != MARK or not {"master", "wrapped", "needs"} <= said.keys():
            raise Damaged
    except (ValueError, AttributeError) as error:
        raise Damaged from error
    return mark + line, said


def _pieces(cipher: AESGCM, head: bytes, sealed: IO[bytes], plain: IO[bytes]) -> None:
    number, piece = 0, sealed.read(PIECE + _TAG)
    while True:
        after = sealed.read(PIECE + _TAG)
        plain.write(cipher.decrypt(_nonce(number, last=not after), piece, head))
        if not after:
            return
        piece, number = after, number + 1


def _nonce(number: int, *, last: bool) -> bytes:
    """The key is the file's own, so that a number is never used twice under it."""
    return number.to_bytes(11, "big") + bytes([last])
