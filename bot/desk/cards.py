"""What staff see of a lead: the notice without a name or a health word, and the owner's call sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from bot.buttons import Buttons
from bot.deployment import Deployment
from bot.desk import lead as life
from bot.messages import Envelope
from bot.store.leads import Lead, reference
from bot.words import CatalogueWords
from flows.flow import CONTACT, Flow, Step
from flows.kinds import KINDS
from flows.speak import fill

TAG = "staff."
"""Stands where a conversation's tag stands in a patient's button."""

GROUP = "group"
"""Stands for the staff group's number in the buttons of a notice: a group may get a new number."""

FIT = {
    "possible_match": "may fit",
    "needs_review": "to review",
    "not_now": "not now, asked for a call",
    "ruled_out": "was ruled out",
    None: "asked for a person",
}
STATUS = {
    "new": "new", "claimed": "claimed", "attempt_1": "attempt 1 of 3", "attempt_2": "attempt 2 of 3",
    "attempt_3": "attempt 3 of 3", "call_later": "call later", "reached": "reached",
    "considering": "considering", "scheduled": "scheduled", "consented": "consented",
    "enrolled": "enrolled", "closed": "closed", "withdrawn": "withdrawn",
}  # fmt: skip
ACTION = {
    "claim": "Claim", "release": "Release", "reached": "Reached", "no_answer": "No answer",
    "call_later": "Call later", "scheduled": "Scheduled", "considering": "Considering",
    "consented": "Consented", "enrolled": "Enrolled", "close": "Close",
    "talk": "Write to the patient", "snooze": "Snooze to tomorrow", "give": "Give to ...", "undo": "Undo",
}  # fmt: skip
CLOSING = {
    "not_a_fit": "Not a fit", "screen_failure": "Screen failure", "not_interested": "Not interested",
    "could_not_reach": "Could not reach", "duplicate": "Duplicate", "wrong_number": "Wrong number",
    "study_full": "Study full", "withdrawn": "Withdrawn",
}  # fmt: skip
TALKING = {"phrases": "Approved phrases", "talk_end": "Hand back"}
"""What the member who talks with a person may tap."""
TALKS = "You now write to the person of {reference}. All that you type here goes to them, until you hand back."
READS = "{own}\n\nThe person will read ({language}):\n{theirs}"
LINES: tuple[str, ...] = (
    "New lead {reference} · {trial} · {fit} · {verify} to verify · {language} · {window} · first call by {due}",
    "{reference} · {owner} · {status} · first call by {due}",
    "{reference} · {status} · {reason}",
    "{owner} has {reference}.",
    "{owner}, please open a private chat with me and tap Start. Then claim {reference} again.",
    "You are not on the staff list. Ask your admin to add you.",
    "This is not possible now: {reference} is {status}.",
    "{reference}: an answer was changed. Please look again.",
    "{reference} was withdrawn by the person. All details are deleted. Please delete what you noted.",
    "You are on the staff list, {owner}. Leads you claim arrive here.",
    "You have no open leads.",
    "Why do you close {reference}?",
    "Which criterion?",
    "Who shall have {reference}?",
    "Wants to talk to a person",
    "The chat cannot be written to",
    "Time picked for the call: {slot}",
    "Send this",
    TALKS,
    READS,
    *TALKING.values(),
    "Back",
    "{title} · criteria version {version}",
    "Contact",
    "Verify",
    "Nothing to verify.",
    "Check at the site",
    "Reasons against at the time: wait until {date}",
    "Wait with no known end",
    "Answered by a helper",
    "An answer was changed",
    "Site: {site}",
    "Study desk, no site chosen",
    "Best time: {window}",
    "any day",
    "any time", "mornings", "afternoons", "early evening",
    "Mon", "Tue", "Wed", "Thu", "Fri",
)  # fmt: skip
"""Every line of this page; the tables above are for the translators, too."""
_TIMES = {"any": "any time", "morning": "mornings", "afternoon": "afternoons", "evening": "early evening"}
CONTEXT = "staff"
FINDING = {"OUT": "Ruled out", "WAIT": "To wait", "REVIEW": "To verify"}
"""What the answers say about a criterion, where staff have to look."""
LINES += (*FIT.values(), *STATUS.values(), *ACTION.values(), *CLOSING.values(), *FINDING.values())


