"""Staff and a person write to each other in the person's chat: the bot is silent there until it is handed back.

Who holds a conversation is one member of staff, and a member holds one at a time: so it is never in doubt to whom
something is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from bot.deployment import Deployment
from bot.desk.actions import NOT_NOW, Acting, Refused
from bot.desk.cards import STATUS
from bot.desk.telling import BACK, WRITES, let_go, tell, tell_holder
from bot.messages import lane_of
from bot.store import conversations, leads, staff
from bot.store.conversations import Kept
from bot.store.leads import Lead, reference
from bot.store.transaction import Transaction
from flows.kinds.text import clean
from flows.turn import Tell

IDLE = timedelta(days=1)
"""After this long without a word from staff, the bot talks again."""
LONGEST = 3000
"""Characters of one message: every messenger takes as many in one piece."""

NOBODY_THERE = "{reference}: this person cannot be written to in the chat."
ONE_AT_A_TIME = "You are writing to {reference}. Hand that chat back first."
NOTHING = "There is nothing to send."
TOO_LONG = "This is too long. Please send it in two messages."
LINES = (NOBODY_THERE, ONE_AT_A_TIME, NOTHING, TOO_LONG)


def take_over(acting: Acting, lead_id: int) -> Kept:
    """The member talks with the person of a lead of theirs, who is told so. The bot is silent from now on.

    Raises NotThere and Refused like every act on a lead; also Refused while the member talks with somebody else.
    """
    _, kept = _both(acting, lead_id)
    for other in conversations.held(acting.db, acting.member["id"]):
        if other.id != kept.id:
            raise Refused(ONE_AT_A_TIME, reference=_reference(acting, other))
    if kept.held_by != acting.member["id"]:
        conversations.hold(acting.db, kept, acting.member["id"])
        _known(acting, writes=True)
        leads.record(acting.db, lead_id, "took_over", acting.now, acting.member["id"])
        key = f"lead:{lead_id}:took_over:{acting.key}"
        _tell(acting, kept, Tell("talk_open", {"name": acting.member["name"]}), key)
    return kept


def say(acting: Acting, lead_id: int, text: str = "", phrase: str = "") -> str:
    """Sends the member's own words, or an approved phrase by its name. Returns what the person reads.

    Takes the conversation over, where the member did not hold it yet.
    """
    words = clean(text).strip()
    if phrase:
        lead, kept = _both(acting, lead_id)
        words = phrases(acting, lead, kept.conversation.locale).get(phrase, "")
    if not words:
        raise Refused(NOTHING)
    if len(words) > LONGEST:
        raise Refused(TOO_LONG)
    kept = take_over(acting, lead_id)
    leads.record(acting.db, lead_id, "said", acting.now, acting.member["id"])
    said = Tell("talk_line", {"name": acting.member["name"], "text": words})
    _tell(acting, kept, said, f"lead:{lead_id}:said:{acting.key}")
    return words


def hand_back(acting: Acting, lead_id: int) -> bool:
    """The bot talks again, the person is told, and the open question comes again. False if it did so already."""
    lead = acting.own(lead_id)
    done = let_go(
        acting.db, acting.deployment, lead["channel"], lead["chat"], f"lead:{lead_id}:{acting.key}", acting.now
    )
    if done:
        _known(acting, writes=False)
        leads.record(acting.db, lead_id, "handed_back", acting.now, acting.member["id"])
    return done


def phrases(acting: Acting, lead: Lead, locale: str) -> Mapping[str, str]:
    """The approved phrases by name, as somebody with this language reads them."""
    words = acting.deployment.languages.patient(locale)
    known = acting.flow_of(lead).phrases
    return {name: words.text(f"phrase.{name}", text) for name, text in known.items()}


def transcript(acting: Acting, lead_id: int) -> list[dict[str, Any]]:
    """What staff and the person of a lead wrote to each other, in order: text, outgoing, at, name (of the member).

    What the person and the bot said to each other is not in it.
    """
    lead = acting.own(lead_id)
    return conversations.talk(acting.db, lead["channel"], lead["chat"], lead["created_at"]) if lead["chat"] else []


def holder(acting: Acting, lead_id: int) -> int | None:
    """The id of the member of staff who talks with the person of a lead; None for the bot."""
    lead = acting.lead(lead_id)
    kept = conversations.current(acting.db, lead["channel"], lead["chat"]) if lead["chat"] else None
    return kept.held_by if kept is not None else None


def pass_on(db: Transaction, deployment: Deployment, kept: Kept, text: str, key: str, now: datetime) -> None:
    """What the person wrote goes into the transcript, and to the member of staff who talks with them."""
    assert kept.held_by is not None
    conversations.add_message(
        db, kept.id, text, now, outgoing=False, step=kept.conversation.step, staff_id=kept.held_by
    )
    flow = deployment.library.flow(kept.conversation.flow)
    lead = leads.open_of(db, kept.channel, kept.chat, flow.trial.slug)
    if lead is not None:
        tell_holder(db, deployment, lead, kept.held_by, WRITES, key, now, text=text)


def hand_back_idle(db: Transaction, deployment: Deployment, now: datetime) -> int:
    """Where staff have said nothing for a day, or are no staff any more, the bot talks again. Returns how often."""
    done = 0
    for kept in conversations.held(db):
        last, member = conversations.last_talk(db, kept.id), staff.by_id(db, kept.held_by)
        if last is not None and now - last < IDLE and member is not None and member["active"]:
            continue
        flow = deployment.library.flow(kept.conversation.flow)
        lead, mine = leads.open_of(db, kept.channel, kept.chat, flow.trial.slug), kept.held_by
        current = conversations.current(db, kept.channel, kept.chat)
        if current is None or current.id != kept.id:  # another conversation has taken its place
            conversations.hold(db, kept, None)
            continue
        key = f"idle:{kept.tag}:{kept.revision}:{now:%Y%m%d%H%M}"
        done += let_go(db, deployment, kept.channel, kept.chat, key, now)
        if lead is not None and mine is not None:
            leads.record(db, lead["id"], "handed_back", now, detail="idle")
            tell_holder(db, deployment, lead, mine, BACK, key, now)
    return done


def _both(acting: Acting, lead_id: int) -> tuple[Lead, Kept]:
    """The lead and the chat of its person, if somebody may talk there."""
    lead = acting.own(lead_id)
    if lead["status"] in ("closed", "withdrawn"):
        cards = acting.cards(lead, acting.member["language"])
        raise Refused(NOT_NOW, reference=reference(lead_id), status=cards.line(STATUS[lead["status"]]))
    kept = conversations.current(acting.db, lead["channel"], lead["chat"]) if lead["chat"] else None
    if kept is None or not kept.reachable:
        raise Refused(NOBODY_THERE, reference=reference(lead_id))
    return lead, kept


def _tell(acting: Acting, kept: Kept, said: Tell, key: str) -> None:
    tell(acting.db, acting.deployment, kept, [said], key, acting.now, staff_id=acting.member["id"])


def _known(acting: Acting, *, writes: bool) -> None:
    """What follows in this transaction knows it, too."""
    chat = acting.member["telegram_id"]
    own = acting.db.known.get(lane_of(acting.deployment.staff_channel, str(chat)))
    if own is not None:
        own.writes = writes


def _reference(acting: Acting, kept: Kept) -> str:
    flow = acting.deployment.library.flow(kept.conversation.flow)
    lead = leads.open_of(acting.db, kept.channel, kept.chat, flow.trial.slug)
    return reference(lead["id"]) if lead is not None else "?"
