"""What a wish does: back, change, why, help, a person, another language, stop, delete. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from flows import turn as says
from flows.answer import Answer, StepId
from flows.answering import take
from flows.conversation import Life
from flows.flow import PERSON, SEND_PERSON, SITE, Flow, Step
from flows.machine import DONE, asked_if, is_sent, place, screen, turned_away
from flows.reply import Asked
from flows.rules import steps_of
from flows.turn import Ask, Menu, Say, Show, Tell, Turn
from flows.turning import Turning, close, lacking, without

SLOT = "%Y%m%dT%H%MZ"


def asked(turning: Turning, reply: Asked) -> Turn:
    """A wish is granted at any step, and leaves every answer as it is unless it says otherwise."""
    flow, old, what, about = turning.flow, turning.before, reply.what, reply.about
    match what:
        case "back":
            return _back(turning)
        case "why" if old.life == "open" and old.step is not None:
            return turning.ask(Show("why", turning.step.id))
        case "pictures" if old.life == "open" and old.step is not None:
            return turning.ask(*_pictures(turning.step), brief=True)
        case "language" if about:
            return _language(turning, about)
        case "plain" | "plain_off":
            plain = what == "plain"
            return turning.on(replace(old, plain=plain)).ask(Tell("plain_on" if plain else "plain_off"))
        case "change" if about in old.answers:
            return _change(turning, StepId(about))
        case "faq" if any(question.id == about for question in flow.faq):
            return turning.done(Show("faq", about), Menu("faq"))
        case "answer" if any(question.id == about for question in flow.faq):
            return turning.ask(Show("faq", about), brief=True)
        case "answer" | "question":
            return turning.ask(Tell("question"), brief=True)
        case "unwell" if about in flow.safety_by_id:
            return turning.done(Show("safety", about), Menu("safety"), event=says.SafetyShown(about))
        case "stop_now":
            return turning.done(Menu("stopped"), life="stopped", event=says.Ended("stopped"))
        case "delete_now":
            return turning.done(Tell("deleted"), life="deleted", event=says.Deleted())
        case "start_over":
            return turning.done(Tell("start_over"), life="stopped", event=says.Ended("restarted"))
        case "person_now":
            return _person(turning)
        case "status":
            return turning.done(Menu("status"), event=says.StatusWished())
        case "time":
            return turning.done(Menu("time"), event=says.TimesWished())
        case "slot":
            start = slot_of(about)
            return turning.done(Menu("time"), event=says.SlotPicked(start)) if start else turning.ask(Tell("stale"))
        case "privacy":
            return turning.done(Menu("privacy"), event=says.ConsentsWished())
        case "no_reminder":
            return turning.done(Tell("reminder_off"), event=says.ConsentTakenBack("reminder"))
        case "no_notices":
            return turning.done(Tell("notices_off"), event=says.ConsentTakenBack("notices"))
        case "withdraw_now":
            return _withdraw(turning)
        case "send_again":
            return _send_again(turning)
        case "web":
            return turning.done(Tell("carry_link"), event=says.CarryWished())
        case "later":
            return turning.done(Tell("later"))
        case "reason":
            return turning.ask(says.Reasons(screen(flow, old.answers, turning.today)))
        case "copy":
            return turning.ask(says.Copy())
        case "resume":
            return _resume(turning)
        case "recheck":
            return _recheck(turning)
        case "start" if not old.answers and old.life == "open":
            return turning.ask()
        case _:  # a menu of its own name, which lists what may follow
            return turning.done(Menu("help" if what in ("why", "pictures") else what))


def _pictures(step: Step) -> tuple[Say, ...]:
    return tuple(Show("picture", picture) for picture in step.pictures) or (Tell("no_pictures"),)


def _back(turning: Turning) -> Turn:
    old = turning.before
    if old.life != "open" or old.step is None:
        return turning.done(Menu("done"))
    if old.pending is not None:
        if old.pending.why == "change" or old.pending.step != old.step:
            return turning.ask(Tell("kept"), pending=None)
        return turning.done(Ask(old.step), pending=None, misses=0)
    here = place(turning.flow, old.answers)
    last = next(reversed(list(here.on_path)), None)
    if last is None:
        return turning.ask(Tell("no_way_back"))
    if any(option.does.startswith("send") for option in turning.flow.step_by_id[last].options):
        return turning.ask(Tell("sent_already"))
    return _reopen(turning, (last,))


def _change(turning: Turning, step: StepId) -> Turn:
    """Asks one question again; the check page comes after it, and no other question is repeated."""
    if step not in place(turning.flow, turning.before.answers).on_path:
        return turning.ask(Tell("stale"))
    return _reopen(turning, (step,), to_check=True)


def _reopen(turning: Turning, steps: tuple[StepId, ...], *said: Say, to_check: bool = False) -> Turn:
    old = turning.before
    new = old
    for step in steps:
        new = without(turning.flow, new, step, to_check)
    here = place(turning.flow, new.answers)
    events = tuple(says.Cleared(step) for step in old.answers if step not in new.answers)
    new = replace(new, step=here.step, life="open", end="", draft=(), pending=None, misses=0)
    return close(new, here, list(said), list(events))


def _recheck(turning: Turning) -> Turn:
    again = timebound(turning.flow)
    steps = tuple(step for step in turning.before.answers if step in again)
    return _reopen(turning, steps, to_check=True) if steps else _resume(turning)


def _resume(turning: Turning) -> Turn:
    if turning.before.end:
        here = place(turning.flow, turning.before.answers)
        last = next(reversed(list(here.on_path)), None)
        if last is not None and turning.before.end != DONE:
            return _reopen(turning, (last,))
    if turning.before.life == "stopped":
        life: Life = "done" if turning.before.end == DONE else "open"
        return turning.on(replace(turning.before, life=life)).ask()
    return turning.ask()


def _withdraw(turning: Turning) -> Turn:
    """What was sent is taken back. The answers stay here, and can be sent again."""
    flow, old = turning.flow, turning.before
    taken = {
        step: Answer(_other(flow, step), turning.today)
        for step, option in flow.sends.items()
        if step in old.answers and old.answers[step].value == option
    }
    answers = {**old.answers, **taken}
    events = tuple(says.Answered(step, answer) for step, answer in taken.items())
    new = replace(old, answers=answers, raised=False)
    if old.life == "open":  # where a site closed meanwhile, it is asked about again
        step = place(flow, answers).step
        new = replace(new, step=step, answers=lacking(answers, step))
    return Turn(new, (Menu("withdrawn"),), (says.Withdrawn(), *events))


def _other(flow: Flow, step: StepId) -> str:
    """The answer that sends nothing."""
    return next(option.id for option in flow.step_by_id[step].options if not option.does)


def _send_again(turning: Turning) -> Turn:
    """Back to the page that asks whether to send, where it was answered with no."""
    here = place(turning.flow, turning.before.answers).on_path
    if is_sent(turning.flow, turning.before.answers):
        return turning.ask(Tell("sent_already"))
    if site := turned_away(turning.flow, turning.before.answers):
        return _reopen(turning, (SITE, *turning.flow.sends), Tell("site_closed", {"site": site}))
    last = next((step for step in turning.flow.sends if step in here), None)
    return turning.ask() if last is None else _reopen(turning, (last,))


def slot_of(text: str) -> datetime | None:
    """The moment behind a button of ``slot_text``; None for anything else."""
    try:
        return datetime.strptime(text, SLOT).replace(tzinfo=UTC)
    except ValueError:
        return None


def slot_text(start: datetime) -> str:
    """A moment, short enough for a button's data."""
    return start.astimezone(UTC).strftime(SLOT)


