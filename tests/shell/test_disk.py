"""What was acknowledged outlives the power, a full disk, a failed sync and a lock; half a turn is never there."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

import bot.store
from bot.messages import Came, Inbound
from bot.store import BadDatabase, Store
from bot.turns import take_turn
from bot.writer import Writer
from tests.faulty_disk import FaultyDisk, Keep, write
from tests.shell.conftest import Desk, Somebody
from tests.sizes import PERCENT

pytestmark = pytest.mark.slow


NAME = "prescreen.db"
KEEPS: tuple[Keep, ...] = ("none", "half", "all")
STAGES = ("birth", "diagnosis", "past_week", "mri", "joints", "xray", "private", "check")
"""How far somebody goes before it is the next one's turn."""
BOOKKEEPING = {"attempt", "heartbeat"}
"""Written apart from turns; nothing that anybody said is in them."""

Everything = dict[str, list[dict[str, Any]]]
"""Every row, by table."""


def many(examples: int) -> int:
    """Fewer while somebody works, all of them in ``make test``."""
    return max(20, examples * PERCENT // 100)


class Machine:
    """What the bot runs on: a disk, and a store on it. After a power cut another one finds what is left."""

    def __init__(self, disk: FaultyDisk) -> None:
        self.disk = disk
        self._running: Store | None = None

    @property
    def store(self) -> Store:
        assert self._running is not None
        return self._running

    def start(self) -> Store:
        self._running = Store(f"sqlite:///{self.disk.folder / NAME}")
        self._running.make_sure()
        return self._running

    def stop(self) -> None:
        if self._running is not None:
            store, self._running = self._running, None
            store.close()

    def left(self, keep: Keep = "none", seed: int = 0) -> Everything:
        """What would be there if the power went now."""
        return self.finds(self.disk.image(keep, seed))

    def finds(self, image: dict[str, bytes]) -> Everything:
        folder = self.disk.folder.with_name("after")
        write(image, folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(bot.store.PRAGMAS, "synchronous", 0)  # its own power stays: it waits for no disk
            store = Store(f"sqlite:///{folder / NAME}")
            try:
                with store.begin() as db:
                    assert db.execute(text("PRAGMA integrity_check")).scalar() == "ok"
                return everything(store)
            finally:
                store.close()
                shutil.rmtree(folder)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    (tmp_path / "disk").mkdir()
    with FaultyDisk(tmp_path / "disk") as disk:
        machine = Machine(disk)
        yield machine
        machine.stop()


@pytest.fixture
def small_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is emptied every few turns, so that things also happen in the middle of that."""
    monkeypatch.setitem(bot.store.PRAGMAS, "wal_autocheckpoint", 60)


class FaultyDesk(Desk):
    """A desk on a faulty disk. What was taken has a key, so that it can come again."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine.start())
        self.machine, self.disk = machine, machine.disk
        self.acknowledged: list[str] = []
        self.numbers: defaultdict[str, Iterator[int]] = defaultdict(count)

    def take(self, kind: Came, chat: str = "501", key: str = "", **values: Any) -> bool:
        key = key or f"{chat}.{next(self.numbers[chat])}"
        taken = self.tries(lambda: super(FaultyDesk, self).take(kind, chat, key, **values))
        assert taken
        self.acknowledged.append(key)
        self.after()
        return taken

    def tries(self, once: Callable[[], bool]) -> bool:
        """Takes an update, perhaps more than once."""
        return once()

    def again(self, kind: Came, chat: str = "501", key: str = "again", **values: Any) -> None:
        """It comes again and is acknowledged, whether it was taken before or only now."""
        super().take(kind, chat, key, **values)

    def after(self) -> None:
        """An update was acknowledged."""

    def all(self) -> Everything:
        return everything(self.store)


def everything(store: Store) -> Everything:
    with store.begin() as db:
        names = [row[0] for row in db.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))]
        return {
            name: [dict(row) for row in db.execute(text(f"SELECT * FROM {name} ORDER BY 1")).mappings()]
            for name in sorted(names)
            if name not in BOOKKEEPING
        }


def go(person: Somebody) -> Iterator[Somebody]:
    yield person.starts()
    for stage in STAGES:
        yield person.walks_to(stage)
    yield person.sends()


def leave(person: Somebody) -> Iterator[Somebody]:
    yield person.starts().walks_to("knee")
    yield person.says("perhaps, who knows")
    yield person.says("delete").presses("Yes, delete all")


