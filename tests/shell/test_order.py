"""Updates that come twice, late, swapped or under other numbers, and several workers: each counts once, in order."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

import bot.house
from bot.intake import TRIES
from bot.library import Library
from bot.messages import Inbound
from bot.store import NoRoom
from tests.postgres import Postgres
from tests.shell.front_door import (
    DEPLOYMENT,
    SCRIPT,
    Door,
    Numbers,
    Update,
    Writer,
    button,
    door_to,
    same,
    walks_to,
    words_for,
)

pytestmark = pytest.mark.slow


SEED = 6570291


def people(many: int, numbers: Numbers | None = None) -> list[Writer]:
    numbers = numbers or Numbers()
    return [Writer(numbers, 6_000_000_000 + n) for n in range(many)]


def mixed(scripts: list[list[Update]], chance: random.Random) -> list[Update]:
    """All chats shuffled among each other, each in its own order."""
    left, line = [list(script) for script in scripts], []
    while left := [script for script in left if script]:
        line.append(chance.choice(left).pop(0))
    return line


def as_alone(database: str) -> dict[str, Any]:
    """How a chat looks after the script when nothing at all went wrong."""
    with door_to(database) as door:
        (person,) = people(1, Numbers(100_000_000))
        person.id, person.chat = 5_000_000_000, "5000000000"
        door.takes(*person.script())
        return door.state(person.chat)


# ---------------------------------------------------------------------- twice, five times, under two numbers


def test_everything_twice_at_once_is_everything_once(database: str) -> None:
    """T07. Both copies of each update at the same moment."""
    alone = as_alone(database)
    with door_to(database) as door:
        crowd = people(10)
        for updates in zip(*(person.script() for person in crowd), strict=True):
            door.together([update for update in updates for _ in range(2)])
        assert all(same(door.state(person.chat), alone) for person in crowd)
        assert door.quarantined() == []


def test_everything_five_times_within_a_day_is_everything_once(database: str) -> None:
    """T08. The copies of each update come at random moments up to 24 hours after it, by the clock of the house."""
    alone, chance = as_alone(database), random.Random(SEED)
    with door_to(database) as door:
        crowd = people(5)
        line = mixed([person.script() for person in crowd], chance)
        times = [(float(place), update) for place, update in enumerate(line)]
        times += [(place + chance.uniform(0, 24 * 60), update) for place, update in times for _ in range(4)]
        for minute, update in sorted(times, key=lambda one: one[0]):
            door.later = timedelta(minutes=minute)
            door.takes(update)
        assert all(same(door.state(person.chat), alone) for person in crowd)


def test_one_message_under_two_numbers_is_one_message(database: str) -> None:
    """T11. Telegram may number the same message twice; the message itself is what counts, and so is the tap."""
    alone = as_alone(database)
    with door_to(database) as door:
        (person,) = people(1)
        for update in person.script():
            again = update | {"update_id": update["update_id"] + 10_000}
            door.polls([update, again])
        assert same(door.state(person.chat), alone)
        walks_to(door, person, "visits")
        tap = person.taps(button(door, person.chat, "Back"))
        before = door.state(person.chat)["step"]
        door.polls([tap, tap | {"update_id": tap["update_id"] + 7}])
        after = door.state(person.chat)
        door.takes(person.says(words_for(after["step"])))
        assert door.state(person.chat)["step"] == before  # one step back, not two


# ---------------------------------------------------------------------- order


def test_chats_shuffled_among_each_other_keep_their_order(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """T09. By polling, a hundred at once; some fail at first, and what follows them in their chat waits for them."""
    alone, chance = as_alone(database), random.Random(SEED)
    take_turn, stumbled = bot.house.take_turn, set[str]()

    def stumbling(inbound: Inbound, *rest: Any, **more: Any) -> bool:
        if inbound.external_id not in stumbled and chance.random() < 0.05:
            stumbled.add(inbound.external_id)
            raise ZeroDivisionError
        return take_turn(inbound, *rest, **more)

    monkeypatch.setattr(bot.house, "take_turn", stumbling)
    with door_to(database) as door:
        crowd = people(30)
        door.polls(mixed([person.script() for person in crowd], chance))
        for person in crowd:
            assert same(door.state(person.chat), alone), person.chat
        assert len(stumbled) > 5 and door.quarantined() == []


@pytest.mark.parametrize("early", range(1, len(SCRIPT) - 1), ids=lambda n: f"before: {SCRIPT[n]}")
def test_two_swapped_messages_lose_nothing(database: str, early: int) -> None:
    """T09. What comes too late or too early is heard as what it then is; the person is asked again and can go on."""
    with door_to(database) as door:
        (person,) = people(1)
        line = person.script()
        line[early], line[early + 1] = line[early + 1], line[early]
        for update in line:
            before = len(door.shown(person.chat))
            door.takes(update)
            assert len(door.shown(person.chat)) > before, "nothing was said to it"
        assert len(door.receipts()) == len(line) and door.quarantined() == []
        walks_to(door, person, "check")
        page = door.shown(person.chat)[-1].text
        assert "1964" in page and "Left knee" in page, page


def test_taps_that_overtake_messages_lose_nothing(database: str) -> None:
    """T09. By webhook Telegram keeps the order of messages and that of taps, but none between them."""
    with door_to(database) as door:
        (person,) = people(1)
        door.takes(*person.script(4))
        left = button(door, person.chat, "Left knee")
        late, tap = person.says("yes"), person.taps(left)  # tapped first, then typed
        door.takes(late)
        assert door.state(person.chat)["step"] == "knee"
        door.takes(tap)
        state = door.state(person.chat)
        assert state["answers"]["knee"] == "left" and state["step"] == "diagnosis"
        walks_to(door, person, "check")


# ---------------------------------------------------------------------- numbers that begin anew


def test_numbers_that_begin_anew_lose_nothing(database: str) -> None:
    """T10. Lower, higher, or the number of another message: a number is what is confirmed, never what is known."""
    alone = as_alone(database)
    with door_to(database) as door:
        lower, higher, usual = people(3)
        high, low = usual.script(), lower.script()
        for n, update in enumerate(low):
            update["update_id"] = 7_000 + n
        far = higher.script()
        for n, update in enumerate(far):
            update["update_id"] = 2_000_000_000 + n
        door.polls(high)
        door.polls(low)
        door.polls(far)
        assert all(same(door.state(person.chat), alone) for person in (lower, higher, usual))

        numbers = Numbers(100)
        one, other = Writer(numbers, 6_000_000_101), Writer(numbers, 6_000_000_102)
        clash = [update for pair in zip(one.script(), other.script(), strict=True) for update in pair]
        for update in clash:
            update["update_id"] = 4242
        door.polls(clash)
        assert same(door.state(one.chat), alone) and same(door.state(other.chat), alone)
        assert door.quarantined() == []


def test_numbers_that_are_none_stop_nobody(database: str) -> None:
    """T17, T18. What cannot be confirmed by itself is confirmed with the next one, and moves the offset nowhere odd."""
    with door_to(database) as door:
        (person,) = people(1)
        good = person.script()
        odd: list[Any] = [
            person.sends(sticker={}) | {"update_id": n} for n in ("x", 2**64, -1, True, None, [], 2**60)
        ]
        odd += [None, 5, "x", [], {}]
        line = door.polls([*odd, *good], at_once=50)
        assert line.asked < 5
        assert door.state(person.chat)["step"] == as_alone(database)["step"]
        assert len(door.quarantined()) == 4  # what is no object at all


# ---------------------------------------------------------------------- poison


@pytest.mark.slow
def test_poison_is_set_aside_and_the_other_999_are_taken(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """T17. One update makes the turn fail, one cannot be stored under any name, one is not even an object."""
    take_turn = bot.house.take_turn

    def failing(inbound: Inbound, *rest: Any, **more: Any) -> bool:
        if inbound.text == "poison":
            raise ZeroDivisionError
        return take_turn(inbound, *rest, **more)

    monkeypatch.setattr(bot.house, "take_turn", failing)
    with door_to(database) as door:
        crowd = people(91)
        line = mixed([person.script() for person in crowd], random.Random(SEED))[:997]
        victim, last = crowd[0], crowd[-1]
        poison = [victim.says("poison"), last.taps("x", query="half \ud83d"), "no object"]
        for place, bad in zip((700, 300, 100), poison, strict=True):
            line.insert(place, bad)  # type: ignore[arg-type]
        began = time.perf_counter()
        door.polls(line)
        print(f"1,000 updates, 3 of them poison: {time.perf_counter() - began:.1f} s")
        assert len(door.receipts()) == 997
        assert max(door.taken.values()) == TRIES and len([n for n in door.taken.values() if n > 1]) == 2
        as_it_came, *others = sorted(
            door.quarantined(), key=lambda payload: not isinstance(payload, dict) or "message" not in payload
        )
        assert as_it_came == poison[0] and len(others) == 2
        assert any("half \\\\ud83d" in str(payload) or "half \\ud83d" in str(payload) for payload in others)
        told = [envelope.text for envelope in door.shown(victim.chat)]
        assert sum("Something went wrong" in words or "send that again" in words for words in told) == 1, told
        walks_to(door, victim, "check")


def test_a_full_disk_after_a_crash_makes_nobody_a_culprit(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the process lived through is not what ended it, however often it could not be stored and came again."""
    with door_to(database, careful=True) as door:
        (person,) = people(1)
        start, full = person.says("/start"), [True] * (3 * TRIES)

        def check() -> None:
            if full:
                full.pop()
                raise NoRoom

        monkeypatch.setattr(door.house.room, "check", check)
        door.takes(start)
        assert not full and door.quarantined() == []
        assert door.state(person.chat)["step"] == "language"


