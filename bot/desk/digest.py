"""The morning digest of a site: how the last working day went and what waits, in counts and references only.

One for each working day and site, to the group and by mail to those who lead the site, with its mark in one commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from bot.deployment import Deployment
from bot.desk.cards import Cards, cards_for
from bot.desk.escalation import TOLD, Place
from bot.desk.letters import mail_member, site_name
from bot.messages import Envelope
from bot.store import marks, outbox, promises, sites, staff
from bot.store.leads import reference
from bot.store.sites import SiteNow
from bot.store.transaction import Transaction

HOUR, MINUTE = 8, 30
OUT_OF_REACH = timedelta(days=14)
"""Without a word after the third call in vain for so long, it is proposed to close a lead."""
SHOWN = 10
"""References that a line names at most."""

HEAD = "{site}, {day}"
YESTERDAY = "Yesterday: {new} new, {called} called, {booked} booked, {overdue} overdue."
SINCE = "Since {day}: {new} new, {called} called, {booked} booked, {overdue} overdue."
NOW = "Waiting: {waiting}. Put off until today: {back}. Calls at a picked time today: {slots}."
OVERDUE = "Overdue: {references}."
UNOWNED = "Nobody has: {references}. Please take one."
UNREACHED = "Three calls in vain and 14 days of silence: {references}. These can be closed as could not reach."
MORE = "{references} and {number} more"
SUBJECT = "{site}: {waiting} waiting, {overdue} overdue"
LINES = (HEAD, YESTERDAY, SINCE, NOW, OVERDUE, UNOWNED, UNREACHED, MORE, SUBJECT)


def digest(place: Place, db: Transaction, deployment: Deployment, now: datetime) -> bool:
    """Sends the digest of one site for today, if it is time and it was not sent yet. Returns whether it was.

    A site where nothing happened and nobody waits is spared it.
    """
    trial, key = place
    flow = deployment.library.newest(trial)
    site = sites.now(db, flow, key)
    day = site.open.day(now)
    if not site.open.works_on(day):
        return False
    begins, over = site.open.at(day, HOUR, MINUTE), site.open.openings(day)[-1][1]
    if not begins <= now < max(over, begins + timedelta(hours=1)):
        return False
    if not marks.once(db, f"digest:{trial}:{key}:{day.isoformat()}", now):
        return False
    told = _Morning(db, site, day, now)
    if not told.matters:
        return False
    name = f"digest:{trial}:{key}:{day.isoformat()}"
    if deployment.staff_group:
        cards = cards_for(deployment, flow, deployment.staff_language)
        group, channel = deployment.staff_group, deployment.staff_channel
        outbox.put(db, channel, group, Envelope(told.text(cards)), name, now, priority=outbox.STAFF)
    for member in staff.active(db, key, "site_lead"):
        cards = cards_for(deployment, flow, member["language"])
        mail_member(*(db, deployment, member, told.subject(cards), told.text(cards), f"{name}:{member['id']}", now))
    return True


class _Morning:
    """One site as it is this morning."""

    def __init__(self, db: Transaction, site: SiteNow, day: date, now: datetime) -> None:
        self.site, self.day = site, day
        hours = site.open
        self.since = _last_working_day(site, day)
        where = (db, site.trial, site.key)
        last = (*where, hours.at(self.since, 0), hours.at(day, 0))
        today = (hours.at(day, 0), hours.at(day + timedelta(days=1), 0))
        self.late = promises.late(*where, now)
        self.unowned = promises.unowned(*where, TOLD)
        self.unreached = promises.unreached(*where, now - OUT_OF_REACH)
        at = last[3:]
        self.counts: Mapping[str, int] = {
            "new": promises.created(*last),
            "called": promises.happened(*where, promises.CONTACT, *at),
            "booked": promises.happened(*where, ("scheduled",), *at),
            "overdue": len(self.late),
            "waiting": promises.waiting_since(*where, now)[0],
            "back": promises.coming_back(*where, *today),
            "slots": sum(number for start, number in promises.booked(*where, today[0]).items() if start < today[1]),
        }

    @property
    def matters(self) -> bool:
        return any(self.counts.values())

    def subject(self, cards: Cards) -> str:
        return cards.line(SUBJECT, **self._facts(cards))

    def text(self, cards: Cards) -> str:
        facts = self._facts(cards)
        yesterday = self.since == self.day - timedelta(days=1)
        lines = [
            cards.line(HEAD, **{**facts, "day": f"{cards.words.weekday(self.day)}, {cards.words.day(self.day)}"}),
            cards.line(YESTERDAY if yesterday else SINCE, **facts),
            cards.line(NOW, **facts),
        ]
        for line, found in ((OVERDUE, self.late), (UNOWNED, self.unowned), (UNREACHED, self.unreached)):
            if found:
                lines.append(cards.line(line, references=_named(cards, found)))
        return "\n".join(lines)

    def _facts(self, cards: Cards) -> dict[str, str]:
        numbers = {name: cards.words.number(number) for name, number in self.counts.items()}
        return {"site": site_name(cards, self.site), "day": cards.words.weekday(self.since), **numbers}


def _last_working_day(site: SiteNow, day: date) -> date:
    """The working day before this one; the same day a week ago if there was none since."""
    before = (day - timedelta(days=number) for number in range(1, 15))
    return next((one for one in before if site.open.works_on(one)), day - timedelta(days=7))


def _named(cards: Cards, found: Sequence[int]) -> str:
    shown = cards.words.listed([reference(number) for number in found[:SHOWN]])
    if len(found) <= SHOWN:
        return shown
    return cards.line(MORE, references=shown, number=cards.words.number(len(found) - SHOWN))
