"""Who talks too much, begins too often or gives what is not theirs: slowed, told, flagged, and never just ignored."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import pace
from bot.channels.telegram import parse
from bot.desk import sign_in, watch
from bot.messages import Came, Inbound
from bot.pace import HARD, MOST, SOFT, Pace
from bot.store import Store, carries, leads, outbox, sessions, shares, staff
from tests.patient import NOW
from tests.shell.conftest import GROUP, Desk, Somebody
from tests.shell.house import Housed
from tests.sizes import many

# ---------------------------------------------------------------------- one chat's pace


def test_twenty_a_minute_are_well_and_sixty_are_enough() -> None:
    made = Pace()
    fates = [made.count("telegram:1", NOW) for _ in range(100)]
    assert fates == ["well"] * SOFT + ["slow"] * (HARD - SOFT) + ["first"] + ["over"] * (100 - HARD - 1)
    assert made.count("telegram:2", NOW) == "well"
    assert made.count("telegram:1", NOW + pace.MINUTE) == "well"


def test_a_clock_that_is_set_back_shuts_nobody_out() -> None:
    made = Pace()
    for _ in range(100):
        made.count("telegram:1", NOW)
    assert made.count("telegram:1", NOW - timedelta(hours=1)) == "well"


def test_what_it_remembers_is_bounded_and_the_flood_is_not_forgotten() -> None:
    made = Pace()
    for number in range(3 * MOST):
        made.count(f"telegram:{number}", NOW)
        made.count("telegram:flood", NOW)
    assert len(made._chats) == MOST
    assert made.count("telegram:flood", NOW) == "over"


def paced(database: str) -> Housed:
    """A house that counts what each chat sends, as it does outside of tests."""
    housed = Housed(Store(database))
    housed.house.pace = Pace()
    return housed


@pytest.mark.slow
def test_a_flood_is_noted_told_once_and_over_with_the_minute(database: str) -> None:
    housed = paced(database)
    rosa = Somebody(housed).starts()
    rosa.presses("English")
    before = housed.one("SELECT count(*) FROM message")
    for number in range(100):
        rosa.says(f"flood {number}")
    told = [text for text in housed.wire.texts("501") if "a lot at once" in text]
    assert len(told) == 1
    assert housed.one("SELECT count(*) FROM receipt") == 102  # every one of them
    assert housed.rows("SELECT what FROM audit WHERE what = 'flood'") == [("flood",)]
    kept = housed.one("SELECT count(*) FROM message") - before
    assert kept <= 2 * HARD
    housed.time.passes(minutes=1)
    rosa.presses("Yes, for me")
    assert rosa.step != "consent"
    housed.closes()


def test_what_waited_through_an_outage_is_no_flood() -> None:
    """A hundred messages, one each minute, that are all taken at once."""
    made = Pace()
    for minute in range(100):
        inbound = parse({"update_id": minute, "message": {
            "message_id": minute, "date": int(NOW.timestamp()) + 60 * minute, "text": "hello",
            "chat": {"id": 501, "type": "private"}, "from": {"id": 501, "first_name": "Rosa", "is_bot": False},
        }})  # fmt: skip
        assert inbound is not None and inbound.at is not None
        assert made.count(inbound.lane, inbound.at) == "well"


@pytest.mark.slow
def test_above_the_soft_limit_others_are_answered_first(database: str) -> None:
    housed = paced(database)
    rosa = Somebody(housed).starts()
    for _ in range(SOFT + 2):
        rosa.says("help")
    rows = housed.rows("SELECT priority FROM outbox WHERE chat = '501' ORDER BY id")
    assert rows[0][0] == outbox.REPLY and rows[-1][0] == outbox.REMINDER
    housed.closes()


@pytest.mark.slow
def test_the_staff_group_has_no_limit(database: str) -> None:
    housed = paced(database)
    for number in range(2 * HARD):
        inbound = Inbound("telegram", f"g{number}", GROUP, "1", "text", text="hello", group=True)
        housed.runs(housed.house.take(inbound))
    assert housed.rows("SELECT what FROM audit WHERE what = 'flood'") == []
    housed.closes()


@pytest.mark.slow
def test_a_minute_of_flood_in_six_seconds_keeps_nobody_else_waiting(database: str) -> None:
    """One chat sends 1,000 messages and 500 new chats begin, ten times as fast as they are allowed to."""
    housed = paced(database)
    housed.house.clock = housed.house.writer.clock = lambda: datetime.now(UTC)
    took: list[float] = []

    async def one(kind: Came, chat: str, number: int, text: str = "hello") -> None:
        began = time.perf_counter()
        await housed.house.take(
            Inbound("telegram", f"m:{chat}:{number}", chat, chat, kind, text=text, language="en")
        )
        if chat.startswith("8"):
            took.append(time.perf_counter() - began)

    async def minute(seconds: float = 6.0) -> None:
        tasks, steps = [], 100
        for step in range(steps):
            tasks += [one("text", "13", step * 10 + n) for n in range(10)]
            tasks += [one("start", f"2{step * 5 + n:05}", 1, "") for n in range(5)]
            tasks += [one("text", f"8{step:04}", 1)]
            running = [asyncio.create_task(task) for task in tasks]
            tasks = []
            await asyncio.sleep(seconds / steps)
            under_way.extend(running)
        await asyncio.gather(*under_way)

    under_way: list[asyncio.Task[None]] = []
    housed.runs(minute())
    before = resident()
    under_way = []
    housed.runs(again(one))
    assert sorted(took)[int(len(took) * 0.95)] < 2.0
    assert housed.one("SELECT count(*) FROM receipt WHERE external_id LIKE 'm:13:%'") == 2000
    assert housed.one("SELECT count(*) FROM audit WHERE what = 'flood'") >= 1
    assert resident() - before < 20 * 2**20
    housed.closes()


async def again(one: Callable[..., Coroutine[Any, Any, None]]) -> None:
    """A thousand more of the same: what they need is given back."""
    for step in range(20):
        await asyncio.gather(*(one("text", "13", 1000 + step * 50 + n) for n in range(50)))


def resident() -> int:
    """Bytes of memory that this process holds."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


