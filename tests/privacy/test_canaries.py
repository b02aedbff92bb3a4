"""Words that nobody else says, in every field of many people: they can be read nowhere; and once erased, by nobody."""

from __future__ import annotations

import io
import logging
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot import logs
from bot.commands.keys import rotate
from bot.desk import notes, talking
from bot.desk.actions import Acting
from bot.intake import Intake
from bot.messages import Envelope, Inbound, Sent
from bot.store import Store, conversations, staff
from flows.answer import Answer, StepId
from tests.commands.conftest import Prescreen, prescreen
from tests.postgres import Postgres
from tests.privacy import lying
from tests.shell.conftest import Somebody
from tests.shell.house import Housed, Wire, hurries
from tests.sizes import many

__all__ = ["prescreen"]

PEOPLE = many(20, 1000)
ERASED = max(PEOPLE // 10, 3)


def canary(number: int) -> str:
    """A word that only this person says, in every field that takes words."""
    return f"zyxq{number:04d}wvk"


def phone(number: int) -> str:
    return f"+3461290{number:04d}"


def chat(number: int) -> str:
    return str(7000 + number)


PATIENTS = frozenset(map(chat, range(PEOPLE)))


class Failing(Wire):
    """Messages now and then fail in every way that there is, also with words of the message in the error."""

    def __init__(self) -> None:
        super().__init__()
        self._chance = random.Random(7)
        self.fate = self._fails

    def _fails(self, to: str, envelope: Envelope) -> tuple[Sent | None, bool]:
        happens = self._chance.random()
        if happens < 0.1 and to not in PATIENTS:  # a patient would wait, and the others with them
            raise RuntimeError(f"cannot send {envelope.text} to {to}")
        if happens < 0.02:
            return Sent("unsure", code="timeout"), True
        if happens < 0.12 and to not in PATIENTS:
            return Sent("later", wait=0.5), False
        return None, True


class Crowd:
    """So many people, each from the first word to a lead that staff work, with everything that goes wrong."""

    def __init__(self, house: Housed) -> None:
        self.house = house
        with house.store.begin(house.now) as db:
            number = staff.add(db, "Emil", email="emil@site.example", role="site_lead")
            self.emil = staff.by_id(db, number)
            staff.change(db, number, totp="ZYXQSECONDFACTOR")

    def comes(self, number: int) -> None:
        """One person, with a word of their own everywhere."""
        word, person = canary(number), Somebody(self.house, chat(number))
        person.starts().walks_to("diagnosis").says(f"well, {word}")
        person.walks_to("mri").says(f"metal from the mill, {word}")
        person.walks_to("xray").says(f"{word}, I think").walks_to("check")
        person.presses("All correct, go on").presses("Yes, contact me").says("Suzhou").presses("Wuxi")
        person.says(f"Rosa{word}").says(f"Example{word}").says(phone(number)).says(f"{word}@example.org")
        person.presses("No other language").presses("Any day").presses("Mornings").presses("Send")
        lead_id = int(self.house.one("SELECT max(id) FROM lead WHERE chat = :chat", chat=chat(number)))
        self.works(lead_id, number, word)
        person.says(f"to staff: {word}")
        with self.house.store.begin(self.house.now) as db:
            talking.hand_back(self.acting(db, f"back{number}"), lead_id)
        if number % 3 == 0:
            person.says("/start").presses("Start again")
        self.house.waits(seconds=5)
        self.house.drains()

    def works(self, lead_id: int, number: int, word: str) -> None:
        """Staff write down, look, close wrongly and take it back."""
        with self.house.store.begin(self.house.now) as db:
            acting = self.acting(db, f"a{number}")
            acting.claim(lead_id)
            notes.add(acting, lead_id, f"said {word} twice", private=number % 2 == 0)
            talking.say(acting, lead_id, f"hello {word}")
        self.house.drains()

    def acting(self, db: Any, key: str) -> Acting:
        assert self.emil is not None
        return Acting(db, self.house.deployment, self.emil, self.house.now, key)

    def fails(self, number: int) -> None:
        """Updates that nobody can read or take, at every place where something may be said about them."""
        word, house = canary(number), self.house.house

        async def nothing(_callback: str) -> None: ...

        def unread(update: Any) -> Inbound:
            raise ValueError(f"cannot read {update}")

        def read(update: Any) -> Inbound:
            return Inbound("telegram", f"bad:{number}", chat(number), chat(number), "text", text=str(update))

        async def refuses(inbound: Inbound) -> None:
            raise RuntimeError(f"cannot take {inbound.text}")

        for parse, take in ((unread, house.take), (read, refuses)):
            intake = Intake(parse, take, house.set_aside, nothing)
            for tries in range(6):
                update = {"update_id": number, "message": {"text": word, "chat": {"id": chat(number)}}}
                came = intake.read(update)
                if self.house.runs(intake.one(came, tries)) == "done":
                    break

        def breaks(db: Any) -> None:
            kept = conversations.current(db, "telegram", chat(number))
            assert kept is not None
            for _ in range(2):  # the second one is refused by the database, which may quote the row
                answer = Answer(word, word, self.house.now.date())
                conversations.add_answer(db, kept, StepId("knee"), answer, self.house.now)

        with pytest.raises(Exception) as error:
            self.house.runs(house.writer.write(breaks))
        logging.getLogger("bot.house").error("a write failed: %s", error.value, exc_info=error.value)
        self.house.drains()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged at DEBUG, by us and by every library."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield listens(io.StringIO())
    root.handlers[:] = handlers
    root.setLevel(level)


def listens(to: io.StringIO) -> io.StringIO:
    """From now on, and again after a command, which begins its own log."""
    logs.begin("DEBUG")
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(to)
    return to


def places(server: Postgres | None, tmp_path: Path) -> list[Path]:
    """The folders and files where the database is, and whatever else was written."""
    if server is None:
        return [tmp_path]
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    return [server.folder, tmp_path]


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[Postgres | None]:
    """A PostgreSQL in whose files is nothing else; None for SQLite."""
    made = Postgres() if request.param == "postgresql" else None
    yield made
    if made is not None:
        made.remove()


@pytest.mark.slow
def test_canaries_are_read_nowhere_and_erased_ones_by_nobody(
    server: Postgres | None, tmp_path: Path, prescreen: Prescreen, log: io.StringIO,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    hurries(monkeypatch)
    database = server.database() if server else f"sqlite:///{tmp_path / 'prescreen.db'}"
    store = Store(database)
    house = Housed(store, Failing(), mail=True, hook=True, desk_url="https://desk.example.org")
    monkeypatch.setattr("bot.house.clock_of", lambda db: house.time.now())
    crowd = Crowd(house)
    for number in range(PEOPLE):
        crowd.comes(number)
        if number % 5 == 0:
            crowd.fails(number)
    house.sweeps()
    page = house.runs(house.house.measure())
    words = [*map(canary, range(PEOPLE)), *map(phone, range(PEOPLE)), "ZYXQSECONDFACTOR"]

    def said() -> list[tuple[str, bytes]]:
        out = capsys.readouterr()
        group = " ".join(text for to, text in house.wire.calls if to == house.deployment.staff_group)
        return [("log", log.getvalue().encode()), ("metrics", page), ("out", out.out.encode()),
                ("err", out.err.encode()), ("group", group.encode())]  # fmt: skip

    def copied(name: str) -> Path:
        done = prescreen("backup", str(tmp_path / name), DATABASE_URL=database)
        log.write(done.out + done.err)
        listens(log)
        assert done.code == 0, done.err
        return tmp_path / name

    copied("before")
    assert lying.found(words, [*lying.files(places(server, tmp_path)), *said()]) == []
    assert log.getvalue(), "there is something in the log"
    kept = lying.readable(lying.remaining_keys(store), _whole(store))
    text = b"\n".join(content for _, content in kept).decode()
    assert all(text.count(canary(number)) >= 5 for number in range(PEOPLE)), "it is all there, for who has the keys"

    gone, staying = list(range(ERASED)), list(range(ERASED, PEOPLE))
    for number in gone:
        Somebody(house, chat(number)).says("/delete").presses("Yes, delete all")
    house.drains()
    house.sweeps()
    copy = copied("after")
    assert rotate(store) == 0
    keys = lying.remaining_keys(store)
    where = [one for one in lying.files(places(server, tmp_path)) if one[0].name != "before"]
    assert lying.found(words, [*where, *said()]) == []
    opened = list(lying.readable(keys, where))
    assert lying.found([word for n in gone for word in (canary(n), phone(n))], opened) == []
    text = b"\n".join(content for _, content in lying.readable(keys, _whole(store))).decode()
    assert all(text.count(canary(number)) >= 5 for number in staying), "the others are untouched"
    house.closes()

    elsewhere = server.database() if server else f"sqlite:///{tmp_path / 'there' / 'p.db'}"
    assert prescreen("restore", str(copy), DATABASE_URL=elsewhere).code == 0
    there = Store(elsewhere)
    opened = list(lying.readable(lying.remaining_keys(there), _whole(there)))
    assert lying.found([word for n in gone for word in (canary(n), phone(n))], opened) == []
    assert len(lying.found([canary(number) for number in staying], opened)) >= len(staying)
    there.close()


def _whole(store: Store) -> list[tuple[str, bytes]]:
    """Every row of every table as text."""
    from sqlmodel import SQLModel  # noqa: PLC0415

    with store.look() as db:
        return [
            (name, "\n".join(str(tuple(row)) for row in db.connection.execute(table.select())).encode())
            for name, table in SQLModel.metadata.tables.items()
        ]