# ---------------------------------------------------------------------- several workers on one PostgreSQL


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 8])
def test_one_chat_through_many_workers_stays_in_order(postgres: Postgres, workers: int) -> None:
    """T35. A thousand updates of one chat, each given to two workers at once, in whatever order they get through."""
    url = postgres.database()
    (person,) = people(1)
    with door_to(url) as door:
        door.takes(*person.script(5))
        before = door.state(person.chat)
    words = ("1964", "left knee", "yes", "no", "back", "why", "not sure", "perhaps")
    updates = [person.says(words[n % len(words)]) for n in range(1000)]
    spread: list[list[Update]] = [[] for _ in range(workers)]
    for n, update in enumerate(updates):
        spread[n % workers].append(update)
        spread[(n + 1) % workers].append(update)
    took, errors = at_once(url, spread)
    assert errors == []
    print(f"{workers} workers, one chat: {1000 / took:.0f} updates/s (the catalogue's target: 200)")
    with door_to(url) as door:
        door.house.delivery.leads = False  # what is to be sent is only looked at
        after = door.state(person.chat)
        assert after["revision"] == before["revision"] + 1000
        assert len(door.receipts()) == 1005 and door.quarantined() == []
        revisions = [row[0] for row in door.rows("SELECT revision FROM answer ORDER BY id")]
        assert revisions == sorted(revisions)
        asked_twice = door.rows("SELECT step, revision FROM answer GROUP BY step, revision HAVING count(*) > 1")
        assert asked_twice == []
        turns = [row[0] for row in door.rows("SELECT dedupe_key FROM outbox ORDER BY id")]
        keys = [key.rpartition(":")[0] for key in turns]
        assert len(set(keys)) == 1 + sum(one != other for one, other in pairwise(keys)), (
            "two turns were interleaved"
        )


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 8])
def test_many_chats_in_batches_through_many_workers_lose_nothing(postgres: Postgres, workers: int) -> None:
    """T35. The batches of the workers hold the same chats in other orders: they wait for each other, never in a ring."""
    url, chance = postgres.database(), random.Random(SEED)
    alone = as_alone(url)
    crowd = people(25)
    scripts = [person.script() for person in crowd]
    total = 0.0
    for place in range(len(SCRIPT)):
        batch = [script[place] for script in scripts]
        spread = [chance.sample(batch, len(batch)) for _ in range(workers)]
        took, errors = at_once(url, spread)
        total += took
        assert errors == []
    print(f"{workers} workers, 25 chats, each update {workers} times: {25 * len(SCRIPT) / total:.0f} updates/s")
    with door_to(url) as door:
        assert door.quarantined() == []
        for person in crowd:
            assert same(door.state(person.chat), alone), person.chat
        assert door.one("SELECT count(*) FROM outbox WHERE lane IS NOT NULL") == 0


