"""The heart: what a reply does to a conversation. Pure; the time is an argument."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from flows.answering import confirmed, garbled, gave, narrowed, not_words, ticked
from flows.conversation import Conversation, Pending
from flows.flow import Flow
from flows.reply import (
    Asked,
    Bare,
    Confirmed,
    Elapsed,
    Garbled,
    Gave,
    Narrowed,
    Reply,
    Sent,
    Signalled,
    Ticked,
)
from flows.turn import Ask, Menu, SafetyShown, Show, Turn
from flows.turning import Turning
from flows.wishing import asked


def today_of(flow: Flow, now: datetime) -> date:
    """The day it is at the study, which is the day that dates are counted to."""
    return now.astimezone(ZoneInfo(flow.trial.timezone)).date()


def start(flow: Flow, locale: str, now: datetime) -> Turn:
    """A new conversation, and its first question."""
    first = flow.steps[0].id
    return Turn(Conversation(flow.name, locale, step=first), (Ask(first),))


def advance(flow: Flow, conversation: Conversation, reply: Reply, now: datetime) -> Turn:
    """The turn that a reply makes. Never raises for anything a person may send."""
    turning = Turning(flow, conversation, today_of(flow, now))
    match reply:
        case Asked():
            return asked(turning, reply)
        case Signalled(sign):
            return turning.done(Show("safety", sign), Menu("safety"), event=SafetyShown(sign))
        case Elapsed():
            return turning.done(Menu("reminder"))
        case Garbled("media" | "edited" | "stale" as reason):
            return not_words(turning, reason)
    if conversation.life != "open" or conversation.step is None:
        return turning.done(Menu("start" if conversation.life == "stopped" else "done"))
    match reply:
        case Gave():
            return gave(turning, reply)
        case Ticked():
            return ticked(turning, reply)
        case Sent():
            return gave(turning, Gave(conversation.draft, step=reply.step))
        case Confirmed():
            return confirmed(turning, reply)
        case Bare() if turning.step.kind != "measure":
            return garbled(turning, Garbled("unclear"))
        case Bare():
            return turning.read_back(Pending(conversation.step, reply.number, reply.said, "unit"))
        case Narrowed():
            return narrowed(turning, reply)
        case Garbled():
            return garbled(turning, reply)
