"""What a handler may look at: the turn that is being written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.deployment import Deployment
from bot.desk.cards import Cards, cards_for
from bot.store.conversations import Kept
from flows.conversation import Conversation
from flows.flow import Flow


@dataclass(frozen=True, slots=True)
class Happening:
    deployment: Deployment
    flow: Flow
    kept: Kept
    after: Conversation
    """The conversation as the turn leaves it."""
    now: datetime

    def day(self, moment: datetime, zone: str) -> str:
        """The day of a moment in a time zone, as 2026-11-22."""
        return moment.astimezone(ZoneInfo(zone)).date().isoformat()

    def cards(self, language: str = "") -> Cards:
        """Lead cards in a language of the staff; the group's own where none is given."""
        return cards_for(self.deployment, self.flow, language or self.deployment.staff_language)
