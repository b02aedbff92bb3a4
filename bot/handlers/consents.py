"""A yes is kept with the words that it was given to; a yes taken back has its consequence at once."""

from __future__ import annotations

import hashlib

from bot.handlers.happening import Happening
from bot.store import consents, conversations
from bot.store.transaction import Transaction
from flows.flow import Step
from flows.turn import ConsentsWished, ConsentTakenBack


def given(db: Transaction, happening: Happening, kind: str, step: Step) -> None:
    """``step`` is the question that was answered with yes."""
    kept, flow, locale = happening.kept, happening.flow, happening.after.locale
    consents.give(
        db,
        happening.now,
        channel=kept.channel,
        chat=kept.chat,
        tag=kept.tag,
        kind=kind,
        version=f"{flow.name} {flow.trial.text_version}",
        hash=_hash(happening, step),
        locale=locale,
    )


def given_by(db: Transaction, happening: Happening, kind: str, does: str) -> None:
    """The same, for the question whose yes does this."""
    step = next(step for step in happening.flow.steps if any(option.does == does for option in step.options))
    given(db, happening, kind, step)


def _hash(happening: Happening, step: Step) -> str:
    """Over the words of the question and of its buttons in the language they were read in.

    Names, days and the person's own details are put in later and are not in it: it tells nothing of anybody.
    """
    words = happening.deployment.languages.patient(happening.after.locale)
    said = [step.text, step.help, *(text for option in step.options for text in (option.label, option.detail))]
    shown = "\n".join(words.text(step.context, text) for text in said if text)
    return hashlib.sha256(shown.encode()).hexdigest()


def wished(db: Transaction, happening: Happening, event: ConsentsWished) -> dict[str, str]:
    """The last yes of each kind: ``health=2026-11-22``, with the day it was taken back after a slash."""
    kept, zone = happening.kept, happening.flow.trial.timezone
    last = {row["kind"]: row for row in consents.of_chat(db, kept.channel, kept.chat)}
    days = {
        kind: "/".join(happening.day(last[kind][name], zone) for name in ("at", "withdrawn_at") if last[kind][name])
        for kind in consents.KINDS
        if kind in last
    }
    return {"consents": ";".join(f"{kind}={day}" for kind, day in days.items())}


def taken_back(db: Transaction, happening: Happening, event: ConsentTakenBack) -> None:
    """Of a reminder or of news: nothing more is sent, and nothing else changes."""
    kept = happening.kept
    consents.take_back(db, kept.channel, kept.chat, event.kind, happening.now)
    if event.kind == "reminder":
        conversations.note(db, kept.id, remind_on=None)
    else:
        conversations.drop_interest(db, kept.channel, kept.chat)
