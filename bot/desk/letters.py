"""What a member of staff is told in private: in the messenger, or else by mail."""

from __future__ import annotations

from datetime import datetime

from bot.deployment import Deployment
from bot.desk.cards import Cards
from bot.messages import Envelope
from bot.store import outbox, staff
from bot.store.outbox import Due
from bot.store.sites import SiteNow
from bot.store.staff import Member
from bot.store.transaction import Transaction

MAIL = "mail"
"""The channel in which a chat is an address."""
DESK = "the study desk"
LINES = (DESK,)


def tell_member(
    db: Transaction, deployment: Deployment, member: Member, subject: str, text: str, key: str, now: datetime
) -> bool:
    """Tells somebody of the staff in private: in the messenger, or else by mail. False if there is no way.

    ``key`` is a name that no other message has; ``subject`` stands above a mail.
    """
    if member["telegram_id"] is not None:
        chat, envelope = str(member["telegram_id"]), Envelope(text, subject=subject, key=key)
        outbox.put(db, deployment.staff_channel, chat, envelope, key, now, priority=outbox.STAFF)
        return True
    return mail_member(db, deployment, member, subject, text, key, now)


def mail_member(
    db: Transaction, deployment: Deployment, member: Member, subject: str, text: str, key: str, now: datetime
) -> bool:
    """The same by mail only. The queue's address stands below, where there is one."""
    if not deployment.mail or not member["email"]:
        return False
    below = f"\n\n{deployment.desk_url}/desk" if deployment.desk_url else ""
    envelope = Envelope(text + below, subject=subject, key=key)
    outbox.put(db, MAIL, member["email"], envelope, key, now, priority=outbox.STAFF)
    return True


def by_mail_instead(db: Transaction, deployment: Deployment, due: Due, now: datetime) -> None:
    """The bot may not write to this member: what stands under a subject, which names nobody, goes by mail."""
    member = staff.by_telegram(db, due.chat) if due.channel == deployment.staff_channel else None
    if member is None:
        return
    for letter in outbox.waiting_for(db, due.channel, due.chat):
        if letter.subject:
            mail_member(db, deployment, member, letter.subject, letter.text, f"{letter.key}:by_mail", now)


def site_name(cards: Cards, site: SiteNow) -> str:
    """A site as this language calls it."""
    return cards.patient.text(f"{cards.flow.trial.slug}.site", site.name) if site.key else cards.line(DESK)
