"""What staff do with leads, by buttons in the group and in their private chat. One transaction each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.engine import RowMapping

from bot.deployment import Deployment
from bot.desk import lead as life
from bot.desk.cards import GROUP, STATUS, TAG, Cards
from bot.handlers.happening import cards_for
from bot.messages import Envelope, Inbound, parts
from bot.store import conversations, leads, outbox
from bot.store.leads import Lead, reference
from bot.store.outbox import Due
from bot.store.transaction import Transaction
from flows.speak import speak
from flows.turn import Tell


def take_staff(inbound: Inbound, db: Transaction, deployment: Deployment, now: datetime) -> bool:
    """Takes what staff did. False if the inbound is a patient's, and nothing was written."""
    concerns = inbound.group or inbound.press.startswith(f"1{TAG}")
    greets = inbound.kind == "start" and not inbound.text
    queue = inbound.kind == "text" and inbound.text.strip() == "/queue"
    if not (concerns or greets or queue):
        return False
    member = leads.member(db, inbound.sender)
    if not concerns and member is None:
        return False
    if not conversations.take_receipt(db, inbound, now):
        return True
    work = _Work(db, deployment, inbound, member, now)
    if inbound.kind == "press":
        work.press()
    elif not inbound.group:
        work.greet()
    return True


class _Work:
    """One action of one member of staff inside its transaction."""

    def __init__(
        self,
        db: Transaction,
        deployment: Deployment,
        inbound: Inbound,
        member: RowMapping | None,
        now: datetime,
    ) -> None:
        self.db, self.deployment, self.inbound, self.now = db, deployment, inbound, now
        self.member = member
        self.sent = 0

    # ------------------------------------------------------------------ what was pressed

    def press(self) -> None:
        flow = self.deployment.library.newest(self.deployment.trial)
        language = self.member["language"] if self.member else self.deployment.staff_language
        where = GROUP if self.inbound.group else self.inbound.chat
        code = self.deployment.buttons.open(TAG, where, self.inbound.press)
        number, _, action = (code or "").partition(".")
        lead = leads.get(self.db, int(number)) if number.isdigit() else None
        if lead is None:
            return
        if self.member is None:
            self.say(self.inbound.chat, cards_for(self.deployment, flow, language), NOT_STAFF)
            return
        flow = self._flow_of(lead)
        cards = cards_for(self.deployment, flow, language)
        if action == "claim":
            self.claim(lead, cards)
        elif lead["owner_id"] != self.member["id"]:
            owner = leads.member_by_id(self.db, lead["owner_id"])
            self.say(self.inbound.chat, cards, HAS_IT, lead, owner=owner["name"] if owner else "")
        else:
            self.work_on(lead, action, cards)

    def claim(self, lead: Lead, cards: Cards) -> None:
        assert self.member is not None
        if not leads.claim(self.db, lead["id"], self.member["id"], self.now):
            owner = leads.member_by_id(self.db, lead["owner_id"])
            if owner is None:
                self.refuse(lead, cards)
            else:
                self.say(self.inbound.chat, cards, HAS_IT, lead, owner=owner["name"])
            return
        leads.record(self.db, lead["id"], "claimed", self.now, self.member["id"])
        self.db.spans.append(("claim", (self.now - lead["created_at"]).total_seconds()))
        fresh = self._fresh(lead)
        self._show_in_group(fresh)
        self._send_sheet(fresh, cards)
        self._tell_patient(fresh)

    def work_on(self, lead: Lead, action: str, cards: Cards) -> None:
        """A step of the lead's life, or one of the small menus on the way to closing it."""
        assert self.member is not None
        verb, *about = action.split(".")
        if verb == "card":
            self._edit_here(cards.call_sheet(lead, self.inbound.chat), lead)
            return
        if verb == "close" and not about:
            self._edit_here(cards.closings(lead, self.inbound.chat))
            return
        if verb == "close" and about[0] in life.WITH_CRITERION and len(about) == 1:
            self._edit_here(cards.criteria(lead, self.inbound.chat, about[0]))
            return
        try:
            status = life.after(lead["status"], verb)
        except life.NotPossible:
            self.refuse(lead, cards)
            return
        changes: dict[str, Any] = {"status": status}
        if verb == "close":
            if about[0] not in life.CLOSINGS:
                return
            changes |= {"reason": about[0], "criterion": about[1] if len(about) > 1 else ""}
        if verb == "release":
            changes |= {"owner_id": None, "claimed_at": None}
        if verb == "no_answer":
            changes["attempts"] = lead["attempts"] + 1
        if verb in ("no_answer", "reached") and lead["status"] == "claimed":
            self.db.spans.append(("first_call", (self.now - lead["created_at"]).total_seconds()))
        leads.change(self.db, lead["id"], self.now, **changes)
        detail = ".".join(about)
        leads.record(self.db, lead["id"], verb, self.now, self.member["id"], detail)
        fresh = self._fresh(lead)
        self._show_in_group(fresh)
        if verb == "release":
            self._edit_here(Envelope(cards.line("{reference} · {status} · {reason}", **_brief(cards, fresh))))
        else:
            self._edit_here(cards.call_sheet(fresh, self.inbound.chat), fresh)

    def greet(self) -> None:
        """Staff who write to the bot see their own leads; the patient's chat is for patients."""
        assert self.member is not None
        flow = self.deployment.library.newest(self.deployment.trial)
        cards = cards_for(self.deployment, flow, self.member["language"])
        if self.inbound.kind == "start":
            self.say(
                self.inbound.chat,
                cards,
                "You are on the staff list, {owner}. Leads you claim arrive here.",
                owner=self.member["name"],
            )
        mine = leads.queue(self.db, owner_id=self.member["id"])
        for lead in mine:
            self._put(self.inbound.chat, cards.call_sheet(lead, self.inbound.chat), sheet_of=lead["id"])
        if not mine:
            self.say(self.inbound.chat, cards, "You have no open leads.")

    # ------------------------------------------------------------------ what is shown

    def refuse(self, lead: Lead, cards: Cards) -> None:
        self.say(self.inbound.chat, cards, "This is not possible now: {reference} is {status}.", lead)

    def say(self, chat: str, cards: Cards, line: str, lead: Lead | None = None, **values: str) -> None:
        if lead is not None:
            values = {**_brief(cards, lead), **values}
        self._put(chat, Envelope(cards.line(line, **values)))

    def _send_sheet(self, lead: Lead, cards: Cards) -> None:
        """The details go to the owner alone, in private."""
        assert self.member is not None
        chat = str(self.member["telegram_id"])
        self._put(chat, cards.call_sheet(lead, chat), sheet_of=lead["id"])

    def _show_in_group(self, lead: Lead) -> None:
        """One card per lead in the group, edited in place: no stream of posts."""
        deployment = self.deployment
        if not deployment.staff_group:
            return
        owner = leads.member_by_id(self.db, lead["owner_id"])
        cards = cards_for(deployment, self._flow_of(lead), deployment.staff_language)
        notice = cards.notice(lead, owner["name"] if owner else "")
        edits = lead["notice"] or (self.inbound.message if self.inbound.group else "")
        self._put(deployment.staff_group, Envelope(notice.text, notice.rows, edits=edits))

    def _tell_patient(self, lead: Lead) -> None:
        """The person sees in the same chat that somebody has the request."""
        if not lead["chat"] or lead["conversation_id"] is None or self.member is None:
            return
        kept = conversations.by_id(self.db, lead["conversation_id"])
        if kept is None:
            return
        flow = self.deployment.library.flow(kept.conversation.flow)
        words = self.deployment.languages.patient(kept.conversation.locale)
        told = Tell("claimed", {"name": self.member["name"]})
        for number, speech in enumerate(speak(flow, kept.conversation, [told], words)):
            key = f"lead:{lead['id']}:claimed:{self.inbound.external_id}:{number}"
            outbox.put(self.db, lead["channel"], lead["chat"], Envelope(speech.text), key, self.now)
            conversations.add_message(
                self.db, kept.id, speech.text, self.now, outgoing=True, step=kept.conversation.step
            )

    def _edit_here(self, envelope: Envelope, sheet: Lead | None = None) -> None:
        edited = Envelope(envelope.text, envelope.rows, protect=True, edits=self.inbound.message)
        self._put(self.inbound.chat, edited, sheet_of=sheet["id"] if sheet else None)

    def _put(self, chat: str, envelope: Envelope, *, sheet_of: int | None = None) -> None:
        for part in parts(envelope):
            self.sent += 1
            key = f"staff:{self.inbound.external_id}:{self.sent}"
            outbox.put(
                self.db,
                self.deployment.staff_channel,
                chat,
                part,
                key,
                self.now,
                priority=outbox.STAFF,
                sheet_of=sheet_of,
            )

    def _fresh(self, lead: Lead) -> Lead:
        fresh = leads.get(self.db, lead["id"])
        assert fresh is not None
        return fresh

    def _flow_of(self, lead: Lead) -> Any:
        if lead["conversation_id"] is not None:
            kept = conversations.by_id(self.db, lead["conversation_id"])
            if kept is not None:
                return self.deployment.library.flow(kept.conversation.flow)
        return self.deployment.library.newest(lead["trial"])


