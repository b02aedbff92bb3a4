"""The heart: what a reply does to a conversation. Pure; the time is an argument."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from flows.answering import confirmed, garbled, gave, narrowed, not_words, ticked
from flows.conversation import Conversation, Pending
from flows.flow import SITE, Flow
from flows.machine import place, turned_away
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
from flows.turn import Ask, Cleared, Menu, SafetyShown, Say, Show, Tell, Turn
from flows.turning import Turning, lacking
from flows.wishing import asked


def today_of(flow: Flow, now: datetime) -> date:
    """The day it is at the study, which is the day that dates are counted to."""
    return now.astimezone(ZoneInfo(flow.trial.timezone)).date()


def start(flow: Flow, locale: str, now: datetime, *, plain: bool = False) -> Turn:
    """A new conversation, and its first question."""
    first = flow.steps[0].id
    return Turn(Conversation(flow.name, locale, step=first, plain=plain), (Ask(first),))


def advance(flow: Flow, conversation: Conversation, reply: Reply, now: datetime) -> Turn:
    """The turn that a reply makes. Never raises for anything a person may send."""
    turning = Turning(flow, conversation, today_of(flow, now))
    if not isinstance(reply, Signalled | Elapsed) and (site := _closed(turning)):
        return _elsewhere(turning, site, reply)
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


def _closed(turning: Turning) -> str:
    """The chosen site, where that is to be asked again before anything else; "" if it is not."""
    flow, old = turning.flow, turning.before
    site = turned_away(flow, old.answers) if old.life == "open" else ""
    return site if site and place(flow, old.answers).step != old.step else ""


def _elsewhere(turning: Turning, site: str, reply: Reply) -> Turn:
    """The chosen site takes nobody any more, and nothing was sent: it is told, and asked again. A wish is heard."""
    gone, old = Cleared(SITE), turning.before
    answers = lacking(old.answers, SITE)
    step = place(turning.flow, answers).step
    moved = replace(old, answers=answers, step=step, pending=None, draft=(), misses=0)
    now, told = turning.on(moved), Tell("site_closed", {"site": site})
    if isinstance(reply, Asked):
        turn = asked(now, reply)
        return replace(turn, says=(told, *turn.says), events=(gone, *turn.events))
    return now.ask(told, event=gone)


def again(flow: Flow, conversation: Conversation, now: datetime) -> tuple[Say, ...]:
    """What is open, asked again: the question, what waits for a yes, or the menu at the end."""
    if conversation.life != "open":
        return (Menu("start" if conversation.life == "stopped" else "done"),)
    return Turning(flow, conversation, today_of(flow, now)).ask().says
