"""A database with a thousand open conversations comes to today's schema, or stays where it was; and they go on."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlmodel import SQLModel

import bot.store
from bot.library import TRIALS, load
from bot.messages import Envelope
from bot.store import Store
from flows.answer import value_to_json
from tests.conftest import walk_to
from tests.patient import NOW, Patient
from tests.postgres import Postgres
from tests.shell.conftest import ANA, Somebody
from tests.shell.house import SECONDS, Housed
from tests.sizes import LONG

pytestmark = pytest.mark.slow


ROOT = Path(__file__).parent.parent.parent
MIGRATIONS = Path(bot.store.__file__).parent / "migrations"
PEOPLE = 1000
STAGES = ("language", "birth", "knee", "past_week", "mri", "half_year", "visits", "check")
"""How far somebody has come: all are open."""
TRIAL = "nct06570291/v1"


# ---------------------------------------------------------------------- a database of the first version


def at_first_version(url: str) -> None:
    """A database as the first version left it: open conversations of all ages, leads, and messages that wait."""
    engine = bot.store._engine(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for table, rows in _rows().items():
            connection.execute(_table(table).insert(), rows)
        if connection.dialect.name == "postgresql":
            for name in ("conversation", "outbox", "lead", "staff", "answer", "message", "receipt"):
                query = f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT max(id) FROM {name}))"
                connection.execute(sa.text(query))
    engine.dispose()


def _table(name: str) -> sa.Table:
    """A table as the first version declared it."""
    kinds = {"eligible_from": sa.Date()}  # it was not sealed then
    declared = SQLModel.metadata.tables[name].columns
    columns = [sa.Column(c.name, kinds.get(c.name, c.type)) for c in declared if c.name != "lane"]
    columns = [c for c in columns if name != "heartbeat" or c.name in ("id", "at")]
    extra = [sa.Column("current", sa.Boolean())] if name == "conversation" else []
    return sa.Table(name, sa.MetaData(), *columns, *extra)


def _rows() -> dict[str, list[dict[str, Any]]]:
    flow = load().flow(TRIAL)
    made: dict[str, list[dict[str, Any]]] = {name: [] for name in (
        "staff", "conversation", "answer", "message", "lead", "outbox", "receipt", "heartbeat",
    )}  # fmt: skip
    made["staff"].append({"id": 1, "name": "Ana", "telegram_id": ANA, "language": "en", "active": True})
    made["heartbeat"].append({"id": 1, "at": NOW})
    patients = [walk_to(Patient(flow), stage) for stage in STAGES]
    for number in range(1, PEOPLE + 1):
        patient, chat = patients[number % len(STAGES)], str(10_000 + number)
        conversation, at = patient.conversation, NOW - timedelta(minutes=number)
        made["conversation"].append({
            "id": number, "tag": f"t{number:05}", "channel": "telegram", "chat": chat, "current": True,
            "flow": TRIAL, "locale": "en", "state": conversation.to_json(), "step": conversation.step,
            "life": "open", "outcome": None, "source": "", "reachable": True, "question": str(number),
            "pressed": "", "remind_on": None, "revision": len(conversation.answers),
            "created_at": at, "updated_at": at,
        })  # fmt: skip
        for revision, (step, answer) in enumerate(conversation.answers.items()):
            made["answer"].append({
                "conversation_id": number, "step": step, "revision": revision,
                "value": value_to_json(answer.value), "said": answer.said, "cleared": False, "at": at,
            })  # fmt: skip
        for text in ("hello", patient.text):
            made["message"].append(
                {"conversation_id": number, "outgoing": True, "text": text, "step": None, "at": at}
            )
        made["receipt"].append({"channel": "telegram", "external_id": f"m:{chat}:1", "at": at})
        for part, state in enumerate(("sent", "due") if number % 10 == 0 else ("sent",)):
            made["outbox"].append({
                "channel": "telegram", "chat": chat, "dedupe_key": f"{chat}:{part}", "conversation_id": number,
                "lead_id": None, "sheet_of": None, "question": False, "priority": 0, "attempts": 1, "unsure": 0,
                "state": "sending" if state == "due" and number % 20 == 0 else state, "not_before": at,
                "envelope": Envelope("it waited" if state == "due" else "").to_json(),
                "provider_id": "", "created_at": at, "sent_at": at if state == "sent" else None,
            })  # fmt: skip
        if number % 50 == 0:
            made["lead"].append({
                "id": number, "conversation_id": number, "channel": "telegram", "chat": chat,
                "trial": "nct06570291", "site": "north", "locale": "en", "outcome": None, "eligible_from": None,
                "flags": [], "contact": {}, "helper": False, "changed": False, "text_version": "2026-11-22",
                "source": "", "status": "new", "attempts": 0, "reason": "", "criterion": "", "owner_id": None,
                "claimed_at": None, "due_at": NOW, "created_at": at, "updated_at": at, "notice": "1",
            })  # fmt: skip
    for number in (7, 8):  # somebody began anew: the conversation before is kept, and no longer current
        old = made["conversation"][number - 1]
        made["conversation"].append({**old, "id": PEOPLE + number, "tag": f"o{number}", "current": False})
    return made


COUNTED = ("staff", "conversation", "answer", "message", "lead", "lead_event", "outbox", "receipt", "interest")


def counts(url: str) -> dict[str, int]:
    engine = bot.store._engine(url)
    with engine.begin() as connection:
        found = {name: connection.execute(sa.text(f"SELECT count(*) FROM {name}")).scalar_one() for name in COUNTED}
    engine.dispose()
    return {name: int(count) for name, count in found.items()}


def revision(url: str) -> str:
    engine = bot.store._engine(url)
    with engine.begin() as connection:
        found = str(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one())
    engine.dispose()
    return found


@dataclass
class Old:
    """A database of the first version, and as many copies of it as are asked for."""

    copy: Callable[[], str]
    before: dict[str, int]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def old(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Old:
    if request.param == "sqlite":
        folder = tmp_path_factory.mktemp("old")
        file, numbers = folder / "first.db", iter(range(1000))
        at_first_version(f"sqlite:///{file}")
        with sqlite3.connect(file) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()

        def copied() -> str:
            to = folder / f"copy{next(numbers)}.db"
            shutil.copyfile(file, to)
            return f"sqlite:///{to}"

        return Old(copied, counts(copied()))
    server: Postgres = request.getfixturevalue("postgres")
    first = server.database("template1")
    at_first_version(first)
    name = first.partition("///")[2].partition("?")[0]
    return Old(lambda: server.database(name), counts(first))


def goes_on(house: Housed, chat: str, *, to_the_end: bool = False) -> None:
    """Somebody says something odd, is asked again, and answers."""
    person = Somebody(house, chat)
    step = person.step
    assert step is not None
    person.says("well...")
    assert person.step == step and house.wire.arrived[chat]
    if to_the_end:
        person.walks_to("check").sends()
        assert house.one("SELECT count(*) FROM lead WHERE chat = :chat", chat=chat) == 1
    elif step == "check":
        person.presses("All correct, go on")
        assert person.step != "check"
    else:
        person.walks_to(STAGES[STAGES.index(step) + 1])


# ---------------------------------------------------------------------- in place


def test_a_thousand_open_conversations_go_on_after_the_upgrade(old: Old) -> None:
    url = old.copy()
    house = Housed(Store(url), hires=False)
    assert counts(url) == old.before
    lanes = house.rows("SELECT lane FROM conversation WHERE lane IS NOT NULL")
    assert len(lanes) == len(set(lanes)) == PEOPLE
    assert house.one("SELECT count(*) FROM conversation WHERE lane IS NULL") == 2
    house.drains()  # what waited is sent, once each
    assert len(house.wire.calls) == PEOPLE / 10 and {said for _, said in house.wire.calls} == {"it waited"}
    for number in range(1, len(STAGES) + 1):
        goes_on(house, str(10_000 + number), to_the_end=number in (2, 4))
    before = len(house.wire.texts(str(ANA)))
    house.take("start", str(ANA))  # the queue of the staff is there, too
    assert len(house.wire.texts(str(ANA))) > before
    house.closes()


KILLED = """
import os, signal, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from bot.store import Store

