"""What a trial conversation is: the frozen values that a trial file is parsed into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal, NewType

from flows.answer import StepId
from flows.facts import Fact, Period
from flows.rules import Rule

CriterionId = NewType("CriterionId", str)

Outcome = Literal["possible_match", "needs_review", "not_now", "ruled_out"]
OUTCOMES: tuple[Outcome, ...] = ("possible_match", "needs_review", "not_now", "ruled_out")

Status = Literal["OK", "SITE", "REVIEW", "WAIT", "OUT"]
STATUSES: tuple[Status, ...] = ("OK", "SITE", "REVIEW", "WAIT", "OUT")  # from harmless to worst

EFFECTS = ("screen", "send", "send_person", "remind", "notices")

CONTACT = "contact"
"""The part of the frame that asks for contact details."""
CONSENT, CHECK, SITE, SEND_PERSON = map(StepId, ("consent", "check", "site", "send_person"))
"""The frame's fixed points: consent, the check page, the nearest site, the send of a person request."""
PERSON = StepId("person")
"""Not a step: stands among the answers when somebody asked for a person."""

NOT_SURE = "not_sure"
"""The answer word for "not sure" wherever an option id can stand (criterion tables, buttons, files)."""


@dataclass(frozen=True, slots=True)
class Option:
    """One answer a person can tap: a short label, and more words where the label cannot hold them."""

    id: str
    label: str
    detail: str = ""
    say: str = ""
    """How a later question names this answer, where it says ``{step_id}``."""
    safety: str = ""
    """A safety message (id in ``Flow.safety``) that this pick shows before anything else."""
    since: tuple[int, int] = (0, 0)
    """From and to how many months ago, where the option is a stretch of time; (0, 0) where it is none."""
    heard: str = ""
    """What people write for it besides its label, separated by ``;``."""
    does: str = ""
    """One of ``EFFECTS``: what this tap sets going beyond the next question."""
    picture: str = ""
    """A drawing (id in ``Flow.pictures``) of what it means, for who would rather look than read."""