# ---------------------------------------------------------------------- beginning over and over


@pytest.mark.slow
def test_five_beginnings_a_day_and_then_tomorrow(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().presses("English").presses("Yes, for me")
    for _ in range(4):
        rosa.says("start").presses("Start again").presses("English").presses("Yes, for me")
    tag = desk.one("SELECT tag FROM conversation WHERE lane IS NOT NULL")
    rosa.says("start").presses("Start again")
    assert "started several times today" in desk.sent()[-1].text and "@" in desk.sent()[-1].text
    assert desk.one("SELECT tag FROM conversation WHERE lane IS NOT NULL") == tag  # what was there goes on
    desk.waits(days=1)
    rosa.says("start").presses("Start again")
    assert desk.one("SELECT tag FROM conversation WHERE lane IS NOT NULL") != tag


@pytest.mark.slow
def test_erasing_does_not_reset_the_day(desk: Desk, rosa: Somebody) -> None:
    for _ in range(5):
        rosa.starts().says("delete").presses("Yes, delete all")
    rosa.starts()
    assert "started several times today" in desk.sent()[-1].text
    assert desk.one("SELECT count(*) FROM conversation") == 0
    assert "501" not in str(desk.rows("SELECT key FROM mark"))


# ---------------------------------------------------------------------- leads


def lead(desk: Desk, chat: str) -> int:
    Somebody(desk, chat).starts().walks_to("check").sends()
    return int(desk.one("SELECT max(id) FROM lead"))


@pytest.mark.slow
def test_one_number_on_more_than_three_accounts_is_told_and_the_lead_stays(desk: Desk) -> None:
    numbers = [lead(desk, str(600 + n)) for n in range(4)]
    told = [one.text for one in desk.sent(GROUP) if "gave this phone number" in one.text]
    assert len(told) == 1 and leads.reference(numbers[-1]) in told[0]
    assert desk.one("SELECT status FROM lead WHERE id = :of", of=numbers[-1]) == "new"
    assert desk.rows("SELECT lead_id FROM audit WHERE what = 'lead.number_shared'") == [(numbers[-1],)]


def raise_leads(desk: Desk, number: int) -> None:
    flow = desk.deployment.library.newest("nct06570291")
    with desk.store.begin(desk.now) as db:
        for one in range(number):
            leads.add(
                db, channel="telegram", chat=f"{desk.now:%d%H}{one}", trial=flow.trial.slug, site="north", locale="en",
                flags=[], contact={}, helper=False, changed=False, text_version="1", source="", outcome=None,
                due_at=desk.now, created_at=desk.now, updated_at=desk.now,
            )  # fmt: skip


def surges(desk: Desk) -> bool:
    with desk.store.begin(desk.now) as db:
        return watch.surge(db, desk.deployment, desk.now)


@pytest.mark.slow
def test_three_times_as_many_leads_as_usual_are_an_alarm_once_an_hour(desk: Desk) -> None:
    for _ in range(24 * 7):
        raise_leads(desk, 6)
        assert not surges(desk)
        desk.waits(hours=1)
    raise_leads(desk, 17)
    assert not surges(desk)
    raise_leads(desk, 1)
    assert surges(desk)
    assert not surges(desk)
    assert Counter("new leads came" in one.text for one in desk.sent(GROUP))[True] == 1
    assert desk.rows("SELECT detail FROM audit WHERE what = 'leads.surge'") == [("18",)]


def test_a_few_leads_where_there_were_none_are_no_alarm(desk: Desk) -> None:
    raise_leads(desk, watch.FEWEST - 1)
    assert not surges(desk)


@pytest.mark.slow
def test_no_guess_of_many_opens_anything(desk: Desk, rosa: Somebody) -> None:
    """Codes to carry on, links to sign in, shared links: real ones are there, and none is guessed."""
    number = lead(desk, "601")
    with desk.store.begin(desk.now) as db:
        code = carries.make(db, "telegram", "601", desk.now)
        member = staff.every(db)[0]["id"]
        sessions.add_link(db, member, sign_in.hashed(sign_in.new_token()), desk.now)
        sessions.begin(db, member, sign_in.hashed(sign_in.new_token()), desk.now)
        shares.add(db, number, member, sign_in.hashed(sign_in.new_token()), "x", desk.now, desk.now + timedelta(1))
    valid = 0
    with desk.store.begin(desk.now) as db:
        for _ in range(many(4_000, 100_000) // 4):
            guess = secrets.token_urlsafe(18)
            valid += carries.lane_behind(db, guess, desk.now) != ""
            valid += sessions.use_link(db, sign_in.hashed(guess), desk.now) is not None
            valid += sessions.live(db, sign_in.hashed(guess), desk.now) is not None
            valid += shares.knock(db, sign_in.hashed(guess), 5, desk.now) is not None
        assert carries.lane_behind(db, code, desk.now) == "telegram:601"
    assert valid == 0
    desk.waits(hours=1)  # now the real one is over, too
    answers = {told(desk, str(700 + n), guess) for n, guess in enumerate((code, secrets.token_urlsafe(18), "x"))}
    assert len(answers) == 1


def told(desk: Desk, chat: str, code: str) -> str:
    return Somebody(desk, chat).starts(f"on-{code}").seen
