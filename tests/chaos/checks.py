"""The invariants of nothing lost, checked over what the fake Telegram recorded and what the database holds."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from bot.app import deployment
from bot.channels.telegram import parse
from bot.desk.work import take_staff
from bot.library import Library, load
from bot.messages import Inbound, lane_of
from bot.settings import Settings
from bot.store import Store, conversations, tombstones, vault
from bot.store.tables import AnswerRow, ConversationRow, LeadRow, OutboxRow, Quarantine, Receipt
from bot.store.transaction import Transaction
from bot.turns import take_turn
from tests.telegram_server import TelegramServer

LIBRARY: Library = load()
TABLES: dict[str, Any] = {
    row.__tablename__: row.__table__  # type: ignore[attr-defined]
    for row in (Receipt, ConversationRow, AnswerRow, LeadRow, OutboxRow, Quarantine)
}


@dataclass
class Figures:
    """What happened, to be told beside what must hold."""

    kills: int = 0
    restarts: int = 0
    in_flight: int = 0
    """Messages that were under way when a process was killed, over all kills."""
    ambiguous: int = 0
    """Sends that took effect and were answered as if they had not."""
    updates: int = 0
    conversations: int = 0
    leads: int = 0
    sent: int = 0
    sent_twice: int = 0
    problems: list[str] = field(default_factory=list)


class Records:
    """Every row of a database, in the order in which it was written."""

    def __init__(self, url: str, came: Iterable[Inbound] = ()) -> None:
        """``came``: all that was confirmed. What of it was erased with its chat is remembered by hashes alone."""
        store = Store(url)
        with store.begin() as db:
            self.erased = {one.external_id for one in came if all(tombstones.met(db, one))}
            self.erased_at = tombstones.buried(db, {one.lane for one in came})
            self.rows = {}
            for name, table in TABLES.items():
                rows = db.execute(select(table).order_by(table.c.id)).mappings()
                self.rows[name] = vault.opened(db, name, rows) if name in COMPARED else [*map(dict, rows)]
        store.close()

    def __getitem__(self, name: str) -> list[dict[str, Any]]:
        return self.rows[name]


def check(
    server: TelegramServer, url: str, staff_group: int, folder: Path, figures: Figures, leads: set[str]
) -> Figures:
    """Fills ``figures``, ``problems`` among them: one line for each thing that does not hold.

    ``leads``: the chats whose people sent their request.
    """
    told = {
        inbound.external_id: (number, inbound)
        for number, known in server.queue.told.items()
        if (inbound := _parse(known.payload)) is not None
    }
    records = Records(url, [inbound for _, inbound in told.values()])
    waiting = {left.update_id for left in server.pending}
    receipts = [row["external_id"] for row in records["receipt"]]
    figures.updates, figures.conversations = len(receipts) + len(records.erased), len(records["conversation"])
    figures.leads = len(records["lead"])
    problem = figures.problems.append

    aside = len(records["quarantine"])
    taken = {*receipts, *records.erased}
    lost = [key for key, (number, _) in told.items() if number not in waiting and key not in taken]
    if len(lost) > aside:
        problem(f"I1: {len(lost)} confirmed updates have no receipt, {aside} are in quarantine: {lost[:3]}")
    if waiting:
        problem(f"I11: {len(waiting)} updates were never taken")
    if len(set(receipts)) != len(receipts):
        problem("I2: an update was taken twice")

    order: dict[str, list[int]] = defaultdict(list)
    for key in receipts:
        if key in told:
            order[told[key][1].lane].append(told[key][0])
    disorder = [lane for lane, numbers in order.items() if numbers != sorted(numbers)]
    if disorder:
        problem(f"I3: {len(disorder)} chats were not taken in order")

    raised = Counter(row["chat"] for row in records["lead"])
    if set(raised) != leads or any(number > 1 for number in raised.values()):
        problem(f"I4: {len(leads)} people sent their request, and there are {sum(raised.values())} leads")
    group = server.chats[staff_group]
    named = {number for message in group.messages for number in _named(message.text)}
    unseen = [row["id"] for row in records["lead"] if row["id"] not in named]
    if unseen:
        problem(f"I5: of {len(unseen)} leads no notice arrived")

    stuck = [row["id"] for row in records["outbox"] if row["lane"] is not None]
    if stuck:
        problem(f"I11: {len(stuck)} messages were never sent")
    _count_sends(server, records, figures)
    if figures.sent_twice > figures.ambiguous + figures.in_flight:
        problem(f"I6: {figures.sent_twice} messages arrived twice")
    for line in replayed(server, records, staff_group, folder):
        problem(line)
    if server.problems:
        problem(f"Telegram complains: {server.problems[:3]}")
    return figures


def _parse(payload: Any) -> Inbound | None:
    try:
        return parse(payload)
    except Exception:
        return None


def _count_sends(server: TelegramServer, records: Records, figures: Figures) -> None:
    """Messages in the chats beyond those that the outbox knows of; an edit makes no new message."""
    known: dict[str, set[str]] = defaultdict(set)
    for row in records["outbox"]:
        if row["state"] == "sent":  # one that an answer proved to have arrived has no number
            known[row["chat"]].add(row["provider_id"] or f"row {row['id']}")
    figures.sent = sum(row["state"] == "sent" for row in records["outbox"])
    for chat in server.chats.values():
        shown = sum(message.from_bot for message in chat.messages)
        figures.sent_twice += max(0, shown - len(known[str(chat.id)]))


def replayed(server: TelegramServer, records: Records, staff_group: int, folder: Path) -> list[str]:
    """I10: everything that was taken, taken once more into an empty database, gives the same conversations.

    What was erased with its chat is taken no more, and what is left of its lead is nobody's.
    """
    deployed = deployment(
        Settings(telegram_token=server.token, staff_group=staff_group, _env_file=None),  # type: ignore[call-arg]
        LIBRARY,
    )
    store = Store(f"sqlite:///{folder / 'replayed.db'}")
    payloads = {}
    for known in server.queue.told.values():
        inbound = _parse(known.payload)
        if inbound is not None:
            payloads.setdefault(inbound.external_id, inbound)
    tags: dict[str, list[str]] = defaultdict(list)
    for row in records["conversation"]:
        tags[lane_of(row["channel"], row["chat"])].append(row["tag"])
    begin = conversations.open_new

    def with_its_tag(db: Transaction, channel: str, chat: str, *rest: Any, **more: Any) -> conversations.Kept:
        """What is random is an input too: the tag that the buttons of this conversation carried."""
        kept = begin(db, channel, chat, *rest, **more)
        if left := tags[kept.lane]:
            kept.tag = left.pop(0)
            table = TABLES["conversation"]
            db.execute(update(table).where(table.c.id == kept.id).values(tag=kept.tag))
        return kept

    conversations.open_new = with_its_tag
    try:
        for receipt in records["receipt"]:
            inbound = payloads.get(receipt["external_id"])
            if inbound is None or receipt["at"] <= records.erased_at.get(inbound.lane, _NEVER):
                continue
            with store.begin(receipt["at"]) as db:
                if not take_staff(inbound, db, deployed, receipt["at"]):
                    take_turn(inbound, db, deployed, receipt["at"])
    finally:
        conversations.open_new = begin
        store.close()
    again = Records(f"sqlite:///{folder / 'replayed.db'}")
    problems = []
    for name, columns in COMPARED.items():
        before, after = (
            Counter(_plain(row, columns) for row in kept[name] if row.get("chat") != "")
            for kept in (records, again)
        )
        if before != after:
            lost, more = list((after - before).elements()), list((before - after).elements())
            problems.append(
                f"I10: {name}: {len(lost)} missing and {len(more)} too many, such as {(lost + more)[:1]}"
            )
    return problems


_NEVER = datetime.min.replace(tzinfo=UTC)
COMPARED = {
    "conversation": ("channel", "chat", "lane", "flow", "locale", "state", "step", "life", "outcome", "revision"),
    "answer": ("step", "revision", "value", "said", "cleared"),
    "lead": ("channel", "chat", "trial", "site", "outcome", "flags", "contact", "helper", "changed", "due_at"),
}


def _plain(row: dict[str, Any], columns: tuple[str, ...]) -> str:
    return repr([row[name] for name in columns])


def _named(words: str) -> set[int]:
    """The leads that a message names, also those of K-0003–K-0007."""
    found: set[int] = set()
    for first, last in re.findall(r"K-(\d+)(?:–K-(\d+))?", words):
        found |= set(range(int(first), int(last or first) + 1))
    return found
