"""What happens because time went by: reminders that were asked for, and the end of retention."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from bot import crash, retention
from bot.deployment import Deployment
from bot.messages import Inbound
from bot.store import conversations
from bot.store.conversations import Kept
from bot.store.transaction import Transaction
from bot.turns import take_turn
from flows.engine import today_of

DAYTIME = range(9, 20)


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
    """The end of retention, a few people at a time; returns whether there are more."""
    return retention.more(retention.enforce(db, deployment, now))
