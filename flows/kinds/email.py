"""An e-mail address that can exist; one that looks like a slip of a well-known one is read back."""

from __future__ import annotations

import unicodedata
from datetime import date

from flows.answer import Value
from flows.flow import Step
from flows.reply import Garbled, Gave
from flows.words import Ear, Words

CAP = 320
KNOWN = frozenset({
    "gmail.com", "googlemail.com", "hotmail.com", "hotmail.es", "hotmail.fr", "hotmail.co.uk", "outlook.com",
    "outlook.es", "live.com", "msn.com", "yahoo.com", "yahoo.es", "yahoo.fr", "yahoo.co.uk", "yahoo.com.mx",
    "yahoo.com.ar", "ymail.com", "icloud.com", "me.com", "mac.com", "mail.com", "email.com", "aol.com",
    "proton.me", "protonmail.com", "gmx.com", "gmx.net", "gmx.de", "web.de", "mail.ru", "yandex.ru",
    "yandex.com", "qq.com", "foxmail.com", "163.com", "126.com", "139.com", "189.com", "yeah.net", "sina.com",
    "sina.cn", "sohu.com", "aliyun.com", "21cn.com", "telefonica.net",
})  # fmt: skip
"""Domains that many people have their mail at."""


def read(step: Step, text: str, ear: Ear, today: date) -> Gave | Garbled:
    """Sure if the message is nothing but the address, and its domain is not one or two letters off."""
    typed = unicodedata.normalize("NFKC", text[:CAP]).replace("。", ".").strip()
    words = [word.strip("<>()[]\"',;:!?.").removeprefix("mailto:") for word in typed.split()]
    found = [word for word in words if "@" in word]
    address = _normal(found[0]) if len(found) == 1 else None
    if address is None:
        return Garbled("unclear")
    return Gave(address, text.strip(), sure=len(words) == 1 and not _is_slip(address.rpartition("@")[2]))


def accept(step: Step, data: object) -> Value:
    address = _normal(data) if isinstance(data, str) else None
    if address is None:
        raise ValueError("not an e-mail address")
    return address


def show(step: Step, value: Value, words: Words) -> str:
    return value if isinstance(value, str) else ""


def _normal(address: str) -> str | None:
    import email_validator  # noqa: PLC0415 - slow to import, and only contact steps need it

    try:
        return email_validator.validate_email(address, check_deliverability=False).normalized
    except email_validator.EmailNotValidError:
        return None


def _is_slip(domain: str) -> bool:
    """``gmial.com``, ``qq.con``: near a well-known domain, and not one itself."""
    domain = domain.casefold()
    return domain not in KNOWN and any(_distance(domain, known) <= 1 + (len(known) > 7) for known in KNOWN)


def _distance(one: str, other: str) -> int:
    """Letters to add, drop or change until ``one`` is ``other``; 9 for anything over two apart."""
    if abs(len(one) - len(other)) > 2:
        return 9
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        before, row[0] = row[0], at
        for place, match in enumerate(other, 1):
            changed = before + (letter != match)
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, changed)
    return row[-1]
