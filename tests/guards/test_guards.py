"""The list of guards is about the code as it stands; and what no other test says of a guard."""

from __future__ import annotations

import ast
import contextlib
import re
import threading
from binascii import a2b_base64
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.desk import sign_in
from bot.shield import policy
from bot.store import Store, conversations, sessions, staff
from tests.guards.listed import ROOT, Guard, guards
from tests.patient import NOW
from tests.postgres import Postgres
from tests.shell.conftest import Desk, Somebody, desk, rosa
from tests.visitor import ChatPages

__all__ = ["desk", "rosa"]

LISTED = guards()
MUST = {
    "receipt_key", "turn_revision", "chat_lock", "button_mac", "consent_gate", "webhook_secret", "doubt", "atomic_claim",
    "other_sites", "csrf_token", "session_idle", "formulas", "log_redaction", "private_addresses", "passcode_tries",
    "sealing", "audit_refuses", "audit_chain", "tombstone", "origin_chat", "long_text", "web_body", "synced",
}  # fmt: skip


def test_the_guards_that_must_be_there_are_listed() -> None:
    assert {guard.name for guard in LISTED} >= MUST


@pytest.mark.parametrize("guard", LISTED, ids=lambda guard: guard.name)
def test_every_guard_stands_where_the_list_says(guard: Guard) -> None:
    """Its text is in its file once, the file is Python without it, and its tests exist."""
    assert guard.problem(ROOT) == ""
    source = (ROOT / guard.file).read_text(encoding="utf-8")
    assert guard.without(source) != source
    ast.parse(guard.without(source))
    for test in guard.tests:
        file, _, name = test.partition("::")
        assert (ROOT / file).exists(), test
        if name:
            assert re.search(
                rf"^def {re.escape(name.partition('[')[0])}\(", (ROOT / file).read_text("utf-8"), re.M
            ), test


def test_no_page_may_run_a_script_of_anybody_elses() -> None:
    said = dict(part.strip().split(" ", 1) for part in policy().split(";"))
    assert said["script-src"] == "'self'" and said["default-src"] == "'none'" and said["base-uri"] == "'none'"
    assert "unsafe" not in policy() and "*" not in policy()


@pytest.mark.slow
def test_a_writer_waits_for_the_one_before_it(tmp_path: Path) -> None:
    """Two that would each add one to what they read: neither reads before the other is done."""
    store = Store(f"sqlite:///{tmp_path / 'prescreen.db'}")
    store.migrate()
    with store.begin() as db:
        db.execute(text("CREATE TABLE counter (number INTEGER)"))
        db.execute(text("INSERT INTO counter VALUES (0)"))
    failed: list[BaseException] = []
    both_read = threading.Barrier(2, timeout=0.3)

    def add() -> None:
        try:
            with store.begin() as db:
                number = db.execute(text("SELECT number FROM counter")).scalar_one()
                with contextlib.suppress(threading.BrokenBarrierError):
                    both_read.wait()
                db.execute(text("UPDATE counter SET number = :n"), {"n": number + 1})
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.begin() as db:
        assert (db.execute(text("SELECT number FROM counter")).scalar_one(), failed) == (2, [])
    store.close()


@pytest.mark.slow
def test_the_file_is_synced_and_overwritten(tmp_path: Path) -> None:
    """SQLite's own words for it: FULL, and zeros over what was deleted."""
    store = Store(f"sqlite:///{tmp_path / 'prescreen.db'}")
    with store.begin() as db:
        asked = {name: db.execute(text(f"PRAGMA {name}")).scalar() for name in ("synchronous", "secure_delete")}
    store.close()
    assert asked == {"synchronous": 2, "secure_delete": 1}


@pytest.mark.slow
def test_a_chat_is_moved_by_one_at_a_time(postgres: Postgres) -> None:
    store = Store(postgres.database())
    with store.begin() as one, store.begin() as other:
        conversations.lock(one, ["telegram:1"])
        assert conversations.lock_free(other, ["telegram:1", "telegram:2"]) == {"telegram:2"}
    with store.begin() as db:
        assert conversations.lock_free(db, ["telegram:1"]) == {"telegram:1"}
    store.close()


@pytest.mark.slow
def test_a_session_of_who_was_disabled_is_none(tmp_path: Path) -> None:
    """Even where the session itself is still there."""
    store = Store(f"sqlite:///{tmp_path / 'prescreen.db'}")
    with store.begin(NOW) as db:
        number = staff.add(db, "Nora", email="nora@site.example")
        sessions.begin(db, number, sign_in.hashed("token"), NOW)
        before = sign_in.signed_in(db, "token", NOW)
        staff.disable(db, email="nora@site.example")
        after = sign_in.signed_in(db, "token", NOW)
    store.close()
    assert before is not None and before[0]["name"] == "Nora" and after is None


@pytest.mark.slow
def test_an_answer_without_its_chats_token_is_not_taken(desk: Desk) -> None:
    """It comes from a page of ours, with the cookie of the chat: and still not from this chat's own form."""
    chat = ChatPages(desk)
    try:
        rosa, other = chat.visitor().starts(), chat.visitor().starts()
        form, pressed = rosa.form_with("Yes, for me")
        theirs = dict(other.form_with("Yes, for me")[0].fields)["csrf"]
        for wrong in (theirs, "", "x"):
            fields = [(name, wrong if name == "csrf" else value) for name, value in form.fields]
            assert rosa.post(form.action, [*fields, pressed]).status_code == 403
        assert desk.one("SELECT count(*) FROM answer WHERE step = 'consent'") == 0
        assert rosa.post(form.action, [*form.fields, pressed]).status_code == 303
        assert desk.one("SELECT count(*) FROM answer WHERE step = 'consent'") == 1
    finally:
        chat.close()


def lies_there(desk: Desk) -> str:
    """Every value of every table as it lies there, and what is in the sealed ones, without a key."""
    with desk.store.engine.connect() as raw:
        names = raw.execute(text(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
            if desk.store.server else "SELECT name FROM sqlite_master WHERE type = 'table'"
        )).scalars().all()  # fmt: skip
        found = "\n".join(str(tuple(row)) for name in names for row in raw.execute(text(f'SELECT * FROM "{name}"')))
    boxes = (
        a2b_base64(box).decode("utf-8", "replace") for box in re.findall(r"s1\.[0-9a-f]+\.([A-Za-z0-9+/=]+)", found)
    )
    return "\n".join([found, *boxes])


TOLD = ("Suzhou", "Rosa", "Example", "rosa@example.org", "over_a_year", "1964")


@pytest.mark.slow
def test_what_lies_in_the_database_is_sealed(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends()
    opened = "\n".join(
        map(str, desk.rows("SELECT contact, flags FROM lead") + desk.rows("SELECT value, said FROM answer"))
    )
    assert [one for one in TOLD if one not in opened] == [], "they did tell us"
    there = lies_there(desk)
    assert (
        "s1." in there
        and [one for one in TOLD if re.search(rf"(?<![\w+/]){re.escape(one)}(?![\w+/])", there)] == []
    )


@pytest.mark.slow
def test_erasing_destroys_the_key(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends()
    house = desk.one("SELECT count(*) FROM data_key WHERE lane IN ('house', 'look-ups')")
    assert desk.one("SELECT count(*) FROM data_key") == house + 1
    rosa.says("/delete").presses("Yes, delete all")
    assert desk.one("SELECT count(*) FROM data_key") == house
