"""What happens because time went by: reminders that were asked for, and the end of retention."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.deployment import Deployment
from bot.messages import Inbound
from bot.store import Store, conversations
from bot.turns import take_turn
from flows.engine import today_of

log = logging.getLogger(__name__)

DAYTIME = range(9, 20)
RECEIPTS = timedelta(days=7)


def sweep(store: Store, deployment: Deployment, now: datetime) -> int:
    """Takes every step that is due. Each is idempotent; returns how many reminders went out."""
    flow = deployment.library.newest(deployment.trial)
    sent = 0
    if _local_hour(flow.trial.timezone, now) in DAYTIME:
        with store.begin() as db:
            due = conversations.reminders_due(db, today_of(flow, now))
        for kept in due:
            reminder = Inbound(
                channel=kept.channel,
                external_id=f"t:{kept.tag}:reminder:{kept.revision}",
                chat=kept.chat,
                sender=kept.chat,
                kind="elapsed",
                text="reminder",
            )
            sent += take_turn(reminder, store, deployment, now)
            with store.begin() as db:
                conversations.note(db, kept.id, remind_on=None)
    with store.begin() as db:
        for channel, chat in conversations.forgotten(db, now - timedelta(days=deployment.keep_days)):
            conversations.erase(db, channel, chat, wishes=False)
            log.info("answers erased after %s days without a lead", deployment.keep_days)
        conversations.forget_receipts(db, now - RECEIPTS)
    return sent


def _local_hour(timezone: str, now: datetime) -> int:
    return now.astimezone(ZoneInfo(timezone)).hour
