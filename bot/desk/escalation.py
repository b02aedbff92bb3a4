"""What happens when nobody acts: alarms for a lead that nobody has, a word to whoever was not called, silent sites.

Each step is one commit with its message, and the lead's row says which comes next: it is taken once, and not lost.
All of it is in site hours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice

from bot.deployment import Deployment
from bot.desk import promise
from bot.desk.cards import Cards, cards_for
from bot.desk.letters import site_name, tell_member
from bot.desk.telling import tell_person
from bot.messages import Envelope
from bot.store import audit, conversations, leads, outbox, promises, sites, staff
from bot.store.leads import Lead, reference
from bot.store.sites import SiteNow
from bot.store.transaction import Transaction

NOBODY, NUDGED, NAMED, TOLD = range(4)
"""How far the alarm of a lead went: the values of ``lead.escalated``."""
FEW = 50
"""Leads that one step is taken for at once."""
CARDS = 5
"""Leads whose cards are changed at once. Of more only one line tells: everything else in the group would wait."""
BETWEEN = timedelta(minutes=10)
"""Between two steps for a lead, also when both are late: after an outage they do not come all at once."""
GRACE = timedelta(minutes=15)
"""Site time in which a call that was due may still be under way, or be noted."""
EARLY = timedelta(minutes=30)
"""A call that long before a picked time keeps the promise, too."""
SLIPS = 3
"""Times that a person is told of a call that did not come. After that only staff hear of it."""
SILENT = 2
"""Working days without anybody, after which a site gets no new leads."""

WHO_TAKES = "Nobody has {references} yet. Who can take it?"
COULD_YOU = "{owner}, could you take {references}? Nobody has had time yet."
STILL_NOBODY = "Nobody has had time for {references} yet. Please take it if you can."
SUBJECT = "Leads are waiting: {site}"
SEE_TO_IT = "{site}: nobody has {references} yet. Please see that somebody takes it today."
SILENT_SUBJECT = "No new leads for now: {site}"
SILENT_SITE = (
    "{site} gets no new leads for now. For two working days nobody there did anything, and people wait: {number}. "
    "When somebody is there again, set the site to active."
)
LINES = (WHO_TAKES, COULD_YOU, STILL_NOBODY, SUBJECT, SEE_TO_IT, SILENT_SUBJECT, SILENT_SITE)

Place = tuple[str, str]
"""A trial, and the id of a site there, "" for the study desk."""


def places(deployment: Deployment) -> list[Place]:
    """Everywhere a lead may be, also at sites that the newest version of a trial no longer has."""
    flows = deployment.library.flows.values()
    found = [(flow.trial.slug, key) for flow in flows for key in ("", *(site.id for site in flow.sites))]
    return list(dict.fromkeys(found))


# ---------------------------------------------------------------------- nobody has it


def alarm(place: Place, db: Transaction, deployment: Deployment, now: datetime) -> bool:
    """Takes the next step for the leads of one site that nobody has. Returns whether there are more."""
    trial, key = place
    due = promises.alarms(db, trial, key, now, FEW)
    if due:
        _Alarm(place, db, deployment, now).raised(due)
    return len(due) == FEW


class _Alarm:
    """The steps for some leads of one site, in one transaction."""

    def __init__(self, place: Place, db: Transaction, deployment: Deployment, now: datetime) -> None:
        self.db, self.deployment, self.now = db, deployment, now
        self.flow = deployment.library.newest(place[0])
        self.site = sites.now(db, self.flow, place[1])
        self.key = place[1]

    def raised(self, due: Sequence[Lead]) -> None:
        steps: defaultdict[int, list[Lead]] = defaultdict(list)
        for lead in due:
            if lead["status"] != "new" or lead["owner_id"] is not None or lead["escalated"] >= TOLD:
                leads.change(self.db, lead["id"], self.now, escalate_at=None)
            elif not self.site.open.open_at(self.now):
                leads.change(self.db, lead["id"], self.now, escalate_at=self.site.open.next_open(self.now))
            else:
                steps[lead["escalated"]].append(lead)
        for step, take in ((NOBODY, self._nudge), (NUDGED, self._name), (NAMED, self._tell)):
            if steps[step]:
                take(steps[step])

    def _nudge(self, waiting: list[Lead]) -> None:
        """The group is asked."""
        for lead in waiting:
            self._went(lead, "nudged", promise.second(self.site, lead["escalate_at"]))
        self._ask(WHO_TAKES, waiting)

    def _name(self, waiting: list[Lead]) -> None:
        """A second person is asked, by first name: whoever has the fewest leads, and did not give it back."""
        asked: defaultdict[str, list[Lead]] = defaultdict(list)
        load = promises.load(self.db, self.flow.trial.slug)
        at_site = staff.active(self.db, self.key, "coordinator") or staff.active(self.db, self.key, "site_lead")
        for lead in waiting:
            gave_back = promises.given_back_by(self.db, lead["id"])
            able = [member for member in at_site if member["id"] not in gave_back] or at_site
            chosen = min(able, key=lambda member: load[member["id"]], default=None)
            if chosen is not None:
                load[chosen["id"]] += 1
            asked[chosen["name"] if chosen is not None else ""].append(lead)
            detail = chosen["name"] if chosen is not None else ""
            self._went(lead, "second_named", promise.next_morning(self.site, self.now), detail)
        for name, theirs in asked.items():
            self._ask(COULD_YOU if name else STILL_NOBODY, theirs, owner=name)

    def _tell(self, waiting: list[Lead]) -> None:
        """Those who lead the site are told in private; where nobody does, the admins are."""
        told = staff.active(self.db, self.key, "site_lead") or staff.active(self.db, self.key, "admin")
        for lead in waiting:
            self._went(lead, "site_lead_told", None)
        for member in told:
            cards = cards_for(self.deployment, self.flow, member["language"])
            facts = {"references": _listed(cards, waiting), "site": site_name(cards, self.site)}
            key = f"alarm:{TOLD}:{waiting[0]['id']}:{self._stamp}:{member['id']}"
            subject, text = cards.line(SUBJECT, **facts), cards.line(SEE_TO_IT, **facts)
            tell_member(self.db, self.deployment, member, subject, text, key, self.now)

    def _went(self, lead: Lead, what: str, then: datetime | None, detail: str = "") -> None:
        if then is not None:
            then = max(then, self.site.open.after(self.now, BETWEEN))
        leads.change(self.db, lead["id"], self.now, escalated=lead["escalated"] + 1, escalate_at=then)
        leads.record(self.db, lead["id"], what, self.now, detail=detail)

    def _ask(self, line: str, waiting: list[Lead], owner: str = "") -> None:
        """Asks in the group, and shows on each lead's own card that it was asked."""
        if not self.deployment.staff_group:
            return
        zones = sites.zones(self.db, self.flow.trial.slug)
        cards = cards_for(self.deployment, self.flow, self.deployment.staff_language, zones)
        for lead in waiting if len(waiting) <= CARDS else ():
            said = cards.line(line, references=reference(lead["id"]), owner=owner)
            show_card(self.db, self.deployment, cards, lead, f"{lead['escalated']}:{self._stamp}", said, self.now)
        said = cards.line(line, references=_listed(cards, waiting), owner=owner)
        key = f"alarm:{waiting[0]['escalated']}:{waiting[0]['id']}:{self._stamp}"
        group, channel = self.deployment.staff_group, self.deployment.staff_channel
        outbox.put(self.db, channel, group, Envelope(said), key, self.now, priority=outbox.STAFF)

    @property
    def _stamp(self) -> str:
        return self.now.isoformat(timespec="seconds")


