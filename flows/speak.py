"""Says to Speech: what a turn yields, in a person's language. Together with hear, the only place with words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from flows import turn as says
from flows.answer import Answer, Span, StepId, Value
from flows.bidi import isolated
from flows.conversation import Conversation, Pending
from flows.flow import CHECK, CONSENT, CONTACT, SITE, Flow, Option, Step
from flows.kinds import KINDS, measure
from flows.kinds import date as dates
from flows.machine import is_sent, place
from flows.offers import NOWHERE, item_name, step_name, with_options
from flows.reply import Asked, Confirmed, Gave, Narrowed, Reply, Sent, Ticked, What
from flows.screening import Verdict
from flows.turn import Ask, Menu, ReadBack, Retry, Say, Show, Tell
from flows.wishing import slot_text
from flows.words import Words

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}(\.?)")
_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEK = {name: date(2024, 1, number) for number, name in enumerate(_NAMES, 1)}
_DAY = re.compile(rf"\b({'|'.join(_WEEK)})\b")
TICKED, UNTICKED = "☑", "☐"
TICKS = f"{TICKED}{UNTICKED} "
_SYMBOLS = re.compile(
    "(?:[\u2022\u2190-\u21ff\u2300-\u23ff\u2500-\u27bf\u2900-\u297f\u2b00-\u2bff\u20e3\ufe0f"
    "\U0001f000-\U0001faff]\u200d?)+ ?"
)
"""Bullets, arrows, boxes, pictographs: what a screen reader spells out, or leaves out."""

MENUS: Mapping[str, tuple[What, ...]] = {
    "start": ("resume", "start_over", "delete"),
    "done": ("status", "change", "copy", "person", "start_over", "delete"),
    "safety": ("resume", "later"),
    "reminder": ("recheck", "later", "delete"),
    "help": (
        "resume", "why", "back", "change", "status", "faq", "privacy", "person", "language", "plain", "unwell",
        "stop", "delete",
    ),
    "faq": ("resume",),
    "change": ("resume",),
    "unwell": ("resume",),
    "language": ("resume",),
    "person": ("person_now", "resume"),
    "stop": ("resume", "stop_now", "delete"),
    "stopped": ("resume", "delete"),
    "delete": ("delete_now", "resume"),
    "privacy": ("resume", "withdraw", "no_reminder", "no_notices", "delete"),
    "status": ("time", "change", "withdraw", "copy", "person", "resume"),
    "time": ("resume",),
    "withdraw": ("withdraw_now", "resume"),
    "withdrawn": ("send_again", "delete", "resume"),
}  # fmt: skip
"""The wishes that each menu offers, below what it lists itself."""

COMMANDS: tuple[What, ...] = (
    "start", "help", "back", "change", "status", "language", "plain", "person", "privacy", "stop", "delete",
)  # fmt: skip
"""The wishes that a messenger lists in its own menu."""

TOLD: Mapping[str, tuple[What, ...]] = {
    "sent": ("time", "copy", "withdraw"),
    "sent_person": ("time", "withdraw"),
    "tried": ("time",),
    "tried_last": ("time", "person"),
    "slipped": ("time",),
    "question": ("faq", "person"),
}
"""The wishes offered below a line that is told, not asked."""

KINDS_OF_YES: Mapping[str, What] = {
    "health": "delete", "send": "withdraw", "reminder": "no_reminder", "notices": "no_notices",
}  # fmt: skip
"""Each yes, by the wish that takes it back."""

STANDS = ("none", "waiting", "has", "tried", "later", "spoken", "visit", "inside", "closed")
"""How a request may stand, each with a line of its own: ``status_waiting``."""
TIMES = ("offer", "gone", "none", "no_lead", "visit", "yours")
"""What may become of a wish for a time: ``time_offer``."""
DAYS = ("day", "due", "sent_on", "tried_on")
"""What the shell gives as a day, to be said in the person's language."""


@dataclass(frozen=True, slots=True)
class Button:
    """Something to tap, and the reply that the tap stands for."""

    label: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class Speech:
    """One message, for any channel: text, rows of buttons, and how they may be shown."""

    text: str
    rows: tuple[tuple[Button, ...], ...] = ()
    step: StepId | None = None
    """The question that the buttons answer."""
    again: bool = False
    """Replaces the question that is already on the screen, where a channel can."""
    share_phone: str = ""
    """The label of a button that shares the person's own number, where a channel has one."""
    drop_keyboard: bool = False
    """Takes that button away again."""
    numbered: int = 0
    """How many of the answers the text already lists with their numbers."""
    picture: str = ""
    """``trial/id`` of a drawing that the text says in words, where a channel can show one."""


