"""Who is told what between the turns: the person of a lead in their chat, a member of staff in private."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.deployment import Deployment
from bot.desk.cards import CONTEXT, TAG, TALKING
from bot.messages import WEB, Envelope, chunks, parts
from bot.store import conversations, outbox, staff
from bot.store.conversations import Kept
from bot.store.leads import Lead, reference
from bot.store.transaction import Transaction
from flows.engine import again
from flows.flow import Flow
from flows.speak import Speech, fill, speak
from flows.turn import Say, Tell

WRITES = "{reference} writes: {text}"
STOPPED = "{reference}: the person stopped the chat. The automatic helper is back there."
ALARMED = "{reference}: the person was shown a safety message. What they wrote is not kept. Please look after them."
BACK = "The automatic helper talks with {reference} again."
LINES = (WRITES, STOPPED, ALARMED, BACK)


def tell_person(
    db: Transaction, deployment: Deployment, lead: Lead, line: str, key: str, now: datetime, **values: str
) -> bool:
    """Tells a line of the frame's. ``key`` names what it follows from: the same is told once.

    False if there is nobody to tell: the chat or the conversation is gone, or it cannot be written to.
    """
    kept = conversations.current(db, lead["channel"], lead["chat"]) if lead["chat"] else None
    if kept is None or not kept.reachable:
        return False
    tell(db, deployment, kept, [Tell(line, values)], f"lead:{lead['id']}:{line}:{key}", now)
    return True


def tell(
    db: Transaction,
    deployment: Deployment,
    kept: Kept,
    said: Sequence[Say],
    key: str,
    now: datetime,
    extra: Mapping[str, str] | None = None,
    staff_id: int | None = None,
) -> None:
    """Says something in a conversation outside its turns. ``staff_id`` is who says it, if it is not the bot."""
    flow = deployment.library.flow(kept.conversation.flow)
    words = deployment.languages.patient(kept.conversation.locale)
    known = {"days": str(deployment.keep_days), **place_of(kept), **(extra or {})}
    for number, speech in enumerate(here(kept, speak(flow, kept.conversation, said, words, known))):
        *first, last = chunks(speech.text)
        envelopes = [*map(Envelope, first), envelope(deployment, flow, kept, speech, last)]
        for part, one in enumerate(envelopes):
            outbox.put(
                db,
                kept.channel,
                kept.chat,
                one,
                f"{key}:{number}.{part}",
                now,
                conversation_id=kept.id,
                question=bool(one.rows) and speech.step is not None,
            )
        step = speech.step or kept.conversation.step
        page = page_of(kept, envelopes[-1])
        conversations.add_message(
            db, kept.id, speech.text, now, outgoing=True, step=step, staff_id=staff_id, page=page
        )


def envelope(deployment: Deployment, flow: Flow, kept: Kept, speech: Speech, text: str) -> Envelope:
    """The last message of a speech, with its buttons."""
    rows = tuple(
        tuple((button.label, deployment.buttons.write(flow, kept.tag, kept.chat, button.reply)) for button in row)
        for row in speech.rows
    )
    return Envelope(
        text,
        rows,
        again=speech.again,
        share_phone=speech.share_phone,
        drop_keyboard=speech.drop_keyboard,
        numbered=speech.numbered,
        picture=speech.picture,
    )


def page_of(kept: Kept, shown: Envelope) -> dict[str, Any] | None:
    """What the page of a chat needs to draw the message again, where the page is ours."""
    if kept.channel != WEB:
        return None
    page: dict[str, Any] = {"turn": kept.revision}
    if shown.rows:
        page |= {"rows": [[list(button) for button in row] for row in shown.rows], "numbered": shown.numbered}
    if shown.picture:
        page["picture"] = shown.picture
    return page


def place_of(kept: Kept) -> dict[str, str]:
    """What is told of where a chat is kept."""
    return {"app": "web"} if kept.channel == WEB else {}


def here(kept: Kept, speeches: Sequence[Speech]) -> list[Speech]:
    """What is said in this chat: the number of a chat can only be shared where it has one."""
    return [speech for speech in speeches if not (speech.share_phone and kept.channel == WEB)]


def let_go(db: Transaction, deployment: Deployment, channel: str, chat: str, key: str, now: datetime) -> bool:
    """The bot talks here again, and what was open is asked again. False if nobody else talked here."""
    kept = conversations.current(db, channel, chat) if chat else None
    if kept is None or kept.held_by is None:
        return False
    conversations.hold(db, kept, None)
    if kept.reachable:
        flow = deployment.library.flow(kept.conversation.flow)
        tell(db, deployment, kept, [Tell("talk_over"), *again(flow, kept.conversation, now)], f"{key}:over", now)
    return True


def tell_holder(
    db: Transaction,
    deployment: Deployment,
    lead: Lead,
    holder: int,
    line: str,
    key: str,
    now: datetime,
    **values: str,
) -> None:
    """A line to the member of staff who talks with a lead's person, in private; it goes if the person withdraws.

    Who is not in the messenger sees it in the web inbox alone.
    """
    member = staff.by_id(db, holder)
    if member is None or member["telegram_id"] is None:
        return
    words = deployment.languages.staff(member["language"])
    text = fill(words.text(CONTEXT, line), {"reference": reference(lead["id"]), **values})
    chat = str(member["telegram_id"])
    rows = tuple(
        ((words.text(CONTEXT, label), deployment.buttons.seal(TAG, chat, f"{lead['id']}.{code}")),)
        for code, label in TALKING.items()
        if line == WRITES
    )
    for number, part in enumerate(parts(Envelope(text, rows, protect=True))):
        name = f"lead:{lead['id']}:talk:{key}:{number}"
        channel = deployment.staff_channel
        outbox.put(db, channel, chat, part, name, now, priority=outbox.STAFF, sheet_of=lead["id"])
