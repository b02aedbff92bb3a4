"""What happens because time went by: reminders that were asked for, and the end of retention."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot import crash
from bot.deployment import Deployment
from bot.messages import Inbound
from bot.store import conversations, outbox
from bot.store.conversations import Kept
from bot.store.transaction import Transaction
from bot.turns import take_turn
from flows.engine import today_of

log = logging.getLogger(__name__)

DAYTIME = range(9, 20)
FEW, MANY = 20, 5000
"""People, and rows, that one step of forgetting removes."""
KEPT = timedelta(days=7)
"""How long receipts and sent messages stay: Telegram sends nothing again after a day."""


def reminders(db: Transaction, deployment: Deployment, now: datetime) -> list[Inbound]:
    """The reminders that are due, in the daytime of the study's site; each is then a turn of its own."""
    flow = deployment.library.newest(deployment.trial)
    if now.astimezone(ZoneInfo(flow.trial.timezone)).hour not in DAYTIME:
        return []
    return [
        Inbound(
            channel=kept.channel,
            external_id=_key(kept),
            chat=kept.chat,
            sender=kept.chat,
            kind="elapsed",
            text="reminder",
        )
        for kept in conversations.reminders_due(db, today_of(flow, now))
    ]


def _key(kept: Kept) -> str:
    return f"t:{kept.tag}:reminder:{kept.revision}"


def remind(reminder: Inbound, db: Transaction, deployment: Deployment, now: datetime) -> bool:
    """Gives one reminder, once, whoever else tries to; none if the conversation went on or is gone meanwhile."""
    kept = conversations.current(db, reminder.channel, reminder.chat)
    if kept is None or _key(kept) != reminder.external_id:
        return False
    given = take_turn(reminder, db, deployment, now)
    conversations.note(db, kept.id, remind_on=None)
    db.counts["reminders_sent", ""] += given
    crash.point("reminded")
    return given


def forget(db: Transaction, deployment: Deployment, now: datetime) -> bool:
    """The end of retention: answers without a lead, and what only served to take and send things once.

    A few people at a time, since everybody else waits meanwhile; returns whether there are more.
    """
    old = conversations.forgotten(db, now - timedelta(days=deployment.keep_days), FEW)
    for channel, chat in old:
        conversations.erase(db, channel, chat, wishes=False)
        log.info("answers erased after %s days without a lead", deployment.keep_days)
    conversations.forget_receipts(db, now - KEPT, MANY)
    outbox.forget(db, now - KEPT, MANY)
    return len(old) == FEW