def speak(
    flow: Flow,
    conversation: Conversation,
    said: Sequence[Say],
    words: Words,
    extra: Mapping[str, str] | None = None,
) -> list[Speech]:
    """Every say as one or more messages. Never raises for a missing word: the source text stands in.

    ``extra`` holds what only the shell knows: a reference number, a due day, the days answers are kept.
    """
    voice = _Voice(flow, words, conversation, extra or {})
    speeches = [speech for say in said for speech in voice.say(say)]
    if conversation.plain:
        speeches = [voice.plainly(speech) for speech in speeches]
    if words.right_to_left:
        return [replace(speech, text=isolated(speech.text)) for speech in speeches]
    return speeches


def summary(flow: Flow, conversation: Conversation, words: Words) -> list[tuple[str, str]]:
    """All that was answered, for the person to keep: short names and values, contact details last."""
    voice = _Voice(flow, words, conversation, {})
    return [(voice._step_label(step), voice._value(step, voice._given(step.id))) for step in voice._everything()]


def fill(template: str, values: Mapping[str, str]) -> str:
    """Puts values into ``{names}``. Plain replacement: a value is never a template itself.

    After a value that ends with a full stop, such as "Ltd.", there is no second one.
    """
    if "{" not in template:
        return template
    return _PLACEHOLDER.sub(lambda found: _put(found, values), template)


def _put(found: re.Match[str], values: Mapping[str, str]) -> str:
    value = values.get(found[1], f"{{{found[1]}}}")
    return value if value.endswith(".") else value + found[2]


@dataclass(frozen=True, slots=True)
class _Question:
    """A question in one language, before it meets a person: the texts may still mention something."""

    progress: str
    text: str
    of_another: str
    """The text for somebody who answers for another person."""
    help: str
    numbered: str
    """The options with what their labels do not say."""
    answer_rows: tuple[tuple[Button, ...], ...]
    way_rows: tuple[tuple[Button, ...], ...]


@lru_cache(maxsize=4096)
def _question(flow: Flow, words: Words, step: Step) -> _Question:
    return _Tongue(flow, words).question(step)


