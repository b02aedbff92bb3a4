"""What the house stands on: it says what is wrong before anybody is served, and takes nothing it could not keep."""

from __future__ import annotations

import asyncio
import shutil
from collections import namedtuple
from datetime import timedelta

import pytest

from bot.house import House
from bot.messages import Inbound
from bot.store import PRAGMAS, NoRoom, Store, unstorable
from bot.surroundings import Room, examine
from tests.patient import NOW
from tests.shell.conftest import Desk

Usage = namedtuple("Usage", "total used free")


FILE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
"""A database server looks after its own disk."""


def fills(patch: pytest.MonkeyPatch, free: int) -> None:
    patch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12, 10**12 - free, free))


def test_all_is_well(database: str) -> None:
    store = Store(database)
    assert [found.what for found in examine(store, NOW) if found.grave and not found.well] == []
    store.close()


@FILE
def test_a_full_disk_takes_nothing_new_and_loses_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(desk.store, desk.deployment, {}, clock=desk.clock)
    start = Inbound("telegram", "m:9:1", "9", "9", "start")
    fills(monkeypatch, 99_000_000)
    with pytest.raises(NoRoom) as raised:
        asyncio.run(house.take(start))
    assert unstorable(raised.value)  # so that nothing is confirmed, and all of it comes again
    fills(monkeypatch, 10**10)
    house.room = Room(desk.store)  # its next look, five seconds later
    asyncio.run(house.take(start))
    house.close()
    assert desk.one("SELECT count(*) FROM conversation WHERE chat = '9'") == 1


@FILE
def test_little_room_is_told_and_none_is_grave(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, well, grave in ((10**10, True, False), (400_000_000, False, False), (50_000_000, False, True)):
        fills(monkeypatch, free)
        (disk,) = [found for found in examine(desk.store, NOW) if found.what == "disk"]
        assert (disk.well, not disk.well and disk.grave) == (well, grave)


def test_a_clock_that_is_behind_what_was_stored_is_told(database: str) -> None:
    store = Store(database)
    list(examine(store, NOW))
    for at, well in ((NOW - timedelta(days=1), False), (NOW + timedelta(days=1), True)):
        (clock,) = [found for found in examine(store, at) if found.what == "clock"]
        assert clock.well is well
    (clock,) = [found for found in examine(store, NOW.replace(year=2020)) if found.what == "clock"]
    assert not clock.well and not clock.grave
    store.close()


@FILE
def test_a_setting_that_is_not_in_force_is_grave(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRAGMAS, "synchronous", 1)
    store = Store(database)
    monkeypatch.undo()
    wrong = [found for found in examine(store, NOW) if not found.well and found.grave]
    assert [found.remedy for found in wrong] == ["Not in force: synchronous."]
    store.close()
