"""Every problem of a flow at once, as data: what is wrong, where, and what would mend it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flows.answer import StepId
from flows.author import pictures, wording
from flows.author.paths import TYPED, Paths, TooManyPaths, probe
from flows.facts import FORMULAS
from flows.flow import (
    CHECK,
    CONSENT,
    CONTACT,
    EFFECTS,
    NOT_SURE,
    OUTCOMES,
    PERSON,
    SEND_PERSON,
    SITE,
    Criterion,
    Flow,
    Step,
)
from flows.kinds import KINDS
from flows.machine import BACK_TO_QUESTIONS, DONE, asked_if
from flows.offers import NOWHERE
from flows.parse import Problem
from flows.rules import Between, Is, OutcomeIs, Rule, inside, steps_of

FRAME = "frame"
"""What the steps of the frame carry as their trial."""
_TAKES = {
    "age_on": ("date",), "days_until_birthday": ("date",), "bmi": ("measure cm", "measure kg"),
    "amount": ("number or measure",),
}  # fmt: skip
"""What kind of answers each formula is made of."""

Found = Iterator[tuple[str, str, str]]


def check(flow: Flow, file: str, frame: str = "_frame.toml") -> list[Problem]:
    """What is wrong in a flow whose shape is right. Empty when it can be served."""
    checks: tuple[Callable[[Flow], Found], ...] = (
        _trial, _parts, _ids, _steps, _routes, _rules, _facts, _order, _criteria, _listing, _frame,
        wording.check, pictures.check,
    )  # fmt: skip
    found = [problem for check_one in checks for problem in check_one(flow)]
    # What can be reached is only worth asking when everything that is named is there.
    found = found or list(_reach(flow))
    own = {*_frame_places(flow)} - {place_of(step) for step in flow.steps if step.trial != FRAME}
    return [
        Problem(frame if ".".join(place.split(".")[:2]) in own else file, place, what, remedy)
        for place, what, remedy in dict.fromkeys(found)
    ]


def place_of(step: Step) -> str:
    """Where a step stands in its file: one question of the file may be several steps."""
    return f"step.{step.family or step.id}"


def _frame_places(flow: Flow) -> Iterator[str]:
    yield from (place_of(step) for step in flow.steps if step.trial == FRAME)
    yield from (f"step.{step}" for step in (CONSENT, CHECK, SITE, SEND_PERSON))
    for name, table in (("ends", flow.ends), ("outcomes", flow.outcomes), ("says", flow.says)):
        yield from (f"{name}.{key}" for key in (*table, DONE, "stopped", "declined", *wording.LINES))
    yield from (f"safety.{sign.id}" for sign in flow.safety)
    yield from (f"faq.{question.id}" for question in flow.faq)
    yield f"part.{CONTACT}"


def _day(flow: Flow) -> date | None:
    """The day that the probes of a file are read on: a file is right or wrong whatever day it is."""
    try:
        return date.fromisoformat(flow.trial.listed)
    except ValueError:
        return None


def _trial(flow: Flow) -> Found:
    zones = [("trial", flow.trial.timezone), *((f"site.{site.id}", site.timezone) for site in flow.sites)]
    for place, zone in zones:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            yield f"{place}.timezone", f"{zone!r} is not a time zone.", "Use a name like Asia/Shanghai."
    if not flow.sites:
        yield "site", "There is no site.", "Add at least one [[site]]."
    for site in flow.sites:
        if not re.fullmatch("[A-Z]{2}", site.country):
            yield f"site.{site.id}.country", f"{site.country!r} is not a country.", "Use two letters, like CN."
    if not re.fullmatch(r"v[1-9]\d*", flow.trial.version):
        yield "trial.version", "This is not a version.", "Use v1, v2 and so on."
    if _day(flow) is None:
        yield "trial.listed", "This is not a day.", "Write it like 2025-07-21."


def _parts(flow: Flow) -> Found:
    frame = _parts_of_the_frame(flow)
    order = {part.id: number for number, part in enumerate(flow.parts)}
    last = 0
    for step in flow.steps:
        if step.part not in order:
            yield f"{place_of(step)}.part", f"There is no part {step.part!r}.", f"Use one of: {', '.join(order)}."
        elif step.trial != FRAME and step.part in frame:
            yield f"{place_of(step)}.part", f"The part {step.part!r} is the frame's.", "Use a part of the trial."
        elif step.trial != FRAME and order[step.part] < last:
            yield f"{place_of(step)}.part", "The parts are out of order.", "Keep the steps of a part together."
        elif step.trial != FRAME:
            last = order[step.part]
    for part in flow.parts:
        if not any(step.part == part.id for step in flow.steps) and part.id != CONTACT:
            yield f"part.{part.id}", "No step is in this part.", "Remove it, or put a step in it."


def _parts_of_the_frame(flow: Flow) -> set[str]:
    return {step.part for step in flow.steps if step.trial == FRAME}


def _ids(flow: Flow) -> Found:
    for name, ids in (
        ("part", [part.id for part in flow.parts]),
        ("step", [str(step.id) for step in flow.steps]),
        ("criterion", [str(criterion.id) for criterion in flow.criteria]),
        ("site", [site.id for site in flow.sites]),
        ("safety", [sign.id for sign in flow.safety]),
        ("faq", [question.id for question in flow.faq]),
    ):
        for twice in sorted({one for one in ids if ids.count(one) > 1}):
            yield f"{name}.{twice}", "This id is used twice.", "Give one of them another id."
        for bad in ids:
            if not re.fullmatch(r"\w{1,40}(/\w{1,40})?", bad, re.ASCII):
                yield f"{name}.{bad}", "This id cannot be used.", "Use letters, digits and _, at most 40."
    taken = {*flow.ends, BACK_TO_QUESTIONS, PERSON}
    for step in flow.steps:
        if step.id in taken:
            yield place_of(step), "This id has another meaning.", "Give the step another id."
    for site in flow.sites:
        if site.id == NOWHERE:
            yield f"site.{site.id}", "This id has another meaning.", "Give the site another id."


def _steps(flow: Flow) -> Found:
    for step in flow.steps:
        place = place_of(step)
        if step.kind not in KINDS:
            yield f"{place}.kind", f"{step.kind!r} is not a kind.", f"Use one of: {', '.join(KINDS)}."
        if step.kind in ("choice", "checklist") and not step.options and not step.source:
            yield f"{place}.options", "There is nothing to choose.", "Add options."
        if step.source not in ("", "languages", "sites"):
            yield f"{place}.source", f"{step.source!r} is not a source.", "Use languages or sites."
        if step.shows not in ("", "answers", "contact"):
            yield f"{place}.shows", f"{step.shows!r} cannot be shown.", "Use answers or contact."
        if step.kind == "measure" and (step.unit not in ("cm", "kg") or None in (step.low, step.high)):
            yield f"{place}.unit", "A measure needs a unit and limits.", "Set unit (cm or kg), low and high."
        if step.low is not None and step.high is not None and step.low >= step.high:
            yield f"{place}.low", "The limits leave nothing between them.", "Make low smaller than high."
        if step.item is not None and not _is_there(flow, *step.item):
            yield f"{place}.each", f"There is no pick {'.'.join(step.item)}.", "Name a step and its options."
        decides = any(criterion.listed for criterion in flow.deciding[step.id])
        if decides and not step.unsure and step.trial != FRAME:
            yield f"{place}.unsure", 'A question about facts needs "not sure".', "Remove: unsure = false."
        yield from _options(flow, step, place)
        yield from _probes(flow, step, place)


def _is_there(flow: Flow, step_id: StepId, option: str) -> bool:
    step = flow.step_by_id.get(step_id)
    return step is not None and step.option(option) is not None


def _options(flow: Flow, step: Step, place: str) -> Found:
    names = [option.id for option in step.options]
    for twice in sorted({name for name in names if names.count(name) > 1}):
        yield f"{place}.options.{twice}", "This option is there twice.", "Give one another id."
    for option in step.options:
        at = f"{place}.options.{option.id}"
        if option.id == NOT_SURE or not re.fullmatch(r"[a-z0-9_]{1,24}", option.id):
            yield at, "This id cannot be used.", "Use a-z, 0-9 and _."
        if option.does and option.does not in EFFECTS:
            yield f"{at}.does", "This effect is unknown.", f"Use one of: {', '.join(EFFECTS)}."
        elif option.does and step.trial != FRAME:
            yield f"{at}.does", "Only the frame's steps may do this.", "Remove it."
        if option.safety and option.safety not in flow.safety_by_id:
            yield f"{at}.safety", "This message is unknown.", f"Use one of: {', '.join(flow.safety_by_id)}."


def _probes(flow: Flow, step: Step, place: str) -> Found:
    """A typed question without probes would be walked past by every tool that tries all answers."""
    day = _day(flow)
    limits = step.low is None or step.high is None or step.low < step.high
    units = step.kind != "measure" or step.unit in ("cm", "kg")
    if day is None or step.kind not in KINDS or not limits or not units:
        return
    if step.kind in TYPED and not step.probes:
        yield f"{place}.probes", "Nothing tries this question.", "Add probes: some typed answers."
    for text in step.probes:
        try:
            probe(flow, step, text, day)
        except ValueError:
            yield f"{place}.probes", f"The probe {text!r} is not understood.", "Write it as a person would."


def _routes(flow: Flow) -> Found:
    for step in flow.steps:
        here, check_page = flow.index[step.id], flow.index.get(CHECK, len(flow.steps))
        for number, route in enumerate(step.routes):
            place = f"{place_of(step)}.routes.{route.to}"
            there = flow.index.get(StepId(route.to))
            if there is None and route.to not in flow.ends:
                yield place, f"There is no step or end {route.to!r}.", "Name one that is there."
            if there is not None and there <= here:
                yield place, "A route leads back.", "Name a later step."
            if there is not None and here < check_page < there:
                yield place, "A route leads past the check page.", f"Name {CHECK!r} or an earlier step."
            if route.when is None and number < len(step.routes) - 1:
                later_default = any(other.when is None for other in step.routes[number + 1 :])
                what = "There are two default routes." if later_default else "A route follows the default."
                yield place, what, "Keep one route without a condition, as the last."
            elif route.when is None and (route.to == CHECK or route.to in flow.ends):
                yield place, "A default route leads straight out.", "Give it a condition."


def _rules(flow: Flow) -> Found:
    for place, rule, after_check in _all_rules(flow):
        for part in inside(rule):
            if isinstance(part, Is):
                yield from _is(flow, place, part)
            elif isinstance(part, Between):
                yield from _between(flow, place, part)
            elif isinstance(part, OutcomeIs):
                strange = [outcome for outcome in part.outcomes if outcome not in OUTCOMES]
                for outcome in strange:
                    yield place, f"{outcome!r} is not an outcome.", f"Use one of: {', '.join(OUTCOMES)}."
                if not strange and not after_check:
                    yield place, "The outcome is not known here.", "Ask for an answer or a fact."


def _is(flow: Flow, place: str, rule: Is) -> Found:
    step = flow.step_by_id.get(rule.step)
    if step is None:
        yield place, f"There is no step {rule.step!r}.", "Name a step that is there."
        return
    for option in rule.options:
        if step.option(option) is None and not step.source:
            known = ", ".join(o.id for o in step.options) or "none"
            yield place, f"Step {step.id} has no option {option!r}.", f"Its options: {known}."
    if not rule.options:
        yield place, f"The rule on {step.id} names no option.", "Add: is = [...]."


def _between(flow: Flow, place: str, rule: Between) -> Found:
    if rule.fact not in flow.facts:
        known = ", ".join(flow.facts) or "none"
        yield place, f"There is no fact {rule.fact!r}.", f"Declare it under [facts]. Known: {known}."
    if rule.at_least is None and rule.below is None:
        yield place, "The rule has no limit.", "Add at_least or below."
    elif rule.at_least is not None and rule.below is not None and rule.at_least >= rule.below:
        yield place, "The limits leave nothing between them.", "Make at_least smaller than below."


def _facts(flow: Flow) -> Found:
    for name, fact in flow.facts.items():
        place = f"facts.{name}"
        if fact.formula not in FORMULAS:
            yield f"{place}.formula", f"{fact.formula!r} is unknown.", f"Use one of: {', '.join(FORMULAS)}."
            continue
        steps = [flow.step_by_id.get(step) for step in fact.of]
        wanted = _TAKES[fact.formula]
        for step_id, step in zip(fact.of, steps, strict=True):
            if step is None:
                yield f"{place}.of", f"There is no step {step_id!r}.", "Name a step that is there."
        given = [f"{step.kind} {step.unit}".strip() for step in steps if step is not None]
        if len(given) == len(steps) and not _suits(given, wanted):
            what = f"{fact.formula} is not made of {', '.join(given) or 'nothing'}."
            yield f"{place}.of", what, f"Name steps of these kinds: {', '.join(wanted)}."
        if fact.formula == "days_until_birthday" and not 0 < fact.years <= 150:
            yield f"{place}.years", "It needs to know which birthday.", "Add years, from 1 to 150."


def _suits(given: list[str], wanted: tuple[str, ...]) -> bool:
    kinds = [{*want.split(" or ")} for want in wanted]
    pairs = zip(given, kinds, strict=False)
    return len(given) == len(wanted) and all(kind in some or kind.split()[0] in some for kind, some in pairs)


def _all_rules(flow: Flow) -> Iterator[tuple[str, Rule, bool]]:
    """Every rule, its place, and whether it is asked for after the check page, where the outcome is known."""
    check_page = flow.index.get(CHECK, 0)
    for part in flow.parts:
        if part.asked_if:
            steps = [flow.index[step.id] for step in flow.steps if step.part == part.id]
            yield f"part.{part.id}.asked_if", part.asked_if, all(step > check_page for step in steps)
    for step in flow.steps:
        if step.asked_if and (step.item is None or _is_there(flow, *step.item)):
            yield f"{place_of(step)}.asked_if", step.asked_if, flow.index[step.id] > check_page
        for route in step.routes:
            if route.when:
                yield f"{place_of(step)}.routes.{route.to}", route.when, flow.index[step.id] >= check_page
    for criterion in flow.criteria:
        place = f"criterion.{criterion.id}"
        for wait in criterion.waits:
            if wait.when:
                yield f"{place}.waits.{wait.period.after}", wait.when, False
        for decision in criterion.decisions:
            yield f"{place}.decisions.{decision.then}", decision.when, False


def _order(flow: Flow) -> Found:
    """A condition can only look back."""
    frame = _parts_of_the_frame(flow)
    for step in flow.steps:
        lost = step.part not in flow.part_by_id or (step.trial != FRAME and step.part in frame)
        rule = step.asked_if if lost else asked_if(flow, step)
        if rule is None or step.id == SEND_PERSON:
            continue
        for needed in sorted(steps_of(rule, flow.facts)):
            if needed in flow.index and flow.index[needed] >= flow.index[step.id]:
                yield (
                    f"{place_of(step)}.asked_if",
                    f"This step is unreachable: it waits for {needed}, which comes later.",
                    "Move the step, or change its condition.",
                )


def _reach(flow: Flow) -> Found:
    """Steps that no answers lead to, found by going every way there is."""
    day = _day(flow)
    assert day is not None
    reached: set[StepId] = set()
    try:
        reached.update(step for step, _ in Paths(flow, day).reach())
    except TooManyPaths:
        return
    for step in flow.steps[: flow.index[CHECK] + 1]:
        if step.id not in reached:
            what = "This step is unreachable: no answers lead to it."
            yield place_of(step), what, "Change its condition or the routes before it, or add a probe."


def _criteria(flow: Flow) -> Found:
    for criterion in flow.criteria:
        place = f"criterion.{criterion.id}"
        if criterion.handled == "asked" and not criterion.steps:
            yield place, "Nobody handles this criterion.", 'Add answers, waits or decisions, or handled = "site".'
        if criterion.handled == "site" and criterion.steps:
            yield place, "It is left to the site, and has answers.", 'Use handled = "asked".'
        elif criterion.handled == "site" and not (criterion.why and criterion.site_check):
            yield place, "It is left to the site without a reason.", "Add why and site_check."
        if criterion.handled == "asked" and not criterion.topic:
            yield f"{place}.topic", "It has no general words for the person.", "Add a topic."
        yield from _answers(flow, criterion, place)
        for wait in criterion.waits:
            yield from _date(flow, wait.period.after, f"{place}.waits.{wait.period.after}")
        for decision in criterion.decisions:
            if decision.until:
                yield from _date(flow, decision.until.after, f"{place}.decisions.{decision.then}.until")
            if decision.then == "WAIT" and decision.until is None:
                yield f"{place}.decisions.WAIT", "A wait has no end.", "Add until."


def _answers(flow: Flow, criterion: Criterion, place: str) -> Found:
    for step_id, answer in criterion.answers:
        step = flow.step_by_id.get(step_id)
        at = f"{place}.answers.{step_id}.{answer}"
        if step is None:
            yield at, f"There is no step {step_id!r}.", "Name a step that is there."
        elif answer == NOT_SURE:
            if not step.unsure:
                yield at, f'Step {step_id} does not offer "not sure".', "Remove the line."
            elif criterion.answers[step_id, answer] in ("OUT", "WAIT"):
                yield at, "Doubt never excludes.", "Use REVIEW, SITE or OK."
        elif step.option(answer) is None and not (step.source == "sites" and answer == NOWHERE):
            known = ", ".join(option.id for option in step.options)
            yield at, f"Step {step_id} has no option {answer!r}.", f"Its options: {known}."


def _date(flow: Flow, step_id: StepId, place: str) -> Found:
    step = flow.step_by_id.get(step_id)
    if step is None or step.kind != "date":
        yield place, f"{step_id!r} is not a date question.", "Name a step of kind date."


def _listing(flow: Flow) -> Found:
    """The listing's lines are all there and in its order: I1, I2 ... then E1, E2 ..."""
    if not flow.criteria:
        yield "criterion", "There is no criterion.", "Add every line of the listing as a [[criterion]]."
    ids = [str(criterion.id) for criterion in flow.criteria if criterion.listed]
    wanted = [f"{kind}{n}" for kind in "IE" for n in range(1, sum(one.startswith(kind) for one in ids) + 1)]
    for given, due in zip(ids, wanted, strict=False):
        if given != due and len(set(ids)) == len(ids):
            yield f"criterion.{given}", f"The listing's next line is {due}.", "Add it, or put it in its place."
            return
    if len(ids) > len(wanted):
        strange = next(one for one in ids if one[:1] not in ("I", "E"))
        yield f"criterion.{strange}", "This is no line of a listing.", "Call it I1 or E1, or set listed = false."


def _frame(flow: Flow) -> Found:
    for step_id in (CONSENT, CHECK, SITE, SEND_PERSON):
        if step_id not in flow.index:
            yield f"step.{step_id}", "The frame needs this step.", "Add it."
    if not any(step.part == CONTACT for step in flow.steps):
        yield f"part.{CONTACT}", "The frame needs contact questions.", "Add steps of this part."
    for end in (DONE, "stopped", "declined"):
        if end not in flow.ends:
            yield f"ends.{end}", "The frame needs the words of this end.", "Add it under [ends]."
    if not any(step.trial != FRAME for step in flow.steps):
        yield "step", "The trial asks nothing.", "Add at least one [[step]]."
