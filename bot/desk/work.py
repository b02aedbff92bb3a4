"""What staff do with leads, by buttons in the group and in their private chat. One transaction each."""

from __future__ import annotations

from datetime import datetime

from bot.deployment import Deployment
from bot.desk import lead as life
from bot.desk import notices, promise, rights, sign_in, talking
from bot.desk.actions import Acting, NotThere, Refused
from bot.desk.cards import GROUP, STATUS, TAG, Cards, cards_for
from bot.desk.telling import BACK, let_go
from bot.messages import Envelope, Inbound, parts
from bot.store import conversations, leads, outbox, sites, staff
from bot.store.leads import Lead, reference
from bot.store.outbox import Due
from bot.store.staff import Member
from bot.store.transaction import Transaction

DESK = "/desk"
"""What staff write to get a link to the web inbox."""


def take_staff(inbound: Inbound, db: Transaction, deployment: Deployment, now: datetime) -> bool:
    """Takes what staff did. False if the inbound is a patient's, and nothing was written."""
    concerns = inbound.group or inbound.press.startswith(f"1{TAG}")
    greets = inbound.kind == "start" and not inbound.text
    queue = inbound.kind == "text" and inbound.text.strip() in ("/queue", "/mine", DESK)
    writes = _writes(db, inbound)
    if not (concerns or greets or queue or writes):
        return False
    member = staff.by_telegram(db, inbound.sender)
    if writes and not (member is not None and conversations.held(db, member["id"])):
        return False  # they did until just now, or are no staff any more
    if not concerns and member is None:
        return False
    if not conversations.take_receipt(db, inbound, now):
        return True
    work = _Work(db, deployment, inbound, member, now)
    if inbound.kind == "press":
        work.press()
    elif writes:
        work.write()
    elif not inbound.group and inbound.text.strip() == DESK:
        work.let_in()
    elif not inbound.group:
        work.greet()
    return True


def _writes(db: Transaction, inbound: Inbound) -> bool:
    """Whether a member of staff says something to the person they talk with. It costs whoever else writes nothing:
    that is read along with their conversation."""
    if inbound.group or inbound.kind not in ("text", "media", "edited", "contact") or inbound.text.startswith("/"):
        return False
    kept = conversations.current(db, inbound.channel, inbound.chat)
    return kept.writes if kept is not None else conversations.is_writing(db, inbound.chat)


