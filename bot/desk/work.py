"""What staff do with leads, by buttons in the group and in their private chat. One transaction each."""

from __future__ import annotations

from datetime import datetime

from bot.deployment import Deployment
from bot.desk import lead as life
from bot.desk import promise
from bot.desk.actions import Acting, NotThere, Refused
from bot.desk.cards import GROUP, STATUS, TAG, cards_for
from bot.messages import Envelope, Inbound, parts
from bot.store import conversations, leads, outbox, sites, staff
from bot.store.leads import Lead, reference
from bot.store.outbox import Due
from bot.store.staff import Member
from bot.store.transaction import Transaction


def take_staff(inbound: Inbound, db: Transaction, deployment: Deployment, now: datetime) -> bool:
    """Takes what staff did. False if the inbound is a patient's, and nothing was written."""
    concerns = inbound.group or inbound.press.startswith(f"1{TAG}")
    greets = inbound.kind == "start" and not inbound.text
    queue = inbound.kind == "text" and inbound.text.strip() == "/queue"
    if not (concerns or greets or queue):
        return False
    member = staff.by_telegram(db, inbound.sender)
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
    """One press or word of somebody of the staff, by the messenger, inside its transaction."""

    def __init__(
        self, db: Transaction, deployment: Deployment, inbound: Inbound, member: Member | None, now: datetime
    ) -> None:
        self.db, self.deployment, self.inbound, self.now = db, deployment, inbound, now
        self.member = member
        self.language = member["language"] if member else deployment.staff_language
        self.flow = deployment.library.newest(deployment.trial)

    def press(self) -> None:
        where = GROUP if self.inbound.group else self.inbound.chat
        code = self.deployment.buttons.open(TAG, where, self.inbound.press)
        number, _, action = (code or "").partition(".")
        if not number.isdigit() or leads.get(self.db, int(number)) is None:
            return
        if self.member is None:
            self.say(NOT_STAFF)
            return
        card = self.inbound.message if self.inbound.group else ""
        acting = Acting(self.db, self.deployment, self.member, self.now, self.inbound.external_id, card)
        try:
            self.act(acting, int(number), action)
        except NotThere:
            self.say(NOT_STAFF)
        except Refused as refused:
            self.say(refused.line, **refused.values)

    def act(self, acting: Acting, lead_id: int, action: str) -> None:
        """A step of the lead's life, or one of the small menus on the way to closing it."""
        verb, *about = action.split(".")
        chat = self.inbound.chat
        if verb == "claim":
            lead = acting.claim(lead_id)
            if acting.member["telegram_id"] is not None:
                self.sheet(acting, lead, str(acting.member["telegram_id"]))
            return
        lead = acting.own(lead_id)
        cards = acting.cards(lead, self.language)
        if verb == "close" and not about:
            self.edit(cards.closings(lead, chat))
        elif verb == "close" and about[0] in life.WITH_CRITERION and len(about) == 1:
            self.edit(cards.criteria(lead, chat, about[0]))
        elif verb == "release":
            released = acting.step(lead_id, verb)
            facts = {
                "reference": reference(lead_id),
                "status": cards.line(STATUS[released["status"]]),
                "reason": "",
            }
            self.edit(Envelope(cards.line("{reference} · {status} · {reason}", **facts)))
        else:
            if verb == "close":
                lead = acting.close(lead_id, *about[:2])
            elif verb != "card":
                lead = acting.step(lead_id, verb)
            self.edit(cards.call_sheet(lead, chat), sheet_of=lead_id)

    def greet(self) -> None:
        """Staff who write to the bot see their own leads; the patient's chat is for patients."""
        assert self.member is not None
        if self.inbound.kind == "start":
            self.say("You are on the staff list, {owner}. Leads you claim arrive here.", owner=self.member["name"])
        acting = Acting(self.db, self.deployment, self.member, self.now, self.inbound.external_id)
        mine = leads.queue(self.db, owner_id=self.member["id"])
        for lead in mine:
            self.sheet(acting, lead, self.inbound.chat)
        if not mine:
            self.say("You have no open leads.")

    # ------------------------------------------------------------------ what is shown

    def say(self, line: str, **values: str) -> None:
        cards = cards_for(self.deployment, self.flow, self.language)
        self._put(self.inbound.chat, Envelope(cards.line(line, **values)))

    def sheet(self, acting: Acting, lead: Lead, chat: str) -> None:
        """The details go to the owner alone, in private."""
        sheet = acting.cards(lead, self.language).call_sheet(lead, chat)
        self._put(chat, sheet, sheet_of=lead["id"])

    def edit(self, envelope: Envelope, *, sheet_of: int | None = None) -> None:
        edited = Envelope(envelope.text, envelope.rows, protect=True, edits=self.inbound.message)
        self._put(self.inbound.chat, edited, sheet_of=sheet_of)

    def _put(self, chat: str, envelope: Envelope, *, sheet_of: int | None = None) -> None:
        for number, part in enumerate(parts(envelope)):
            key = f"staff:{self.inbound.external_id}:{chat}:{sheet_of}:{number}"
            channel = self.deployment.staff_channel
            outbox.put(self.db, channel, chat, part, key, self.now, priority=outbox.STAFF, sheet_of=sheet_of)


def hand_back(db: Transaction, deployment: Deployment, due: Due, now: datetime) -> None:
    """The bot may not write to this member of staff: what they just claimed goes back, and the group is told."""
    member = staff.by_telegram(db, due.chat) if due.sheet_of is not None else None
    lead = leads.get(db, due.sheet_of) if due.sheet_of is not None else None
    if member is None or lead is None or lead["status"] != "claimed" or lead["owner_id"] != member["id"]:
        return
    flow = deployment.library.newest(lead["trial"])
    back = {"status": life.after("claimed", "release"), "owner_id": None, "claimed_at": None, "escalated": 0}
    nudge = promise.nudge(sites.now(db, flow, lead["site"]), now)
    leads.change(db, lead["id"], now, escalate_at=nudge, **back)
    leads.record(db, lead["id"], "release", now, member["id"], "unreachable")
    fresh = leads.get(db, lead["id"])
    if fresh is None or not deployment.staff_group:
        return
    cards = cards_for(deployment, flow, deployment.staff_language)
    card = cards.notice(fresh)
    line = cards.line(OPEN_FIRST, owner=member["name"], reference=reference(lead["id"]))
    told = (Envelope(card.text, card.rows, edits=fresh["notice"]), Envelope(line))
    for number, envelope in enumerate(told):
        key = f"lead:{lead['id']}:handed_back:{due.id}:{number}"
        outbox.put(db, deployment.staff_channel, deployment.staff_group, envelope, key, now, priority=outbox.STAFF)


OPEN_FIRST = "{owner}, please open a private chat with me and tap Start. Then claim {reference} again."
NOT_STAFF = "You are not on the staff list. Ask your admin to add you."
