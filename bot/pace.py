"""How fast one chat may talk to us. Pure: the time is an argument; nobody else's chat is looked at."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

SOFT, HARD = 20, 60
"""Updates of one chat in a minute: above the first its replies wait for others, above the second they end."""
MINUTE = timedelta(minutes=1)
MOST = 10_000
"""Chats that are remembered at once: of more, the one that was silent for longest is forgotten."""

Fate = Literal["well", "slow", "first", "over"]
"""slow: answered after the others. over: only that it came is noted. first: the first of those, which is told."""


@dataclass(slots=True)
class Pace:
    """Counts what each chat sent, by the minutes of the clock."""

    hard: int = HARD
    """Updates a minute above which only that they came is noted; a third of it is answered after the others."""
    _chats: OrderedDict[str, tuple[int, int]] = field(default_factory=OrderedDict)
    """The minute that each chat is in, and how much it sent in it."""

    def count(self, lane: str, at: datetime) -> Fate:
        """What is to become of one more update of this chat.

        ``at`` is when it was sent. When we came to it would make a flood of what waited through an outage.
        """
        minute = int(at.timestamp() // MINUTE.total_seconds())
        known, number = self._chats.get(lane, (minute, 0))
        number = number + 1 if known == minute else 1
        self._chats[lane] = minute, number
        self._chats.move_to_end(lane)
        if len(self._chats) > MOST:
            self._chats.popitem(last=False)
        if number <= max(SOFT, self.hard // 3):
            return "well"
        if number <= self.hard:
            return "slow"
        return "first" if number == self.hard + 1 else "over"
