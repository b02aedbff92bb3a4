"""What a person sees of their chat: what was said, and what can be answered now. Made from what is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.chat.room import Room, Tongue
from bot.messages import WEB
from bot.store import chats, conversations, sites
from bot.store.conversations import Kept
from bot.store.transaction import Transaction
from flows.answer import StepId
from flows.flow import SITE, Flow, Step
from flows.offers import with_options
from flows.reply import Asked, Gave, Reply, Ticked

TYPES = {"phone": "tel", "email": "email"}
"""What a browser should offer for a kind of question; anything else is text."""
TYPED = ("date", "number", "measure", "text", "phone", "email")
KNOWN = {"phone": "tel", "email": "email", "first_name": "given-name", "last_name": "family-name",
         "town": "address-level2"}  # fmt: skip
"""What a browser may fill in by itself."""


@dataclass(frozen=True, slots=True)
class Knob:
    """Something to press, or a box to tick."""

    label: str
    data: str
    detail: str = ""
    ticked: bool = False
    lang: str = ""
    """The language of the label, where it is another one."""


@dataclass(frozen=True, slots=True)
class Message:
    id: int
    mine: bool
    """The person said it."""
    progress: str
    parts: tuple[str, ...]
    picture: str
    turn: int
    boxes: tuple[Knob, ...] = ()
    answers: tuple[Knob, ...] = ()
    ways: tuple[Knob, ...] = ()
    """What can be done besides answering."""


@dataclass(frozen=True, slots=True)
class View:
    """One look at a chat."""

    tongue: Tongue
    kept: Kept
    messages: tuple[Message, ...]
    """What was said, without what can be answered below."""
    open: Message | None
    """The newest message with something to press."""
    turn: int
    wishes: tuple[Knob, ...]
    """What can be asked for at any time."""
    typed: bool
    """The question wants words, not a tap."""
    field: str
    """The type of the field to type in."""
    known: str
    last: int
    """The id of the newest message."""
    now: int
    """The id of the first message that nothing was said to yet."""


def see(db: Transaction, room: Room, chat: str) -> View | None:
    """The chat as it is now; None where there is none."""
    kept = conversations.current(db, WEB, chat)
    if kept is None:
        return None
    rows = chats.transcript(db, WEB, chat)
    flow = room.deployment.library.flow(kept.conversation.flow)
    tongue = Tongue(flow, room.deployment.languages.patient(kept.conversation.locale))
    pages = [row["page"] or {} for row in rows if row["conversation_id"] == kept.id]
    turns = [page["turn"] for page in pages if "rows" in page]
    drawn = _Drawing(room, flow, tongue, kept, _closed(db, flow, kept), max(turns, default=-1))
    messages = tuple(drawn.message(row) for row in rows)
    pressable = [message for message in messages if message.boxes or message.answers or message.ways]
    step = flow.step_by_id[kept.conversation.step] if kept.conversation.step else None
    asked = kept.conversation.life == "open" and step is not None
    return View(
        tongue,
        kept,
        messages,
        pressable[-1] if pressable else None,
        drawn.turn,
        drawn.wishes(),
        not asked or (step is not None and step.kind in TYPED and kept.conversation.pending is None),
        TYPES.get(step.kind, "text") if asked and step is not None else "text",
        KNOWN.get(step.id, "off") if asked and step is not None else "off",
        rows[-1]["id"] if rows else 0,
        _unanswered(rows),
    )


def _unanswered(rows: Sequence[Mapping[str, Any]]) -> int:
    mine = max((row["id"] for row in rows if not row["outgoing"]), default=0)
    return next((int(row["id"]) for row in rows if row["id"] > mine), mine)


def _closed(db: Transaction, flow: Flow, kept: Kept) -> frozenset[str]:
    """The sites that are not offered, where that is asked."""
    if kept.conversation.step != SITE:
        return frozenset()
    return frozenset(site.key for site in sites.every(db, flow) if not site.takes)


@dataclass(slots=True)
class _Drawing:
    room: Room
    flow: Flow
    tongue: Tongue
    kept: Kept
    closed: frozenset[str]
    turn: int
    """The newest turn that has something to press: what is older is history."""

    def message(self, row: Mapping[str, Any]) -> Message:
        page = row["page"] or {}
        parts = row["text"].split("\n\n")
        step = self.flow.step_by_id.get(StepId(row["step"])) if row["step"] else None
        asks = bool(row["outgoing"] and "rows" in page and step is not None)
        progress = ""
        if asks and step is not None and self.flow.part_by_id[step.part].counted and len(parts) > 1:
            progress = parts.pop(0)
        if asks and page["numbered"] and not self.kept.conversation.plain and len(parts) > 1:
            parts.pop()  # what the answers mean stands beside them
        live = self.kept.id == row["conversation_id"] and page.get("turn") == self.turn and "rows" in page
        boxes, answers, ways = self._knobs(page["rows"]) if live else ((), (), ())
        return Message(
            row["id"],
            not row["outgoing"],
            progress,
            tuple(parts),
            page.get("picture", ""),
            page.get("turn", -1),
            boxes,
            answers,
            ways,
        )

    def _knobs(
        self, rows: Sequence[Sequence[Sequence[str]]]
    ) -> tuple[tuple[Knob, ...], tuple[Knob, ...], tuple[Knob, ...]]:
        boxes, answers, ways = [], [], []
        listed = [(label, *self._renewed(data), len(row)) for row in rows for label, data in row]
        asks = any(not isinstance(reply, Asked) for _, _, reply, _ in listed)
        for label, data, reply, beside in listed:
            step = self._step(reply)
            match reply:
                case Ticked(option):
                    ticked = option in self.kept.conversation.draft
                    name = label.lstrip("☐☑ ")
                    boxes.append(Knob(name, data, self._detail(step, option), ticked))
                case Gave(str(value)) if step is not None:
                    lang = value.replace("_", "-") if step.source == "languages" else ""
                    answers.append(Knob(label, data, self._detail(step, value), lang=lang))
                case Asked("language", tag) if tag:
                    answers.append(Knob(label, data, lang=tag.replace("_", "-")))
                case Asked() if asks or beside > 1:
                    ways.append(Knob(label, data))
                case None:
                    continue
                case _:
                    answers.append(Knob(label, data))
        return tuple(boxes), tuple(answers), tuple(ways)

    def _renewed(self, data: str) -> tuple[str, Reply | None]:
        """A button as it is good now, whatever chat and key it was made for."""
        reply, fresh = self.room.deployment.buttons.renew(self.flow, self.kept.tag, self.kept.chat, data) or (
            None,
            "",
        )
        return fresh, reply

    def _step(self, reply: Reply | None) -> Step | None:
        name = getattr(reply, "step", None)
        step = self.flow.step_by_id.get(name) if name else None
        if step is None or not step.source:
            return step
        return with_options(self.flow, step, self.kept.conversation.answers, self.tongue.words.languages)

    def _detail(self, step: Step | None, option: str) -> str:
        """What an answer means, where its label does not say so."""
        found = step.option(option) if step is not None else None
        if step is None or found is None or not found.detail or self.kept.conversation.plain:
            return ""
        context = f"{self.flow.trial.slug}.site" if step.source == "sites" else step.context
        return self.tongue.words.text(context, found.detail)

    def wishes(self) -> tuple[Knob, ...]:
        conversation = self.kept.conversation
        names = ["help", "language", "person", "privacy", "stop", "delete"]
        if conversation.raised:
            names.insert(2, "status")
        return tuple(Knob(self.tongue(f"button_{name}"), self._seal(Asked(name))) for name in names)  # type: ignore[arg-type]

    def _seal(self, reply: Reply) -> str:
        return self.room.deployment.buttons.write(self.flow, self.kept.tag, self.kept.chat, reply)


def draft_of(form: Any) -> str:
    """What was typed, to be shown again where it could not be taken."""
    text = form.get("text")
    return text[:5000] if isinstance(text, str) else ""
