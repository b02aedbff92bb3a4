"""Passwords of staff and their second factor: how they are kept, checked, and which are refused. No database."""

from __future__ import annotations

import base64
import hmac
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 200
DISTINCT = 5
"""Different characters that a password needs."""
STEP = 30
"""Seconds that a code of the second factor is good for."""

TOO_SHORT = "Use at least {number} characters. A few words in a row are easy to remember."
TOO_LONG = "Use at most {number} characters."
TOO_COMMON = "This password is on lists of common ones. Use another."
LINES = (TOO_SHORT, TOO_LONG, TOO_COMMON)

_COMMON = frozenset(
    """
    password passwort contraseña qwertyuiop qwerty asdfghjkl zxcvbnm 1qaz2wsx3edc 1234567890 0987654321 123456789
    abcdefgh abc123 iloveyou letmein welcome monkey dragon football baseball sunshine princess superman batman
    trustno1 administrator admin changeme default secret master hospital clinic prescreen nurse doctor research
    woaini 5201314 zhongguo mima wodemima
    """.split()  # noqa: SIM905 (a list of forty words is easier to read so)
)
"""What the long passwords of the published lists are made of, once or in a row, with digits around them."""

_hasher = PasswordHasher()


@cache
def _nobodys() -> str:
    """A hash to look at where there is no account, so that it takes as long."""
    return _hasher.hash("the password of nobody")


def keep(password: str) -> str:
    """What is stored: an argon2id hash. Takes a noticeable time and 64 MiB, as it should."""
    return _hasher.hash(password)


def fits(kept: str, password: str) -> bool:
    """Whether it is the password. Where there is none (``kept`` is "") the answer takes as long, and is no."""
    try:
        _hasher.verify(kept or _nobodys(), password[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        return False
    return bool(kept)


def refusal(password: str, *about: str) -> tuple[str, int] | None:
    """Why a new password is refused, as a line for staff and its number; None if it is fine.

    ``about`` are words that everybody knows of its owner, such as their name.
    """
    if len(password) < SHORTEST:
        return TOO_SHORT, SHORTEST
    if len(password) > LONGEST:
        return TOO_LONG, LONGEST
    bare = "".join(sign for sign in password.casefold() if sign.isalnum())
    for word in sorted((*_COMMON, *(word.casefold() for word in about if len(word) > 2)), key=len, reverse=True):
        bare = bare.replace(word, "")
    rest = bare.strip("0123456789")
    if len(set(password)) < DISTINCT or len(rest) < SHORTEST // 3 or _runs(password):
        return TOO_COMMON, 0
    return None


def _runs(password: str) -> bool:
    """Characters that only follow each other in their order, like abcdefghijkl."""
    steps = {ord(after) - ord(before) for before, after in pairwise(password)}
    return len(steps) == 1


# ---------------------------------------------------------------------- the second factor


def new_secret(seed: bytes) -> str:
    """The secret of a second factor, made from 20 bytes or more that nobody else knows."""
    return base64.b32encode(seed[:20]).decode()


def address(secret: str, account: str, issuer: str) -> str:
    """What the QR code says to an authenticator app."""
    return pyotp.TOTP(secret, interval=STEP).provisioning_uri(name=account, issuer_name=issuer)


def code_fits(secret: str, code: str, now: datetime, after: int = 0) -> int | None:
    """The number of the time step that a code is good for, one step of a wrong clock allowed; None if it is not.

    Steps up to ``after`` were used already: a code works once.
    """
    typed = "".join(sign for sign in code if sign.isdecimal() and sign.isascii())
    found = None
    totp = pyotp.TOTP(secret or new_secret(b"nobody at all, really"), interval=STEP)
    for drift in (-1, 0, 1):
        at = now + timedelta(seconds=drift * STEP)
        number = int(at.timestamp()) // STEP
        if hmac.compare_digest(totp.at(at), typed) and number > after and secret:
            found = number
    return found