@dataclass(frozen=True, slots=True)
class Route:
    """A way out of a step that is not the next step of the file."""

    to: str
    when: Rule | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One question. It is asked in file order unless ``asked_if`` is anything but YES."""

    id: StepId
    kind: str
    part: str
    label: str
    text: str
    text_helper: str = ""
    """The question about somebody else, for who answers for another person; "" where it names nobody."""
    help: str = ""
    why: str = ""
    options: tuple[Option, ...] = ()
    routes: tuple[Route, ...] = ()
    asked_if: Rule | None = None
    unsure: bool = True
    """Whether "not sure" is offered (every fact question; not names and phone numbers)."""
    unsure_label: str = ""
    unsure_say: str = ""
    none_label: str = ""
    unit: str = ""
    """For ``measure``: the base unit, ``cm`` or ``kg``."""
    low: int | None = None
    high: int | None = None
    """For ``number`` and ``measure``: what lies outside is asked back, never guessed."""
    shows: str = ""
    """A summary put under the text: ``answers`` or ``contact``."""
    source: str = ""
    """Where the options of a choice come from when not from the file: ``languages`` or ``sites``."""
    trial: str = ""
    """The file this step was written in (a trial's slug, or ``frame``): the context of its words."""
    probes: tuple[str, ...] = ()
    """Typed answers that the author's tools try on a step that takes more than taps."""
    family: str = ""
    """The id in the file, where one question of the file became one step per pick."""
    item: tuple[StepId, str] | None = None
    """The pick that such a step asks about, named in its text as ``{item}``."""
    picture: str = ""
    """A drawing (id in ``Flow.pictures``) of what is asked about. Nobody needs it to answer."""

    def __hash__(self) -> int:
        return hash(self.id)  # much is kept by step, and hashing every word of it takes long

    def option(self, option_id: str) -> Option | None:
        return next((option for option in self.options if option.id == option_id), None)

    @property
    def pictures(self) -> tuple[str, ...]:
        """Its drawings: its own, then those of its options, each once."""
        named = (self.picture, *(option.picture for option in self.options))
        return tuple(dict.fromkeys(name for name in named if name))

    @property
    def context(self) -> str:
        """The gettext context of this step's own words."""
        return f"{self.trial}.{self.family or self.id}"


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the conversation that a person would name: about you, your knee."""

    id: str
    title: str
    asked_if: Rule | None = None
    counted: bool = False
    """Whether the person sees "part 2 of 4" here."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A washout: against until the event plus the period (reading, section 3), if ``when`` holds."""

    period: Period
    when: Rule | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A rule on a derived value: the first one that holds gives the status."""

    when: Rule
    then: Status
    until: Period | None = None
    note: str = ""
    """For staff, shown with the date of ``until``."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One line of the listing, and what each answer does to it."""

    id: CriterionId
    text: str
    """The listing's own words."""
    title: str
    """Two to six words for staff."""
    handled: Literal["asked", "site"]
    listed: bool = True
    """False for a mark that is no line of the listing."""
    why: str = ""
    """Why it is left to the site."""
    site_check: str = ""
    """What the site still has to check, whatever the answers were."""
    topic: str = ""
    """General words for the person: "the answer about implants"."""
    suggestion: str = ""
    """What staff may ask on the call, where the answer needs a look."""
    answers: Mapping[tuple[StepId, str], Status] = field(default_factory=dict)
    waits: tuple[Wait, ...] = ()
    decisions: tuple[Decision, ...] = ()
    otherwise: Status = "OK"
    steps: tuple[StepId, ...] = ()
    """The steps that decide it, in file order; worked out by the parser."""


@dataclass(frozen=True, slots=True)
class Site:
    """A study centre that can receive leads."""

    id: str
    name: str
    city: str
    country: str
    timezone: str
    languages: tuple[str, ...]
    phone: str
    hours: str
    email: str
    places: tuple[str, ...] = ()
    """Town names, in any script, from which this site is the near one."""
    postcodes: tuple[str, ...] = ()
    """Beginnings of the postal codes near it."""
    example: bool = False


@dataclass(frozen=True, slots=True)
class Safety:
    """A message that comes before everything else when somebody may be in danger (reading, section 8)."""

    id: str
    label: str
    text: str
    words: str
    """What people write, in English: alternatives by ``;``, words that must all occur by ``+``."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question that people ask about trials, and its approved answer."""

    id: str
    text: str
    answer: str
    heard: str = ""
    """What people write when they ask it: phrases, separated by ``;``."""


RETENTION = ("unfinished", "ruled_out", "leads", "quarantine", "receipts", "outbox", "tombstones")
"""The kinds of data whose days a trial's file may say under ``[retention]``."""

LONGEST = 3650
"""Days that anything may be kept."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The facts of the listing."""

    slug: str
    version: str
    registry_id: str
    title: str
    short_title: str
    code: str
    """Neutral: it names no illness, because it stands in notices."""
    status: str
    phase: str
    sponsor: str
    contact: str
    listed: str
    ages: str
    timezone: str
    text_version: str
    ready: str = ""
    """What to have at hand for the call, as the end of a sentence."""


@dataclass(frozen=True, eq=False)
class Flow:
    """Everything one conversation needs to know, as data. Frozen, and safe to share between threads."""

    trial: Trial
    parts: tuple[Part, ...]
    steps: tuple[Step, ...]
    criteria: tuple[Criterion, ...]
    facts: Mapping[str, Fact]
    sites: tuple[Site, ...]
    safety: tuple[Safety, ...]
    faq: tuple[Question, ...]
    ends: Mapping[str, str]
    """How a conversation can end, and the words of it."""
    outcomes: Mapping[Outcome, str]
    says: Mapping[str, str]
    """The product's own lines: buttons, errors, menus. Key to English text."""
    heard: Mapping[str, str]
    """What people write when they mean something. Name to English words, separated by ``;``."""
    emergency: Mapping[str, Mapping[str, str]]
    """Country code to its numbers."""
    phrases: Mapping[str, str] = field(default_factory=dict)
    """Approved lines that staff may send to a person, by name."""
    pictures: Mapping[str, str] = field(default_factory=dict)
    """What each drawing shows, in words. The drawing is ``pictures/<id>.svg`` beside the trial's file."""
    retention: Mapping[str, int] = field(default_factory=dict)
    """How many days each kind of data is kept, where the trial says so: RETENTION names the kinds."""
    closed: frozenset[str] = frozenset()
    """The ids of sites that take nobody now. No file says so: the shell does."""

    @property
    def name(self) -> str:
        """What a conversation is pinned to, such as ``nct06570291/v1``."""
        return f"{self.trial.slug}/{self.trial.version}"

    @cached_property
    def step_by_id(self) -> Mapping[StepId, Step]:
        return MappingProxyType({step.id: step for step in self.steps})

    @cached_property
    def index(self) -> Mapping[StepId, int]:
        return MappingProxyType({step.id: number for number, step in enumerate(self.steps)})

    @cached_property
    def part_by_id(self) -> Mapping[str, Part]:
        return MappingProxyType({part.id: part for part in self.parts})

    @cached_property
    def sends(self) -> Mapping[StepId, str]:
        """The steps that send something to a site, each with the answer that does."""
        return MappingProxyType(
            {step.id: option.id for step in self.steps for option in step.options if option.does.startswith("send")}
        )

    @cached_property
    def deciding(self) -> Mapping[StepId, tuple[Criterion, ...]]:
        """For each step, the criteria that an answer there can decide."""
        return MappingProxyType(
            {step.id: tuple(c for c in self.criteria if step.id in c.steps) for step in self.steps}
        )

    @cached_property
    def excluding(self) -> Mapping[StepId, tuple[Criterion, ...]]:
        """For each step, the criteria by which an answer there can rule somebody out for good."""

        def can(criterion: Criterion, step: StepId) -> bool:
            tapped = any(at == step and status == "OUT" for (at, _), status in criterion.answers.items())
            return tapped or any(decision.then == "OUT" for decision in criterion.decisions)

        return MappingProxyType(
            {step: tuple(c for c in deciding if can(c, step)) for step, deciding in self.deciding.items()}
        )

    @cached_property
    def safety_by_id(self) -> Mapping[str, Safety]:
        return MappingProxyType({sign.id: sign for sign in self.safety})

    def site(self, site_id: str) -> Site | None:
        return next((site for site in self.sites if site.id == site_id), None)
