"""The sender's limits against a strict counter, on a clock of the test's own."""

from __future__ import annotations

from collections import Counter, deque

from hypothesis import given
from hypothesis import strategies as st

from bot.limits import Limits


class Strict:
    """Refuses what Telegram would: above 30 in any second, 3 in a second to a chat, 20 in a minute to a group."""

    def __init__(self) -> None:
        self.sent: dict[str, deque[float]] = {}

    def accepts(self, chat: str, now: float) -> bool:
        for name, most, span in (
            ("all", 30, 1.0),
            (chat, 20 if chat.startswith("-") else 4, 60.0 if chat.startswith("-") else 1.0),
        ):
            times = self.sent.setdefault(name, deque())
            while times and times[0] <= now - span:
                times.popleft()
            if len(times) >= most:
                return False
        for name in ("all", chat):
            self.sent[name].append(now)
        return True


def test_five_thousand_sends_are_never_too_fast_and_hardly_slower_than_allowed() -> None:
    limits, strict, now = Limits(), Strict(), 0.0
    left = Counter({str(chat): 10 for chat in range(480)}) + Counter({"-100": 50})
    total = sum(left.values())
    while left:
        waits = {chat: limits.wait(chat, now) for chat in left}
        chat = min(waits, key=waits.__getitem__)
        now += waits[chat] + 1e-9
        assert strict.accepts(chat, now)
        limits.take(chat, now)
        left -= Counter({chat: 1})
        if not left.keys() - {"-100"}:
            break
    assert (total - sum(left.values())) / now >= 24


@given(st.lists(st.tuples(st.sampled_from(["1", "2", "-100"]), st.floats(0, 5)), max_size=120))
def test_whoever_waits_as_told_is_never_refused(wishes: list[tuple[str, float]]) -> None:
    limits, strict, now = Limits(), Strict(), 0.0
    for chat, pause in wishes:
        now += pause
        now += limits.wait(chat, now) + 1e-9
        assert strict.accepts(chat, now)
        limits.take(chat, now)


def test_three_messages_of_one_turn_go_at_once() -> None:
    limits = Limits()
    for _ in range(3):
        limits.take("1", 0.0)
    assert limits.wait("1", 0.0) >= 1.0 - 1e-9
    assert limits.wait("2", 1.0) == 0.0


@given(st.floats(0.001, 100))
def test_at_any_speed_something_may_go(speed: float) -> None:
    """A bucket that holds less than one message would never let it go."""
    for chat in ("1", "-100"):
        limits = Limits(speed)
        assert limits.wait(chat, 0.0) == 0.0
        limits.take(chat, 0.0)
        assert limits.wait(chat, 60.0 + 1 / speed) < 1e-6
