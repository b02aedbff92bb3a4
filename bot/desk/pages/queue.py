"""The queue: who waits, the most urgent first, and what is late in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from bot.desk import duplicates, rights
from bot.desk.cards import FIT, STATUS
from bot.desk.pages import lines
from bot.desk.pages.room import ROOT, Caller, Room, Tongue, caller_of, go, render, room_of, tongue_of
from bot.store import keys, leads, queue
from bot.store.leads import Lead
from bot.store.queue import PAGE, Wanted
from bot.store.transaction import Transaction
from flows.kinds.text import clean

router = APIRouter()

SECONDS = 30
"""The queue is looked at again this often."""


@dataclass(frozen=True, slots=True)
class Row:
    """One lead in the queue, without the person's name."""

    lead: Lead
    reference: str
    status: str
    fit: str
    verify: int
    language: str
    site: str
    window: str
    due: str
    zone: str
    late: str
    """By how long it is late, in words; "" if it is not."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of the page asks for. What makes no sense asks for nothing."""

    site: str
    language: str
    status: str
    mine: bool
    after: tuple[datetime, int] | None

    @classmethod
    def of(cls, request: Request) -> Asked:
        given = request.query_params
        status = given.get("status", "")
        known = status in lines.VIEWS or status in STATUS
        language = given.get("language", "")
        return cls(
            clean(given.get("site", ""))[:40],
            language if language in room_of(request).deployment.languages.every else "",
            status if known else ("open" if given.get("mine") else "to_call"),
            bool(given.get("mine")),
            _after(given.get("after", "")),
        )

    def address(self, **other: Any) -> str:
        values = {
            "site": self.site,
            "language": self.language,
            "status": self.status,
            "mine": "1" if self.mine else "",
            "after": f"{self.after[0].timestamp():.6f}-{self.after[1]}" if self.after else "",
        } | other
        return "?" + urlencode({name: value for name, value in values.items() if value})

    def wanted(self, caller: Caller) -> Wanted:
        sites: list[str] | None = list(caller.member["sites"]) or None
        if self.site:
            site = "" if self.site == "desk" else self.site
            sites = [site] if rights.at_site(caller.member, site) else []
        return Wanted(sites, self.status, self.language, caller.member["id"] if self.mine else None)


def _after(text: str) -> tuple[datetime, int] | None:
    found = re.fullmatch(r"(\d{1,11}\.\d{6})-(\d{1,12})", text)
    return (datetime.fromtimestamp(float(found[1]), UTC), int(found[2])) if found else None


@router.get("/")
async def show(request: Request) -> Response:
    caller = caller_of(request)
    if not caller.may("work"):
        return go("/counts")
    return render(request, "queue.html", **await _page(request))


@router.get("/rows")
async def rows(request: Request) -> Response:
    """The same list alone: what a page that stays open asks for by itself."""
    caller = caller_of(request)
    if not caller.may("work"):
        return render(request, "trouble.html", 404, what="not_there")
    return render(request, "_rows.html", **await _page(request))


@router.post("/search")
async def search(request: Request, text: Annotated[str, Form(max_length=320)] = "") -> Response:
    """By reference, number or mail address. What was typed stands in no address, and is not kept."""
    room, caller = room_of(request), caller_of(request)
    if not caller.may("work"):
        return render(request, "trouble.html", 404, what="not_there")
    found = re.fullmatch(r"[Kk]-?(\d{1,9})", text.strip())
    number = int(found[1]) if found else None

    def look(db: Transaction) -> list[Lead]:
        if number is not None:
            some = [queue.one(db, number)]
        else:
            hashes = duplicates.search(room.deployment, text)
            alike = keys.found(db, room.deployment.trial, hashes) if hashes else []
            some = [queue.one(db, lead_id) for lead_id in dict.fromkeys(lead["id"] for lead, _ in alike)]
        return [lead for lead in some if lead is not None and rights.sees(caller.member, lead)]

    seen = await room.look(look)
    if number is not None and len(seen) == 1:
        return go(f"/leads/{leads.reference(number)}")
    tongue = tongue_of(request)
    return render(request, "found.html", rows=[row_of(room, tongue, lead) for lead in seen], typed=text.strip())


async def _page(request: Request) -> dict[str, Any]:
    room, caller, asked, tongue = room_of(request), caller_of(request), Asked.of(request), tongue_of(request)
    wanted = asked.wanted(caller)

    def look(db: Transaction) -> tuple[list[Lead], int]:
        return queue.page(db, wanted, db.at, asked.after), queue.late(db, wanted, db.at)

    found, late = await room.look(look)
    more = ""
    if len(found) > PAGE:
        last = found[PAGE - 1]
        moment = last["created_at"] if asked.status in ("done", *queue.DONE) else last["due_at"]
        more = asked.address(after=f"{moment.timestamp():.6f}-{last['id']}")
    return {
        "rows": [row_of(room, tongue, lead) for lead in found[:PAGE]],
        "late": f"{queue.MANY - 1}+" if late >= queue.MANY else str(late),
        "count": f"{PAGE}+" if more and not asked.after else str(len(found[:PAGE])),
        "asked": asked,
        "more": more,
        "first": asked.address(after="") if asked.after else "",
        "again": f"{ROOT}/rows{asked.address()}",
        "seconds": SECONDS,
        "sites": sites_of(room, caller, tongue),
        "languages": room.deployment.languages.every,
        "views": lines.VIEWS,
        "statuses": STATUS,
        "filtered": bool(asked.site or asked.language or asked.mine or asked.status != "to_call"),
    }


def sites_of(room: Room, caller: Caller, tongue: Tongue) -> dict[str, str]:
    """The sites whose leads somebody may see: key and name."""
    flow = room.deployment.library.newest(room.deployment.trial)
    patient = room.deployment.languages.patient(tongue.words.locale)
    found = {site.id: patient.text(f"{flow.trial.slug}.site", site.name) for site in flow.sites}
    known = {key: name for key, name in found.items() if rights.at_site(caller.member, key)}
    return known | ({"desk": tongue("Study desk")} if rights.at_site(caller.member, "") else {})


def row_of(room: Room, tongue: Tongue, lead: Lead) -> Row:
    cards = room.cards(lead, tongue.words.locale)
    there = lead["due_at"].astimezone(room.zone(lead))
    return Row(
        lead,
        leads.reference(lead["id"]),
        tongue(STATUS[lead["status"]]),
        tongue(FIT[lead["outcome"]] if lead["status"] != "withdrawn" else lines.EMPTIED),
        sum(flag["status"] == "REVIEW" for flag in lead["flags"]),
        str(room.deployment.languages.every.get(lead["locale"], lead["locale"])),
        cards.site(lead) or tongue("Study desk"),
        cards.window(lead),
        tongue.words.moment(there),
        tongue.zone(there),
        tongue.lasting(tongue.now - lead["due_at"]) if queue.is_late(lead, tongue.now) else "",
    )
