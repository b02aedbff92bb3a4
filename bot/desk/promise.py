"""When a lead is due: a first call within one working day of the site."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

FIRST_CALL_HOUR = 12
SATURDAY = 5


def due(now: datetime, timezone: str) -> datetime:
    """Noon of the site's next working day, Monday to Friday, in the site's time zone."""
    day = now.astimezone(ZoneInfo(timezone)) + timedelta(days=1)
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    return day.replace(hour=FIRST_CALL_HOUR, minute=0, second=0, microsecond=0)