@dataclass(slots=True)
class _Tongue:
    """A flow in one language: what is said alike to everybody."""

    flow: Flow
    words: Words

    def question(self, step: Step) -> _Question:
        numbered = any(option.detail for option in step.options)
        return _Question(
            self._progress(step),
            self._asked(step),
            self._of_another(step),
            self.words.text(step.context, step.help) if step.help else "",
            "\n".join(self._numbered(step, n, o) for n, o in enumerate(step.options, 1)) if numbered else "",
            tuple(self._answer_rows(step, ())),
            tuple(self._way_rows(step)),
        )

    def _asked(self, step: Step, text: str = "") -> str:
        closed = step.source == "sites" and len(step.options) == 1
        return self._line("sites_full") if closed else self.words.text(step.context, text or step.text)

    def _of_another(self, step: Step) -> str:
        """In the third person where the question names somebody; whom we mean is said before it."""
        if not step.text_helper and not self.flow.part_by_id[step.part].counted:
            return self._asked(step)
        return f"{self._line('helper')} {self._asked(step, step.text_helper or step.text)}"

    def _numbered(self, step: Step, number: int, option: Option) -> str:
        line = f"{number}. {self._label(step, option)}"
        return f"{line}: {self._own(step, option.detail)}" if option.detail else line

    def _label(self, step: Step, option: Option) -> str:
        if step.source == "languages":
            return option.label
        if option.id == NOWHERE and step.source == "sites":
            return self._line("button_desk" if len(step.options) == 1 else "button_none_near")
        return self._own(step, option.label)

    def _own(self, step: Step, source: str) -> str:
        context = f"{self.flow.trial.slug}.site" if step.source == "sites" else step.context
        return self.words.text(context, source)

    def _answer_rows(self, step: Step, draft: tuple[str, ...]) -> list[tuple[Button, ...]]:
        rows: list[tuple[Button, ...]] = []
        for option in step.options:
            label = self._label(step, option)
            if step.kind == "checklist":
                tick = TICKED if option.id in draft else UNTICKED
                rows.append((Button(f"{tick} {label}", Ticked(option.id, step.id)),))
            else:
                rows.append((Button(label, Gave(option.id, step=step.id)),))
        if step.source == "languages":
            rows = _in_pairs(rows)
        if step.kind == "checklist":
            none = self._own(step, step.none_label) if step.none_label else self._line("button_none_of_these")
            if draft:
                rows.append((Button(self._line("button_done"), Sent(step.id)),))
            else:
                rows.append((Button(none, Gave((), step=step.id)),))
        if step.unsure:
            label = self._own(step, step.unsure_label) if step.unsure_label else self._line("button_not_sure")
            rows.append((Button(label, Gave(None, step=step.id)),))
        return rows

    def _way_rows(self, step: Step) -> list[tuple[Button, ...]]:
        """What can be done besides answering: always there, always the same."""
        first = self._wishes("why", "back")
        if step.id == CHECK:
            first = self._wishes("change", "back")
        if step.id == self.flow.steps[0].id:
            return [self._wishes("help", "privacy")]
        shown = [self._wishes("pictures")] if step.pictures else []
        return [*shown, first, self._wishes("help", "person")]

    def _wishes(self, *wishes: What) -> tuple[Button, ...]:
        return tuple(Button(self._line(f"button_{wish}"), Asked(wish)) for wish in wishes)

    def _progress(self, step: Step) -> str:
        """Part x of y, about n left. Follow-up questions do not count, so the number never rises."""
        counted = [part for part in self.flow.parts if part.counted]
        part = self.flow.part_by_id[step.part]
        if not part.counted:
            return ""
        asked = [s for s in self.flow.steps if self.flow.part_by_id[s.part].counted and s.asked_if is None]
        later = [s for s in asked if self.flow.index[s.id] > self.flow.index[step.id]]
        values = {
            "part": self.words.number(counted.index(part) + 1),
            "parts": self.words.number(len(counted)),
            "title": self.words.text(f"{self.flow.trial.slug}.part", part.title),
            "left": self.words.number(len(later) + 1),
        }
        return fill(self._line("progress"), values)

    def _line(self, key: str) -> str:
        return self.words.text(f"say.{key}", self.flow.says[key])


