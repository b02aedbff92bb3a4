"""Which master keys a command has: from the environment, from a file, or from the file beside a trial database."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from sqlalchemy.engine import make_url

from bot.settings import REMEDIES, BadSettings, Settings
from bot.store.vault import Keyring, read_file

SHORTEST = 32


def keyring(settings: Settings) -> Keyring:
    """The keys that are set; else those of the file that ``prescreen chat`` made. Raises BadSettings."""
    if settings.master_key is not None:
        old = settings.master_keys_old.get_secret_value().split() if settings.master_keys_old is not None else []
        return Keyring([settings.master_key.get_secret_value(), *old])
    path = Path(settings.master_key_file) if settings.master_key_file else _beside(settings)
    if path is None or not (settings.master_key_file or path.exists()):
        raise BadSettings([f"MASTER_KEY is missing. {REMEDIES['MASTER_KEY']}"])
    return Keyring(_read(path), lambda: _read(path))


def make_one(settings: Settings) -> Path | None:
    """A new key in a file beside an SQLite database that is not there yet, where none is set. Returns the file."""
    path = _beside(settings)
    if settings.master_key is not None or settings.master_key_file or path is None or path.exists():
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w", encoding="ascii") as file:
        file.write(f"{new()}\n")
    return path


def new() -> str:
    """A master key: 43 letters, digits, _ or -, of which 256 bits are at random."""
    return secrets.token_urlsafe(32)


def _beside(settings: Settings) -> Path | None:
    url = make_url(settings.database_url)
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(f"{url.database}.key")


def _read(path: Path) -> list[str]:
    try:
        open_to_others = path.stat().st_mode & 0o077
        found = read_file(path)
    except (OSError, UnicodeDecodeError):
        raise BadSettings([f"MASTER_KEY_FILE cannot be read. {REMEDIES['MASTER_KEY_FILE']}"]) from None
    if open_to_others:
        raise BadSettings(["MASTER_KEY_FILE can be read by others. Run: chmod 600 on it."])
    if not found or any(len(one) < SHORTEST for one in found):
        raise BadSettings([f"MASTER_KEY_FILE is not valid. {REMEDIES['MASTER_KEY_FILE']}"])
    return found