def refuse(person: Somebody) -> Iterator[Somebody]:
    yield person.starts().presses("English")
    yield person.presses("No")
    yield person.says("hello again")


def people_come(desk: Desk) -> None:
    """Five people at once: three send a request, one deletes everything, one says no."""
    chance = random.Random(6570291)
    people = [Somebody(desk, str(chat)) for chat in range(501, 506)]
    going = [way(person) for way, person in zip((go, go, go, leave, refuse), people, strict=True)]
    while going:
        one = chance.choice(going)
        if next(one, None) is None:
            going.remove(one)


def halves(found: Everything) -> set[str]:
    """Receipts without anything to send, and things to send without the receipt of what they answer."""
    keys = [row["dedupe_key"].split(":") for row in found["outbox"]]
    return {key[1] for key in keys if key[0] == "telegram"} ^ {row["external_id"] for row in found["receipt"]}


# ---------------------------------------------------------------------- the power goes


class PowerDesk(FaultyDesk):
    """After every second acknowledged turn the power goes, and another machine looks at what is there."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self.lost, self.cuts = list[str](), 0

    def after(self) -> None:
        number = len(self.acknowledged)
        if number % 2 == 0:
            now = self.all()
            for keep in KEEPS[:2]:
                self.cuts += 1
                if self.machine.left(keep, number) != now:
                    self.lost.append(f"{self.acknowledged[-1]}, {keep}")


def test_no_acknowledged_turn_is_lost_with_the_power(machine: Machine) -> None:
    desk = PowerDesk(machine)
    people_come(desk)
    assert desk.cuts > 100 and desk.lost == []
    machine.stop()
    disk = machine.disk
    assert disk.image("all") == {path.name: path.read_bytes() for path in disk.folder.iterdir()}


def test_nor_while_the_log_is_emptied(machine: Machine, small_log: None) -> None:
    desk = PowerDesk(machine)
    people_come(desk)
    assert desk.lost == []


def test_a_disk_that_is_not_waited_for_loses_turns(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof that the two tests above would see a loss."""
    monkeypatch.setitem(bot.store.PRAGMAS, "synchronous", 1)
    desk = PowerDesk(machine)
    people_come(desk)
    assert desk.lost != []


class WatchedDesk(FaultyDesk):
    """The power goes within turns: at every ``step``-th change of a file, of the whole stream."""

    def __init__(self, machine: Machine, step: int) -> None:
        super().__init__(machine)
        self.step, self.images, self.changes, self.cuts = step, list[dict[str, bytes]](), 0, 0
        self.there: Everything = self.all()
        self.found: set[str] = set()

    def tries(self, once: Callable[[], bool]) -> bool:
        self.disk.before = self._note
        try:
            return once()
        finally:
            self.disk.before = None

    def _note(self) -> None:
        self.changes += 1
        if self.changes % self.step == 0:
            self.images.append(self.disk.image(KEEPS[self.cuts % 3], self.changes))
            self.cuts += 1

    def after(self) -> None:
        before, self.there = self.there, self.all()
        for image in self.images:
            found = self.machine.finds(image)
            assert found in (before, self.there), self.acknowledged[-1]
            self.found.add("before" if found == before else "after")
        self.images.clear()


