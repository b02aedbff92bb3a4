"""The one use case: somebody did something, and the conversation answers. One transaction, no network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

from bot import carry
from bot.deployment import Deployment
from bot.desk.talking import pass_on
from bot.desk.telling import envelope, here, page_of, place_of
from bot.handlers import handle, request
from bot.handlers.happening import Happening
from bot.messages import Envelope, Inbound, chunks
from bot.store import carries, conversations, leads, marks, outbox, sites, staff, tombstones
from bot.store.conversations import Kept
from bot.store.transaction import Transaction
from flows import Reply, Turn, advance, hear, speak, start
from flows.conversation import Conversation
from flows.engine import today_of
from flows.flow import CHECK, CONSENT, SITE, Flow
from flows.hear import danger, wish
from flows.kinds import KINDS, phone
from flows.kinds.text import clean
from flows.offers import with_options
from flows.reply import Asked, Elapsed, Garbled, Gave, Signalled, Ticked
from flows.speak import COMMANDS, Speech
from flows.turn import Ask, Deleted, Ended, Event, Menu, ReadBack, Retry, SafetyShown, Say, Show, Tell
from flows.words import Ear, Words

LINK = re.compile("[A-Za-z0-9_-]{1,64}")
"""What a start link may carry. Anything else was typed, and is not kept."""
DOUBLE_TAP = timedelta(seconds=2)
ALWAYS = ("delete", "stop", "language", "privacy", "help")
"""What is heard in words even while staff talk with the person; the rest needs a slash or a button."""
HEARD = (
    *ALWAYS, "start", "delete_now", "stop_now", "start_over", "status", "time", "slot", "withdraw", "withdraw_now",
    "copy", "faq", "unwell", "later", "no_reminder", "no_notices",
    "plain", "plain_off",
)  # fmt: skip
"""What the bot does while staff talk with the person."""
A_DAY = 5
"""How often one chat may begin in a day."""
DELETABLE = timedelta(hours=47)
"""How far back a messenger lets a bot take messages away, with an hour to spare."""


def take_turn(
    inbound: Inbound, db: Transaction, deployment: Deployment, now: datetime, *, slow: bool = False
) -> bool:
    """Takes one update: receipt, turn, rows, and what to send, all in the one transaction that is given.

    Returns False for an update that was taken before. ``slow``: everybody else is answered first.
    """
    if not conversations.take_receipt(db, inbound, now):
        db.counts["updates", "known"] += 1
        return False
    db.counts["updates", "taken"] += 1
    _Taking(db, deployment, inbound, now, slow=slow).run()
    return True


class _Taking:
    """One inbound inside its transaction."""

    def __init__(
        self, db: Transaction, deployment: Deployment, inbound: Inbound, now: datetime, *, slow: bool = False
    ) -> None:
        self.db, self.deployment, self.inbound, self.now = db, deployment, inbound, now
        self.sent, self.slow = 0, slow

    def run(self) -> None:
        inbound = self.inbound
        if inbound.kind == "start" and inbound.text.startswith(carry.PREFIX) and self.arrives():
            return
        kept = conversations.current(self.db, inbound.channel, inbound.chat)
        if inbound.kind in ("blocked", "unblocked"):
            if kept is not None:
                conversations.note(self.db, kept.id, reachable=inbound.kind == "unblocked")
            leads.lose_chat(self.db, inbound.channel, inbound.chat, self.now, lost=inbound.kind == "blocked")
            if inbound.kind == "blocked":
                outbox.stop_lane(self.db, inbound.channel, inbound.chat)
            return
        erased = taken = False
        if kept is None or kept.reborn:
            erased, taken = tombstones.met(self.db, inbound)
        if taken:  # it comes again, and was erased with the rest
            conversations.drop_receipt(self.db, inbound)
            return
        if kept is None:
            if erased and inbound.kind != "start":
                self.says_only("begin_anew", self._guess())
            elif self.points_on():
                pass
            elif self.began_today() >= A_DAY:
                self.says_only("enough_today", self._guess())
            else:
                self.welcome(reborn=erased)
            return
        if not kept.reachable:
            leads.lose_chat(self.db, inbound.channel, inbound.chat, self.now, lost=False)
        flow = self.flow(kept)
        if kept.held_by is not None and (words := self.words_to_staff(flow, kept)):
            pass_on(self.db, self.deployment, kept, words, f"{kept.tag}:{kept.revision}", self.now)
            conversations.save(self.db, kept, kept.conversation, self.now)
            return
        reply = self.reply(flow, kept)
        if reply == Asked("start_over") and self.began_today() >= A_DAY:
            self.says_only("enough_today", kept.conversation.locale)
            return
        if isinstance(reply, Garbled):
            self.db.counts["invalid_input", reply.reason] += 1
        if kept.held_by is None or isinstance(reply, Asked):
            self.keep_words(flow, kept, reply)
        turn = advance(flow, kept.conversation, reply, self.now)
        if kept.held_by is not None:
            turn = self.quiet(kept, reply, turn)
        if self.is_double_tap(kept, reply, turn):
            return
        if inbound.kind == "press":
            kept.pressed = inbound.message
        self.write(kept, turn, flow)
        if any(isinstance(event, Ended) and event.end == "restarted" for event in turn.events):
            was = kept.conversation
            fresh, first = self.begin(was.locale, reborn=kept.reborn, plain=was.plain)
            self.write(fresh, first)

    def arrives(self) -> bool:
        """Whether a conversation goes on here that was somewhere else."""
        inbound, code = self.inbound, self.inbound.text.removeprefix(carry.PREFIX)
        return carry.on(self.db, self.deployment, code, inbound.channel, inbound.chat, self.now) is not None

    def flow(self, kept: Kept) -> Flow:
        """The version of the trial that the conversation is on, and from the contact part on, who takes nobody now.

        Before that, nothing depends on it, and no row is read for it.
        """
        flow, conversation = self.deployment.library.flow(kept.conversation.flow), kept.conversation
        step = conversation.step
        if step is not None and flow.index[step] < flow.index[CHECK] and SITE not in conversation.answers:
            return flow
        closed = {site.key for site in sites.every(self.db, flow) if not site.takes}
        if closed:  # where a request is already, it stays
            lead = leads.open_of(self.db, kept.channel, kept.chat, flow.trial.slug)
            closed -= {lead["site"]} if lead is not None else set()
        return _without(flow, frozenset(closed)) if closed else flow

    # ------------------------------------------------------------------ while staff talk here

    def words_to_staff(self, flow: Flow, kept: Kept) -> str:
        """What the person says to the member of staff who talks here; "" for what is the bot's to answer.

        Danger comes first even now, and so does what anybody may ask for at any time.
        """
        if self.inbound.kind not in ("text", "edited"):
            return ""
        text = clean(self.inbound.text)
        words = self.deployment.languages.patient(kept.conversation.locale)
        if danger(flow, text, words) is not None:
            return ""
        asked = wish(flow, text, words) if self.inbound.kind == "text" else None
        typed = text.startswith("/") or (asked is not None and asked.what in ALWAYS and not asked.about)
        return "" if asked is not None and typed else text

    def quiet(self, kept: Kept, reply: Reply, turn: Turn) -> Turn:
        """The turn without what the bot would ask: only what was asked for is answered."""
        granted = reply.what in HEARD if isinstance(reply, Asked) else isinstance(reply, Signalled | Garbled)
        turn = turn if granted else Turn(kept.conversation, ())
        said = tuple(say for say in turn.says if not isinstance(say, Ask | ReadBack | Retry))
        said = tuple(say for say in said if say != Menu("done"))
        if said:
            return replace(turn, says=said)
        holder = staff.by_id(self.db, kept.held_by)
        return replace(turn, says=(Tell("talk_waits", {"name": holder["name"] if holder else ""}),))

    # ------------------------------------------------------------------ turns of all kinds

    def is_double_tap(self, kept: Kept, reply: Reply, turn: Turn) -> bool:
        """A press on the message that was pressed a moment ago: it is acknowledged, and needs no second answer."""
        inbound, first = self.inbound, turn.says[0] if turn.says else None
        repeats = isinstance(first, Tell) and first.key in ("already", "stale")
        again = inbound.kind == "press" and inbound.message == kept.pressed and not isinstance(reply, Garbled)
        return again and repeats and abs(self.now - kept.updated_at) < DOUBLE_TAP

    def points_on(self) -> bool:
        """Where a conversation went on elsewhere, that is said, unless a new one is asked for or danger is near."""
        inbound = self.inbound
        if inbound.kind == "start" or not carries.went(self.db, inbound.channel, inbound.chat):
            return False
        flow = self.deployment.library.newest(self.deployment.trial)
        words = self.deployment.languages.patient(self._guess())
        if danger(flow, clean(inbound.text), words) is not None:
            return False
        gone = Envelope(words.text("say.carried_away", flow.says["carried_away"]))
        key = f"{inbound.channel}:{inbound.external_id}:away"
        outbox.put(self.db, inbound.channel, inbound.chat, gone, key, self.now)
        return True

    def says_only(self, line: str, locale: str) -> None:
        """Nothing begins here now, and nothing is kept; danger still comes first."""
        flow = self.deployment.library.newest(self.deployment.trial)
        words = self.deployment.languages.patient(locale)
        sign = danger(flow, clean(self.inbound.text), words)
        said: list[Say] = [*([Show("safety", sign)] if sign is not None else []), Tell(line)]
        for number, speech in enumerate(speak(flow, Conversation(flow.name, locale), said, words)):
            key = f"{self.inbound.channel}:{self.inbound.external_id}:only:{number}"
            outbox.put(self.db, self.inbound.channel, self.inbound.chat, Envelope(speech.text), key, self.now)

    def welcome(self, *, reborn: bool = False) -> None:
        """Somebody whom we do not know, or whose conversation is gone: it begins, and danger still comes first."""
        kept, first = self.begin(self._guess(), reborn=reborn)
        flow = self.deployment.library.flow(first.conversation.flow)
        words = self.deployment.languages.patient(first.conversation.locale)
        lead_in: list[Say] = [Tell("stale")] if self.inbound.kind == "press" else []
        events: list[Event] = []
        if (sign := danger(flow, clean(self.inbound.text), words)) is not None:
            lead_in, events = [Show("safety", sign)], [SafetyShown(sign)]
        self.write(kept, Turn(first.conversation, (*lead_in, *first.says), tuple(events)))

    def began_today(self) -> int:
        """How often this chat has begun today, erased or not: noted under a keyed hash."""
        noted = marks.get(self.db, self._day_of_chat())
        return int(noted["data"]) if noted is not None else 0

    def _day_of_chat(self) -> str:
        return (
            f"{marks.BEGUN}{tombstones.hash_of(self.db, 'begun', self.inbound.lane, f'{self.now:%Y-%m-%d}')[:32]}"
        )

    def begin(self, locale: str, *, reborn: bool = False, plain: bool = False) -> tuple[Kept, Turn]:
        self.db.counts["sessions_started", ""] += 1
        marks.put(self.db, self._day_of_chat(), self.now, self.began_today() + 1)
        flow = self.deployment.library.newest(self.deployment.trial)
        first = start(flow, locale, self.now, plain=plain)
        source = self.inbound.text if self.inbound.kind == "start" and LINK.fullmatch(self.inbound.text) else ""
        source = "" if source.startswith(carry.PREFIX) else source
        where = self.inbound.channel, self.inbound.chat
        return conversations.open_new(self.db, *where, first.conversation, source, self.now, reborn=reborn), first

    def _guess(self) -> str:
        return self.deployment.languages.resolve(self.inbound.language) or "en"

    # ------------------------------------------------------------------ in

    def reply(self, flow: Flow, kept: Kept) -> Reply:
        inbound, conversation = self.inbound, kept.conversation
        words = self.deployment.languages.patient(conversation.locale)
        match inbound.kind:
            case "start":
                return Garbled("stale") if inbound.text.startswith(carry.PREFIX) else Asked("start")
            case "press":
                buttons = self.deployment.buttons
                found = buttons.read(flow, conversation, kept.tag, inbound.chat, inbound.press)
                return found or Garbled("stale")
            case "picks":
                return self._picks(flow, kept)
            case "contact":
                return self._contact(flow, kept, words)
            case "media" | "edited" as kind:
                sign = danger(flow, clean(inbound.text), words)
                return Garbled(kind) if sign is None else Signalled(sign)
            case "elapsed":
                return Elapsed("reminder")
        return hear(flow, conversation, clean(inbound.text), words, self.now)

    def _picks(self, flow: Flow, kept: Kept) -> Reply:
        """A whole list at once: every box that was ticked must be one of the same question."""
        data = self.inbound.press.split()
        if not data:
            return Garbled("unclear")
        read = self.deployment.buttons.read
        found = [read(flow, kept.conversation, kept.tag, self.inbound.chat, one) for one in data]
        ticks = [one for one in found if isinstance(one, Ticked)]
        if len(ticks) != len(data) or len({tick.step for tick in ticks}) != 1:
            return Garbled("stale")
        picked, step = {tick.option for tick in ticks}, flow.step_by_id[ticks[0].step]
        return Gave(tuple(option.id for option in step.options if option.id in picked), step=step.id)

    def _contact(self, flow: Flow, kept: Kept, words: Words) -> Reply:
        """A shared number counts at once if it is the sender's own; anybody else's is read back."""
        step = flow.step_by_id[kept.conversation.step] if kept.conversation.step else None
        if step is None or step.kind != "phone":
            return Garbled("media")
        number = self.inbound.text if self.inbound.text.startswith("+") else f"+{self.inbound.text}"
        read = phone.read(step, number, Ear(words, flow.heard), today_of(flow, self.now))
        if isinstance(read, Gave):
            return Gave(read.value, read.said, read.sure and self.inbound.verified)
        return read

    def keep_words(self, flow: Flow, kept: Kept, reply: Reply) -> None:
        """What the person wrote goes into the transcript, unless it is not ours to keep."""
        if isinstance(reply, Signalled | Garbled) and not (
            isinstance(reply, Garbled) and reply.reason in ("unclear", "range", "future", "unit", "premium")
        ):
            return
        if isinstance(reply, Garbled) and CONSENT not in kept.conversation.answers:
            return  # nothing that may be about health is kept before consent
        text = clean(self.inbound.text) if self.inbound.kind == "text" else _pressed(self, flow, kept, reply)
        if text:
            step = kept.conversation.step
            conversations.add_message(self.db, kept.id, text, self.now, outgoing=False, step=step)

    # ------------------------------------------------------------------ out

    def write(self, kept: Kept, turn: Turn, flow: Flow | None = None) -> None:
        """Events to rows, the conversation, then the words: what is kept is what the person will see."""
        flow = flow or self.deployment.library.flow(turn.conversation.flow)
        happening = Happening(self.deployment, flow, kept, turn.conversation, self.now)
        extra = {"days": str(self.deployment.keep_days), **place_of(kept), **self.office(flow, turn)}
        deletes = self._said_here(turn)
        before, gone = kept.conversation.locale, False
        for event in turn.events:
            extra.update(handle(self.db, happening, event))
            gone = gone or _erases(event)
        if not gone:
            conversations.save(self.db, kept, turn.conversation, self.now)
        words = self.deployment.languages.patient(turn.conversation.locale)
        menu = commands(flow, words) if turn.conversation.locale != before else ()
        speeches = here(kept, speak(flow, turn.conversation, turn.says, words, extra))
        last = max((number for number, speech in enumerate(speeches) if speech.rows), default=-1)
        for number, speech in enumerate(speeches):
            hidden = extra.get("link", "")
            self.send(flow, kept, speech, menu, deletes, keep=not gone, question=number == last, hidden=hidden)
            menu, deletes = (), ()

    def office(self, flow: Flow, turn: Turn) -> Mapping[str, str]:
        """When and where a person of the chosen site can be reached, where that is told."""
        if Menu("person") not in turn.says:
            return {}
        chosen = turn.conversation.answers.get(SITE)
        key = chosen.value if chosen is not None and isinstance(chosen.value, str) else flow.sites[0].id
        return request.office(sites.now(self.db, flow, key), key)

    def _said_here(self, turn: Turn) -> tuple[str, ...]:
        """After a deletion the messages go too, as far back as Telegram allows."""
        if not any(isinstance(event, Deleted) for event in turn.events):
            return ()
        since = self.now - DELETABLE
        said = conversations.messages_of(self.db, self.inbound.channel, self.inbound.chat, since)
        pressed = [self.inbound.message] if self.inbound.message else []
        return tuple(dict.fromkeys([*said, *pressed]))

    def send(
        self,
        flow: Flow,
        kept: Kept,
        speech: Speech,
        menu: tuple[tuple[str, str], ...],
        deletes: tuple[str, ...],
        *,
        keep: bool,
        question: bool,
        hidden: str = "",
    ) -> None:
        """``question``: its buttons are what is open now. Others below it may be pressed at any time.

        ``hidden`` is sent, and not kept.
        """
        *first, last = chunks(speech.text)
        envelopes = [Envelope(text) for text in first]
        shown = envelope(self.deployment, flow, kept, speech, last)
        envelopes.append(replace(shown, commands=menu, deletes=deletes))
        for one in envelopes:
            self.sent += 1
            outbox.put(
                self.db,
                kept.channel,
                kept.chat,
                one,
                f"{self.inbound.channel}:{self.inbound.external_id}:{self.sent}",
                self.now,
                conversation_id=kept.id if keep else None,
                question=keep and question and bool(one.rows),
                priority=outbox.REMINDER if self.slow or self.inbound.kind == "elapsed" else outbox.REPLY,
            )
        if keep and not speech.again:
            step = speech.step
            page = page_of(kept, envelopes[-1])
            text = speech.text.replace(hidden, "...") if hidden else speech.text
            conversations.add_message(self.db, kept.id, text, self.now, outgoing=True, step=step, page=page)


def commands(flow: Flow, words: Words) -> tuple[tuple[str, str], ...]:
    """The command menu in one language."""
    return tuple((name, words.text(f"say.command_{name}", flow.says[f"command_{name}"])) for name in COMMANDS)


@lru_cache(maxsize=16)
def _without(flow: Flow, closed: frozenset[str]) -> Flow:
    """The same flow with sites that take nobody now: made once for each set, as is all that is kept by it."""
    return replace(flow, closed=closed)


def _erases(event: Event) -> bool:
    return isinstance(event, Deleted) or (isinstance(event, Ended) and event.end == "declined")


def _pressed(taking: _Taking, flow: Flow, kept: Kept, reply: Reply) -> str:
    """A press in words, for the transcript."""
    if not isinstance(reply, Gave) or reply.step is None:
        return ""
    words = taking.deployment.languages.patient(kept.conversation.locale)
    step = with_options(flow, flow.step_by_id[reply.step], kept.conversation.answers, words.languages)
    if isinstance(reply.value, str) and (option := step.option(reply.value)) is not None:
        return words.text(step.context, option.label)
    if reply.value is None:
        return words.text("say.button_not_sure", flow.says["button_not_sure"])
    return KINDS[step.kind].show(step, reply.value, words)
