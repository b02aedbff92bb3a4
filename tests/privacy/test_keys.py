"""Master keys: missing, wrong, or changed while people are served; and what a person's key is good for."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.commands.keys import rotate
from bot.keyring import new
from bot.store import BadKey, Store, conversations, vault
from bot.store.vault import DataKey, Keyring, Unreadable
from tests.commands.conftest import Prescreen, prescreen
from tests.privacy import lying
from tests.shell.conftest import Desk, Somebody
from tests.shell.house import SECONDS, Housed

__all__ = ["prescreen"]


# ---------------------------------------------------------------------- no key, or another one


def test_without_the_key_nothing_is_opened_and_nothing_is_lost(prescreen: Prescreen, tmp_path: Path) -> None:
    assert prescreen("chat", typed="/start\n").code == 0
    file = tmp_path / "prescreen.db"
    before = hashlib.sha256(file.read_bytes()).digest()
    for verb in (("leads",), ("staff", "list"), ("keys", "status"), ("keys", "rotate"), ("chat",)):
        wrong = prescreen(*verb, MASTER_KEY=new())
        assert wrong.code == 2 and wrong.err.startswith("MASTER_KEY is not the key of this database."), verb
        assert "Traceback" not in wrong.err
        missing = prescreen(*verb, MASTER_KEY="")
        if verb != ("chat",):
            assert missing.code == 2 and missing.err.startswith("MASTER_KEY is missing."), verb
    assert hashlib.sha256(file.read_bytes()).digest() == before
    assert prescreen("leads").code == 0
    serve = {"TELEGRAM_TOKEN": "123456:ABCDEFGHIJKLMNOP", "STAFF_GROUP": "-1001", "ALLOW_DRAFT_LANGUAGES": "yes"}
    wrong = prescreen("serve", **serve, MASTER_KEY=new())
    assert wrong.code == 2 and "MASTER_KEY is not the key of this database." in wrong.err
    assert "MASTER_KEY is missing." in prescreen("serve", **serve, MASTER_KEY="").err


def test_a_chat_without_a_key_makes_one_for_itself(prescreen: Prescreen, tmp_path: Path) -> None:
    first = prescreen("chat", typed="/start\n", MASTER_KEY="")
    made = tmp_path / "prescreen.db.key"
    assert first.code == 0 and str(made) in first.out and made.stat().st_mode & 0o777 == 0o600
    assert str(made) not in prescreen("chat", typed="1\n", MASTER_KEY="").out
    assert prescreen("leads", MASTER_KEY="").code == 0
    made.chmod(0o644)
    assert "chmod 600" in prescreen("leads", MASTER_KEY="").err
    made.chmod(0o600)
    for content in ("", "short\n"):
        made.write_text(content)
        assert "MASTER_KEY_FILE is not valid" in prescreen("leads", MASTER_KEY="").err
    assert "MASTER_KEY_FILE cannot be read" in prescreen("leads", MASTER_KEY="", MASTER_KEY_FILE="/none").err


def test_keys_change_by_the_command_line(prescreen: Prescreen) -> None:
    old, fresh = prescreen("keys", "new").out.strip(), prescreen("keys", "new").out.strip()
    assert old != fresh and len(fresh) >= 43
    assert prescreen("chat", typed="/start\n", MASTER_KEY=old).code == 0
    assert "in use" in prescreen("keys", "status", MASTER_KEY=old).out
    both = {"MASTER_KEY": fresh, "MASTER_KEYS_OLD": old}
    assert "prescreen keys rotate" in prescreen("keys", "status", **both).out
    assert "3 keys are wrapped" in prescreen("keys", "rotate", **both).out
    assert "already" in prescreen("keys", "rotate", **both).out
    assert prescreen("chat", typed="1\n", MASTER_KEY=fresh).code == 0
    assert prescreen("chat", typed="1\n", MASTER_KEY=old).code == 2
    for ran in (prescreen("keys", "status", **both), prescreen("keys", "rotate", **both)):
        assert old not in ran.out + ran.err and fresh not in ran.out + ran.err


def test_a_copy_needs_its_key(prescreen: Prescreen, tmp_path: Path) -> None:
    assert prescreen("chat", typed="/start\n").code == 0
    assert prescreen("backup", str(tmp_path / "copy")).code == 0
    wrong = prescreen("restore", str(tmp_path / "copy"), "--force", MASTER_KEY=new())
    assert wrong.code == 1 and wrong.err.startswith("MASTER_KEY is not the key of this copy")
    assert prescreen("leads").code == 0
    content = (tmp_path / "copy").read_bytes()
    assert b"SQLite" not in content and b"telegram" not in content and b"conversation" not in content


# ---------------------------------------------------------------------- changed under load


class Quiet(Housed):
    """Nothing is sent: what is on the screen is what waits, as several houses have no wire in common."""

    sent = Desk.sent


class Serving(threading.Thread):
    """A house that people use until it is stopped, with keys as its file said when it began."""

    def __init__(self, url: str, file: Path, first: int) -> None:
        super().__init__(daemon=True)
        self.url, self.first, self.turns = url, first, 0
        self.keys = Keyring(vault.read_file(file), lambda: vault.read_file(file))
        self.stop, self.error = threading.Event(), None
        self.start()

    def run(self) -> None:
        try:
            house = Quiet(Store(self.url, self.keys), hires=False)
            house.house.delivery.leads = False
            number = self.first
            while not self.stop.is_set():
                number += 1
                person = Somebody(house, str(number)).starts()
                for step in ("diagnosis", "mri", "check"):
                    person.walks_to(step)
                    self.turns += 1
                if number % 2:
                    person.sends()
                self.turns += 1
            house.closes()
        except BaseException as error:
            self.error = error  # type: ignore[assignment]

    def has(self, more: int) -> None:
        wanted, end = self.turns + more, time.monotonic() + SECONDS
        while self.turns < wanted:
            assert time.monotonic() < end and self.is_alive(), self.error
            time.sleep(0.01)


@pytest.mark.slow
def test_the_master_key_changes_while_people_are_served(database: str, tmp_path: Path) -> None:
    """Those who serve know only the old key when they begin, and are not started anew."""
    old, fresh, file = os.environ["MASTER_KEY"], new(), tmp_path / "keys"
    file.write_text(old + "\n")
    store = Store(database, Keyring([old]))
    secret = store.secret
    serving = [Serving(database, file, 1000 * number) for number in (1, 2)[: 2 if store.server else 1]]
    for one in serving:
        one.has(8)
    file.write_text(f"{fresh}\n{old}\n")
    both = Store(database, Keyring([fresh, old]))
    assert rotate(both) > 4
    both.close()
    for one in serving:
        one.has(8)
    for one in serving:
        one.stop.set()
        one.join(SECONDS)
        assert one.error is None and not one.is_alive()
    after = Store(database, Keyring([fresh]))
    assert after.secret == secret, "what was hashed is still found"
    with after.look() as db:
        assert vault.count(db) == {after.keys.names[0]: vault.count(db)[after.keys.names[0]]}
        rows = db.execute(text("SELECT channel, chat FROM conversation WHERE lane IS NOT NULL")).all()
        assert len(rows) >= 4 and all(conversations.current(db, *row) for row in rows)
    with pytest.raises(BadKey):
        Store(database, Keyring([old]))
    after.close()
    store.close()


# ---------------------------------------------------------------------- one person's key


def test_a_value_opens_only_where_it_was_sealed() -> None:
    mine, other = DataKey(7, b"m" * 32), DataKey(7, b"o" * 32)
    sealed = mine.seal("answer.said", "my knee")
    assert mine.open("answer.said", sealed) == "my knee" and "knee" not in sealed
    assert mine.seal("answer.said", "my knee") != sealed, "equal words do not look equal"
    bent = sealed[:-6] + ("AAAA" if sealed[-6:-2] != "AAAA" else "BBBB") + sealed[-2:]
    for key, column, value in (
        (mine, "message.text", sealed), (other, "answer.said", sealed), (DataKey(8, b"m" * 32), "answer.said", sealed),
        (mine, "answer.said", bent), (mine, "answer.said", "my knee"), (mine, "answer.said", None),
        (mine, "answer.said", "s1.7.####"),
    ):  # fmt: skip
        with pytest.raises(Unreadable):
            key.open(column, value)


def test_what_nobody_sealed_is_not_believed(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends()
    desk_lead = "UPDATE lead SET contact = :plain"
    with desk.store.begin() as db:
        db.execute(text(desk_lead), {"plain": '{"phone": "+34999"}'})
    with desk.store.look() as db, pytest.raises(Unreadable):
        from bot.store import queue  # noqa: PLC0415

        queue.one(db, 1)


def test_nobody_elses_wrapped_key_opens(desk: Desk, rosa: Somebody) -> None:
    rosa.starts()
    Somebody(desk, "502").starts()
    one, other = lying.remaining_keys(desk.store).keys() - {_house(desk, lane) for lane in ("house", "look-ups")}
    with desk.store.begin() as db:
        stolen = db.execute(text("SELECT wrapped FROM data_key WHERE id = :id"), {"id": other}).scalar()
        db.execute(text("UPDATE data_key SET wrapped = :wrapped WHERE id = :id"), {"id": one, "wrapped": stolen})
    with pytest.raises(Unreadable):
        lying.remaining_keys(desk.store)


def _house(desk: Desk, lane: str) -> int:
    return int(desk.one("SELECT id FROM data_key WHERE lane = :lane", lane=lane))


def _keys(desk: Desk) -> set[str]:
    return {row[0] for row in desk.rows("SELECT lane FROM data_key")} - {"house", "look-ups"}


def test_the_key_goes_with_the_last_that_is_kept_of_somebody(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends()
    Somebody(desk, "502").starts().walks_to("knee")
    assert _keys(desk) == {"telegram:501", "telegram:502"}
    rosa.says("/start").presses("Start again").walks_to("consent").presses("No")
    assert _keys(desk) == {"telegram:501", "telegram:502"}, "the lead they sent before is still theirs"
    assert "Rosa" in str(desk.rows("SELECT contact FROM lead"))
    rosa.starts().says("/delete").presses("Yes, delete all")
    assert _keys(desk) == {"telegram:502"}
    rows: list[Any] = desk.rows("SELECT detail, before FROM lead_event")
    assert rows, "that there was a lead is still known"


def test_before_anything_is_said_a_copy_of_the_row_tells_nothing(desk: Desk, rosa: Somebody) -> None:
    """What stays readable in a row is listed in docs/decisions/0009: no criterion, no flag, no words."""
    rosa.starts().walks_to("mri").says("shrapnel").walks_to("check").sends()
    with desk.store.look() as db:
        said = str([tuple(row) for name in ("conversation", "lead", "message", "answer", "outbox", "lead_event")
                    for row in db.execute(text(f"SELECT * FROM {name}"))])  # fmt: skip
    for word in ("Rosa", "fragments", "possible_match:", "needs to", "+34612345678", "rosa@example.org"):
        assert word not in said, word