def hand_back(db: Transaction, deployment: Deployment, due: Due, now: datetime) -> None:
    """The bot may not write to this member of staff: what they just claimed goes back, and the group is told."""
    member = leads.member(db, due.chat) if due.sheet_of is not None else None
    lead = leads.get(db, due.sheet_of) if due.sheet_of is not None else None
    if member is None or lead is None or lead["status"] != "claimed" or lead["owner_id"] != member["id"]:
        return
    leads.change(db, lead["id"], now, status=life.after("claimed", "release"), owner_id=None, claimed_at=None)
    leads.record(db, lead["id"], "release", now, member["id"], "unreachable")
    fresh = leads.get(db, lead["id"])
    if fresh is None or not deployment.staff_group:
        return
    flow = deployment.library.newest(fresh["trial"])
    cards = cards_for(deployment, flow, deployment.staff_language)
    card = cards.notice(fresh)
    line = cards.line(OPEN_FIRST, owner=member["name"], reference=reference(lead["id"]))
    told = (Envelope(card.text, card.rows, edits=fresh["notice"]), Envelope(line))
    for number, envelope in enumerate(told):
        key = f"lead:{lead['id']}:handed_back:{due.id}:{number}"
        outbox.put(db, deployment.staff_channel, deployment.staff_group, envelope, key, now, priority=outbox.STAFF)


OPEN_FIRST = "{owner}, please open a private chat with me and tap Start. Then claim {reference} again."
NOT_STAFF = "You are not on the staff list. Ask your admin to add you."
HAS_IT = "{owner} has {reference}."


def _brief(cards: Cards, lead: Lead) -> dict[str, str]:
    return {"reference": reference(lead["id"]), "status": cards.line(STATUS[lead["status"]]), "reason": ""}