def at_once(url: str, spread: list[list[Update]]) -> tuple[float, list[BaseException]]:
    """Each list through a worker of its own, a thread with a store, a house and a loop; seconds, and what went wrong."""
    ready, errors = threading.Barrier(len(spread) + 1), list[BaseException]()

    def work(updates: list[Update]) -> None:
        try:
            with door_to(url) as door:
                door.house.delivery.leads = False
                ready.wait(60)
                door.together(updates)
        except BaseException as error:
            ready.abort()
            errors.append(error)

    threads = [threading.Thread(target=work, args=[updates]) for updates in spread]
    for thread in threads:
        thread.start()
    began = time.perf_counter()
    try:
        ready.wait(60)
        began = time.perf_counter()
    except threading.BrokenBarrierError:
        pass
    for thread in threads:
        thread.join()
    return time.perf_counter() - began, errors


# ---------------------------------------------------------------------- buttons


def test_a_hundred_taps_at_once_are_one_answer(database: str) -> None:
    """T36. One answer, one next question, and each tap's waiting sign is stopped."""
    with door_to(database) as door:
        (person,) = people(1)
        door.takes(*person.script(4))
        before, data = len(door.shown(person.chat)), button(door, person.chat, "Left knee")
        door.together([person.taps(data, message=9) for _ in range(100)])
        state = door.state(person.chat)
        assert (state["step"], state["answers"]["knee"], state["written"].count("knee")) == ("diagnosis", "left", 1)
        assert len(state["shown"]) == before + 1
        assert len(set(door.acknowledged)) == len(door.acknowledged) == 100


