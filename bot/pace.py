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
class _Minute:
    """What came since the minute began."""

    began: datetime
    number: int = 0


@dataclass(slots=True)
class Pace:
    """Counts what came from each chat, minute by minute."""

    hard: int = HARD
    """Updates a minute above which only that they came is noted; a third of it is answered after the others."""
    _chats: OrderedDict[str, _Minute] = field(default_factory=OrderedDict)

    def count(self, lane: str, now: datetime) -> Fate:
        """What is to become of one more update of this chat."""
        minute = self._chats.get(lane)
        if minute is None or not timedelta(0) <= now - minute.began < MINUTE:
            minute = self._chats[lane] = _Minute(now)
        self._chats.move_to_end(lane)
        if len(self._chats) > MOST:
            self._chats.popitem(last=False)
        minute.number += 1
        if minute.number <= max(SOFT, self.hard // 3):
            return "well"
        if minute.number <= self.hard:
            return "slow"
        return "first" if minute.number == self.hard + 1 else "over"
