"""By when somebody calls, and when staff are reminded that nobody has a lead: all of it in the site's own hours."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.store.sites import SiteNow

CLAIM = timedelta(minutes=30)
"""Site time within which somebody should have a lead."""
SECOND = timedelta(hours=2)
"""Site time after which a second person is asked by name."""
NOON = 12
LATE_OPENING = timedelta(hours=2)
"""Where a site opens at noon or later, this long after that."""


def due(site: SiteNow, now: datetime) -> datetime:
    """When the first call is due: noon of the site's next working day, or the nearest time in its hours. UTC."""
    hours = site.open
    day = next(hours.working_days(hours.day(now)))
    noon = hours.at(day, NOON)
    ends = [min(end, noon) for begin, end in hours.openings(day) if begin < noon]
    if ends:
        return ends[-1]
    begin, end = hours.openings(day)[0]
    return min(end, begin + LATE_OPENING)


def nudge(site: SiteNow, now: datetime) -> datetime:
    """When the group is reminded of a lead that comes into the queue now."""
    return site.open.after(now, CLAIM)


def second(site: SiteNow, nudged: datetime) -> datetime:
    """When a second person is asked by name, for a lead whose first reminder was due at ``nudged``."""
    return site.open.after(nudged, SECOND - CLAIM)


def next_morning(site: SiteNow, now: datetime) -> datetime:
    """When the site opens on its next working day."""
    hours = site.open
    return hours.openings(next(hours.working_days(hours.day(now))))[0][0]
