"""LeadRaised: the lead, its place in the queue and the notice to staff, in one transaction with the answer."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from bot import crash
from bot.desk import duplicates, notices, promise, rights, watch
from bot.desk import lead as life
from bot.handlers import consents
from bot.handlers.happening import Happening
from bot.messages import Envelope, parts
from bot.store import leads, outbox, sites, staff
from bot.store.leads import Lead
from bot.store.sites import SiteNow
from bot.store.transaction import Transaction
from flows.answer import StepId, value_to_json
from flows.conversation import Conversation
from flows.flow import CONSENT, CONTACT
from flows.screening import Verdict
from flows.turn import LeadRaised


def lead_raised(db: Transaction, happening: Happening, event: LeadRaised) -> dict[str, str]:
    """One open lead per person and trial: a second send, or a send after a person request, updates it."""
    consents.given_by(db, happening, "send", "send" if event.verdict is not None else "send_person")
    return raised(db, happening, event)


def raised(db: Transaction, happening: Happening, event: LeadRaised) -> dict[str, str]:
    """The same, by a yes that was given before."""
    flow, kept, now = happening.flow, happening.kept, happening.now
    site = sites.now(db, flow, event.site)
    values = _values(happening, event)
    lead = leads.open_of(db, kept.channel, kept.chat, flow.trial.slug)
    if lead is None:
        leads.leave(db, kept.id)
        lead_id = leads.add(
            db,
            channel=kept.channel,
            chat=kept.chat,
            trial=flow.trial.slug,
            due_at=promise.due(site, now),
            escalate_at=promise.nudge(site, now),
            created_at=now,
            updated_at=now,
            **{"flags": [], **values},
        )
        leads.record(db, lead_id, "raised", now)
        db.counts["leads", ""] += 1
        crash.point("lead_raised")
    else:
        lead_id = lead["id"]
        if values["site"] != lead["site"]:
            values |= _moved(db, lead, site, now)
        leads.change(db, lead_id, now, **values)
        leads.record(db, lead_id, "sent_again", now)
        tell_changed(db, happening, lead_id)
    found = duplicates.keys_of(happening.deployment, kept.channel, kept.chat, values["contact"])
    duplicates.note_keys(db, lead_id, found)
    fresh = leads.get(db, lead_id)
    assert fresh is not None
    watch.shared_number(db, happening.deployment, fresh, now)
    facts = {
        "reference": leads.reference(lead_id),
        "due": fresh["due_at"].astimezone(site.zone).date().isoformat(),
        "phone": site.phone,
    }
    return facts | _notify(db, happening, lead, fresh, facts)


def _moved(db: Transaction, lead: Lead, site: SiteNow, now: datetime) -> dict[str, Any]:
    """What a lead loses with its site: the slot there, and an owner who is not at the new one."""
    moved: dict[str, Any] = {"slot_at": None, "due_at": promise.due(site, now)}
    owner, status = staff.by_id(db, lead["owner_id"]), lead["status"]
    if owner is not None and not rights.at_site(owner, site.key):
        with suppress(life.NotPossible):
            status = life.after(status, "release")
            moved |= {"owner_id": None, "claimed_at": None, "status": status}
    if status == "new":
        moved |= {"escalated": 0, "escalate_at": promise.nudge(site, now)}
    return moved


def _values(happening: Happening, event: LeadRaised) -> dict[str, Any]:
    after, flow = happening.after, happening.flow
    consent = after.answers.get(CONSENT)
    values: dict[str, Any] = {
        "conversation_id": happening.kept.id,
        "site": event.site if flow.site(event.site) else "",
        "locale": after.locale,
        "contact": {
            step.id: value_to_json(after.answers[step.id].value)
            for step in flow.steps
            if step.part == CONTACT and step.id in after.answers
        },
        "helper": consent is not None and consent.value in ("helper", "not_here"),
        "changed": bool(after.changed),
        "text_version": flow.trial.text_version,
        "source": happening.kept.source,
    }
    if event.verdict is not None:
        values |= {
            "outcome": event.verdict.outcome,
            "eligible_from": event.verdict.eligible_from,
            "flags": flags_of(event.verdict, after),
        }
    else:
        values["wants_person"] = True
    return values


def flags_of(verdict: Verdict, conversation: Conversation) -> list[dict[str, Any]]:
    """The points for staff, with criterion id, coded answer and the person's own words."""
    flags = []
    for finding in verdict.flags:
        steps = dict.fromkeys(StepId(_step(code)) for code in finding.because)
        answers = [conversation.answers[step] for step in steps if step in conversation.answers]
        flags.append(
            {
                "criterion": finding.criterion,
                "status": finding.status,
                "until": finding.until.isoformat() if finding.until else None,
                "because": list(finding.because),
                "said": [answer.said for answer in answers if answer.said],
                "note": finding.note,
                "noted": finding.noted.isoformat() if finding.noted else None,
            }
        )
    return flags


def _step(code: str) -> str:
    return code.rpartition(".")[0] or code


def _notify(
    db: Transaction, happening: Happening, before: Lead | None, lead: Lead, facts: Mapping[str, str]
) -> dict[str, str]:
    """Staff hear of what is new, the person gets it by mail; returns what the words may say of that."""
    deployment, flow, now = happening.deployment, happening.flow, happening.now
    new_site = before is None or before["site"] != lead["site"]
    if before is None:
        notices.raised(db, deployment, flow, lead, now)
    elif new_site:
        notices.tell_site(db, deployment, flow, lead, now)
    if before is not None and not new_site and before["contact"].get("email") == lead["contact"].get("email"):
        return {}
    mailed = notices.copy_to_person(db, deployment, flow, happening.kept, lead, facts, now)
    return {"mail": "comes"} if mailed else {}


def tell_changed(db: Transaction, happening: Happening, lead_id: int) -> None:
    """Staff hear that an answer changed: the owner in private, or else the group."""
    lead = leads.get(db, lead_id)
    owner = staff.by_id(db, lead["owner_id"]) if lead else None
    chat = str(owner["telegram_id"]) if owner else happening.deployment.staff_group
    if not chat or lead is None:
        return
    cards = happening.cards(owner["language"] if owner else "")
    line = cards.line("{reference}: an answer was changed. Please look again.", reference=leads.reference(lead_id))
    key = f"lead:{lead_id}:changed:{happening.kept.tag}:{happening.kept.revision}"
    leads.record(db, lead_id, "changed", happening.now)
    channel, urgency = happening.deployment.staff_channel, outbox.STAFF
    outbox.put(db, channel, chat, Envelope(line), key, happening.now, priority=urgency)
    for number, sheet in enumerate(parts(cards.call_sheet(lead, chat)) if owner is not None else ()):
        name = f"{key}:sheet:{number}"
        outbox.put(db, channel, chat, sheet, name, happening.now, priority=urgency, sheet_of=lead_id)