def _person(turning: Turning) -> Turn:
    """Contact details come first now; the question that was open waits. Who sent them already is done."""
    if turning.before.raised or is_sent(turning.flow, turning.before.answers):
        return turning.ask(Tell("person_told"), event=says.PersonWished())
    old = turning.before.answers
    asked_again = SEND_PERSON in old and old[SEND_PERSON].value != "send"
    kept = {step: answer for step, answer in old.items() if not (asked_again and step == SEND_PERSON)}
    answers = {**kept, PERSON: Answer("yes", turning.today)}
    here = place(turning.flow, answers)
    if here.step == turning.before.step and turning.before.life == "open":
        return turning.ask(Tell("person_known"))
    new = replace(turning.before, answers=answers, step=here.step, life="open", end="", pending=None, draft=())
    return close(new, here, [Tell("person_asked")], [])


def _language(turning: Turning, locale: str) -> Turn:
    step = turning.before.step
    if turning.before.life == "open" and step is not None and turning.step.source == "languages":
        return take(turning, turning.step, locale)
    return turning.on(replace(turning.before, locale=locale)).ask(Tell("language_set"))


def timebound(flow: Flow) -> set[StepId]:
    """The questions whose answers a wait rests on: asked again when the wait is over."""
    steps = {wait.period.after for criterion in flow.criteria for wait in criterion.waits}
    for step in tuple(steps):
        rule = asked_if(flow, flow.step_by_id[step])
        steps |= steps_of(rule, flow.facts) if rule else set()
    return steps
