"""How staff get in: by a link that works once, or by a password with a second factor. Who tries too often waits."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from datetime import datetime

from bot.deployment import Deployment
from bot.desk import passwords
from bot.messages import Envelope
from bot.store import audit, marks, outbox, sessions, staff
from bot.store.staff import Member
from bot.store.transaction import Transaction
from bot.words import CatalogueWords
from flows.speak import fill

MAIL = "mail"
"""The name of the channel that mail goes by."""

LINK = "Sign in to the study desk: {link} It works once, for 10 minutes. Did you not ask for it? Then do nothing."
SUBJECT = "Sign in to the study desk"
NO_DESK = "There is no web inbox here. Your leads arrive in this chat."
LINES = (LINK, SUBJECT, NO_DESK)


def new_token() -> str:
    """256 bits that nobody can guess."""
    return secrets.token_urlsafe(32)


def hashed(token: str) -> str:
    """What is stored of a token. It is random, so it needs no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


# ---------------------------------------------------------------------- who tries too often


def keys_of(deployment: Deployment, account: str, address: str) -> tuple[str, str]:
    """What a try counts against: the account, and where it came from. Keyed hashes: nobody can be read off."""
    key = deployment.secret("sign-in")
    values = (f"account {account.strip().lower()}", f"address {_network(address)}")
    one, other = (hashlib.blake2b(value.encode(), key=key, digest_size=16).hexdigest() for value in values)
    return one, other


def _network(address: str) -> str:
    """The address; of version 6 the network, which is what one customer gets."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)


def try_it(db: Transaction, keys: tuple[str, ...], now: datetime) -> bool:
    """Counts a try. False when there were too many; it then counts no further, so that the wait ends."""
    if any(sessions.tries(db, key, now) >= sessions.TRIES for key in keys):
        return False
    for key in keys:
        sessions.note_try(db, key, now)
    return True


# ---------------------------------------------------------------------- by a link


def make_link(db: Transaction, deployment: Deployment, member: Member, now: datetime) -> str:
    """A link that lets this member in, once and soon."""
    token = new_token()
    sessions.forget(db, now)
    sessions.add_link(db, member["id"], hashed(token), now)
    return f"{deployment.desk_url}/desk/link/{token}"


def send_link(db: Transaction, deployment: Deployment, member: Member, now: datetime) -> bool:
    """Sends a link to the member's private chat, or else by mail where there is a way. Whether it is under way."""
    chat = str(member["telegram_id"]) if member["telegram_id"] is not None else ""
    if not deployment.desk_url or not (chat or (deployment.mail and member["email"])):
        return False
    words = deployment.languages.staff(member["language"])
    link = make_link(db, deployment, member, now)
    text = fill(words.text("staff", LINK), {"link": link})
    key = f"sign-in:{hashed(link)[:32]}"
    if chat:  # under a subject: where the bot may not write to them, it goes by mail
        envelope = Envelope(text, protect=True, subject=words.text("staff", SUBJECT), key=key)
        outbox.put(db, deployment.staff_channel, chat, envelope, key, now, priority=outbox.STAFF)
    else:
        outbox.put(db, MAIL, member["email"], _mail(text, words, key), key, now, priority=outbox.STAFF)
    audit.record(db, "sign_in.link", member["id"])
    return True


def _mail(text: str, words: CatalogueWords, key: str) -> Envelope:
    return Envelope(text, subject=words.text("staff", SUBJECT), key=key)


def by_link(db: Transaction, token: str, now: datetime) -> Member | None:
    """Whose link it is. It is used up by this."""
    member = staff.by_id(db, sessions.use_link(db, hashed(token), now))
    return member if member is not None and member["active"] else None


# ---------------------------------------------------------------------- by a password


def by_password(db: Transaction, email: str, kept: str, right: bool, code: str, now: datetime) -> Member | None:
    """The member, if the password was ``right`` (it is checked outside, as it takes long) and the code is new.

    ``kept`` is the hash that it was checked against: one that was changed meanwhile lets nobody in.
    """
    member = staff.by_email(db, email) if email.strip() else None
    key = f"totp:{member['id']}" if member else "totp:0"
    used = marks.get(db, key)
    secret = staff.second_factor(db, member) if member else ""
    step = passwords.code_fits(secret, code, now, int(used["data"]) if used else 0)
    if member is None or not right or member["password"] != kept or step is None:
        return None
    marks.put(db, key, now, step)
    return member


# ---------------------------------------------------------------------- in


def let_in(db: Transaction, member: Member, keys: tuple[str, ...], how: str, now: datetime) -> str:
    """Begins a session and returns its token, which nobody had before."""
    token = new_token()
    sessions.forget(db, now)
    sessions.begin(db, member["id"], hashed(token), now)
    for key in keys:
        sessions.forget_tries(db, key)
    audit.record(db, f"sign_in.{how}", member["id"])
    return token


def signed_in(db: Transaction, token: str, now: datetime) -> tuple[Member, datetime] | None:
    """Whose session it is, and when it was last used, if it goes on and its member may still be here."""
    session = sessions.live(db, hashed(token), now) if token else None
    member = staff.by_id(db, session["staff_id"]) if session else None
    return (member, session["seen_at"]) if session and member is not None and member["active"] else None
