"""What staff do with a lead, whichever door they came by: one transaction, with all that follows from it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bot.deployment import Deployment
from bot.desk import lead as life
from bot.desk import notices, promise, rights
from bot.desk.cards import STATUS, Cards, cards_for
from bot.desk.telling import let_go, tell_person
from bot.messages import Envelope
from bot.store import conversations, leads, outbox, sites, staff
from bot.store.leads import Lead, reference
from bot.store.sites import SiteNow
from bot.store.staff import Member
from bot.store.transaction import Transaction
from flows.flow import Flow

UNDO = timedelta(seconds=30)
"""How long a step can be taken back."""
MOST_CALLS = 3
"""Calls in vain, after which the person is left to say when, or to write."""

HAS_IT = "{owner} has {reference}."
NOT_NOW = "This is not possible now: {reference} is {status}."
TOO_LATE = "It is too late to undo this."
NOBODY = "There is nobody of that name who may have {reference}."
LINES = (HAS_IT, NOT_NOW, TOO_LATE, NOBODY)

_UNDONE_TO = ("status", "owner_id", "claimed_at", "attempts", "reason", "criterion", "snoozed_until", "due_at",
              "escalated", "escalate_at", "merged_into", "wants_person")  # fmt: skip
_MOMENTS = ("claimed_at", "snoozed_until", "due_at", "escalate_at")


class NotThere(Exception):
    """There is no such lead, or none for this member: the two are told in the same way."""


class Refused(Exception):
    """It is not possible, for a reason that may be told: a line of the staff's catalogue, and its values."""

    def __init__(self, line: str, **values: str) -> None:
        super().__init__(line)
        self.line, self.values = line, values