def test_an_interrupted_turn_is_whole_or_absent(machine: Machine, small_log: None) -> None:
    desk = WatchedDesk(machine, step=max(1, 1600 // PERCENT))
    people_come(desk)
    assert desk.cuts > 30 and desk.found == {"before", "after"}


def test_a_first_start_without_power_can_be_repeated(machine: Machine) -> None:
    disk = machine.disk
    images: list[dict[str, bytes]] = []

    def note() -> None:
        if disk.changes % 2:
            images.append(disk.image(KEEPS[len(images) % 3], len(images)))

    disk.before = note
    new = lanes_of_keys(everything(machine.start()))
    disk.before = None
    for image in images:
        assert lanes_of_keys(machine.finds(image)) == new


def lanes_of_keys(rows: Everything) -> Everything:
    """The same without the keys themselves, which are others at each start."""
    return {**rows, "data_key": [{"lane": lane} for lane in sorted(row["lane"] for row in rows["data_key"])]}


class Crowd:
    """Many people who write at the same moment, so that their turns are committed together."""

    def __init__(self, machine: Machine) -> None:
        self.desk, self.disk, self.rounds = FaultyDesk(machine), machine.disk, 0
        self.acknowledged: set[str] = set()
        self.seen: list[tuple[set[str], dict[str, bytes]]] = []

    async def write(self, writer: Writer, number: int, *, anew: bool = True) -> None:
        """One round; ``number`` is how many write. Not ``anew``: it is the round before that comes again."""
        self.rounds += anew
        kind: Came = "start" if self.rounds == 1 else "text"
        chats = [str(600 + chat) for chat in range(number)]
        came = [Inbound("telegram", f"{chat}.{self.rounds}", chat, chat, kind, "hello") for chat in chats]
        outcomes = await asyncio.gather(*(self._one(writer, inbound) for inbound in came), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome

    async def _one(self, writer: Writer, inbound: Inbound) -> None:
        await writer.write(lambda db: take_turn(inbound, db, self.desk.deployment, self.desk.now), inbound)
        self.acknowledged.add(inbound.external_id)
        self.seen.append((set(self.acknowledged), self.disk.image(KEEPS[len(self.seen) % 2], len(self.seen))))

    def meet(self, meeting: Callable[[Writer], Awaitable[None]]) -> None:
        writer = Writer(self.desk.store, self.desk.clock)

        async def run() -> None:
            await meeting(writer)

        try:
            asyncio.run(run())
        finally:
            writer.close()


def test_turns_that_are_committed_together_are_acknowledged_after_it(machine: Machine, small_log: None) -> None:
    crowd, together = Crowd(machine), 0

    async def meeting(writer: Writer) -> None:
        for _ in range(6):
            await crowd.write(writer, 12)

    crowd.meet(meeting)
    for acknowledged, image in crowd.seen:
        found = machine.finds(image)
        receipts = {row["external_id"] for row in found["receipt"]}
        assert acknowledged <= receipts and halves(found) == set()
        together = max(together, len(receipts - acknowledged))
    assert len(crowd.seen) == 6 * 12 and together > 5


# ---------------------------------------------------------------------- the disk is full


class FullDesk(FaultyDesk):
    """Every update comes to a disk that is full from its first write on, from its second, and so on."""

    def __init__(self, machine: Machine, most: int) -> None:
        super().__init__(machine)
        self.left, self.errors = most, set[str]()

    def tries(self, once: Callable[[], bool]) -> bool:
        before = self.all()
        for writes in count(1) if self.left > 0 else ():
            self.disk.full_after(writes)
            refused = self.disk.refused
            self.left -= 1
            try:
                return once()
            except OperationalError as error:
                self.errors.add(error_name(error))
            finally:
                self.disk.freed()
            assert self.disk.refused > refused
            assert self.all() == before
        return once()


def error_name(error: OperationalError) -> str:
    return str(getattr(error.orig, "sqlite_errorname", None))


def test_a_full_disk_makes_no_half_turn(machine: Machine, small_log: None) -> None:
    desk = FullDesk(machine, many(500))
    rosa = Somebody(desk).starts().walks_to("check").sends()
    assert desk.left <= 0 and desk.errors == {"SQLITE_FULL"}
    assert rosa.step == "other_trials" and halves(desk.all()) == set()
    assert machine.left() == desk.all()


def test_a_full_disk_refuses_turns_that_come_together_alike(machine: Machine, small_log: None) -> None:
    crowd, errors = Crowd(machine), list[str]()

    async def meeting(writer: Writer) -> None:
        for writes in range(1, 31, 3):
            before = crowd.desk.all()
            crowd.disk.full_after(writes)
            try:
                await crowd.write(writer, 12)
            except OperationalError as error:
                errors.append(error_name(error))
            crowd.disk.freed()
            found = crowd.desk.all()
            assert halves(found) == set()
            assert crowd.acknowledged <= {row["external_id"] for row in found["receipt"]}
            assert found["receipt"][: len(before["receipt"])] == before["receipt"]
            await crowd.write(writer, 12, anew=False)

    crowd.meet(meeting)
    assert len(errors) > 5 and set(errors) == {"SQLITE_FULL"}
    assert machine.left() == crowd.desk.all() and len(crowd.acknowledged) == 10 * 12


def resize(store: Store, pages: int) -> None:
    """The database may grow to so many pages; it cannot be smaller than it is."""
    with store.begin() as db:
        db.execute(text(f"PRAGMA max_page_count={pages}")).scalar()


def test_a_database_at_its_greatest_size_makes_no_half_turn(machine: Machine) -> None:
    """Here a statement in the middle finds no room, not the commit; SQLite may then roll back by itself."""
    desk, errors = FaultyDesk(machine), set[str]()
    rosa = Somebody(desk).starts().walks_to("knee")
    for number in range(many(40)):
        words = "what? " * 90 * (number % 3)
        resize(desk.store, 1)
        while True:
            before, key = desk.all(), f"{number}.{len(desk.acknowledged)}"
            try:
                desk.take("text", key=key, text=words)
            except OperationalError as error:
                errors.add(error_name(error))
                assert desk.all() == before
                break
        resize(desk.store, 1_000_000)
        assert desk.take("text", key=key, text=words)
    assert errors == {"SQLITE_FULL"}
    assert rosa.presses("Left knee").step == "diagnosis" and halves(desk.all()) == set()


def test_a_receipt_that_finds_no_room_says_so(machine: Machine) -> None:
    desk = FaultyDesk(machine)
    resize(desk.store, 1)
    with pytest.raises(OperationalError) as raised:
        for number in range(1000):
            desk.take("blocked", key=f"{number}")
    assert error_name(raised.value) == "SQLITE_FULL"
    resize(desk.store, 1_000_000)
    assert desk.take("blocked", key=f"{len(desk.acknowledged)}")


# ---------------------------------------------------------------------- syncs that fail, files that cannot be written


class UnsyncedDesk(FaultyDesk):
    """Of every update the first sync fails, and is told as what it is. Then it comes again."""

    cuts: int = 0

    def tries(self, once: Callable[[], bool]) -> bool:
        before = self.all()
        self.disk.fsync_fails()
        with pytest.raises(OperationalError) as raised:
            once()
        self.disk.mended()
        assert error_name(raised.value) == "SQLITE_IOERR_FSYNC"
        assert self.all() == before == self.cut()
        return once()

    def after(self) -> None:
        assert self.cut() == self.all()

    def cut(self) -> Everything:
        self.cuts += 1
        return self.machine.left(KEEPS[self.cuts % 2], self.cuts)


def test_a_sync_that_fails_is_told_as_such(machine: Machine, small_log: None) -> None:
    desk = UnsyncedDesk(machine)
    rosa = Somebody(desk).starts().walks_to("check").sends()
    assert rosa.step == "other_trials" and halves(desk.all()) == set()


def test_nothing_is_lost_by_a_start_after_a_sync_that_failed(machine: Machine) -> None:
    disk = machine.disk
    desk = FaultyDesk(machine)
    rosa = Somebody(desk).starts().walks_to("knee")
    disk.fsync_fails()
    with pytest.raises(OperationalError):
        desk.take("text", key="again", text="left knee")
    machine.stop()
    disk.mended()
    desk.store = machine.start()
    desk.again("text", text="left knee")
    rosa.walks_to("past_week")
    assert machine.left() == desk.all()


def test_what_a_killed_process_left_is_safe_before_it_is_acknowledged(machine: Machine, tmp_path: Path) -> None:
    """It was killed between the write and the sync: the turn is there, but the power must not take it any more."""
    disk = machine.disk
    desk = FaultyDesk(machine)
    Somebody(desk).starts().walks_to("knee")
    left: list[tuple[dict[str, bytes], dict[str, bytes]]] = []
    disk.before = lambda: left.append((disk.image("all"), disk.image()))
    desk.take("text", key="again", text="left knee")
    disk.before = None
    for number, (there, safe) in enumerate(left):
        folder = tmp_path / f"left{number}"
        write(there, folder)
        with FaultyDisk(folder, safe) as again:
            store = Store(f"sqlite:///{folder / NAME}")
            store.make_sure()
            desk.store = store
            desk.again("text", text="left knee")
            image, now = again.image(), everything(store)
            store.close()
        assert machine.finds(image) == now


def test_files_that_became_read_only(machine: Machine) -> None:
    disk = machine.disk
    desk = FaultyDesk(machine)
    rosa = Somebody(desk).starts().walks_to("knee")
    before, data = desk.all(), rosa.data("Left knee")
    disk.read_only()
    with pytest.raises(OperationalError) as raised:
        desk.take("press", key="again", press=data)
    assert error_name(raised.value) == "SQLITE_IOERR_WRITE"
    assert desk.all() == before
    disk.mended()
    assert desk.take("press", key="again", press=data) and rosa.step == "diagnosis"


def test_files_that_were_read_only_at_the_start(machine: Machine) -> None:
    disk = machine.disk
    desk = FaultyDesk(machine)
    rosa = Somebody(desk).starts().walks_to("knee")
    before, data = desk.all(), rosa.data("Left knee")
    machine.stop()
    disk.read_only()
    with pytest.raises((OperationalError, BadDatabase)) as raised:
        desk.store = machine.start()
        desk.take("press", key="again", press=data)
    if isinstance(raised.value, OperationalError):
        assert error_name(raised.value) in ("SQLITE_READONLY", "SQLITE_CANTOPEN")
    machine.stop()
    disk.mended()
    desk.store = machine.start()
    assert desk.all() == before
    assert desk.take("press", key="again", press=data) and rosa.step == "diagnosis"


# ---------------------------------------------------------------------- somebody else is at the file

OUTSIDE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute(sys.argv[2])
connection.execute("SELECT count(*) FROM answer").fetchall()
print("at it", flush=True)
sys.stdin.read()
"""


@contextmanager
def outside(disk: FaultyDisk, begin: str) -> Iterator[None]:
    """Another process holds a transaction meanwhile."""
    command = [sys.executable, "-c", OUTSIDE, str(disk.folder / NAME), begin]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "at it\n"
        yield
        process.stdin.close()
        assert process.wait() == 0


def test_a_locked_database_takes_nothing_and_loses_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = machine.disk
    monkeypatch.setitem(bot.store.PRAGMAS, "busy_timeout", 20)
    desk = FaultyDesk(machine)
    rosa = Somebody(desk).starts().walks_to("knee")
    before, data = desk.all(), rosa.data("Left knee")
    with outside(disk, "BEGIN IMMEDIATE"):
        for _ in range(3):
            with pytest.raises(OperationalError) as raised:
                desk.take("press", key="again", press=data)
            assert error_name(raised.value) == "SQLITE_BUSY"
    assert desk.all() == before
    assert desk.take("press", key="again", press=data) and rosa.step == "diagnosis"
    assert machine.left() == desk.all()


def test_a_turn_waits_for_a_lock_that_is_let_go(machine: Machine) -> None:
    disk = machine.disk
    desk = FaultyDesk(machine)
    rosa = Somebody(desk).starts().walks_to("knee")
    data = rosa.data("Left knee")
    with outside(disk, "BEGIN IMMEDIATE"):
        turn = threading.Thread(target=desk.take, args=("press",), kwargs={"key": "again", "press": data})
        turn.start()
        turn.join(0.05)
    turn.join()
    assert desk.acknowledged[-1] == "again" and rosa.step == "diagnosis"


def test_who_only_reads_stops_nobody(machine: Machine, small_log: None) -> None:
    disk = machine.disk
    desk = FaultyDesk(machine)
    rosa = Somebody(desk).starts().walks_to("knee")
    with outside(disk, "BEGIN"):
        rosa.walks_to("private")
    assert machine.left() == desk.all()


# ---------------------------------------------------------------------- what was deleted is gone


def words_in_files(disk: FaultyDisk, sealed: Sequence[str] = ()) -> list[str]:
    """The files that hold what the person typed, in the clear or ``sealed``."""
    words = [b"canary", *(value.encode() for value in sealed)]
    return [name for name, data in disk.image("all").items() if any(word in data for word in words)]


def as_it_lies(desk: FaultyDesk) -> list[str]:
    """All that was said, sealed as the database holds it."""
    with desk.store.begin() as db:
        return list(db.execute(text("SELECT text FROM message WHERE text != ''")).scalars())


def test_a_deletion_on_a_full_disk_is_made_good(machine: Machine) -> None:
    desk, disk = FaultyDesk(machine), machine.disk
    for writes in range(1, 101, 10):
        rosa = Somebody(desk, str(writes)).starts().walks_to("mri").says("canary, who knows")
        sealed = as_it_lies(desk)
        assert words_in_files(disk, sealed) and not words_in_files(disk)
        data = rosa.says("delete").data("Yes, delete all")
        key = f"delete.{writes}"
        disk.full_after(writes)
        with suppress(OperationalError):
            desk.take("press", rosa.chat, key, press=data)
        disk.freed()
        desk.again("press", rosa.chat, key, press=data)
        desk.sweeps()
        assert desk.all()["answer"] == [] and words_in_files(disk, sealed) == []


def test_a_deletion_while_somebody_reads_is_made_good(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = machine.disk
    monkeypatch.setitem(bot.store.PRAGMAS, "busy_timeout", 20)
    desk = FaultyDesk(machine)
    rosa = Somebody(desk).starts().walks_to("mri").says("canary, who knows")
    sealed = as_it_lies(desk)
    with outside(disk, "BEGIN"):
        rosa.says("delete").presses("Yes, delete all")
    Somebody(desk, "502").starts()
    desk.sweeps()
    assert desk.all()["answer"] == [] and words_in_files(disk, sealed) == []
