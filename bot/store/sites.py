"""How each site works now: what its trial file says, and over it what was changed here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.core import get_global
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import RowMapping

from bot.desk.hours import Hours, has_holidays
from bot.store.tables import SiteRow
from bot.store.transaction import Transaction
from flows.flow import Flow, Site

_site = SiteRow.__table__  # type: ignore[attr-defined]

STATUSES = ("active", "paused", "full")
"""paused takes no leads for now; full takes no more."""
CHANGEABLE = ("status", "timezone", "hours", "holidays", "languages", "phone", "email", "capacity")
OFFICE = "Mon-Fri 09:00-17:00"
"""The hours of the study desk."""


@dataclass(frozen=True, slots=True)
class SiteNow:
    """A site as it works now. The study desk, where leads without a site go, has the key ""."""

    trial: str
    key: str
    name: str
    city: str
    country: str
    status: str
    timezone: str
    hours: str
    holidays: str
    languages: tuple[str, ...]
    phone: str
    """The number that calls come from."""
    email: str
    capacity: int
    """Calls that one slot of half an hour takes."""
    active_at: datetime | None = None
    """When somebody there last did something, if anything was noted yet."""

    @property
    def open(self) -> Hours:
        """Its working hours. They were read when they were set: this raises nothing."""
        return Hours.of(self.hours, self.timezone, self.holidays)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def takes(self) -> bool:
        """Whether it takes new leads."""
        return self.status == "active"


def now(db: Transaction, flow: Flow, key: str) -> SiteNow:
    """The site with this id; the study desk for "" and for a site that the trial file does not have."""
    site = flow.site(key)
    return _over(flow.trial.slug, site, _row(db, flow.trial.slug, key)) if site is not None else desk(flow)


def filed(flow: Flow, key: str) -> SiteNow:
    """The same as the trial file alone has it."""
    site = flow.site(key)
    return _over(flow.trial.slug, site, None) if site is not None else desk(flow)


def every(db: Transaction, flow: Flow) -> tuple[SiteNow, ...]:
    """The sites of a trial, in the order of its file. The study desk is none of them."""
    found = db.execute(select(_site).where(_site.c.trial == flow.trial.slug)).mappings()
    rows = {row["key"]: row for row in found}
    return tuple(_over(flow.trial.slug, site, rows.get(site.id)) for site in flow.sites)


def zones(db: Transaction, trial: str) -> dict[str, str]:
    """The time zones that were changed here, by the site's id: over what the trial file says."""
    changed = select(_site.c.key, _site.c.timezone).where(_site.c.trial == trial, _site.c.timezone.is_not(None))
    return {row.key: row.timezone for row in db.execute(changed)}


def desk(flow: Flow) -> SiteNow:
    """The study's own desk: office hours in the trial's time zone, and the holidays of that country."""
    trial = flow.trial
    country = str(get_global("zone_territories").get(trial.timezone, ""))
    holidays = country if has_holidays(country) else ""
    languages = tuple(dict.fromkeys(tag for site in flow.sites for tag in site.languages))
    return SiteNow(
        *(trial.slug, "", "", "", country, "active", trial.timezone, OFFICE, holidays),
        *(languages, trial.contact, "", 1),
    )


def change(db: Transaction, flow: Flow, key: str, now: datetime, **values: Any) -> SiteNow:
    """Sets some of how a site works, any of CHANGEABLE. Returns it as it is then.

    None, or what the trial file says anyway, is no change: it goes with the next version of the file.

    Raises LookupError for a site that the trial does not have, and BadHours for hours that cannot be.
    """
    site = flow.site(key)
    if site is None:
        raise LookupError(key)
    if strange := sorted(values.keys() - set(CHANGEABLE)):
        raise TypeError(f"nothing of a site is called {strange[0]}")
    said = _filed(site)
    values = {name: None if name in said and value == said[name] else value for name, value in values.items()}
    if values.get("status") == "active":
        values["active_at"] = now  # it is given its time again before it counts as silent
    _set(db, flow.trial.slug, key, now, changed_at=now, **values)
    fresh = _over(flow.trial.slug, site, _row(db, flow.trial.slug, key))
    Hours.of(fresh.hours, fresh.timezone, fresh.holidays)
    return fresh


def stir(db: Transaction, trial: str, key: str, now: datetime) -> None:
    """Notes that somebody of the site did something. The study desk is never silent."""
    if key:
        _set(db, trial, key, now, active_at=now)


def lock(db: Transaction, trial: str, key: str, now: datetime) -> None:
    """Until the transaction ends, nobody else gives away this site's time."""
    row = {"trial": trial, "key": key, "status": "active", "capacity": 1, "changed_at": now}
    db.execute((postgresql if db.server else sqlite).insert(_site).values(row).on_conflict_do_nothing())
    db.execute(select(_site.c.id).where(_site.c.trial == trial, _site.c.key == key).with_for_update())


def _set(db: Transaction, trial: str, key: str, now: datetime, **values: Any) -> None:
    """Changes the row of a site, which is there from the first change on."""
    row = {"trial": trial, "key": key, "status": "active", "capacity": 1, "changed_at": now, **values}
    made = (postgresql if db.server else sqlite).insert(_site).values(row)
    db.execute(made.on_conflict_do_update(index_elements=["trial", "key"], set_=values))


def _row(db: Transaction, trial: str, key: str) -> RowMapping | None:
    return db.execute(select(_site).where(_site.c.trial == trial, _site.c.key == key)).mappings().first()


def _over(trial: str, site: Site, row: RowMapping | None) -> SiteNow:
    """What the file says, under what was changed."""
    said = _filed(site)
    if row is not None:
        said |= {name: row[name] for name in said if row[name] is not None}
    return SiteNow(
        trial=trial,
        key=site.id,
        name=site.name,
        city=site.city,
        country=site.country,
        status=row["status"] if row is not None else "active",
        capacity=row["capacity"] if row is not None else 1,
        active_at=row["active_at"] if row is not None else None,
        **{**said, "languages": tuple(said["languages"])},
    )


def _filed(site: Site) -> dict[str, Any]:
    """What the trial file says of what may be changed."""
    names = ("timezone", "hours", "phone", "email")
    holidays = site.country if has_holidays(site.country) else ""
    return {
        **{name: getattr(site, name) for name in names},
        "languages": list(site.languages),
        "holidays": holidays,
    }