class _Work:
    """One press or word of somebody of the staff, by the messenger, inside its transaction."""

    def __init__(
        self, db: Transaction, deployment: Deployment, inbound: Inbound, member: Member | None, now: datetime
    ) -> None:
        self.db, self.deployment, self.inbound, self.now = db, deployment, inbound, now
        self._told = 0
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
        card = self.inbound.message if self.inbound.group and not action.endswith(".digest") else ""
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
        if verb in ("talk", "talk_end", "phrases", "phrase"):
            self.talk(acting, lead_id, verb, about)
            return
        lead = acting.own(lead_id) if verb != "undo" else acting.lead(lead_id)
        cards = acting.cards(lead, self.language)
        if verb == "give" and not about:
            heirs = [one for one in staff.active(self.db, lead["site"]) if one["id"] != lead["owner_id"]]
            self.edit(cards.heirs(lead, chat, [one for one in heirs if rights.sees(one, lead)]))
        elif verb == "give":
            self.gone(acting.reassign(lead_id, int(about[0])), cards)
        elif verb == "close" and not about:
            self.edit(cards.closings(lead, chat))
        elif verb == "close" and about[0] in life.WITH_CRITERION and len(about) == 1:
            self.edit(cards.criteria(lead, chat, about[0]))
        elif verb == "release":
            self.gone(acting.step(lead_id, verb), cards)
        else:
            if verb == "close":
                lead = acting.close(lead_id, *about[:2])
            elif verb == "snooze":
                lead = acting.snooze(lead_id, promise.next_morning(acting.site_of(lead), self.now))
            elif verb == "undo":
                lead = acting.undo(lead_id)
            elif verb != "card":
                lead = acting.step(lead_id, verb)
            if verb == "undo" and lead["owner_id"] != acting.member["id"]:
                self.gone(lead, cards)
            else:
                self.edit(cards.call_sheet(lead, chat), sheet_of=lead_id)

    def talk(self, acting: Acting, lead_id: int, verb: str, about: list[str]) -> None:
        """Writing to the person: begun, by an approved phrase, and ended."""
        chat = self.inbound.chat
        if verb == "talk_end":
            talking.hand_back(acting, lead_id)
            self.say(BACK, reference=reference(lead_id))
            return
        kept = talking.take_over(acting, lead_id)
        lead = acting.lead(lead_id)
        cards = acting.cards(lead, self.language)
        own = talking.phrases(acting, lead, self.language)
        if verb == "talk":
            self._put(chat, cards.talk(lead, chat), sheet_of=lead_id)
        elif verb == "phrases":
            self.edit(cards.phrases(lead, chat, own), sheet_of=lead_id)
        elif about and about[0] in own:
            locale = kept.conversation.locale
            theirs = talking.phrases(acting, lead, locale)[about[0]]
            if about[1:] == ["send"]:
                talking.say(acting, lead_id, phrase=about[0])
                self.edit(cards.talk(lead, chat), sheet_of=lead_id)
            else:
                self.edit(cards.phrase(lead, chat, about[0], own[about[0]], theirs, locale), sheet_of=lead_id)

    def write(self) -> None:
        """What a member of staff types goes to the person they talk with."""
        assert self.member is not None
        acting = Acting(self.db, self.deployment, self.member, self.now, self.inbound.external_id)
        if self.inbound.kind != "text":
            self.say(WORDS_ONLY)
            return
        for kept in conversations.held(self.db, self.member["id"]):
            trial = self.deployment.library.flow(kept.conversation.flow).trial.slug
            lead = leads.open_of(self.db, kept.channel, kept.chat, trial)
            try:
                if lead is None:
                    raise NotThere
                talking.say(acting, lead["id"], self.inbound.text)
            except NotThere:
                conversations.hold(self.db, kept, None)
                self.say(GONE)
            except Refused as refused:
                self.say(refused.line, **refused.values)

    def gone(self, lead: Lead, cards: Cards) -> None:
        """The sheet of a lead that is no longer this member's shows nothing of the person."""
        facts = {"reference": reference(lead["id"]), "status": cards.line(STATUS[lead["status"]]), "reason": ""}
        self.edit(Envelope(cards.line("{reference} · {status} · {reason}", **facts)))

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
        works = rights.may(self.member, "work")
        if works and (waiting := leads.unowned(self.db, self.member["sites"], notices.BUTTONS)):
            cards = cards_for(self.deployment, self.flow, self.language)
            self._put(self.inbound.chat, notices.waiting(cards, waiting, self.inbound.chat))

    def let_in(self) -> None:
        """A link to the web inbox, which works once."""
        assert self.member is not None
        if not sign_in.send_link(self.db, self.deployment, self.member, self.now):
            self.say(sign_in.NO_DESK)

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
        for part in parts(envelope):
            self._told += 1
            key = f"staff:{self.inbound.external_id}:{chat}:{sheet_of}:{self._told}"
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
    let_go(db, deployment, lead["channel"], lead["chat"], f"lead:{lead['id']}:{due.id}", now)
    fresh = leads.get(db, lead["id"])
    if fresh is None:
        return
    notices.moved(db, deployment, fresh, "release", f"back:{due.id}", now)
    if not deployment.staff_group:
        return
    cards = cards_for(deployment, flow, deployment.staff_language, sites.zones(db, flow.trial.slug))
    card = cards.notice(fresh)
    line = cards.line(OPEN_FIRST, owner=member["name"], reference=reference(lead["id"]))
    told = (Envelope(card.text, card.rows, edits=fresh["notice"]), Envelope(line))
    for number, envelope in enumerate(told):
        key = f"lead:{lead['id']}:handed_back:{due.id}:{number}"
        outbox.put(db, deployment.staff_channel, deployment.staff_group, envelope, key, now, priority=outbox.STAFF)


GONE = "There is nobody to write to any more."
WORDS_ONLY = "Only words go to the person. Pictures, files and edits do not."
OPEN_FIRST = "{owner}, please open a private chat with me and tap Start. Then claim {reference} again."
NOT_STAFF = "You are not on the staff list. Ask your admin to add you."
LINES = (GONE, WORDS_ONLY)