left, seen = 0, 0

def passes(*_):
    global left, seen
    left, seen = left - 1, seen + 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

event.listen(Engine, "before_cursor_execute", passes)
event.listen(Engine, "commit", passes)

for line in sys.stdin:
    number, _, url = line.strip().partition(" ")
    child = os.fork()
    if child == 0:
        left = int(number)
        Store(url)
        with open(sys.argv[1], "w") as file:
            file.write(str(seen))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.mark.slow
def test_a_migration_killed_at_any_step_is_whole_or_was_never_begun(old: Old, tmp_path: Path) -> None:
    """Before each statement, and at the commit; then the next start brings it to its end.

    At about 20 of them, and the last ones; in the long form at each.
    """
    words = [sys.executable, "-c", KILLED, str(tmp_path / "steps")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None and process.stdout is not None

        def migrates(left: int, url: str) -> int:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(f"{left} {url}\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        url = old.copy()
        assert migrates(0, url) == 0 and revision(url) == newest()
        steps = int((tmp_path / "steps").read_text())
        assert steps > 20, "there are more statements in it than that"
        found = Counter[str]()
        every = 1 if LONG else steps // 15
        for left in sorted({*range(1, steps, every), *range(steps - 5, steps + 1)}):
            url = old.copy()
            assert migrates(left, url) == -9
            found[revision(url)] += 1
            assert counts(url) == old.before
            if left % 5 == 0 or left >= steps - 1:
                house = Housed(Store(url), hires=False)  # the next start
                assert revision(url) == newest() and counts(url) == old.before
                goes_on(house, str(10_001 + left % len(STAGES)))
                house.closes()
        assert set(found) == {"0001", newest()}, "it was neither there nor where it had been"
        assert found[newest()] <= 5, "only while the database, all migrated, is looked at for the first time"
        process.stdin.close()


def newest() -> str:
    return max(path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("0*.py"))


AT_ONCE = """
import os, sys
from bot.store import Store
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        Store(sys.argv[1])
        os._exit(0)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


@pytest.mark.slow
@pytest.mark.parametrize("empty", [False, True])
def test_several_processes_may_start_at_once(
    old: Old, empty: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = old.copy()
    if empty and url.startswith("sqlite"):
        url = f"sqlite:///{tmp_path / 'new.db'}"
    elif empty:
        url = request.getfixturevalue("postgres").database("template1")
    words = [sys.executable, "-c", AT_ONCE, url]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    assert revision(url) == newest()
    assert counts(url) == (dict.fromkeys(COUNTED, 0) if empty else old.before)


# ---------------------------------------------------------------------- T53: old and new code side by side

ADDITIVE = """
import sqlalchemy as sa
from alembic import op

revision = "9001"
down_revision = "{newest}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conversation", sa.Column("mood", sa.String(), nullable=True))
    op.add_column("outbox", sa.Column("weight", sa.Integer(), nullable=False, server_default="0"))
    op.create_table("diary", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("at", sa.Date()))
"""

WALKS = """
import json, sys, threading
from bot.store import Store
from tests.shell.conftest import Desk, Somebody
from tests.shell.house import Housed

class Quiet(Housed):
    acknowledged = []
    sent = Desk.sent
    def take(self, kind, chat="501", key="", **values):
        key = key or f"{chat}.{len(self.acknowledged)}"
        self.acknowledged.append(key)
        return super().take(kind, chat, key, **values)

stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
house = Quiet(Store(sys.argv[1]), hires=False)
house.house.delivery.leads = False
print("up", flush=True)
chat = int(sys.argv[2])
while not stop.is_set():
    chat += 1
    Somebody(house, str(chat)).starts().walks_to("check").sends()
    for number in range(5):  # Telegram brings these to both processes
        house.take("text", f"9{chat % 1000}", f"both.{chat % 1000}.{number}", text="hello")
print(json.dumps(house.acknowledged))
house.closes()
"""


@pytest.mark.slow
def test_old_and_new_code_serve_side_by_side(postgres: Postgres, tmp_path: Path) -> None:
    """The new code comes with a migration that only adds; the old code goes on meanwhile: I1 to I4 hold."""
    new = tmp_path / "new"
    for folder in ("bot", "flows", "locales", "tests"):
        shutil.copytree(ROOT / folder, new / folder, ignore=shutil.ignore_patterns("__pycache__"))
    added = new / "bot" / "store" / "migrations" / "versions" / "9001_more.py"
    added.write_text(ADDITIVE.format(newest=newest()), encoding="utf-8")
    url = postgres.database()

    def begins(code: Path, first: int) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", WALKS, url, str(first)],
            cwd=code, env={**os.environ, "PYTHONPATH": str(code)}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n", process.communicate()[1]
        return process

    older = begins(ROOT, 1000)
    newer = begins(new, 2000)
    assert revision(url) == "9001" and older.poll() is None
    threading.Event().wait(1.5)
    acknowledged: list[str] = []
    for process in (older, newer):
        out, errors = process.communicate(timeout=SECONDS)  # its input ends, and it stops after this person
        assert process.returncode == 0, errors
        assert "Error" not in errors, errors
        acknowledged += json.loads(out)

    # The present code does not know the new revision, and so may not open it: what it left is looked at by the other.
    assert {key for (key,) in _all(url, "SELECT external_id FROM receipt")} == set(acknowledged)
    assert _all(url, "SELECT 1 FROM answer GROUP BY conversation_id, step, revision HAVING count(*) > 1") == []
    walked = _all(url, "SELECT c.chat, count(DISTINCT l.id) FROM conversation c LEFT JOIN lead l ON l.chat = c.chat"
                       " WHERE c.chat NOT LIKE '9%' GROUP BY c.chat")  # fmt: skip
    assert len(walked) >= 2 and {number for _, number in walked} == {1}
    assert {chat[0] for chat, _ in walked} == {"1", "2"}, "both had somebody"
    order = _all(url, "SELECT chat, dedupe_key FROM outbox WHERE chat NOT LIKE '-%' ORDER BY id")
    for chat in {chat for chat, _ in walked}:
        numbers = [int(key.split(".")[1].split(":")[0]) for where, key in order if where == chat]
        assert numbers == sorted(numbers)


def _all(url: str, query: str) -> list[Any]:
    engine = bot.store._engine(url)
    with engine.begin() as connection:
        found = [tuple(row) for row in connection.execute(sa.text(query))]
    engine.dispose()
    return found


# ---------------------------------------------------------------------- T52: a new version of the trial


def test_who_began_on_a_version_finishes_on_it(database: str, tmp_path: Path) -> None:
    trials = tmp_path / "trials"
    shutil.copytree(TRIALS, trials, ignore=shutil.ignore_patterns("__pycache__"))
    first = (trials / "nct06570291" / "v1.toml").read_text(encoding="utf-8")
    left, right = (
        next(line for line in first.splitlines() if f'id = "{side}", label' in line) for side in ("left", "right")
    )
    second = (
        first.replace('version = "v1"', 'version = "v2"')
        .replace("Which knee gives you trouble?", "Which of your knees gives you more trouble?")
        .replace(f"{left}\n{right}", f"{right}\n{left}")  # the same buttons in another order
    )
    assert second.count("more trouble") == 1 and second.index(right) < second.index(left)
    store = Store(database)
    house = Housed(store, library=load(trials))
    rosa = Somebody(house).starts().walks_to("knee")
    old_button = rosa.data("Left knee")

    (trials / "nct06570291" / "v2.toml").write_text(second, encoding="utf-8")
    house.ends()
    house.deployment = replace(house.deployment, library=load(trials))
    house.opens()
    wei = Somebody(house, "502").starts().walks_to("knee")
    assert "more trouble" in wei.seen and "more trouble" not in rosa.seen

    house.take("press", "501", press=old_button, message="old")
    wei.presses("Left knee")
    for chat, person in (("501", rosa), ("502", wei)):
        answer = house.one(
            "SELECT a.value FROM answer a JOIN conversation c ON c.id = a.conversation_id"
            " WHERE c.chat = :chat AND a.step = 'knee'",
            chat=chat,
        )
        assert "left" in str(answer), "a button means what it said"
        person.walks_to("check").sends().walks_to("other_trials")
    query = "SELECT c.chat, c.flow FROM conversation c JOIN lead l ON l.chat = c.chat ORDER BY c.chat"
    assert house.rows(query) == [("501", TRIAL), ("502", "nct06570291/v2")]

    # Who begins anew begins on the new one, and an old button is stale there.
    rosa.says("/start").presses("Start again")
    assert house.one("SELECT flow FROM conversation WHERE chat = '501' AND lane IS NOT NULL") == "nct06570291/v2"
    rosa.walks_to("knee")
    house.take("press", "501", press=old_button, message="old")
    assert rosa.step == "knee"
    house.closes()
