"""One lead as a call sheet. Every opening of it is in the audit before anything of it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from starlette.responses import Response

from bot.desk import lead as life
from bot.desk import merging, rights, talking
from bot.desk.actions import UNDO, NotThere
from bot.desk.cards import ACTION, CLOSING, Cards, Point
from bot.desk.pages import hung, lines
from bot.desk.pages.hung import Hung
from bot.desk.pages.queue import Row, row_of
from bot.desk.pages.room import Caller, Room, Tongue, caller_of, render, room_of, tongue_of
from bot.store import audit, conversations, leads, queue, staff
from bot.store.conversations import Kept
from bot.store.leads import Lead
from bot.store.staff import Member
from bot.store.transaction import Transaction
from bot.words import CatalogueWords
from flows.answer import StepId
from flows.flow import CHECK, CONTACT, Flow
from flows.kinds import KINDS
from flows.machine import place
from flows.speak import fill

router = APIRouter()

ASLEEP = {"later": timedelta(hours=2), "tomorrow": timedelta(days=1), "week": timedelta(days=7)}
"""How long a lead can be put off by one press."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A lead with all that its page shows, as it was read at one moment."""

    lead: Lead
    kept: Kept | None
    history: list[Any]
    heirs: list[Member]
    hung: Hung
    talk: list[Any]
    """What staff and the person wrote to each other."""


