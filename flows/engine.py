"""The heart: what a reply does to a conversation. Pure; the time is an argument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from flows import turn as says
from flows.answer import Answer, Span, StepId, Value
from flows.conversation import Conversation, Life, Pending
from flows.flow import CHECK, CONTACT, PERSON, SITE, Flow, Option, Step
from flows.kinds import KINDS, measure
from flows.kinds import date as dates
from flows.machine import DONE, Place, asked_if, place
from flows.offers import NOWHERE
from flows.reply import (
    Asked,
    Bare,
    Confirmed,
    Elapsed,
    Garbled,
    Gave,
    Narrowed,
    Reply,
    Sent,
    Signalled,
    Ticked,
)
from flows.rules import steps_of
from flows.screening import Verdict, find, weigh
from flows.turn import Ask, Event, Menu, ReadBack, Retry, Say, Show, Tell, Turn

PATIENCE = 2
"""Tries at a measure before the question is left open for staff (reading, section 13)."""


def today_of(flow: Flow, now: datetime) -> date:
    """The day it is at the study, which is the day that dates are counted to."""
    return now.astimezone(ZoneInfo(flow.trial.timezone)).date()


def start(flow: Flow, locale: str, now: datetime) -> Turn:
    """A new conversation, and its first question."""
    first = flow.steps[0].id
    return Turn(Conversation(flow.name, locale, step=first), (Ask(first),))


def screen(flow: Flow, answers: Mapping[StepId, Answer], today: date) -> Verdict:
    """The verdict on the answers that lie on the path. No outcome while asked questions are open."""
    here = place(flow, answers)
    verdict = weigh(flow, here.on_path, today)
    questions_open = here.step is not None and flow.index[here.step] < flow.index[CHECK]
    stopped = here.end not in ("", DONE)
    return replace(verdict, outcome=None, eligible_from=None) if questions_open or stopped else verdict


def advance(flow: Flow, conversation: Conversation, reply: Reply, now: datetime) -> Turn:
    """The turn that a reply makes. Never raises for anything a person may send."""
    turn = _Turning(flow, conversation, today_of(flow, now))
    match reply:
        case Asked():
            return turn.asked(reply)
        case Signalled(sign):
            return turn.done(Show("safety", sign), Menu("safety"), event=says.SafetyShown(sign))
        case Elapsed():
            return turn.done(Menu("reminder"))
        case Garbled("media" | "edited" | "stale" as reason):
            return turn.ask(Tell(reason if reason == "stale" else f"got_{reason}"))
    if conversation.life != "open" or conversation.step is None:
        return turn.done(Menu("start" if conversation.life == "stopped" else "done"))
    match reply:
        case Gave():
            return turn.gave(reply)
        case Ticked():
            return turn.ticked(reply)
        case Sent():
            return turn.gave(Gave(conversation.draft, step=reply.step))
        case Confirmed():
            return turn.confirmed(reply)
        case Bare() if turn.step.kind != "measure":
            return turn.garbled(Garbled("unclear"))
        case Bare():
            return turn.read_back(Pending(conversation.step, reply.number, reply.said, "unit"))
        case Narrowed():
            return turn.narrowed(reply)
        case Garbled():
            return turn.garbled(reply)


def timebound(flow: Flow) -> set[StepId]:
    """The questions whose answers a wait rests on: asked again when the wait is over."""
    steps = {wait.period.after for criterion in flow.criteria for wait in criterion.waits}
    for step in tuple(steps):
        rule = asked_if(flow, flow.step_by_id[step])
        steps |= steps_of(rule, flow.facts) if rule else set()
    return steps


@dataclass(frozen=True, slots=True)
class _Turning:
    """One turn in the making."""

    flow: Flow
    before: Conversation
    today: date

    @property
    def step(self) -> Step:
        assert self.before.step is not None
        return self.flow.step_by_id[self.before.step]

    def done(self, *said: Say, event: Event | None = None, **changes: object) -> Turn:
        after = replace(self.before, **changes) if changes else self.before  # type: ignore[arg-type]
        return Turn(after, said, (event,) if event else ())

    def ask(self, *first: Say, event: Event | None = None, **changes: object) -> Turn:
        """The open question again, after ``first``."""
        if self.before.pending is not None and "pending" not in changes:
            return self.done(*first, ReadBack(self.before.pending), event=event, **changes)
        if self.before.step is None:
            return self.done(*first, Menu("done"), event=event, **changes)
        return self.done(*first, Ask(self.before.step, self.before.draft), event=event, **changes)

    def read_back(self, pending: Pending) -> Turn:
        return self.done(ReadBack(pending), pending=pending)

    # ------------------------------------------------------------------ answers

    def gave(self, reply: Gave) -> Turn:
        step = self.step if reply.step is None else self.flow.step_by_id.get(reply.step)
        if step is None:
            return self.ask(Tell("stale"))
        if step.id != self.before.step:
            return self._late(step, reply)
        if not _fits(self.flow, step, reply.value):
            return self.garbled(Garbled("unclear"))
        if not reply.sure:
            return self.read_back(Pending(step.id, reply.value, reply.said, "sure"))
        closer = self._closer(step, reply)
        return self.read_back(closer) if closer else self.take(step, reply.value, reply.said)

    def _late(self, step: Step, reply: Gave) -> Turn:
        """A press on an earlier question: the same answer changes nothing, another one is asked about."""
        on_path = place(self.flow, self.before.answers).on_path
        known = on_path.get(step.id)
        fixed = any(option.does for option in step.options) or step.part == CONTACT
        if known is None or fixed or not _fits(self.flow, step, reply.value) or step.kind == "checklist":
            return self.ask(Tell("stale"))
        if known.value == reply.value:
            return self.ask(Tell("already"))
        return self.read_back(Pending(step.id, reply.value, reply.said, "change"))

    def _closer(self, step: Step, reply: Gave) -> Pending | None:
        """Asks once for the month, and once for the day, where only that leaves a criterion open."""
        if not isinstance(reply.value, Span) or reply.value.exact:
            return None
        asked = self.before.pending.why if self.before.pending else "sure"
        if asked == "day":
            return None
        answers = {**self.before.answers, step.id: Answer(reply.value, self.today)}
        findings = [
            find(criterion, answers, self.today, self.flow.facts) for criterion in self.flow.deciding[step.id]
        ]
        if not any(finding is not None and finding.unsettled for finding in findings):
            return None
        wide = reply.value.last - reply.value.first > timedelta(days=62)
        return Pending(step.id, reply.value, reply.said, "month" if wide and asked != "month" else "day")

    def take(self, step: Step, value: Value, said: str = "", *first: Say) -> Turn:
        """Puts an answer in its place and goes on from there."""
        flow, old = self.flow, self.before
        answer = Answer(value, self.today, said)
        earlier = old.before.get(step.id)
        changed = dict.fromkeys(old.changed)
        if earlier is not None and flow.deciding[step.id]:
            changed.pop(step.id, None) if earlier.value == value else changed.setdefault(step.id)
        answers = {**old.answers, step.id: answer}
        here = place(flow, answers)
        new = replace(
            old,
            locale=str(value) if step.source == "languages" else old.locale,
            answers=answers,
            changed=tuple(changed),
            step=here.step,
            draft=(),
            pending=None,
            misses=0,
        )
        said_now: list[Say] = [*first, *self._noted(step, here)]
        if step.kind == "phone":
            said_now.append(Tell("noted", {"given": step.id, "said": said}))
        events: list[Event] = [says.Answered(step.id, answer)]
        left_out = self._left_out(step, here)
        if left_out:
            said_now.append(Tell("left_out", {"steps": ",".join(left_out)}))
        for option in _picked(step, value):
            if option.safety:
                said_now.insert(0, Show("safety", option.safety))
                events.append(says.SafetyShown(option.safety))
            if option.does:
                new = self._does(option, new, here, said_now, events)
        return _close(new, here, said_now, events)

    def _does(
        self, option: Option, new: Conversation, here: Place, said: list[Say], events: list[Event]
    ) -> Conversation:
        verdict = weigh(self.flow, here.on_path, self.today)
        site = here.on_path.get(SITE)
        chosen = site.value if site is not None and isinstance(site.value, str) else ""
        match option.does:
            case "screen":
                events.append(says.Screened(verdict))
                said.append(says.Result(verdict))
            case "send":
                events.append(says.LeadRaised(verdict, chosen))
                said.append(Tell("sent", {"site": chosen}))
                return replace(new, raised=True)
            case "send_person":
                events.append(says.LeadRaised(None, chosen))
                said.append(Tell("sent_person", {"site": chosen}))
            case "remind":
                events.append(says.ReminderWished(verdict))
                said.append(Tell("reminder_set", {"day": str(verdict.eligible_from or "")}))
            case "notices":
                events.append(says.NoticesWished())
                said.append(Tell("notices_set"))
        return new

    def _noted(self, step: Step, here: Place) -> list[Say]:
        """A wait is told at once, and does not stop the questions."""
        if self.flow.index[step.id] > self.flow.index[CHECK] or (here.step == CHECK and not here.end):
            return []
        without = {key: answer for key, answer in here.on_path.items() if key != step.id}
        notes: list[Say] = []
        for criterion in self.flow.deciding[step.id]:
            now = find(criterion, here.on_path, self.today, self.flow.facts)
            if now is None or now.status != "WAIT":
                continue
            was = find(criterion, without, self.today, self.flow.facts)
            if was is None or was.status != "WAIT":
                day = {"day": now.until.isoformat()} if now.until else {}
                notes.append(Tell("wait_noted" if now.until else "wait_open_noted", day))
        return notes[:1]

    def _left_out(self, step: Step, here: Place) -> list[StepId]:
        """Answers that a change has made pointless: they are named, kept, and no longer count."""
        if step.id not in self.before.before:
            return []
        was = place(self.flow, {**self.before.answers, step.id: self.before.before[step.id]}).on_path
        return [
            other
            for other in was
            if other not in here.on_path and other != step.id and other in self.before.answers
            if self.flow.index[other] < self.flow.index[CHECK]
        ]

    # ------------------------------------------------------------------ between two answers

    def ticked(self, reply: Ticked) -> Turn:
        step = self.flow.step_by_id.get(reply.step)
        if step is None or step.id != self.before.step or step.option(reply.option) is None:
            return self.ask(Tell("stale"))
        ticks = set(self.before.draft) ^ {reply.option}
        draft = tuple(option.id for option in step.options if option.id in ticks)
        return self.done(Ask(step.id, draft, again=True), draft=draft, misses=0)

    def confirmed(self, reply: Confirmed) -> Turn:
        pending = self.before.pending
        if pending is None or reply.step not in (None, pending.step):
            return self.ask(Tell("stale"))
        if not reply.yes:
            if pending.why == "change":
                return self.ask(Tell("kept"), pending=None)
            return self.done(Tell("again"), Ask(pending.step), pending=None, misses=0)
        if pending.why == "change":
            return self._change_to(pending)
        step = self.flow.step_by_id[pending.step]
        if pending.why == "planned":
            return self.take(step, "planned", pending.said)
        if pending.why in ("month", "day"):
            return self.take(step, pending.value, pending.said)
        closer = self._closer(step, Gave(pending.value, pending.said))
        return self.read_back(closer) if closer else self.take(step, pending.value, pending.said)

    def _change_to(self, pending: Pending) -> Turn:
        """A correction by an old button: the answer is replaced, and the check page is asked for again."""
        step = self.flow.step_by_id[pending.step]
        return replace_self(self, _without(self.flow, self.before, step.id)).take(step, pending.value, pending.said)

    def narrowed(self, reply: Narrowed) -> Turn:
        pending = self.before.pending
        if pending is None or reply.step not in (None, pending.step):
            return self.ask(Tell("stale"))
        step = self.flow.step_by_id[pending.step]
        value: Value = None
        if pending.why == "unit" and isinstance(pending.value, Decimal):
            value = _in_range(step, measure.in_unit(pending.value, reply.by))
        elif isinstance(pending.value, Span) and reply.by.isdecimal():
            narrow = dates.month_of if pending.why == "month" else dates.day_of
            value = narrow(pending.value, int(reply.by))
        if value is None:
            return self.garbled(Garbled("range" if pending.why == "unit" else "unclear"))
        return self.gave(Gave(value, pending.said))

    def garbled(self, reply: Garbled) -> Turn:
        step, misses = self.step, self.before.misses + 1
        if reply.reason == "future" and step.option("planned"):
            return self.read_back(Pending(step.id, "planned", "", "planned"))
        if reply.reason == "private":
            return self.ask(Tell("got_private"))
        if step.kind == "measure" and misses > PATIENCE:
            return self.take(step, None, "", Tell("moved_on"))
        if self.before.pending is not None and self.before.pending.why not in ("unit",):
            return self.ask(Retry(step.id, "pending", misses), misses=misses)
        return self.done(
            Retry(step.id, reply.reason, misses), Ask(step.id, self.before.draft), misses=misses, pending=None
        )

    # ------------------------------------------------------------------ wishes

    def asked(self, reply: Asked) -> Turn:
        flow, old, what, about = self.flow, self.before, reply.what, reply.about
        match what:
            case "back":
                return self._back()
            case "why" if old.life == "open" and old.step is not None:
                return self.ask(Show("why", self.step.id))
            case "language" if about:
                return self._language(about)
            case "change" if about in old.answers:
                return self._change(StepId(about))
            case "faq" if any(question.id == about for question in flow.faq):
                return self.done(Show("faq", about), Menu("faq"))
            case "unwell" if about in flow.safety_by_id:
                return self.done(Show("safety", about), Menu("safety"), event=says.SafetyShown(about))
            case "stop_now":
                return self.done(Menu("stopped"), life="stopped", event=says.Ended("stopped"))
            case "delete_now":
                return self.done(Tell("deleted"), life="deleted", event=says.Deleted())
            case "start_over":
                return self.done(Tell("start_over"), life="stopped", event=says.Ended("restarted"))
            case "person_now":
                return self._person()
            case "later":
                return self.done(Tell("later"))
            case "reason":
                return self.ask(says.Reasons(screen(flow, old.answers, self.today)))
            case "copy":
                return self.ask(says.Copy())
            case "resume":
                return self._resume()
            case "recheck":
                return self._recheck()
            case "start" if not old.answers and old.life == "open":
                return self.ask()
            case (
                "why"
                | "change"
                | "faq"
                | "unwell"
                | "language"
                | "help"
                | "person"
                | "stop"
                | "delete"
                | "start"
                | "privacy"
            ):
                return self.done(Menu("help" if what == "why" else what))

    def _back(self) -> Turn:
        old = self.before
        if old.life != "open" or old.step is None:
            return self.done(Menu("done"))
        if old.pending is not None:
            if old.pending.why == "change" or old.pending.step != old.step:
                return self.ask(Tell("kept"), pending=None)
            return self.done(Ask(old.step), pending=None, misses=0)
        here = place(self.flow, old.answers)
        last = next(reversed(list(here.on_path)), None)
        if last is None:
            return self.ask(Tell("no_way_back"))
        if any(option.does.startswith("send") for option in self.flow.step_by_id[last].options):
            return self.ask(Tell("sent_already"))
        return self._reopen((last,))

    def _change(self, step: StepId) -> Turn:
        """Asks one question again; the check page comes after it, and no other question is repeated."""
        if step not in place(self.flow, self.before.answers).on_path:
            return self.ask(Tell("stale"))
        return self._reopen((step,), to_check=True)

    def _reopen(self, steps: tuple[StepId, ...], *said: Say, to_check: bool = False) -> Turn:
        old = self.before
        new = old
        for step in steps:
            new = _without(self.flow, new, step, to_check)
        here = place(self.flow, new.answers)
        events = tuple(says.Cleared(step) for step in old.answers if step not in new.answers)
        new = replace(new, step=here.step, life="open", end="", draft=(), pending=None, misses=0)
        return _close(new, here, list(said), list(events))

    def _recheck(self) -> Turn:
        again = timebound(self.flow)
        steps = tuple(step for step in self.before.answers if step in again)
        return self._reopen(steps, to_check=True) if steps else self._resume()

    def _resume(self) -> Turn:
        if self.before.end:
            here = place(self.flow, self.before.answers)
            last = next(reversed(list(here.on_path)), None)
            if last is not None and self.before.end != DONE:
                return self._reopen((last,))
        if self.before.life == "stopped":
            life: Life = "done" if self.before.end == DONE else "open"
            return replace_self(self, replace(self.before, life=life)).ask()
        return self.ask()

    def _person(self) -> Turn:
        """Contact details come first now; the question that was open waits."""
        answers = {**self.before.answers, PERSON: Answer("yes", self.today)}
        here = place(self.flow, answers)
        if here.step == self.before.step and self.before.life == "open":
            return self.ask(Tell("person_known"))
        new = replace(self.before, answers=answers, step=here.step, life="open", end="", pending=None, draft=())
        return _close(new, here, [Tell("person_asked")], [])

    def _language(self, locale: str) -> Turn:
        step = self.before.step
        if self.before.life == "open" and step is not None and self.step.source == "languages":
            return self.take(self.step, locale)
        return replace_self(self, replace(self.before, locale=locale)).ask(Tell("language_set"))


def replace_self(turning: _Turning, conversation: Conversation) -> _Turning:
    return replace(turning, before=conversation)


def _without(flow: Flow, conversation: Conversation, step: StepId, to_check: bool = True) -> Conversation:
    """Takes an answer back and remembers it. A change also takes back what was confirmed or sent after it."""
    confirmed = {other.id for other in flow.steps if to_check and any(option.does for option in other.options)}
    gone = ({step} | confirmed) & set(conversation.answers)
    return replace(
        conversation,
        answers={key: value for key, value in conversation.answers.items() if key not in gone},
        before={step: conversation.answers[step], **conversation.before},
    )


def _close(new: Conversation, here: Place, said: list[Say], events: list[Event]) -> Turn:
    """Ends the turn with the next question, or with the end."""
    if not here.end:
        assert here.step is not None
        return Turn(new, (*said, Ask(here.step)), tuple(events))
    life: Life = "declined" if here.end == "declined" else "stopped" if here.end == "stopped" else "done"
    return Turn(
        replace(new, life=life, end=here.end),
        (*said, Show("end", here.end), *((Menu("done"),) if life == "done" else ())),
        (*events, says.Ended(here.end)),
    )


def _fits(flow: Flow, step: Step, value: Value) -> bool:
    """Whether a value can be an answer to the step, wherever it came from."""
    if value is None:
        return step.unsure
    if step.source:
        return isinstance(value, str) and (step.source != "sites" or value == NOWHERE or bool(flow.site(value)))
    if isinstance(value, str) and step.option(value) is not None:
        return True
    try:
        return KINDS[step.kind].accept(step, value) == value
    except (ValueError, TypeError):
        return False


def _picked(step: Step, value: Value) -> list[Option]:
    picks = value if isinstance(value, tuple) else (value,)
    return [option for option in step.options if option.id in picks]


def _in_range(step: Step, number: Decimal) -> Decimal | None:
    low, high = step.low, step.high
    return number if (low is None or number >= low) and (high is None or number <= high) else None