def cards_for(
    deployment: Deployment, flow: Flow, language: str, zones: Mapping[str, str] = MappingProxyType({})
) -> Cards:
    """``zones``: the time zones of sites where they are not as the trial file says (``sites.zones``)."""
    languages = deployment.languages
    return Cards(flow, languages.staff(language), languages.patient(language), deployment.buttons, zones)


@dataclass(frozen=True, slots=True)
class Point:
    """One point to verify on the call."""

    criterion: str
    title: str
    status: str
    because: tuple[str, ...]
    """The answers it rests on, as ``step.answer``."""
    said: tuple[str, ...]
    """The person's own words."""
    note: str
    until: str
    """The day a wait ends, as in ISO 8601; "" for none."""
    suggestion: str
    """What staff may ask."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the caller needs to know of one lead."""

    title: str
    version: str
    site: str
    window: str
    marks: tuple[str, ...]
    """What is unusual: a wait, a helper, a changed answer."""
    contact: tuple[tuple[str, str, str], ...]
    """Label, value, and the kind of step it was given in."""
    points: tuple[Point, ...] | None
    """None where the screening did not come to its end."""
    checks: tuple[tuple[str, str], ...]
    """What the bot did not ask: criterion and what is to be checked."""


class Cards:
    """Renders one lead in one language of the staff."""

    def __init__(
        self,
        flow: Flow,
        words: CatalogueWords,
        patient: CatalogueWords,
        buttons: Buttons,
        zones: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """``patient`` are the patient words in the staff's language, for the answers' labels."""
        self.flow, self.words, self.patient, self.buttons, self.zones = flow, words, patient, buttons, zones

    def line(self, text: str, **values: str) -> str:
        return fill(self.words.text(CONTEXT, text), values)

    # ------------------------------------------------------------------ the group

    def notice(self, lead: Lead, owner: str = "") -> Envelope:
        """The one card of a lead in the staff group. No name of a patient, no health word."""
        if lead["status"] == "new":
            text = self.line(LINES[0], **self._facts(lead))
            rows = ((self._button(lead, GROUP, "claim"),),)
            return Envelope(text, rows)
        facts = {**self._facts(lead), "owner": owner}
        if lead["status"] in ("closed", "withdrawn"):
            facts["reason"] = self.line(CLOSING.get(lead["reason"], "Withdrawn"))
            return Envelope(self.line(LINES[2], **facts))
        return Envelope(self.line(LINES[1], **facts))

    def _facts(self, lead: Lead) -> dict[str, str]:
        points = [flag for flag in lead["flags"] if flag["status"] == "REVIEW"]
        return {
            "reference": reference(lead["id"]),
            "trial": self.flow.trial.code,
            "fit": self.line(FIT[lead["outcome"]]),
            "verify": self.words.number(len(points)),
            "language": self.words.languages.get(lead["locale"], lead["locale"]),
            "window": self.window(lead),
            "due": self.due(lead),
            "status": self.line(STATUS[lead["status"]]),
        }

    def due(self, lead: Lead) -> str:
        return self._at_site(lead, lead["due_at"])

    def _at_site(self, lead: Lead, moment: datetime) -> str:
        return self.words.moment(moment.astimezone(self.zone(lead)))

    def zone(self, lead: Lead) -> ZoneInfo:
        """The time zone of the lead's site; of the trial, where it has none."""
        site = self.flow.site(lead["site"])
        filed = site.timezone if site else self.flow.trial.timezone
        return ZoneInfo(self.zones.get(lead["site"], filed) if site else filed)

    def window(self, lead: Lead) -> str:
        days = [self.line(day.capitalize()) for day in lead["contact"].get("call_days") or ()]
        time = self.line(_TIMES.get(lead["contact"].get("call_time") or "any", "any time"))
        return f"{self.words.listed(days) if days else self.line('any day')}, {time}"

    # ------------------------------------------------------------------ the owner

    def call_sheet(self, lead: Lead, chat: str) -> Envelope:
        """Everything the owner needs for the call. Goes to the owner alone, and cannot be forwarded."""
        sheet = self.sheet(lead)
        parts = [
            "\n".join((sheet.title, sheet.version, sheet.site, sheet.window, *sheet.marks)),
            self._section("Contact", [f"{label}: {value}" for label, value, _kind in sheet.contact]),
        ]
        if sheet.points is not None:
            points = [line for number, point in enumerate(sheet.points, 1) for line in _as_text(number, point)]
            parts.append(self._section("Verify", points or [self.line("Nothing to verify.")]))
            parts.append(self._section("Check at the site", [f"{id} {text}" for id, text in sheet.checks]))
        return Envelope("\n\n".join(parts), self._actions(lead, chat), protect=True)

    def sheet(self, lead: Lead) -> Sheet:
        """The same for any page that shows it. Its words are in the language of these cards."""
        marks = []
        if lead["outcome"] == "not_now":
            day = lead["eligible_from"]
            marks.append(
                self.line("Reasons against at the time: wait until {date}", date=self.words.day(day))
                if day
                else self.line("Wait with no known end")
            )
        marks += [self.line("Answered by a helper")] * lead["helper"]
        marks += [self.line("An answer was changed")] * lead["changed"]
        marks += [self.line("Wants to talk to a person")] * lead["wants_person"]
        marks += [self.line("The chat cannot be written to")] * lead["chat_lost"]
        if lead["slot_at"] is not None:
            slot = self._at_site(lead, lead["slot_at"])
            marks.append(self.line("Time picked for the call: {slot}", slot=slot))
        site, screened = self.site(lead), lead["outcome"] is not None
        return Sheet(
            f"{reference(lead['id'])} · {self.line(STATUS[lead['status']])} · {self.line(FIT[lead['outcome']])}",
            self.line(
                "{title} · criteria version {version}",
                title=self.flow.trial.registry_id,
                version=f"{self.flow.trial.version}, {lead['text_version']}",
            ),
            self.line("Site: {site}", site=site) if site else self.line("Study desk, no site chosen"),
            self.line("Best time: {window}", window=self.window(lead)),
            tuple(marks),
            tuple(self._contact(lead)),
            tuple(self._points(lead)) if screened else None,
            tuple(self._site_checks()) if screened else (),
        )

    def site(self, lead: Lead) -> str:
        """The name of the lead's site; "" where none was chosen."""
        site = self.flow.site(lead["site"])
        return self.patient.text(f"{self.flow.trial.slug}.site", site.name) if site else ""

    def _section(self, title: str, lines: list[str]) -> str:
        return "\n".join([self.line(title) + ":", *lines])

    def _contact(self, lead: Lead) -> list[tuple[str, str, str]]:
        steps = [step for step in self.flow.steps if step.part == CONTACT]
        return [
            (self.patient.text(step.context, step.label), self._given(step, lead["contact"][step.id]), step.kind)
            for step in steps
            if step.id in lead["contact"] and step.id not in ("site", "call_days", "call_time")
        ]

    def _given(self, step: Step, value: Any) -> str:
        option = step.option(value) if isinstance(value, str) else None
        if option is not None:
            return self.patient.text(step.context, option.label)
        return KINDS[step.kind].show(step, value, self.patient)

    def _points(self, lead: Lead) -> Iterator[Point]:
        for flag in lead["flags"]:
            criterion = next((c for c in self.flow.criteria if c.id == flag["criterion"]), None)
            if criterion is None:
                continue
            context = f"{self.flow.trial.slug}.{criterion.id}"
            note = fill(self.words.text(context, flag["note"]), {"date": flag["noted"] or ""})
            yield Point(
                criterion.id,
                self.words.text(context, criterion.title),
                self.line(FINDING[flag["status"]]) if flag["status"] in FINDING else "",
                tuple(flag["because"]),
                tuple(flag["said"]),
                note if flag["note"] else "",
                flag["until"] or "",
                self.words.text(context, criterion.suggestion),
            )

    def _site_checks(self) -> list[tuple[str, str]]:
        slug = self.flow.trial.slug
        return [(c.id, self.words.text(f"{slug}.{c.id}", c.site_check)) for c in self.flow.criteria if c.site_check]

    # ------------------------------------------------------------------ buttons

    def heirs(self, lead: Lead, chat: str, members: Sequence[Mapping[Any, Any]]) -> Envelope:
        """Who else may have the lead."""
        rows = [((member["name"], self.data(lead, chat, f"give.{member['id']}")),) for member in members]
        text = self.line("Who shall have {reference}?", reference=reference(lead["id"]))
        return Envelope(text, (*rows, (self._button(lead, chat, "card", "Back"),)), protect=True)

    def talk(self, lead: Lead, chat: str) -> Envelope:
        """What stands above the words that go to the person."""
        buttons = [self._button(lead, chat, code, label) for code, label in TALKING.items()]
        name = reference(lead["id"])
        return Envelope(self.line(TALKS, reference=name), tuple((button,) for button in buttons), protect=True)

    def phrases(self, lead: Lead, chat: str, known: Mapping[str, str]) -> Envelope:
        """The approved phrases in the language of staff, by number."""
        lines = [f"{number}. {text}" for number, text in enumerate(known.values(), 1)]
        buttons = [
            (self.words.number(number), self.data(lead, chat, f"phrase.{name}"))
            for number, name in enumerate(known, 1)
        ]
        rows = tuple(tuple(buttons[at : at + 4]) for at in range(0, len(buttons), 4))
        return Envelope("\n".join(lines), (*rows, (self._button(lead, chat, "talk", "Back"),)), protect=True)

    def phrase(self, lead: Lead, chat: str, name: str, own: str, theirs: str, locale: str) -> Envelope:
        """One phrase before it goes: in the language of staff, and as the person will read it in theirs."""
        language = self.words.languages.get(locale, locale)
        text = self.line(READS, own=own, language=language, theirs=theirs)
        send = self._button(lead, chat, f"phrase.{name}.send", "Send this")
        return Envelope(text, ((send,), (self._button(lead, chat, "phrases", "Back"),)), protect=True)

    def closings(self, lead: Lead, chat: str) -> Envelope:
        rows = [(self._button(lead, chat, f"close.{reason}", CLOSING[reason]),) for reason in life.CLOSINGS[:-1]]
        text = self.line("Why do you close {reference}?", reference=reference(lead["id"]))
        return Envelope(text, (*rows, (self._button(lead, chat, "card", "Back"),)), protect=True)

    def criteria(self, lead: Lead, chat: str, reason: str) -> Envelope:
        flagged = [flag["criterion"] for flag in lead["flags"]]
        others = [c.id for c in self.flow.criteria if c.listed and c.id not in flagged]
        named = [c for c in flagged if c.startswith(("I", "E"))] + others
        buttons = [(c, self.data(lead, chat, f"close.{reason}.{c}")) for c in named]
        rows = tuple(tuple(buttons[at : at + 4]) for at in range(0, len(buttons), 4))
        return Envelope(self.line("Which criterion?"), (*rows, (self._button(lead, chat, "card", "Back"),)))

    def _actions(self, lead: Lead, chat: str) -> tuple[tuple[tuple[str, str], ...], ...]:
        """The steps of the lead's life, then what can be done besides."""
        open_ = lead["status"] not in ("closed", "withdrawn")
        extra = ("talk", "snooze", "give", "undo") if open_ else ("undo",) * (lead["status"] == "closed")
        buttons = [self._button(lead, chat, action) for action in (*life.actions(lead["status"]), *extra)]
        return tuple(tuple(buttons[at : at + 2]) for at in range(0, len(buttons), 2))

    def _button(self, lead: Lead, chat: str, code: str, label: str = "") -> tuple[str, str]:
        return self.line(label or ACTION[code]), self.data(lead, chat, code)

    def data(self, lead: Lead, chat: str, code: str) -> str:
        return self.buttons.seal(TAG, chat, f"{lead['id']}.{code}")


def _as_text(number: int, point: Point) -> list[str]:
    lines = [f"{number}. {point.criterion} {point.title} [{point.status}] {', '.join(point.because)}"]
    if point.said:
        lines.append(f"   «{'» «'.join(point.said)}»")
    if point.note:
        lines.append("   " + point.note)
    if point.until:
        lines.append(f"   → {point.until}")
    return [*lines, "   " + point.suggestion]