@dataclass(slots=True)
class _Voice(_Tongue):
    """The same, and what is said to one person only."""

    conversation: Conversation
    extra: Mapping[str, str]
    _path: Mapping[StepId, Answer] | None = field(default=None)

    @property
    def answers(self) -> Mapping[StepId, Answer]:
        if self._path is None:
            self._path = place(self.flow, self.conversation.answers).on_path
        return self._path

    def say(self, say: Say) -> list[Speech]:
        match say:
            case Ask():
                return self._ask(say)
            case Retry():
                return [Speech(self._retry(say))]
            case ReadBack(pending):
                return [self._read_back(pending)]
            case Tell(key, values):
                return [self._tell(key, values)]
            case Show():
                return [self._show(say)]
            case says.Result(verdict):
                return [self._result(verdict)]
            case says.Reasons(verdict):
                return [Speech(self._reasons(verdict))]
            case says.Copy():
                return [Speech(self._line("copy") + "\n" + self._summary(self._answered()))]
            case Menu(key):
                return [self._menu(key)]

    # ------------------------------------------------------------------ questions

    def _ask(self, say: Ask) -> list[Speech]:
        raw = self.flow.step_by_id[say.step]
        step = with_options(self.flow, raw, self.conversation.answers, self.words.languages)
        question = _question(self.flow, self.words, step)
        values = self._values(step)
        text = fill(question.of_another if self._is_helper() else question.text, values)
        text = text.rpartition("\n\n")[2] if say.brief else text
        parts = [question.progress, text]
        if question.help:
            parts[-1] += "\n" + fill(question.help, values)
        if step.shows:
            parts.append(self._summary(self._answered() if step.shows == "answers" else self._contact()))
        parts.append(question.numbered)
        speech = Speech(
            "\n\n".join([part for part in parts if part]),
            (*(self._answer_rows(step, say.draft) if say.draft else question.answer_rows), *question.way_rows),
            step.id,
            say.again,
            numbered=len(step.options) if question.numbered else 0,
        )
        if step.kind != "phone":
            return [speech]
        return [speech, Speech(self._line("share_hint"), share_phone=self._line("button_share_phone"))]

    def _is_helper(self) -> bool:
        consent = self.conversation.answers.get(CONSENT)
        return consent is not None and consent.value in ("helper", "not_here")

    def _retry(self, retry: Retry) -> str:
        step = self.flow.step_by_id[retry.step]
        name = step.kind if retry.reason == "unclear" else retry.reason
        rungs = [key for n in (1, 2, 3) if (key := f"retry_{name}_{n}") in self.flow.says]
        last = len(rungs)
        if name == step.kind and not step.unsure and not step.probes:
            rungs[-1] = "retry_stuck"  # there is no "not sure" to tap
        number = retry.miss if retry.miss <= last else last - (retry.miss - last) % 2
        return self._line(rungs[number - 1])

    def _read_back(self, pending: Pending) -> Speech:
        step = self.flow.step_by_id[pending.step]
        old = self.answers.get(step.id)
        number = self.words.number(pending.value) if isinstance(pending.value, Decimal) else ""
        values = {
            "value": self._value(step, pending.value) if not number or pending.why != "unit" else number,
            "number": number,
            "old": self._value(step, old.value) if old else "",
        }
        not_sure = (Button(self._line("button_not_sure"), Confirmed(True, step.id)),)
        rows: list[tuple[Button, ...]]
        match pending.why:
            case "month":
                rows = [*self._month_rows(pending), not_sure]
            case "day":
                rows = [not_sure]
            case "unit":
                rows = [
                    (Button(fill(self._line(f"unit_{unit}"), values), Narrowed(unit, step.id)),)
                    for unit in measure.UNITS_ASKED[step.unit]
                ]
            case _:
                yes, no = self._line("button_yes"), self._line("button_change_it")
                if pending.why != "sure":
                    no = self._line("button_no")
                rows = [(Button(yes, Confirmed(True, step.id)),), (Button(no, Confirmed(False, step.id)),)]
        text = fill(self._line(f"readback_{pending.why}"), values)
        return Speech(text, (*rows, self._wishes("back", "help")), step.id)

    def _month_rows(self, pending: Pending) -> list[tuple[Button, ...]]:
        names = self.words.months()[:12]
        span = pending.value
        inside = [
            Button(name, Narrowed(str(number), pending.step))
            for name, number in names
            if isinstance(span, Span) and dates.month_of(span, number) is not None
        ]
        return [tuple(inside[at : at + 3]) for at in range(0, len(inside), 3)]

    def plainly(self, speech: Speech) -> Speech:
        """The same for who listens to it: what can be picked by its number, all else by its words, no symbol.

        A tick comes as a message of its own: nobody hears that an older one has changed.
        """
        buttons = [button for row in speech.rows for button in row]
        picks = [button for button in buttons if _is_pick(button.reply)]
        others = [button.label for button in buttons if button not in picks]
        lines = [f"{n}. {pick.label.lstrip(TICKS)}" for n, pick in enumerate(picks, 1) if not speech.numbered]
        ticked = [pick.label.lstrip(TICKS) for pick in picks if pick.label.startswith(TICKED)]
        if ticked:
            lines.append(fill(self._line("plain_ticked"), {"picked": self.words.listed(ticked)}))
        if others:
            lines += [self._line("plain_or" if picks else "plain_ways"), *others]
        between = "\n" if speech.numbered else "\n\n"
        return replace(
            speech,
            text=_SYMBOLS.sub("", between.join(filter(None, (speech.text, "\n".join(lines))))),
            rows=tuple(tuple(Button(_SYMBOLS.sub("", b.label), b.reply) for b in row) for row in speech.rows),
            again=False,
            numbered=len(picks),
        )

    # ------------------------------------------------------------------ lines, results, menus

    def _tell(self, key: str, values: Mapping[str, str]) -> Speech:
        filled = {name: self._said(name, value) for name, value in {**self.extra, **values}.items()}
        if key == "noted":
            step = self.flow.step_by_id[StepId(values["given"])]
            filled["value"] = values["said"] or self._value(step, self._given(step.id))
        if key == "reminder_set" and not values.get("day"):
            key = "reminder_open"
        if key == "carry_link" and not self.extra.get("link"):
            key = "carry_none"
        lines = [self._line(key)]
        if key in ("sent", "sent_person"):
            lines += [self._line("ready")] if self.flow.trial.ready else []
            lines += [self._line("nothing_changes")]
            lines += [self._line("mail_comes")] if self.extra.get("mail") else []
        if key == "deleted":
            lines += [self._line("deleted_site")] if self.extra.get("told_site") else []
            lines += [self._line("deleted_receipt")] if self.extra.get("receipt") else []
        if key == "claimed" and not values.get("phone"):
            lines = [self._line("claimed_only")]
        rows = tuple((button,) for button in self._wishes(*TOLD.get(key, ())))
        known = _Lazy(self._mentioned, filled)
        return Speech("\n".join(fill(line, known) for line in lines), rows, drop_keyboard=key == "noted")

    def _said(self, name: str, value: str) -> str:
        if name == "steps":
            steps = [self.flow.step_by_id[StepId(step)] for step in value.split(",")]
            return self.words.listed([self._step_label(step) for step in steps])
        if name == "site":
            return self._site(value)
        if name == "app":
            return self._line(f"app_{value}")
        if name == "days":
            one, many = self.flow.says["days_one"], self.flow.says["days_many"]
            phrase = self.words.plural("say.days", one, many, int(value))
            return fill(phrase, {"number": self.words.number(int(value))})
        if name in DAYS and value:
            return self._day(date.fromisoformat(value))
        if name == "slot" and value:
            return self._slot(datetime.fromisoformat(value))
        if name == "city" and (site := self.flow.site(value)):
            return self.words.text(f"{self.flow.trial.slug}.site", site.city)
        if name == "hours":
            return _DAY.sub(lambda found: self.words.weekday(_WEEK[found[0]]), value)
        return value

    def _slot(self, start: datetime) -> str:
        """A time at the site, and the person's own where it is another one and known."""
        there = start.astimezone(ZoneInfo(self.extra["zone"]))
        own = self.extra.get("own_zone", "")
        here = start.astimezone(ZoneInfo(own)) if own else there
        key = "slot_there" if here.utcoffset() == there.utcoffset() else "slot_both"
        values = {"slot": self.words.moment(there), "own": self.words.moment(here)}
        return fill(self._line(key), {**values, "city": self._said("city", self.extra["city"])})

    def _day(self, day: date) -> str:
        values = {"weekday": self.words.weekday(day), "day": self.words.day(day)}
        return fill(self._line("the_date"), values)

    def _site(self, site_id: str) -> str:
        site = self.flow.site(site_id)
        return self.words.text(f"{self.flow.trial.slug}.site", site.name) if site else self._line("study_desk")

    def _show(self, show: Show) -> Speech:
        match show.what:
            case "why":
                step = self.flow.step_by_id[StepId(show.id)]
                return Speech(self.words.text(step.context, step.why))
            case "faq":
                question = next(q for q in self.flow.faq if q.id == show.id)
                return Speech(self.words.text(f"faq.{show.id}", question.answer))
            case "picture":
                slug, text = self.flow.trial.slug, self.flow.pictures[show.id]
                return Speech(self.words.text(f"{slug}.picture.{show.id}", text), picture=f"{slug}/{show.id}")
            case "safety":
                text = self.words.text(f"safety.{show.id}", self.flow.safety_by_id[show.id].text)
                return Speech(fill(text, self._values()))
            case _:
                return Speech(self.words.text("ends", self.flow.ends[show.id]))

    def _result(self, verdict: Verdict) -> Speech:
        assert verdict.outcome is not None
        text = self.words.text(f"outcomes.{verdict.outcome}", self.flow.outcomes[verdict.outcome])
        if verdict.outcome == "not_now" and verdict.eligible_from is None:
            text = self._line("not_now_open")
        if verdict.eligible_from is not None:
            text = fill(text, {"date": self._day(verdict.eligible_from)})
        against = verdict.outcome in ("ruled_out", "not_now")
        return Speech(text, (self._wishes("reason", "change"),) if against else ())

    def _reasons(self, verdict: Verdict) -> str:
        topics = {c.id: c.topic for c in self.flow.criteria}
        slug = self.flow.trial.slug
        named = [
            self.words.text(f"{slug}.{finding.criterion}", topics[finding.criterion]) for finding in verdict.reasons
        ]
        if not named:
            return self._line("reasons_none")
        return fill(self._line("reasons"), {"topics": self.words.listed(named)})

    def _menu(self, key: str) -> Speech:
        rows: list[tuple[Button, ...]] = []
        match key:
            case "language":
                rows = _in_pairs([(Button(n, Asked("language", t)),) for t, n in self.words.languages.items()])
            case "faq":
                rows = [
                    (Button(self.words.text(f"faq.{q.id}", q.text), Asked("faq", q.id)),) for q in self.flow.faq
                ]
            case "unwell":
                rows = [
                    (Button(self.words.text(f"safety.{s.id}", s.label), Asked("unwell", s.id)),)
                    for s in self.flow.safety
                ]
            case "change":
                rows = [(Button(self._step_label(s), Asked("change", s.id)),) for s in self._answered()]
            case "time":
                rows = [(Button(self._moment(start), Asked("slot", slot_text(start))),) for start in self._starts()]
        rows += [(button,) for button in self._wishes(*self._offered(key))]
        return Speech("\n".join(fill(line, self._values()) for line in self._heading(key)), tuple(rows))

    def _offered(self, key: str) -> tuple[What, ...]:
        """The wishes of a menu, without those that nothing would come of now."""
        offered, extra = MENUS[key], self.extra
        if self.conversation.plain:
            offered = tuple("plain_off" if wish == "plain" else wish for wish in offered)
        if key == "status" and extra.get("status", "none") in ("none", "closed"):
            offered = tuple(wish for wish in offered if wish not in ("time", "withdraw"))
        if key == "privacy":
            open_yes = {KINDS_OF_YES[kind] for kind, days in self._yeses() if len(days) == 1}
            offered = tuple(wish for wish in offered if wish in (*open_yes, "resume", "delete"))
        if key == "time" and extra.get("time") == "yours":
            offered = ("time", *offered)
        if key == "withdrawn" and not any(step in self.conversation.answers for step in self.flow.sends):
            offered = tuple(wish for wish in offered if wish != "send_again")
        return offered

    def _heading(self, key: str) -> list[str]:
        """What stands above the buttons of a menu, where that depends on what the shell knows."""
        extra = self.extra
        match key:
            case "status":
                lines = [f"status_{extra.get('status', 'none')}"]
                lines += ["status_slot"] if extra.get("slot") else []
                lines += ["status_reference"] if extra.get("reference") and "status" in extra else []
                return [self._line(line) for line in lines]
            case "time":
                lines = [self._line(f"time_{extra.get('time', 'no_lead')}")]
                return [*lines, *(self._slot(start) for start in self._starts() if extra.get("own_zone"))]
            case "privacy":
                return [self._line("menu_privacy"), *self._consents()]
            case "stopped" if self.conversation.raised or is_sent(self.flow, self.conversation.answers):
                return [self._line("menu_stopped_sent")]
            case "withdrawn" if extra.get("withdrawn") == "none":
                return [self._line("withdrawn_none")]
        return [self._line(f"menu_{key}")]

    def _yeses(self) -> list[tuple[str, list[date]]]:
        """What the person said yes to: the day, and the day on which they took it back."""
        listed = [one.partition("=") for one in self.extra.get("consents", "").split(";") if one]
        return [(kind, [date.fromisoformat(day) for day in days.split("/")]) for kind, _, days in listed]

    def _consents(self) -> list[str]:
        lines = []
        for kind, days in self._yeses():
            said = fill(self._line(f"consent_{kind}"), {"day": self._day(days[0])})
            back = fill(self._line("consent_back"), {"day": self._day(days[1])}) if len(days) > 1 else ""
            lines.append(f"{said} {back}".strip())
        return [self._line("consents"), *lines] if lines else []

    def _starts(self) -> list[datetime]:
        return [datetime.fromisoformat(start) for start in self.extra.get("slots", "").split(",") if start]

    def _moment(self, start: datetime) -> str:
        return self.words.moment(start.astimezone(ZoneInfo(self.extra["zone"])))

    # ------------------------------------------------------------------ answers

    def _answered(self) -> list[Step]:
        """The steps whose answers the check page shows."""
        welcome = self.flow.steps[0].part
        last = self.flow.index[CHECK]
        steps = [self.flow.step_by_id[step] for step in self.answers if self.flow.index[step] < last]
        return [step for step in steps if step.part != welcome]

    def _contact(self) -> list[Step]:
        answers = self.conversation.answers
        return [step for step in self.flow.steps if step.part == CONTACT and step.id in answers]

    def _everything(self) -> list[Step]:
        return [*self._answered(), *self._contact()]

    def _summary(self, steps: Sequence[Step]) -> str:
        line = self._line("answer_line")
        return "\n".join(
            fill(line, {"label": self._step_label(s), "value": self._value(s, self._given(s.id))}) for s in steps
        )

    def _given(self, step: StepId) -> Value:
        answer = self.answers.get(step) or self.conversation.answers.get(step)
        return answer.value if answer else None

    def _step_label(self, step: Step) -> str:
        return step_name(step, self.flow, self.words)

    def _value(self, step: Step, value: Value) -> str:
        if value is None:
            return self._own(step, step.unsure_label) if step.unsure_label else self._line("button_not_sure")
        if step.id == SITE:
            return self._site(str(value))
        if step.source == "languages":
            return self.words.languages.get(str(value), str(value))
        if isinstance(value, str) and (option := step.option(value)) is not None:
            return self._label(step, option)
        if value == () and step.none_label:
            return self._own(step, step.none_label)
        return KINDS[step.kind].show(step, value, self.words)

    def _item(self, step: Step) -> str:
        return item_name(step, self.flow, self.words)

    # ------------------------------------------------------------------ words

    def _values(self, step: Step | None = None) -> dict[str, str]:
        """Everything a text may mention by name. Worked out by need: most texts mention nothing."""
        return _Lazy(self._mentioned, {"item": self._item(step)} if step is not None and step.item else {})

    def _mentioned(self, name: str) -> str | None:
        if name in self.extra:
            return self._said(name, self.extra[name])
        step = self.flow.step_by_id.get(StepId(name))
        if step is not None and step.unsure_say:
            return self._named(step)
        flow, slug = self.flow, self.flow.trial.slug
        match name:
            case "app":
                return self._line("app_messenger")
            case "short_title":
                return self.words.text(f"{slug}.trial", flow.trial.short_title)
            case "ready":
                return self.words.text(f"{slug}.trial", flow.trial.ready)
            case "sponsor":
                return flow.trial.sponsor
            case "contact":
                return flow.trial.contact
            case "countries":
                codes = dict.fromkeys(site.country for site in flow.sites)
                return self.words.listed([self.words.country(code) for code in codes])
            case "cities":
                return self.words.listed([self.words.text(f"{slug}.site", site.city) for site in flow.sites])
            case "hours":
                return self._said("hours", flow.sites[0].hours) if flow.sites else ""
            case "city":
                return self._said("city", flow.sites[0].id) if flow.sites else ""
            case "phone":
                return flow.sites[0].phone if flow.sites else ""
            case "site":
                return self._site(str(self._given(SITE) or ""))
            case "emergency" | "hotline":
                return self._numbers(name)
        return None

    def _named(self, step: Step) -> str:
        """How an earlier answer is named in a later question."""
        value = self._given(step.id)
        option = step.option(value) if isinstance(value, str) else None
        return self.words.text(step.context, (option.say if option else "") or step.unsure_say)

    def _numbers(self, kind: str) -> str:
        lines = [
            fill(self._line("emergency_line"), {"country": self.words.country(code), "number": numbers[kind]})
            for code, numbers in self.flow.emergency.items()
            if kind in numbers
        ]
        other = self._line("emergency_other" if kind == "emergency" else "hotline_other")
        return ". ".join(lines) + ". " + other if lines else other


def _is_pick(reply: Reply) -> bool:
    """Whether a button is one of the options of a question, which are counted from 1."""
    return isinstance(reply, Ticked) or (isinstance(reply, Gave) and isinstance(reply.value, str))


def _in_pairs(rows: Sequence[tuple[Button, ...]]) -> list[tuple[Button, ...]]:
    """Two short buttons side by side; of an odd number the first keeps a row of its own."""
    odd = len(rows) % 2
    pairs = zip(rows[odd::2], rows[odd + 1 :: 2], strict=True)
    return [*rows[:odd], *(one + other for one, other in pairs)]


class _Lazy(dict[str, str]):
    """Values that are made when a text first mentions them."""

    def __init__(self, make: Callable[[str], str | None], known: Mapping[str, str]) -> None:
        super().__init__(known)
        self._make = make

    def get(self, key: str, default: str | None = None) -> str:  # type: ignore[override]
        if key not in self and (made := self._make(key)) is not None:
            self[key] = made
        return super().get(key, default)  # type: ignore[return-value]
