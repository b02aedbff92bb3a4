"""How fast a messenger lets one bot talk. Pure: the time is an argument; the one sender asks before each send."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Bucket:
    """Fills at ``rate`` a second up to ``burst``, and to one at least: a send takes one."""

    rate: float
    burst: float
    level: float = field(init=False)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.level = self.burst = max(1.0, self.burst)

    def wait(self, now: float) -> float:
        self._fill(now)
        return max(0.0, (1.0 - self.level) / self.rate)

    def take(self, now: float) -> None:
        self._fill(now)
        self.level -= 1.0

    def _fill(self, now: float) -> None:
        self.level = min(self.burst, self.level + max(0.0, now - self.at) * self.rate)
        self.at = max(self.at, now)


class Limits:
    """Telegram's limits, with room to spare: 25 a second in all, 1 a second to a chat, 18 a minute to a group."""

    ALL, ALL_BURST, CHAT, CHAT_BURST, GROUP, MINUTE = 25.0, 5.0, 1.0, 3.0, 18, 60.0
    SEVERAL, WINDOW = 3, 5.0
    """So many chats refused within so many seconds: then all wait."""
    KEPT = 10_000
    """Chats remembered at once: an idle chat's bucket is full, so forgetting it changes nothing."""

    def __init__(self, speed: float = 1.0) -> None:
        """``speed`` multiplies the limits, for a bot that was granted higher ones."""
        self._speed = speed
        self._all = _Bucket(self.ALL * speed, self.ALL_BURST * speed)
        self._chats: dict[str, _Bucket] = {}
        self._refusals: dict[str, float] = {}
        self._silent_until = 0.0
        self._groups: dict[str, deque[float]] = defaultdict(deque)

    def wait(self, chat: str, now: float) -> float:
        """Seconds until a message may go to this chat; 0 if it may go now. ``now`` is monotonic."""
        return max(
            self._silent_until - now, self._all.wait(now), self._own(chat).wait(now), self._in_group(chat, now)
        )

    def take(self, chat: str, now: float) -> None:
        """Counts a message that goes now."""
        self._all.take(now)
        self._own(chat).take(now)
        if _is_group(chat):
            self._groups[chat].append(now)

    def refused(self, chat: str, wait: float, now: float) -> None:
        """The messenger asked us to wait: one chat is that chat's matter, several at once are everybody's."""
        self._refusals = {who: at for who, at in self._refusals.items() if now - at < self.WINDOW} | {chat: now}
        if len(self._refusals) >= self.SEVERAL:
            self._silent_until = max(self._silent_until, now + wait)
            self._refusals.clear()

    def _own(self, chat: str) -> _Bucket:
        if len(self._chats) > self.KEPT:
            self._chats.clear()
        return self._chats.setdefault(chat, _Bucket(self.CHAT * self._speed, self.CHAT_BURST * self._speed))

    def _in_group(self, chat: str, now: float) -> float:
        if not _is_group(chat):
            return 0.0
        sent = self._groups[chat]
        while sent and sent[0] <= now - self.MINUTE:
            sent.popleft()
        return 0.0 if len(sent) < self.GROUP * self._speed else sent[0] + self.MINUTE - now


def _is_group(chat: str) -> bool:
    """Telegram's groups have negative numbers."""
    return chat.startswith("-")


class Pace:
    """How fast each of many may do something: ``rate`` a second, ``burst`` at once. Kept in memory only."""

    KEPT = 10_000

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, who: str, now: float) -> float:
        """Counts one try, and returns 0; or the seconds until there is room for it. ``now`` is monotonic."""
        if who not in self._buckets and len(self._buckets) >= self.KEPT:
            self._buckets.pop(next(iter(self._buckets)))  # the oldest, which is full again by now
        bucket = self._buckets.setdefault(who, _Bucket(self._rate, self._burst, now))
        wait = bucket.wait(now)
        if wait <= 0:
            bucket.take(now)
        return wait