class Acting:
    """One act of one member of staff inside its transaction."""

    def __init__(
        self, db: Transaction, deployment: Deployment, member: Member, now: datetime, key: str, card: str = ""
    ) -> None:
        """``key`` is a name that no other act has: the messages of this one are named after it.

        ``card`` is the provider's id of the group's card, where the act came from there.
        """
        self.db, self.deployment, self.member, self.now = db, deployment, member, now
        self.key, self._card, self._put = key, card, 0

    # ------------------------------------------------------------------ what may be done

    def lead(self, lead_id: int) -> Lead:
        """A lead that this member may see, locked. Raises NotThere."""
        lead = leads.get(self.db, lead_id)
        if lead is None or not rights.sees(self.member, lead):
            raise NotThere
        return lead

    def claim(self, lead_id: int) -> Lead:
        """One statement decides who was first; the others are told who. The person hears it, too."""
        lead = self.lead(lead_id)
        if not leads.claim(self.db, lead_id, self.member["id"], self.now):
            raise self._refused(lead)
        self.db.spans.append(("claim", (self.now - lead["created_at"]).total_seconds()))
        fresh = self.done(lead, "claimed")
        self._tell_owner(fresh, self.member)
        return fresh

    def step(self, lead_id: int, verb: str) -> Lead:
        """A step of the lead's life by its owner: reached, no_answer, scheduled, release and so on."""
        lead = self.own(lead_id)
        changes: dict[str, Any] = {"status": self._after(lead, verb), "snoozed_until": None}
        if verb == "release":
            changes |= {"owner_id": None, "claimed_at": None, "escalated": 0}
            changes["escalate_at"] = promise.nudge(self.site_of(lead), self.now)
        if verb == "no_answer":
            changes["attempts"] = lead["attempts"] + 1
        if verb in ("no_answer", "reached") and lead["status"] == "claimed":
            self.db.spans.append(("first_call", (self.now - lead["created_at"]).total_seconds()))
        if verb == "reached":
            changes["wants_person"] = False
        fresh = self.done(lead, verb, **changes)
        if verb == "no_answer":
            self.tell_person(fresh, "tried" if fresh["attempts"] < MOST_CALLS else "tried_last")
        elif verb == "scheduled":
            self.tell_person(fresh, "scheduled")
        return fresh

    def close(self, lead_id: int, reason: str, criterion: str = "") -> Lead:
        """Closes a lead. Raises Refused without a known reason, or without the criterion that it needs."""
        lead = self.own(lead_id)
        known = {one.id for one in self.flow_of(lead).criteria if one.listed}
        if reason not in life.CLOSINGS or (reason in life.WITH_CRITERION) != (criterion in known):
            raise self._refused(lead)
        changes = {"status": self._after(lead, "close"), "reason": reason, "criterion": criterion}
        return self.done(lead, "close", detail=".".join(filter(None, (reason, criterion))), **changes)

    def reassign(self, lead_id: int, to: int) -> Lead:
        """Gives a lead to another member: one's own, or anybody's for those who lead the site."""
        lead = self.own(lead_id)
        heir = staff.by_id(self.db, to)
        if heir is None or not rights.sees(heir, lead) or lead["status"] in ("closed", "withdrawn"):
            raise Refused(NOBODY, reference=reference(lead_id))
        status = lead["status"] if lead["owner_id"] else self._after(lead, "claim")
        changes = {"owner_id": to, "claimed_at": self.now, "status": status, "escalate_at": None}
        fresh = self.done(lead, "reassigned", detail=heir["name"], **changes)
        self._tell_owner(fresh, heir)
        return fresh

    def snooze(self, lead_id: int, until: datetime) -> Lead:
        """Puts a lead out of sight until then."""
        lead = self.own(lead_id)
        if lead["status"] in ("new", "closed", "withdrawn") or until <= self.now:
            raise self._refused(lead)
        return self.done(lead, "snoozed", snoozed_until=until)

    def undo(self, lead_id: int) -> Lead:
        """Takes back one's own last step, while the lead has seen no other and it is not long ago."""
        found = self.lead(lead_id)
        last = leads.last_event(self.db, lead_id)
        mine = last is not None and last["staff_id"] == self.member["id"] and last["before"] is not None
        if last is None or not mine or self.now - last["at"] > UNDO:
            raise Refused(TOO_LATE)
        before = {
            name: datetime.fromisoformat(value) if name in _MOMENTS and value else value
            for name, value in last["before"].items()
        }
        leads.change(self.db, lead_id, self.now, **before)
        leads.record(self.db, lead_id, "undone", self.now, self.member["id"], last["what"])
        if last["what"] == "merged" and (kept := found["merged_into"]) is not None:
            leads.record(self.db, kept, "unmerged", self.now, self.member["id"], reference(lead_id))
        fresh = self._fresh(lead_id)
        self.show_card(fresh)
        notices.moved(self.db, self.deployment, fresh, "undone", self.key, self.now)
        return fresh

    # ------------------------------------------------------------------ what it rests on

    def own(self, lead_id: int) -> Lead:
        """A lead that is this member's to move: their own, or any of a site that they lead."""
        lead = self.lead(lead_id)
        if lead["owner_id"] != self.member["id"] and not rights.may(self.member, "lead_site"):
            raise self._refused(lead)
        return lead

    def flow_of(self, lead: Lead) -> Flow:
        """The version of the trial that the person answered."""
        if lead["conversation_id"] is not None:
            kept = conversations.by_id(self.db, lead["conversation_id"])
            if kept is not None:
                return self.deployment.library.flow(kept.conversation.flow)
        return self.deployment.library.newest(lead["trial"])

    def site_of(self, lead: Lead) -> SiteNow:
        return sites.now(self.db, self.flow_of(lead), lead["site"])

    def cards(self, lead: Lead, language: str) -> Cards:
        return cards_for(self.deployment, self.flow_of(lead), language, sites.zones(self.db, lead["trial"]))

    def _after(self, lead: Lead, verb: str) -> str:
        try:
            return life.after(lead["status"], verb, lead["attempts"])
        except life.NotPossible:
            raise self._refused(lead) from None

    def _refused(self, lead: Lead) -> Refused:
        """Who has it, if somebody else has; else what it is."""
        owner = staff.by_id(self.db, lead["owner_id"])
        if owner is not None and owner["id"] != self.member["id"]:
            return Refused(HAS_IT, owner=owner["name"], reference=reference(lead["id"]))
        cards = self.cards(lead, self.member["language"])
        return Refused(NOT_NOW, reference=reference(lead["id"]), status=cards.line(STATUS[lead["status"]]))

    def _fresh(self, lead_id: int) -> Lead:
        fresh = leads.get(self.db, lead_id)
        assert fresh is not None
        return fresh

    def done(self, lead: Lead, what: str, detail: str = "", **changes: Any) -> Lead:
        """Writes a step, with what it takes to undo it, and shows it to the group.

        Who talks with the person does so no more, once the lead is another's, nobody's or closed.
        """
        ends = changes.get("status") in ("new", "closed")
        if ends or changes.get("owner_id", lead["owner_id"]) != lead["owner_id"]:
            key = f"lead:{lead['id']}:{self.key}"
            if let_go(self.db, self.deployment, lead["channel"], lead["chat"], key, self.now):
                leads.record(self.db, lead["id"], "handed_back", self.now, self.member["id"])
        if changes:
            leads.change(self.db, lead["id"], self.now, **changes)
        before = {name: lead[name] for name in _UNDONE_TO}
        before |= {name: lead[name].isoformat() for name in _MOMENTS if lead[name]}
        sites.stir(self.db, lead["trial"], lead["site"], self.now)
        leads.record(self.db, lead["id"], what, self.now, self.member["id"], detail, before)
        fresh = self._fresh(lead["id"])
        self.show_card(fresh)
        notices.moved(self.db, self.deployment, fresh, what, self.key, self.now)
        return fresh

    # ------------------------------------------------------------------ who hears of it

    def show_card(self, lead: Lead) -> None:
        """One card per lead in the group, edited in place: no stream of posts."""
        deployment = self.deployment
        if not deployment.staff_group:
            return
        owner = staff.by_id(self.db, lead["owner_id"])
        notice = self.cards(lead, deployment.staff_language).notice(lead, owner["name"] if owner else "")
        card = lead["notice"] or self._card
        if not card:  # it was told of among others, or not yet: from now on this is its card
            outbox.drop_notice(self.db, deployment.staff_channel, deployment.staff_group, lead["id"])
        envelope = Envelope(notice.text, notice.rows, edits=card)
        self.put(deployment.staff_group, envelope, card_of=None if card else lead["id"])

    def _tell_owner(self, lead: Lead, owner: Member) -> None:
        """The person hears who has their request, and from which number they call."""
        phone = self.site_of(lead).phone if lead["site"] else ""
        self.tell_person(lead, "claimed", name=owner["name"], phone=phone)

    def tell_person(self, lead: Lead, line: str, **values: str) -> None:
        """The person reads it in the chat where they answered, in their language."""
        tell_person(self.db, self.deployment, lead, line, self.key, self.now, **values)

    def put(
        self, chat: str, envelope: Envelope, *, sheet_of: int | None = None, card_of: int | None = None
    ) -> None:
        """Something for staff, in the messenger."""
        self._put += 1
        key = f"staff:{self.key}:{self._put}"
        channel = self.deployment.staff_channel
        outbox.put(
            self.db,
            channel,
            chat,
            envelope,
            key,
            self.now,
            priority=outbox.STAFF,
            sheet_of=sheet_of,
            lead_id=card_of,
        )