# ---------------------------------------------------------------------- the promise


def slips(place: Place, db: Transaction, deployment: Deployment, now: datetime) -> list[int]:
    """The leads of one site whose promised call did not come; none while the site is closed."""
    trial, key = place
    site = sites.now(db, deployment.library.newest(trial), key)
    if not site.open.open_at(now):
        return []
    return promises.slipping(db, trial, key, now - GRACE, SLIPS, FEW)


def slip(lead_id: int, db: Transaction, deployment: Deployment, now: datetime, *, cards: bool = True) -> bool:
    """Tells the person of one lead that the call did not come, and by when it does. Returns whether they were told.

    A call just before a picked time keeps the promise, and so does somebody who talks with them in the chat.
    ``cards`` is whether the card in the group is changed, too.
    """
    lead = leads.get(db, lead_id)
    if lead is None or lead["status"] not in promises.WAITING or lead["slipped"] >= SLIPS:
        return False
    flow = deployment.library.newest(lead["trial"])
    site = sites.now(db, flow, lead["site"])
    if not site.open.open_at(now) or site.open.after(lead["due_at"], GRACE) > now:
        return False
    due = promise.due(site, now)
    kept = conversations.by_id(db, lead["conversation_id"]) if lead["conversation_id"] is not None else None
    early = lead["slot_at"] is not None and promises.called_since(db, lead_id, lead["slot_at"] - EARLY)
    if early or (kept is not None and kept.held_by is not None):
        leads.change(db, lead_id, now, due_at=due, slot_at=None)
        return False
    leads.change(db, lead_id, now, due_at=due, slot_at=None, slipped=lead["slipped"] + 1)
    leads.record(db, lead_id, "slipped", now)
    day = due.astimezone(site.zone).date().isoformat()
    told = tell_person(db, deployment, lead, "slipped", f"{lead['slipped'] + 1}", now, due=day)
    fresh = leads.get(db, lead_id)
    if cards and fresh is not None:
        shown = cards_for(deployment, flow, deployment.staff_language, sites.zones(db, flow.trial.slug))
        show_card(db, deployment, shown, fresh, f"slipped:{fresh['slipped']}", "", now)
    return told