def test_old_buttons_change_nothing_and_are_answered(database: str) -> None:
    """T37. Of an earlier question, an earlier conversation, an earlier version of the flow, an erased chat; forged."""
    with door_to(database) as door:
        (person,) = people(1)
        door.takes(*person.script(4))
        knee = button(door, person.chat, "Left knee")
        door.takes(person.says("right knee"))
        earlier_version = newer_flow(door)
        yes = button(door, person.chat, "Yes")
        old = {"an earlier question": knee, "forged": yes[:-1] + ("A" if yes[-1] != "A" else "B")}

        for name, data in old.items():
            before = door.state(person.chat)
            door.takes(person.taps(data, message=100 + len(name)))
            changes_nothing(door, person, before, name)
            if name == "an earlier question":
                door.takes(person.says("no"))  # it is asked whether the other answer is to count

        earlier_version()  # from now on new conversations are held by another version
        door.takes(person.says("/start"), person.says("start again"))
        assert door.state(person.chat)["step"] == "language"
        conversation = door.kept(person.chat)
        assert conversation is not None and conversation.conversation.flow.endswith("/v2")
        before = door.state(person.chat)
        door.takes(person.taps(knee, message=200))
        changes_nothing(door, person, before, "an earlier conversation and version")
        walks_to(door, person, "birth")
        consent = button(door, person.chat, "Yes, for me")

        door.takes(person.says("delete"), person.says("yes, delete all"))
        assert door.kept(person.chat) is None
        door.takes(person.taps(consent, message=300))
        assert door.kept(person.chat) is None
        assert door.quarantined() == []


def changes_nothing(door: Door, person: Writer, before: dict[str, Any], name: str) -> None:
    after = door.state(person.chat)
    assert after["answers"] == before["answers"], name
    assert after["written"] == before["written"], name
    assert len(after["shown"]) > len(before["shown"]), f"{name}: nothing was said to it"


def newer_flow(door: Door) -> Callable[[], None]:
    """Returns what deploys a second version of the trial, as a restart with another library would."""

    def deploy() -> None:
        old = DEPLOYMENT.library.newest("nct06570291")
        new = replace(old, trial=replace(old.trial, version="v2"))
        door.house.deployed = replace(DEPLOYMENT, library=Library({old.name: old, new.name: new}))

    return deploy


# ---------------------------------------------------------------------- what is no answer

NO_ANSWER: dict[str, dict[str, Any]] = {
    kind: {kind: {"file_id": "a", "duration": 1}}
    for kind in (
        "animation", "audio", "dice", "document", "game", "invoice", "location", "paid_media", "poll", "sticker",
        "story", "venue", "video", "video_note", "voice", "giveaway", "checklist", "unknown_in_2031",
    )
} | {"photo": {"photo": [{"file_id": "a"}], "caption": "left knee"}}  # fmt: skip


def test_what_is_no_answer_leaves_the_question_open(database: str) -> None:
    """T38. Every kind of message that is no text, an edit, a forward; and what is an answer though it looks odd."""
    with door_to(database) as door:
        (person,) = people(1)
        door.takes(*person.script(4))
        for name, content in NO_ANSWER.items():
            before = door.state(person.chat)
            door.takes(person.sends(**content))
            is_asked_again(door, person, before, name)
        before = door.state(person.chat)
        door.takes(person.sends("edited_message", text="Right knee", edit_date=5))
        is_asked_again(door, person, before, "an edit")
        quoted = {"message_id": 1, "date": 1, "chat": person.where, "text": "Right knee"}
        door.takes(person.sends(text="left knee", reply_to_message=quoted, quote={"text": "Right knee"}))
        state = door.state(person.chat)
        assert (state["step"], state["answers"]["knee"]) == ("diagnosis", "left")  # a reply is one's own words


def is_asked_again(door: Door, person: Writer, before: dict[str, Any], name: str) -> None:
    after = door.state(person.chat)
    assert (after["step"], after["answers"]) == (before["step"], before["answers"]), name
    fresh = after["shown"][len(before["shown"]) :]
    asked = before["shown"][-1]
    question = asked.rpartition("\n\n")[2]
    assert sum(question in words for words in fresh) == 1, f"{name}: {fresh}"