def number_of(reference: str) -> int:
    """The id behind ``K-0001``, written in that way and no other. Raises NotThere."""
    digits = reference.removeprefix("K-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise NotThere
    if leads.reference(int(digits)) != reference:
        raise NotThere
    return int(digits)


@router.get("/leads/{reference}")
async def show(request: Request, reference: str) -> Response:
    return await page(request, number_of(reference))


@router.get("/leads/{reference}/undo")
async def undo_over(request: Request, reference: str) -> Response:
    """What takes the place of the offer to undo once its time is over: nothing."""
    return render(request, "_nothing.html")


async def page(request: Request, lead_id: int, alarm: str = "", status: int = 200) -> Response:
    """The call sheet, with ``alarm`` above it. Raises NotThere, for what another site has, too."""
    room, caller = room_of(request), caller_of(request)
    seen = await room.look(lambda db: _look(db, lead_id, caller))
    await room.writer.write(lambda db: audit.record(db, "lead.opened", caller.member["id"], lead_id))
    return render(request, "lead.html", status, alarm=alarm, **_shown(room, caller, tongue_of(request), seen))


def _look(db: Transaction, lead_id: int, caller: Caller) -> Seen:
    lead = queue.one(db, lead_id)
    if lead is None or not rights.sees(caller.member, lead):
        raise NotThere
    kept = None
    if lead["conversation_id"] is not None and lead["status"] != "withdrawn":
        kept = conversations.by_id(db, lead["conversation_id"])
    talk = conversations.talk(db, lead["channel"], lead["chat"], lead["created_at"]) if kept else []
    heirs = [member for member in staff.every(db) if rights.sees(member, lead) and member["id"] != lead["owner_id"]]
    return Seen(lead, kept, merging.history(db, lead_id), heirs, hung.look(db, lead, caller.member), talk)


def _shown(room: Room, caller: Caller, tongue: Tongue, seen: Seen) -> dict[str, Any]:
    lead, zone, library = seen.lead, room.zone(seen.lead), room.deployment.library
    flow = library.flow(seen.kept.conversation.flow) if seen.kept else library.newest(lead["trial"])
    cards = room.cards(lead, caller.member["language"], flow)
    mine = lead["owner_id"] == caller.member["id"]
    row: Row = row_of(room, tongue, lead)
    patient = room.deployment.languages.patient(lead["locale"])
    last = next((event for event in reversed(seen.history) if event["lead_id"] == lead["id"]), None)
    left = timedelta(0)
    if last is not None and last["staff_id"] == caller.member["id"] and last["before"] is not None:
        left = UNDO - (tongue.now - last["at"])
    return {
        "row": row,
        "lead": lead,
        "sheet": cards.sheet(lead),
        "given": {point.criterion: _given(cards, flow, point) for point in cards.sheet(lead).points or ()},
        "asked": {point.criterion: _asked(flow, point, patient) for point in cards.sheet(lead).points or ()},
        "greetings": _greetings(cards, flow, lead, caller.member, patient),
        "patient_lang": lead["locale"].replace("_", "-"),
        "answers": _answers(cards, flow, seen.kept) if seen.kept else [],
        "history": [_event(tongue, event, zone, lead["id"]) for event in reversed(seen.history)],
        "hung": hung.shown(seen.hung, lead, caller.member, tongue, zone),
        "talk": _talk(cards, flow, seen, patient, tongue, zone),
        "mine": mine,
        "moves": mine or caller.may("lead_site"),
        "actions": [
            (name, ACTION[name]) for name in life.actions(lead["status"]) if name not in ("close", "release")
        ],
        "may_close": "close" in life.actions(lead["status"]),
        "may_release": "release" in life.actions(lead["status"]),
        "working": lead["status"] not in ("new", *queue.DONE),
        "closings": [(name, CLOSING[name]) for name in life.CLOSINGS[:-1]],
        "needs_criterion": life.WITH_CRITERION,
        "criteria": _criteria(flow, lead, tongue),
        "heirs": [] if lead["status"] in queue.DONE else seen.heirs,
        "asleep": tuple(ASLEEP),
        "at": last["id"] if last else 0,
        "undo": _said(tongue, last) if last is not None and left > timedelta(0) else "",
        "undo_seconds": max(1, int(left.total_seconds())),
        "due": tongue.moment(lead["due_at"], zone),
        "slot": tongue.moment(lead["slot_at"], zone) if lead["slot_at"] else "",
        "snoozed": tongue.moment(lead["snoozed_until"], zone) if _sleeps(lead, tongue.now) else "",
        "raised": tongue.moment(lead["created_at"], zone),
        "zone": zone.key,
        "merged": leads.reference(lead["merged_into"]) if lead["merged_into"] else "",
    }


def _talk(
    cards: Cards, flow: Flow, seen: Seen, patient: CatalogueWords, tongue: Tongue, zone: Any
) -> dict[str, Any] | None:
    """The values of ``_talk.html``; None where nobody can be written to."""
    lead, kept = seen.lead, seen.kept
    if kept is None or not lead["chat"] or lead["chat_lost"] or lead["status"] in (*queue.DONE, "new"):
        return None
    return {
        "held_by": kept.held_by,
        "said": [(tongue.moment(one["at"], zone), one["outgoing"], one["text"], one["name"]) for one in seen.talk],
        "phrases": [
            (name, cards.patient.text(f"phrase.{name}", text), patient.text(f"phrase.{name}", text))
            for name, text in flow.phrases.items()
        ],
        "longest": talking.LONGEST,
    }


def _sleeps(lead: Lead, now: datetime) -> bool:
    return lead["snoozed_until"] is not None and lead["snoozed_until"] > now


def _greetings(
    cards: Cards, flow: Flow, lead: Lead, member: Member, patient: CatalogueWords
) -> list[tuple[str, str]]:
    """The first words of the call: in the patient's language, and in the caller's where that is another one.

    Whoever picks up may be somebody else, so they name no study.
    """
    values = {"name": member["name"], "person": str(lead["contact"].get("first_name", "")) or "…"}
    spoken = dict.fromkeys((patient, cards.patient))
    source = flow.says["call_greeting"]
    return [
        (words.locale.replace("_", "-"), fill(words.text("say.call_greeting", source), values)) for words in spoken
    ]


def _asked(flow: Flow, point: Point, patient: CatalogueWords) -> list[str]:
    """The questions behind a point in the patient's language, to ask them again in the same words."""
    steps = dict.fromkeys(code.rpartition(".")[0] or code for code in point.because)
    found = [flow.step_by_id[StepId(step)] for step in steps if step in flow.step_by_id]
    texts = [patient.text(step.context, step.text) for step in found]
    return [text for text in texts if "{" not in text]  # one that names another answer is whole in the chat only


def _given(cards: Cards, flow: Flow, point: Point) -> list[str]:
    """The buttons that were pressed for a point, as the caller reads them: "In the body: Not sure"."""
    words, shown = cards.patient, []
    for code in point.because:
        step_id, _, answer = code.rpartition(".")
        step = flow.step_by_id.get(StepId(step_id))
        option = step.option(answer) if step else None
        if step is None or not (option or answer == "not_sure"):
            continue
        unsure = step.unsure_label and words.text(step.context, step.unsure_label)
        unsure = unsure or words.text("say.button_not_sure", flow.says["button_not_sure"])
        value = words.text(step.context, option.label) if option else unsure
        shown.append(f"{words.text(step.context, step.label)}: {value}")
    return shown


def _answers(cards: Cards, flow: Flow, kept: Kept) -> list[tuple[str, str, str]]:
    """What was answered, in the caller's language: label, value, and the words that were typed."""
    answers = place(flow, kept.conversation.answers).on_path
    welcome, last = flow.steps[0].part, flow.index[CHECK]
    shown = []
    for step_id, answer in answers.items():
        step = flow.step_by_id[step_id]
        if step.part in (welcome, CONTACT) or flow.index[step_id] >= last:
            continue
        words = cards.patient
        label = words.text(step.context, step.label)
        if step.item is not None:
            of = flow.step_by_id[step.item[0]]
            option = of.option(step.item[1])
            label = f"{label}: {words.text(of.context, option.label) if option else step.item[1]}"
        option = step.option(answer.value) if isinstance(answer.value, str) else None
        if answer.value is None:
            value = words.text("say.button_not_sure", flow.says["button_not_sure"])
        elif option is not None:
            value = words.text(step.context, option.label)
        else:
            value = KINDS[step.kind].show(step, answer.value, words)
        shown.append((label, value, answer.said))
    return shown


def _criteria(flow: Flow, lead: Lead, tongue: Tongue) -> list[tuple[str, str]]:
    """All criteria of the listing, those that were flagged first."""
    flagged = [flag["criterion"] for flag in lead["flags"]]
    listed = sorted((c for c in flow.criteria if c.listed), key=lambda c: c.id not in flagged)
    return [(c.id, tongue.words.text(f"{flow.trial.slug}.{c.id}", c.title)) for c in listed]


def _event(tongue: Tongue, event: Any, zone: Any, lead_id: int) -> tuple[str, str, str]:
    """When, what, and who; what happened to a lead that was merged into this one begins with its reference."""
    of = "" if event["lead_id"] == lead_id else f"{leads.reference(event['lead_id'])}: "
    return tongue.moment(event["at"], zone), of + _said(tongue, event), event["name"] or ""


def _said(tongue: Tongue, event: Any) -> str:
    """A step of the history in words."""
    what, detail = event["what"], event["detail"]
    if what == "close":
        reason, _, criterion = detail.partition(".")
        told = tongue(CLOSING.get(reason, reason))
        return " · ".join(filter(None, (tongue(lines.HAPPENED["close"]), told, criterion)))
    if what == "undone":
        detail = tongue(lines.HAPPENED.get(detail, detail))
    if what not in lines.HAPPENED:
        return " ".join(filter(None, (tongue(what.replace("_", " ").capitalize()), detail)))
    return tongue(lines.HAPPENED[what], detail=detail)


def key() -> str:
    """A name for one act, which no other has."""
    return f"desk:{uuid4().hex}"
