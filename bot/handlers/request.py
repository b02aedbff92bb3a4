"""What a person asks of the request they sent: how it stands, another time, a person, and to take it back."""

from __future__ import annotations

from datetime import datetime

from bot.desk import slots
from bot.handlers.ended import withdraw
from bot.handlers.happening import Happening
from bot.handlers.lead_raised import raised
from bot.messages import Envelope
from bot.store import leads, outbox, sites, staff
from bot.store.leads import Lead
from bot.store.sites import SiteNow
from bot.store.transaction import Transaction
from flows.flow import SITE
from flows.turn import LeadRaised, PersonWished, SlotPicked, StatusWished, TimesWished, Withdrawn

STANDS = {
    "new": "waiting", "claimed": "has", "attempt_1": "tried", "attempt_2": "tried", "attempt_3": "tried",
    "call_later": "later", "reached": "spoken", "considering": "spoken", "scheduled": "visit",
    "consented": "inside", "enrolled": "inside", "closed": "closed",
}  # fmt: skip
"""How a lead of each status is told to the person it is about."""
CALLED = ("scheduled", "consented", "enrolled")
"""No call is to be made any more."""

WANTS_PERSON = "{reference}: the person asks to talk to somebody. Please call or write soon."
PICKED = "{reference}: the person picked a time for the call: {slot}."
LINES = (WANTS_PERSON, PICKED)


def status_wished(db: Transaction, happening: Happening, event: StatusWished) -> dict[str, str]:
    """The facts about the open request, or else about the last one; none if there was never any."""
    lead = _latest(db, happening)
    if lead is None:
        return {}
    site = sites.now(db, happening.flow, lead["site"])
    owner = staff.by_id(db, lead["owner_id"])
    stands = STANDS[lead["status"]]
    facts = {
        "status": "waiting" if owner is None and stands != "closed" else stands,
        "name": owner["name"] if owner else "",
        "site": lead["site"],
        "reference": leads.reference(lead["id"]),
        "sent_on": _day(lead["created_at"], site),
        "due": _day(lead["due_at"], site),
        "phone": site.phone,
    }
    tried = [row["at"] for row in leads.history(db, lead["id"]) if row["what"] == "no_answer"]
    facts["tried_on"] = _day(tried[-1], site) if tried else ""
    ahead = lead["slot_at"] is not None and lead["slot_at"] > happening.now
    if ahead and stands not in ("visit", "inside", "closed"):
        facts |= {"slot": lead["slot_at"].isoformat(), **_clocks(site, lead)}
    return facts


def times_wished(db: Transaction, happening: Happening, event: TimesWished) -> dict[str, str]:
    lead = _open(db, happening)
    if lead is None:
        return {"time": "no_lead"}
    if lead["status"] in CALLED:
        return {"time": "visit"}
    return _offer(db, happening, lead, "offer")


def slot_picked(db: Transaction, happening: Happening, event: SlotPicked) -> dict[str, str]:
    """Gives the slot, if it is free still; whoever has the lead hears of it."""
    lead = _open(db, happening)
    if lead is None or lead["status"] in CALLED:
        return times_wished(db, happening, TimesWished())
    site = sites.now(db, happening.flow, lead["site"])
    if lead["slot_at"] != event.start:
        if not slots.take(db, lead["id"], site, event.start, happening.now):
            return _offer(db, happening, lead, "gone")
        leads.change(db, lead["id"], happening.now, snoozed_until=None)
        _tell_staff(db, happening, lead, PICKED, slot=event.start.astimezone(site.zone))
    return {"time": "yours", "slot": event.start.isoformat(), **_clocks(site, lead)}