# ---------------------------------------------------------------------- a silent site


def silence(place: Place, db: Transaction, deployment: Deployment, now: datetime) -> bool:
    """Stops new leads for a site where people wait and nobody acted for two working days; admins are told."""
    trial, key = place
    flow = deployment.library.newest(trial)
    site = sites.now(db, flow, key)
    if not site.key or not site.takes:
        return False
    number, oldest = promises.waiting_since(db, trial, key, now)
    if oldest is None or now < _silent_from(site, max(oldest, site.active_at or oldest)):
        return False
    sites.change(db, flow, key, now, status="paused")
    audit.record(db, "site.silent", detail=key)
    for member in staff.active(db, key, "admin"):
        cards = cards_for(deployment, flow, member["language"])
        facts = {"site": site_name(cards, site), "number": cards.words.number(number)}
        subject, text = cards.line(SILENT_SUBJECT, **facts), cards.line(SILENT_SITE, **facts)
        name = f"silent:{trial}:{key}:{now.isoformat(timespec='seconds')}:{member['id']}"
        tell_member(db, deployment, member, subject, text, name, now)
    return True


def _silent_from(site: SiteNow, since: datetime) -> datetime:
    """When two whole working days are over since somebody was there."""
    *_, last = islice(site.open.working_days(site.open.day(since)), SILENT)
    return site.open.openings(last)[-1][1]


# ---------------------------------------------------------------------- how it is shown


def show_card(
    db: Transaction, deployment: Deployment, cards: Cards, lead: Lead, key: str, below: str, now: datetime
) -> None:
    """The lead's card in the group as it is now, with a line below. A card that never arrived is not made anew."""
    if not deployment.staff_group or not lead["notice"]:
        return
    owner = staff.by_id(db, lead["owner_id"])
    card = cards.notice(lead, owner["name"] if owner else "")
    text = f"{card.text}\n{below}" if below else card.text
    envelope = Envelope(text, card.rows, edits=lead["notice"])
    name = f"lead:{lead['id']}:card:{key}"
    outbox.put(db, deployment.staff_channel, deployment.staff_group, envelope, name, now, priority=outbox.STAFF)


def _listed(cards: Cards, waiting: Sequence[Lead]) -> str:
    return cards.words.listed([reference(lead["id"]) for lead in waiting])
