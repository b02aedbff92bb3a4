"""The same screening as a python-telegram-bot ConversationHandler, with nothing stored, a pickle, or SQLite.

    python -m benchmarks.peers.ptb --store memory|pickle|sqlite --patients 100 --concurrency 100 --dir /some/folder

As simple as it can honestly be: it keeps each answer and asks the next question, with the texts and the keyboards
of the real trial. Its pickle and its rows are written once a turn, not once a minute: what was answered is kept.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import pickle
import sqlite3
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.ext import (
    Application,
    ApplicationBuilder,
    BasePersistence,
    CallbackQueryHandler,
    CommandHandler,
    ConversationHandler,
    MessageHandler,
    PersistenceInput,
    PicklePersistence,
    filters,
)

from benchmarks.load import measure
from benchmarks.people import FIRST, depth
from benchmarks.phones import TOKEN, Act, Network, Switchboard
from benchmarks.turn_driver import script

NAME = "screening"


class Rows(BasePersistence[dict[Any, Any], dict[Any, Any], dict[Any, Any]]):
    """One row a conversation, committed with fsync once a turn."""

    def __init__(self, file: Path) -> None:
        super().__init__(PersistenceInput(bot_data=False, chat_data=False, callback_data=False))
        self.db = sqlite3.connect(file, isolation_level=None)
        self.db.execute("PRAGMA journal_mode=wal")
        self.db.execute("PRAGMA synchronous=FULL")
        self.db.execute("CREATE TABLE IF NOT EXISTS chat (id INTEGER PRIMARY KEY, state INTEGER, answers TEXT)")
        self.changed: dict[int, dict[str, Any]] = {}

    async def get_user_data(self) -> dict[int, dict[Any, Any]]:
        return {row[0]: json.loads(row[1]) for row in self.db.execute("SELECT id, answers FROM chat")}

    async def get_conversations(self, name: str) -> Any:
        return {(row[0], row[0]): row[1] for row in self.db.execute("SELECT id, state FROM chat")}

    async def update_conversation(self, name: str, key: Any, new_state: object | None) -> None:
        self.changed.setdefault(key[0], {})["state"] = new_state

    async def update_user_data(self, user_id: int, data: dict[Any, Any]) -> None:
        self.changed.setdefault(user_id, {})["answers"] = orjson.dumps(data).decode()

    async def flush(self) -> None:
        changed, self.changed = self.changed, {}
        if not changed:
            return
        self.db.execute("BEGIN IMMEDIATE")
        for key, new in changed.items():
            self.db.execute(
                "INSERT INTO chat VALUES (:id, :state, :answers) ON CONFLICT (id) DO UPDATE SET state = :state,"
                " answers = coalesce(:answers, answers)",
                {"id": key, "state": new.get("state"), "answers": new.get("answers")},
            )
        self.db.execute("COMMIT")

    async def get_chat_data(self) -> dict[int, dict[Any, Any]]:
        return {}

    async def get_bot_data(self) -> dict[Any, Any]:
        return {}

    async def get_callback_data(self) -> Any:
        return None

    async def update_chat_data(self, chat_id: int, data: dict[Any, Any]) -> None: ...
    async def update_bot_data(self, data: dict[Any, Any]) -> None: ...
    async def update_callback_data(self, data: Any) -> None: ...
    async def drop_chat_data(self, chat_id: int) -> None: ...
    async def drop_user_data(self, user_id: int) -> None: ...
    async def refresh_user_data(self, user_id: int, user_data: dict[Any, Any]) -> None: ...
    async def refresh_chat_data(self, chat_id: int, chat_data: dict[Any, Any]) -> None: ...
    async def refresh_bot_data(self, bot_data: dict[Any, Any]) -> None: ...


class Peer:
    """The peer as the load drives it."""

    sends = 1

    def __init__(self, acts: Sequence[Act], board: Switchboard, store: str, folder: Path, stored: int) -> None:
        self.acts, self.flushing, self.one = acts, False, asyncio.Lock()
        began = time.perf_counter()
        self.persistence: Any = None
        if store == "pickle":
            self.persistence = PicklePersistence(_pickled(folder, acts, stored), on_flush=True)
        elif store == "sqlite":
            file = folder / "peer.db"
            for end in ("", "-wal", "-shm"):
                Path(f"{file}{end}").unlink(missing_ok=True)
            self.persistence = Rows(file)
        network = Network(board)
        builder = ApplicationBuilder().token(TOKEN).request(network).get_updates_request(network).updater(None)
        if self.persistence is not None:
            builder = builder.persistence(self.persistence)
        self.application: Application[Any, Any, Any, Any, Any, Any] = builder.build()
        answered = [
            CallbackQueryHandler(self._tapped),
            MessageHandler(filters.TEXT & ~filters.COMMAND, self._typed),
        ]
        self.application.add_handler(
            ConversationHandler(
                entry_points=[CommandHandler("start", self._starts)],
                states={at: list(answered) for at in range(1, len(acts))},
                fallbacks=[],
                name=NAME,
                persistent=self.persistence is not None,
            )
        )
        self.start_ms = (time.perf_counter() - began) * 1e3

    async def open(self) -> None:
        began = time.perf_counter()
        await self.application.initialize()
        self.start_ms += (time.perf_counter() - began) * 1e3

    async def take(self, body: bytes) -> None:
        update = Update.de_json(orjson.loads(body), self.application.bot)
        if isinstance(self.persistence, PicklePersistence):
            async with self.one:  # one update at a time, as it is unless one asks for more
                await self.application.process_update(update)
                await self.application.update_persistence()
            return
        await self.application.process_update(update)
        if self.persistence is not None:
            await self.application.update_persistence()
            if self.flushing:
                await self.persistence.flush()

    def measured(self, on: bool) -> None:
        self.flushing = on
        if isinstance(self.persistence, PicklePersistence):
            self.persistence.on_flush = not on  # writes at every change, or only in the end

    async def _starts(self, update: Update, context: Any) -> int:
        context.user_data["at"] = 1
        return await self._asks(update, 1)

    async def _tapped(self, update: Update, context: Any) -> int:
        assert update.callback_query is not None
        await update.callback_query.answer()
        return await self._answered(update, context, update.callback_query.data or "")

    async def _typed(self, update: Update, context: Any) -> int:
        assert update.message is not None
        return await self._answered(update, context, (update.message.text or "").strip())

    async def _answered(self, update: Update, context: Any, answer: str) -> int:
        at: int = context.user_data["at"]
        context.user_data[self.acts[at].step] = answer
        context.user_data["at"] = at + 1
        return await self._asks(update, at + 1)

    async def _asks(self, update: Update, at: int) -> int:
        assert update.effective_chat is not None
        if at == len(self.acts):
            await update.effective_chat.send_message("Thank you. This study may be a match.")
            return ConversationHandler.END
        act = self.acts[at]
        rows = [
            [
                InlineKeyboardButton(label, callback_data=f"{act.step}:{row}:{place}")
                for place, label in enumerate(labels)
            ]
            for row, labels in enumerate(act.labels)
        ]
        await update.effective_chat.send_message(act.text, reply_markup=InlineKeyboardMarkup(rows))
        return at


def _pickled(folder: Path, acts: Sequence[Act], stored: int) -> Path:
    """A file of conversations as they would lie there, each as far as somebody came."""
    file = folder / f"peer-{stored}.pickle"
    answers, states = {}, {}
    for number in range(stored):
        chat, came = FIRST + number, max(1, min(depth(number, len(acts)), len(acts) - 1))
        answers[chat] = {"at": came, **{act.step: act.types or "step:0:0" for act in acts[1:came]}}
        states[chat, chat] = came
    whole = {
        "user_data": answers,
        "chat_data": {},
        "bot_data": {},
        "callback_data": None,
        "conversations": {NAME: states},
    }
    file.write_bytes(pickle.dumps(whole))
    return file


async def run(options: argparse.Namespace) -> dict[str, Any]:
    warnings.filterwarnings("ignore", message="If 'per_message=")
    acts, board = script(options.dir), Switchboard()
    peer = Peer(acts, board, options.store, options.dir, options.stored)
    await peer.open()
    found = await measure(
        peer, board, acts, patients=options.patients, at_once=options.concurrency, seconds=options.seconds
    )
    about = {name: getattr(options, name) for name in ("store", "patients", "concurrency", "stored")}
    return {**found, "start_ms": round(peer.start_ms, 1), **about}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", choices=("memory", "pickle", "sqlite"), default="memory")
    parser.add_argument("--patients", type=int, default=100)
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--stored", type=int, default=0, help="conversations stored beforehand; pickle only")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--dir", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="prescreen-bench-") as passing:
        options.dir = (options.dir or Path(passing)).resolve()
        print(json.dumps(asyncio.run(run(options))))


if __name__ == "__main__":
    main()
