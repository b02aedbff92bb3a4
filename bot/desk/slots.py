"""The half hours in which a site has time for a call: free ones to offer, and one that one person takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice

from bot.store import leads, promises, sites
from bot.store.sites import SiteNow
from bot.store.transaction import Transaction

LENGTH = timedelta(minutes=30)
NOTICE = timedelta(hours=1)
"""Site time between now and the first slot that is offered."""
FIRST_DAY, OTHER_DAYS = 3, 2
"""Slots offered on the first day that has any, and on each day after it."""
AHEAD = 20
"""Working days that are looked at."""


def free(
    db: Transaction, site: SiteNow, now: datetime, most: int = 6, after: datetime | None = None
) -> list[datetime]:
    """Starts of free slots in UTC, spread over days and parts of the day; none if the site has no time.

    ``after`` is the last one of those that were offered before: only later ones are.
    """
    hours = site.open
    soonest = hours.after(now, NOTICE)
    if after is not None:
        soonest = max(soonest, after + timedelta(microseconds=1))
    taken = promises.booked(db, site.trial, site.key, now)
    found: list[datetime] = []
    yesterday = hours.day(soonest) - timedelta(days=1)
    for day in islice(hours.working_days(yesterday), AHEAD):
        starts = [start for start in _starts(site, day) if start >= soonest and taken[start] < site.capacity]
        found += _spread(starts, OTHER_DAYS if found else FIRST_DAY)
        if len(found) >= most:
            break
    return found[:most]


def take(db: Transaction, lead_id: int, site: SiteNow, start: datetime, now: datetime) -> bool:
    """Gives a slot to the person of a lead, in the place of another one that they had; it is then due at its end.

    False if there is no such slot any more: of two who want the last one, one has it. The history tells of it.
    """
    start = start.astimezone(UTC)
    sites.lock(db, site.trial, site.key, now)
    if start <= now or start not in _starts(site, site.open.day(start)):
        return False
    if promises.booked(db, site.trial, site.key, now, but=lead_id)[start] >= site.capacity:
        return False
    leads.change(db, lead_id, now, slot_at=start, due_at=start + LENGTH)
    leads.record(db, lead_id, "slot_picked", now, detail=start.isoformat(timespec="minutes"))
    return True


def _starts(site: SiteNow, day: date) -> list[datetime]:
    """Every slot of a day: full and half hours of the site's clock that lie within its hours as a whole."""
    return [start for begin, end in site.open.openings(day) for start in _within(site, begin, end)]


def _within(site: SiteNow, begin: datetime, end: datetime) -> Iterator[datetime]:
    start = begin + timedelta(minutes=-begin.astimezone(site.zone).minute % 30)
    while start + LENGTH <= end:
        yield start
        start += LENGTH


def _spread(starts: Sequence[datetime], most: int) -> list[datetime]:
    """As many of them as that, from the first to the last, as even as can be."""
    if len(starts) <= most:
        return list(starts)
    return [starts[number * (len(starts) - 1) // (most - 1)] for number in range(most)]
