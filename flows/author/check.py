"""Every problem of a flow at once, as data: what is wrong, where, and what would mend it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flows.answer import StepId
from flows.facts import FORMULAS
from flows.flow import CHECK, CONTACT, EFFECTS, NOT_SURE, OUTCOMES, SEND_PERSON, SITE, Criterion, Flow
from flows.kinds import KINDS
from flows.machine import DONE, asked_if
from flows.parse import Problem
from flows.rules import Between, Is, Maybe, OutcomeIs, Rule, inside, steps_of

WHY_LENGTH = 200
LABEL_LENGTH = 20
SENTENCE_WORDS = 15
BANNED = ("elderly", "suffering from", "failed", "you qualify", "accepted", "approved", "cure", "regrow",
          "miracle", "guarantee", "free treatment", "stop taking", "obese", "easy")  # fmt: skip
"""Words that no patient may read: verdicts, promises, blame, advice to stop a medicine."""
_SENTENCE = re.compile(r"[.!?:]\s+|\n")
_WORD = re.compile(r"[\w'-]+")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")

Found = Iterator[tuple[str, str, str]]


def check(flow: Flow, file: str) -> list[Problem]:
    """What is wrong in a flow whose shape is right. Empty when it can be served."""
    checks: tuple[Callable[[Flow], Found], ...] = (
        _trial, _parts, _ids, _steps, _routes, _rules, _order, _criteria, _frame, _words,
    )  # fmt: skip
    return [Problem(file, *found) for check_one in checks for found in check_one(flow)]


def _trial(flow: Flow) -> Found:
    zones = {"trial.timezone": flow.trial.timezone} | {
        f"site.{site.id}.timezone": site.timezone for site in flow.sites
    }
    for place, zone in zones.items():
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            yield place, f"{zone!r} is not a time zone.", "Use a name like Asia/Shanghai."
    if not flow.sites:
        yield "site", "There is no site.", "Add at least one [[site]]."
    if not re.fullmatch(r"v[1-9]\d*", flow.trial.version):
        yield "trial.version", "This is not a version.", "Use v1, v2 and so on."


def _parts(flow: Flow) -> Found:
    for step in flow.steps:
        if step.part not in flow.part_by_id:
            known = ", ".join(flow.part_by_id)
            yield f"step.{step.id}.part", f"There is no part {step.part!r}.", f"Use one of: {known}."


def _ids(flow: Flow) -> Found:
    for name, ids in (
        ("step", [str(step.id) for step in flow.steps]),
        ("criterion", [str(criterion.id) for criterion in flow.criteria]),
        ("site", [site.id for site in flow.sites]),
    ):
        for twice in sorted({one for one in ids if ids.count(one) > 1}):
            yield f"{name}.{twice}", "This id is used twice.", "Give one of them another id."


def _steps(flow: Flow) -> Found:
    for step in flow.steps:
        place = f"step.{step.id}"
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
        if step.item is not None:
            of = flow.step_by_id.get(step.item[0])
            if of is None or of.option(step.item[1]) is None:
                yield (
                    f"{place}.each",
                    f"There is no pick {'.'.join(step.item)}.",
                    "Name a step and its options.",
                )
        names = [option.id for option in step.options]
        for twice in sorted({name for name in names if names.count(name) > 1}):
            yield f"{place}.options.{twice}", "This option is there twice.", "Give one another id."
        for option in step.options:
            if option.id == NOT_SURE or not re.fullmatch(r"[a-z0-9_]{1,24}", option.id):
                yield f"{place}.options.{option.id}", "This id cannot be used.", "Use a-z, 0-9 and _."
            if option.does and option.does not in EFFECTS:
                known = ", ".join(EFFECTS)
                yield f"{place}.options.{option.id}.does", "This effect is unknown.", f"Use one of: {known}."
            if option.safety and option.safety not in flow.safety_by_id:
                known = ", ".join(flow.safety_by_id)
                yield (
                    f"{place}.options.{option.id}.safety",
                    "This message is unknown.",
                    f"Use one of: {known}.",
                )


def _routes(flow: Flow) -> Found:
    for step in flow.steps:
        for number, route in enumerate(step.routes):
            place = f"step.{step.id}.routes.{route.to}"
            if route.to not in flow.index and route.to not in flow.ends:
                yield place, f"There is no step or end {route.to!r}.", "Name one that is there."
            if route.when is None and number < len(step.routes) - 1:
                later_default = any(other.when is None for other in step.routes[number + 1 :])
                what = "There are two default routes." if later_default else "A route follows the default."
                yield place, what, "Keep one route without a condition, as the last."
            if route.when is None and route.to in (CHECK, "declined", "stopped"):
                yield place, "A default route leads straight out.", "Give it a condition."


def _rules(flow: Flow) -> Found:
    for place, rule in _all_rules(flow):
        for part in inside(rule):
            if isinstance(part, Is):
                yield from _is(flow, place, part)
            elif isinstance(part, Between):
                yield from _between(flow, place, part)
            elif isinstance(part, OutcomeIs):
                for outcome in part.outcomes:
                    if outcome not in OUTCOMES:
                        known = ", ".join(OUTCOMES)
                        yield place, f"{outcome!r} is not an outcome.", f"Use one of: {known}."
    for name, fact in flow.facts.items():
        if fact.formula not in FORMULAS:
            known = ", ".join(FORMULAS)
            yield f"facts.{name}.formula", f"{fact.formula!r} is unknown.", f"Use one of: {known}."
        for step in fact.of:
            if step not in flow.index:
                yield f"facts.{name}.of", f"There is no step {step!r}.", "Name a step that is there."


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


def _all_rules(flow: Flow) -> Iterator[tuple[str, Rule]]:
    for part in flow.parts:
        if part.asked_if:
            yield f"part.{part.id}.asked_if", part.asked_if
    for step in flow.steps:
        if step.asked_if:
            yield f"step.{step.id}.asked_if", step.asked_if
        for route in step.routes:
            if route.when:
                yield f"step.{step.id}.routes.{route.to}", route.when
    for criterion in flow.criteria:
        place = f"criterion.{criterion.id}"
        for wait in criterion.waits:
            if wait.when:
                yield f"{place}.waits.{wait.period.after}", wait.when
        for decision in criterion.decisions:
            yield f"{place}.decisions.{decision.then}", decision.when


def _order(flow: Flow) -> Found:
    """A condition can only look back; one that looks ahead, or at a dead end, makes a step unreachable."""
    for step in flow.steps:
        rule = asked_if(flow, step) if step.part in flow.part_by_id else None
        if rule is None or step.id == SEND_PERSON:
            continue
        here = flow.index[step.id]
        for needed in sorted(steps_of(rule, flow.facts)):
            if needed in flow.index and flow.index[needed] >= here:
                yield (
                    f"step.{step.id}.asked_if",
                    f"This step is unreachable: it waits for {needed}, which comes later.",
                    "Move the step, or change its condition.",
                )
        for part in inside(rule):
            unsure_only = isinstance(part, Is) and not part.options
            if unsure_only and not any(isinstance(outer, Maybe) for outer in inside(rule)):
                yield f"step.{step.id}.asked_if", "This step is unreachable.", "Change its condition."
    jumped: set[StepId] = set()
    for step in flow.steps:
        default = next((route.to for route in step.routes if route.when is None), None)
        if default in flow.index:
            target = flow.index[StepId(str(default))]
            jumped |= {s.id for s in flow.steps[flow.index[step.id] + 1 : target]}
    named = {route.to for step in flow.steps for route in step.routes}
    for step_id in sorted(jumped - named):  # type: ignore[type-var]
        yield f"step.{step_id}", "This step is unreachable: a default route leads past it.", "Route to it."


def _criteria(flow: Flow) -> Found:
    for criterion in flow.criteria:
        place = f"criterion.{criterion.id}"
        if criterion.handled == "asked" and not criterion.steps:
            yield (
                place,
                "Nobody handles this criterion.",
                'Add answers, waits or decisions, or handled = "site".',
            )
        if criterion.handled == "site" and not (criterion.why and criterion.site_check):
            yield place, "It is left to the site without a reason.", "Add why and site_check."
        if criterion.handled == "site" and criterion.steps:
            yield place, "It is left to the site, and has answers.", 'Use handled = "asked".'
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
        elif step.option(answer) is None and not (step.source == "sites" and answer == "none"):
            known = ", ".join(option.id for option in step.options)
            yield at, f"Step {step_id} has no option {answer!r}.", f"Its options: {known}."


def _date(flow: Flow, step_id: StepId, place: str) -> Found:
    step = flow.step_by_id.get(step_id)
    if step is None or step.kind != "date":
        yield place, f"{step_id!r} is not a date question.", "Name a step of kind date."


def _frame(flow: Flow) -> Found:
    for step_id in (CHECK, SITE, SEND_PERSON):
        if step_id not in flow.index:
            yield f"step.{step_id}", "The frame needs this step.", "Add it."
    if not any(step.part == CONTACT for step in flow.steps):
        yield f"part.{CONTACT}", "The frame needs contact questions.", "Add steps of this part."
    for end in (DONE, "stopped", "declined"):
        if end not in flow.ends:
            yield f"ends.{end}", "The frame needs the words of this end.", "Add it under [ends]."


def _words(flow: Flow) -> Found:
    for step in flow.steps:
        place = f"step.{step.id}"
        if not step.why or len(step.why) > WHY_LENGTH:
            yield (
                f"{place}.why",
                f"It needs a reason of at most {WHY_LENGTH} characters.",
                "Write why you ask.",
            )
        for option in step.options:
            if len(option.label) > LABEL_LENGTH + 2:
                yield (
                    f"{place}.options.{option.id}.label",
                    "The label is too long.",
                    "Put the rest in detail.",
                )
        names = {f.id for f in flow.steps if f.unsure_say} | _KNOWN
        for text in (step.text, step.help):
            for name in _PLACEHOLDER.findall(text):
                if name not in names:
                    yield place, f"Nothing fills {{{name}}}.", "Use a name that is known, or none."
    for place, text in _patient_texts(flow):
        for sentence in _SENTENCE.split(text):
            if len(_WORD.findall(sentence)) > SENTENCE_WORDS:
                short = " ".join(sentence.split()[:4])
                yield place, f"A sentence is over {SENTENCE_WORDS} words: {short!r} ...", "Make two of it."
        for word in BANNED:
            if re.search(rf"\b{word}\b", text, re.IGNORECASE):
                yield place, f"{word!r} is not for patients.", "Say it another way."


_KNOWN = {"item", "short_title", "sponsor", "contact", "countries", "cities", "days", "site"}


def _patient_texts(flow: Flow) -> Iterator[tuple[str, str]]:
    for step in flow.steps:
        for text in (step.text, step.help, step.why):
            yield f"step.{step.id}", text
    for outcome, text in flow.outcomes.items():
        yield f"outcomes.{outcome}", text
    for end, text in flow.ends.items():
        yield f"ends.{end}", text
    for sign in flow.safety:
        yield f"safety.{sign.id}", sign.text
    for question in flow.faq:
        yield f"faq.{question.id}", question.answer
    for key, text in flow.says.items():
        yield f"says.{key}", text