def person_wished(db: Transaction, happening: Happening, event: PersonWished) -> dict[str, str]:
    """Staff hear it once, until they have reached the person. A request that was closed is opened anew."""
    lead = _open(db, happening)
    if lead is None:
        answer = happening.after.answers.get(SITE)
        chosen = answer.value if answer is not None and isinstance(answer.value, str) else ""
        raised(db, happening, LeadRaised(None, chosen))
        lead = _open(db, happening)
        assert lead is not None
    elif not lead["wants_person"]:
        leads.change(db, lead["id"], happening.now, wants_person=True, snoozed_until=None)
        leads.record(db, lead["id"], "asked_for_person", happening.now)
        _tell_staff(db, happening, lead, WANTS_PERSON)
    return office(sites.now(db, happening.flow, lead["site"]), lead["site"])


def withdrawn(db: Transaction, happening: Happening, event: Withdrawn) -> dict[str, str]:
    """The lead loses all that names the person; their answers stay with them."""
    lead = _open(db, happening)
    if lead is None:
        return {"withdrawn": "none"}
    withdraw(db, happening, lead)
    return {}


def office(site: SiteNow, key: str) -> dict[str, str]:
    """When and where somebody can be reached."""
    return {"site": key, "hours": site.hours, "phone": site.phone, "city": site.key or _place(site)}


# ---------------------------------------------------------------------- what it rests on


def _open(db: Transaction, happening: Happening) -> Lead | None:
    kept = happening.kept
    return leads.open_of(db, kept.channel, kept.chat, happening.flow.trial.slug)


def _latest(db: Transaction, happening: Happening) -> Lead | None:
    """The open lead, else the last one; or the one that it was merged into, which is worked in its place."""
    kept, trial = happening.kept, happening.flow.trial.slug
    mine = [lead for lead in leads.of_chat(db, kept.channel, kept.chat) if lead["trial"] == trial]
    mine = [lead for lead in mine if lead["status"] != "withdrawn"]
    lead = _open(db, happening) or (mine[-1] if mine else None)
    if lead is not None and lead["merged_into"] is not None:
        return leads.get(db, lead["merged_into"])
    return lead


def _offer(db: Transaction, happening: Happening, lead: Lead, what: str) -> dict[str, str]:
    site = sites.now(db, happening.flow, lead["site"])
    free = slots.free(db, site, happening.now)
    listed = ",".join(start.isoformat() for start in free)
    return {"time": what if free else "none", "slots": listed, **_clocks(site, lead)}


def _clocks(site: SiteNow, lead: Lead) -> dict[str, str]:
    """The site's clock, and the person's own where their number says which that is."""
    own = own_zone(str(lead["contact"].get("phone", "")))
    return {"zone": site.timezone, "city": site.key or _place(site), "own_zone": own}


def own_zone(number: str) -> str:
    """The time zone that a number in the form +34600000000 belongs to; "" if there may be several."""
    import phonenumbers  # noqa: PLC0415 (slow to import, and only few need it)
    from phonenumbers import timezone  # noqa: PLC0415

    try:
        zones = timezone.time_zones_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return ""
    return zones[0] if len(zones) == 1 and zones[0] != timezone.UNKNOWN_TIMEZONE else ""


def _place(site: SiteNow) -> str:
    return site.timezone.rpartition("/")[2].replace("_", " ")


def _day(moment: datetime, site: SiteNow) -> str:
    return moment.astimezone(site.zone).date().isoformat()


def _tell_staff(db: Transaction, happening: Happening, lead: Lead, line: str, slot: datetime | None = None) -> None:
    """The owner in private, or else the group."""
    deployment, owner = happening.deployment, staff.by_id(db, lead["owner_id"])
    known = owner is not None and owner["telegram_id"] is not None
    chat = str(owner["telegram_id"]) if owner is not None and known else deployment.staff_group
    if not chat:
        return
    cards = happening.cards(owner["language"] if owner is not None and known else "")
    values = {"reference": leads.reference(lead["id"]), "slot": cards.words.moment(slot) if slot else ""}
    key = f"lead:{lead['id']}:asked:{happening.kept.tag}:{happening.kept.revision}"
    told = Envelope(cards.line(line, **values))
    outbox.put(db, deployment.staff_channel, chat, told, key, happening.now, priority=outbox.STAFF)
