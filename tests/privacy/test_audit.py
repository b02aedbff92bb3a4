"""The audit: signed rows that are only ever added, and that miss each other when one is changed or gone."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from bot.store import Store, audit
from bot.store.audit import Verdict
from tests.journeys.bot_process import ROOT
from tests.patient import NOW
from tests.postgres import Postgres
from tests.shell.conftest import Desk, Somebody
from tests.shell.house import Housed

KEY = b"k" * 32
CHAINS = ("", "aB3xYz", "Qq7-_p", "lead")


@pytest.fixture
def store(database: str):
    store = Store(database)
    store.key = KEY
    yield store
    store.close()


def fill(store: Store, seed: int, rows: int = 60, heads: bool = True) -> None:
    """Rows of several chains, written by several transactions, with heads among them."""
    dice, now = random.Random(seed), NOW
    while rows > 0:
        now += timedelta(minutes=3)
        with store.begin(now) as db:
            for _ in range(dice.randint(1, 5)):
                what = dice.choice(("lead.opened", "export", "consent.given", "site.changed"))
                audit.record(db, what, detail=f"{rows} 可以", conversation=dice.choice(CHAINS))
                rows -= 1
        if heads:
            with store.begin(now) as db:
                audit.head(db)


def verified(store: Store, *heads: str) -> Verdict:
    with store.look() as db:
        return audit.verify(db, heads)


def unlock(db: Any) -> None:
    """What somebody does who owns the database."""
    if db.server:
        db.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
    else:
        for deed in ("update", "delete"):
            db.execute(text(f"DROP TRIGGER IF EXISTS audit_no_{deed}"))


def test_what_was_written_is_found_complete(store: Store) -> None:
    fill(store, 1)
    found = verified(store)
    assert found.well, found.problems
    assert found.chains == 4 and found.rows > 60
    assert re.fullmatch(r"\d+:[0-9a-f]{64}", found.end)


def test_the_database_refuses_to_change_and_to_remove(store: Store) -> None:
    fill(store, 2, rows=5)
    deeds = ["UPDATE audit SET detail = ''", "DELETE FROM audit", "UPDATE audit SET seq = seq + 1000"]
    for deed in deeds + (["TRUNCATE audit"] if store.server else []):
        with pytest.raises(DatabaseError, match="only ever added"), store.begin() as db:
            db.execute(text(deed))
    assert verified(store).well


@pytest.mark.slow
def test_a_role_of_its_own_takes_the_right_away(postgres: Postgres) -> None:
    """As an operator would: the bot's role is nobody special, and afterwards can neither change nor unlock a row."""
    as_admin = postgres.database("template1")
    with psycopg.connect(as_admin, autocommit=True) as admin:
        name = admin.info.dbname
        admin.execute("CREATE ROLE the_bot LOGIN")
        admin.execute(f"ALTER DATABASE {name} OWNER TO the_bot")  # type: ignore[call-overload]
        admin.execute("GRANT CREATE ON SCHEMA public TO the_bot")
    store = Store(as_admin.replace("user=prescreen", "user=the_bot"))
    store.key = KEY
    fill(store, 2, rows=5)
    script = ROOT / "docs/signing/audit-role.sql"
    as_told = ("--set", "ON_ERROR_STOP=1", "--set", "bot=the_bot", "--file", str(script), as_admin)
    ran = subprocess.run(
        [shutil.which("psql") or postgres.bin / "psql", *as_told], capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    fill(store, 3, rows=5)
    with store.begin() as db:
        db.execute(text("GRANT ALL ON audit TO the_bot"))  # the server only warns, and gives nothing
    for deed in (
        "UPDATE audit SET detail = ''", "DELETE FROM audit", "TRUNCATE audit", "ALTER TABLE audit DISABLE TRIGGER ALL",
        "DROP TABLE audit CASCADE", "DROP FUNCTION audit_refuses CASCADE", "DROP TRIGGER audit_refuses_row ON audit",
        "ALTER TABLE audit OWNER TO the_bot",
    ):  # fmt: skip
        with (
            pytest.raises(DatabaseError, match=r"permission denied|must be (owner|member)|must be able"),
            store.begin() as db,
        ):
            db.execute(text(deed))
    assert verified(store).well and verified(store).rows >= 10
    store.close()


# ---------------------------------------------------------------------- tampering


def change(db: Any, dice: random.Random, ids: list[int]) -> None:
    """One value of one row."""
    column, value = dice.choice([
        ("detail", "another"), ("what", "nothing.happened"), ("at", NOW - timedelta(days=1)), ("mac", "0" * 64),
        ("seq", 100_000), ("chain", "elsewhere"), ("chain", ""),
    ])  # fmt: skip
    db.execute(text(f"UPDATE audit SET {column} = :value WHERE id = :id"), {"value": value, "id": dice.choice(ids)})


def remove(db: Any, dice: random.Random, ids: list[int]) -> None:
    db.execute(text("DELETE FROM audit WHERE id = :id"), {"id": dice.choice(ids)})


def swap(db: Any, dice: random.Random, ids: list[int]) -> None:
    """Two rows of one chain change their places."""
    rows = db.execute(text("SELECT id, chain, seq FROM audit ORDER BY id")).all()
    first = dice.choice([row for row in rows if sum(one.chain == row.chain for one in rows) > 1])
    second = dice.choice([row for row in rows if row.chain == first.chain and row.id != first.id])
    for row_id, seq in ((first.id, -1), (second.id, first.seq), (first.id, second.seq)):
        db.execute(text("UPDATE audit SET seq = :seq WHERE id = :id"), {"seq": seq, "id": row_id})


def cut(db: Any, dice: random.Random, ids: list[int]) -> None:
    """The end of a chain, and the tip says what the last row that is left says."""
    chain = dice.choice(db.execute(text("SELECT DISTINCT chain FROM audit")).scalars().all())
    last = db.execute(text("SELECT max(seq) FROM audit WHERE chain = :of"), {"of": chain}).scalar()
    keep = dice.randrange(last)
    db.execute(text("DELETE FROM audit WHERE chain = :of AND seq > :keep"), {"of": chain, "keep": keep})
    if dice.random() < 0.5:
        mac = db.execute(
            text("SELECT mac FROM audit WHERE chain = :of AND seq = :keep"), {"of": chain, "keep": keep}
        )
        db.execute(
            text("UPDATE audit_tip SET seq = :keep, mac = :mac WHERE chain = :of"),
            {"of": chain, "keep": keep, "mac": mac.scalar() or ""},
        )


def drop_chain(db: Any, dice: random.Random, ids: list[int]) -> None:
    """All of a conversation's chain, with its tip: only a head knows of it."""
    db.execute(text("DELETE FROM audit WHERE chain = 'conversation:aB3xYz'"))
    db.execute(text("DELETE FROM audit_tip WHERE chain = 'conversation:aB3xYz'"))


def forge(db: Any, dice: random.Random, ids: list[int]) -> None:
    """A row of one's own, at the end of a chain or unsigned."""
    chain, seq = dice.choice((("house", 99_999), ("", 1), ("conversation:new", 1)))
    db.execute(
        text("INSERT INTO audit (what, detail, at, chain, seq, mac) VALUES ('x', '', :at, :chain, :seq, :mac)"),
        {"at": NOW, "chain": chain, "seq": seq, "mac": "a" * 64},
    )


DEEDS: tuple[Callable[[Any, random.Random, list[int]], None], ...] = (change, remove, swap, cut, drop_chain, forge)


class Undone(Exception):
    pass


@pytest.mark.slow
def test_a_hundred_ways_to_tamper_are_found_a_hundred_times(store: Store) -> None:
    fill(store, 3)
    with store.begin(NOW + timedelta(days=1)) as db:
        audit.head(db)
    dice, found = random.Random(6570), 0
    for number in range(100):
        with pytest.raises(Undone), store.begin() as db:
            unlock(db)
            ids = list(db.execute(text("SELECT id FROM audit")).scalars())
            DEEDS[number % len(DEEDS)](db, dice, ids)
            found += not audit.verify(db).well
            raise Undone
    assert found == 100
    assert verified(store).well


def test_an_older_state_put_back_is_found_by_a_head_that_was_kept_elsewhere(store: Store) -> None:
    """Rows and tips as they once were: nothing in the database can tell."""
    fill(store, 4, rows=20)
    with store.begin() as db:
        then = db.execute(text("SELECT max(id) FROM audit")).scalar()
        tips = [dict(row) for row in db.execute(text("SELECT * FROM audit_tip")).mappings()]
    fill(store, 5, rows=20)
    kept = verified(store).end
    with store.begin() as db:
        unlock(db)
        db.execute(text("DELETE FROM audit WHERE id > :then"), {"then": then})
        db.execute(text("DELETE FROM audit_tip"))
        for tip in tips:
            db.execute(text("INSERT INTO audit_tip VALUES (:chain, :seq, :mac, :seal, :told)"), tip)
    assert verified(store).well
    assert not verified(store, kept).well


def test_what_is_written_behind_a_broken_end_does_not_hide_it(store: Store) -> None:
    fill(store, 6, rows=10, heads=False)
    with store.begin() as db:
        unlock(db)
        db.execute(text("DELETE FROM audit WHERE chain = 'house' AND seq > 1"))
        mac = db.execute(text("SELECT mac FROM audit WHERE chain = 'house'")).scalar()
        db.execute(text("UPDATE audit_tip SET seq = 1, mac = :mac WHERE chain = 'house'"), {"mac": mac})
    with store.begin() as db:
        audit.record(db, "export")
    assert any("not as it was signed" in problem for problem in verified(store).problems)


def test_another_key_verifies_nothing(store: Store) -> None:
    fill(store, 7, rows=5)
    store.key = b"another key, another deployment"
    assert not verified(store).well


@pytest.mark.slow
def test_many_writers_at_once_keep_the_order_of_every_chain(store: Store) -> None:
    """On SQLite one waits for the other; on PostgreSQL each end of a chain is locked."""

    def write(number: int) -> None:
        dice = random.Random(number)
        for _ in range(40):
            with store.begin() as db:
                for _ in range(dice.randint(1, 4)):
                    audit.record(db, "export", detail=str(number), conversation=dice.choice(CHAINS))
                if dice.random() < 0.2:
                    audit.head(db)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = verified(store)
    assert found.well, found.problems
    assert found.rows >= 6 * 40


# ---------------------------------------------------------------------- what is in it


def test_every_step_of_a_lead_is_in_its_own_chain(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends()
    rows = desk.rows("SELECT what, chain FROM audit WHERE what LIKE 'lead.%' ORDER BY id")
    assert rows == [("lead.raised", "lead:1")]
    assert verified(desk.store).well


def test_a_start_says_which_version_of_the_trial_is_served(database: str) -> None:
    housed = Housed(Store(database))
    housed.runs(housed.house.begin())
    flow = housed.deployment.library.newest("nct06570291")
    rows = housed.rows("SELECT what, detail FROM audit")
    assert rows == [("serving", f"{flow.name} {flow.trial.text_version}")]
    housed.closes()


def test_the_bot_itself_verifies_at_its_start_and_daily(
    database: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    housed = Housed(Store(database))
    monkeypatch.setattr("bot.house.clock_of", lambda db: housed.time.now())
    caplog.set_level("INFO", "bot.house")

    def told() -> list[str]:
        said = [record.levelname for record in caplog.records if "as it was written" in record.getMessage()]
        caplog.clear()
        return said

    housed.runs(housed.house.begin())
    housed.sweeps()
    assert told() == ["INFO"]
    with housed.store.begin(housed.now) as db:
        unlock(db)
        db.execute(text("UPDATE audit SET detail = 'another'"))
    housed.sweeps()
    assert told() == [], "it is believed for a day"
    for _ in range(2):  # a clock that is moved by more at once is not believed
        housed.waits(hours=12)
        housed.sweeps()
    assert told() == ["CRITICAL"]
    housed.closes()
