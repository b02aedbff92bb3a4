"""What an answer does: it is taken, asked about more closely, read back, or kindly not understood. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from flows import turn as says
from flows.answer import Answer, Span, StepId, Value
from flows.conversation import Conversation, Pending
from flows.flow import CHECK, CONTACT, SITE, Option, Step
from flows.kinds import date as dates
from flows.kinds import measure
from flows.machine import Place, place
from flows.reply import Confirmed, Garbled, Gave, Narrowed, Ticked
from flows.rules import Known
from flows.screening import find, weigh
from flows.turn import Ask, Event, Retry, Say, Show, Tell, Turn
from flows.turning import Turning, close, fits, without

PATIENCE = 2
"""Tries at a measure before the question is left open for staff (reading, section 13)."""


def gave(turning: Turning, reply: Gave) -> Turn:
    step = turning.step if reply.step is None else turning.flow.step_by_id.get(reply.step)
    if step is None:
        return turning.ask(Tell("stale"))
    if step.id != turning.before.step:
        return _late(turning, step, reply)
    if step.source == "sites" and reply.value in turning.flow.closed:
        return turning.ask(Tell("site_closed", {"site": str(reply.value)}))
    if not fits(turning.flow, step, reply.value):
        return garbled(turning, Garbled("unclear"))
    if not reply.sure:
        return turning.read_back(Pending(step.id, reply.value, reply.said, "sure"))
    closer = _closer(turning, step, reply)
    return turning.read_back(closer) if closer else take(turning, step, reply.value, reply.said)


def _late(turning: Turning, step: Step, reply: Gave) -> Turn:
    """A press on an earlier question: the same answer changes nothing, another one is asked about."""
    on_path = place(turning.flow, turning.before.answers).on_path
    known = on_path.get(step.id)
    fixed = any(option.does for option in step.options) or step.part == CONTACT
    if known is None or fixed or not fits(turning.flow, step, reply.value) or step.kind == "checklist":
        return turning.ask(Tell("stale"))
    if known.value == reply.value:
        return turning.ask(Tell("already"))
    return turning.read_back(Pending(step.id, reply.value, reply.said, "change"))


def _closer(turning: Turning, step: Step, reply: Gave) -> Pending | None:
    """Asks once for the month, and once for the day, where only that leaves a criterion open."""
    if not isinstance(reply.value, Span) or reply.value.exact:
        return None
    asked = turning.before.pending.why if turning.before.pending else "sure"
    if asked == "day":
        return None
    answers = {**turning.before.answers, step.id: Answer(reply.value, turning.today)}
    known = Known(answers, turning.today, turning.flow.facts)
    findings = [find(criterion, known) for criterion in turning.flow.deciding[step.id]]
    if not any(finding is not None and finding.unsettled for finding in findings):
        return None
    wide = reply.value.last - reply.value.first > timedelta(days=62)
    return Pending(step.id, reply.value, reply.said, "month" if wide and asked != "month" else "day")


def take(turning: Turning, step: Step, value: Value, said: str = "", *first: Say) -> Turn:
    """Puts an answer in its place and goes on from there."""
    flow, old = turning.flow, turning.before
    answer = Answer(value, turning.today, said)
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
        echo="",
    )
    said_now: list[Say] = [*first, *_noted(turning, step, here)]
    if step.kind == "phone":
        said_now.append(Tell("noted", {"given": step.id, "said": said}))
    events: list[Event] = [says.Answered(step.id, answer)]
    left_out = _left_out(turning, step, here)
    if left_out:
        said_now.append(Tell("left_out", {"steps": ",".join(left_out)}))
    for option in _picked(step, value):
        if option.safety:
            said_now.insert(0, Show("safety", option.safety))
            events.append(says.SafetyShown(option.safety))
        if option.does:
            new = _does(turning, option, new, here, said_now, events)
    return close(new, here, said_now, events)


def _does(
    turning: Turning, option: Option, new: Conversation, here: Place, said: list[Say], events: list[Event]
) -> Conversation:
    verdict = weigh(turning.flow, here.on_path, turning.today)
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


def _noted(turning: Turning, step: Step, here: Place) -> list[Say]:
    """A wait is told at once, and does not stop the questions."""
    if turning.flow.index[step.id] > turning.flow.index[CHECK] or (here.step == CHECK and not here.end):
        return []
    known = Known(here.on_path, turning.today, turning.flow.facts)
    notes: list[Say] = []
    for criterion in turning.flow.deciding[step.id]:
        now = find(criterion, known)
        if now is None or now.status != "WAIT":
            continue
        earlier = {key: answer for key, answer in here.on_path.items() if key != step.id}
        was = find(criterion, Known(earlier, turning.today, turning.flow.facts))
        if was is None or was.status != "WAIT":
            day = {"day": now.until.isoformat()} if now.until else {}
            notes.append(Tell("wait_noted" if now.until else "wait_open_noted", day))
    return notes[:1]


def _left_out(turning: Turning, step: Step, here: Place) -> list[StepId]:
    """Answers that a change has made pointless: they are named, kept, and no longer count."""
    if step.id not in turning.before.before:
        return []
    was = place(turning.flow, {**turning.before.answers, step.id: turning.before.before[step.id]}).on_path
    return [
        other
        for other in was
        if other not in here.on_path and other != step.id and other in turning.before.answers
        if turning.flow.index[other] < turning.flow.index[CHECK]
    ]


def ticked(turning: Turning, reply: Ticked) -> Turn:
    step = turning.flow.step_by_id.get(reply.step)
    if step is None or step.id != turning.before.step or step.option(reply.option) is None:
        return turning.ask(Tell("stale"))
    ticks = set(turning.before.draft) ^ {reply.option}
    draft = tuple(option.id for option in step.options if option.id in ticks)
    return turning.done(Ask(step.id, draft, again=True), draft=draft, misses=0)


def confirmed(turning: Turning, reply: Confirmed) -> Turn:
    pending = turning.before.pending
    if pending is None or reply.step not in (None, pending.step):
        return turning.ask(Tell("stale"))
    if not reply.yes:
        if pending.why == "change":
            return turning.ask(Tell("kept"), pending=None)
        return turning.done(Tell("again"), Ask(pending.step), pending=None, misses=0)
    if pending.why == "change":
        return _change_to(turning, pending)
    step = turning.flow.step_by_id[pending.step]
    if pending.why == "planned":
        return take(turning, step, "planned", pending.said)
    if pending.why in ("month", "day"):
        return take(turning, step, pending.value, pending.said)
    closer = _closer(turning, step, Gave(pending.value, pending.said))
    return turning.read_back(closer) if closer else take(turning, step, pending.value, pending.said)


def _change_to(turning: Turning, pending: Pending) -> Turn:
    """A correction by an old button: the answer is replaced, and the check page is asked for again."""
    step = turning.flow.step_by_id[pending.step]
    return take(turning.on(without(turning.flow, turning.before, step.id)), step, pending.value, pending.said)


def narrowed(turning: Turning, reply: Narrowed) -> Turn:
    pending = turning.before.pending
    if pending is None or reply.step not in (None, pending.step):
        return turning.ask(Tell("stale"))
    step = turning.flow.step_by_id[pending.step]
    value: Value = None
    if pending.why == "unit" and isinstance(pending.value, Decimal) and reply.by in measure.UNITS_ASKED[step.unit]:
        value = _in_range(step, measure.in_unit(pending.value, reply.by))
    elif isinstance(pending.value, Span) and reply.by.isdecimal():
        narrow = dates.month_of if pending.why == "month" else dates.day_of
        value = narrow(pending.value, int(reply.by))
    if value is None:
        return garbled(turning, Garbled("range" if pending.why == "unit" else "unclear"))
    return gave(turning, Gave(value, pending.said))


def not_words(turning: Turning, reason: str) -> Turn:
    """A picture, a voice, an edit or an old button: it changes nothing, and is not told in the same words twice."""
    key = "stale" if reason == "stale" else f"got_{reason}"
    key = f"{key}_again" if turning.before.echo == key else key
    return turning.ask(Tell(key), echo=key)


def garbled(turning: Turning, reply: Garbled) -> Turn:
    step, misses = turning.step, turning.before.misses + 1
    if reply.reason == "future" and step.option("planned"):
        return turning.read_back(Pending(step.id, "planned", "", "planned"))
    if reply.reason == "private":
        return turning.ask(Tell("got_private"))
    if step.kind == "measure" and misses > PATIENCE:
        return take(turning, step, None, "", Tell("moved_on"))
    if turning.before.pending is not None and turning.before.pending.why not in ("unit",):
        return turning.ask(Retry(step.id, "pending", misses), misses=misses)
    return turning.done(
        Retry(step.id, reply.reason, misses),
        Ask(step.id, brief=True, draft=turning.before.draft),
        misses=misses,
        pending=None,
    )


def _picked(step: Step, value: Value) -> list[Option]:
    picks = value if isinstance(value, tuple) else (value,)
    return [option for option in step.options if option.id in picks]


def _in_range(step: Step, number: Decimal) -> Decimal | None:
    low, high = step.low, step.high
    return number if (low is None or number >= low) and (high is None or number <= high) else None
