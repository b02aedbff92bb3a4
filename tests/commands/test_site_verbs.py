"""``prescreen site``: what it shows and changes, what it refuses kindly, and that the audit knows of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.store import Store, sites
from flows.flow import Flow
from tests.commands.conftest import Prescreen

pytestmark = pytest.mark.slow


def now(folder: Path, flow: Flow, key: str = "north") -> sites.SiteNow:
    with Store(f"sqlite:///{folder / 'prescreen.db'}").begin() as db:
        return sites.now(db, flow, key)


def audited(folder: Path) -> list[Any]:
    with Store(f"sqlite:///{folder / 'prescreen.db'}").begin() as db:
        return [tuple(row) for row in db.execute(text("SELECT what, detail FROM audit ORDER BY id"))]


def test_before_anything_is_changed_it_is_as_the_trial_file_says(prescreen: Prescreen, flow: Flow) -> None:
    ran = prescreen("site", "list")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "north        active      0 waiting  North Clinic (example), Mon-Fri 08:30-12:00, 13:30-17:00",
        "harbour      active      0 waiting  Harbour Hospital (example), Mon-Fri 09:00-12:00, 14:00-17:30",
    ]
    shown = prescreen("site", "show", "north", "--json").json
    assert (shown["holidays"], shown["capacity"], shown["languages"]) == ("CN", 1, ["zh_Hans", "en"])
    assert [site["key"] for site in prescreen("site", "list", "--json").json] == ["north", "harbour"]


def test_what_is_changed_holds_and_the_rest_stays(prescreen: Prescreen, tmp_path: Path, flow: Flow) -> None:
    hours = "Mon-Thu 09:00-12:30; Fri 09:00-11:00"
    ran = prescreen("site", "set", "north", "--hours", hours, "--capacity", "3", "--languages", "zh,en,zh-CN")
    assert (ran.code, ran.err) == (0, "")
    site = now(tmp_path, flow)
    assert (site.hours, site.capacity, site.languages) == (hours, 3, ("zh_Hans", "en"))
    assert (site.phone, site.timezone) == ("+86 510 5555 0147", "Asia/Shanghai")
    assert prescreen("site", "set", "north", "--phone", "+862150000000", "--holidays", "us-ny").code == 0
    assert (now(tmp_path, flow).phone, now(tmp_path, flow).holidays) == ("+86 21 5000 0000", "US-NY")
    assert f"(the trial file says: {flow.sites[0].hours})" in prescreen("site", "show", "north").out
    assert now(tmp_path, flow, "harbour") == sites.filed(flow, "harbour")
    prescreen("site", "set", "north", "--hours", "", "--holidays", "none")
    assert (now(tmp_path, flow).hours, now(tmp_path, flow).holidays) == (flow.sites[0].hours, "")
    assert audited(tmp_path) == [
        ("site.changed", "north: capacity, hours, languages"),
        ("site.changed", "north: holidays, phone"),
        ("site.changed", "north: holidays, hours"),
    ]


def test_what_is_as_in_the_file_goes_with_the_file(prescreen: Prescreen, tmp_path: Path, flow: Flow) -> None:
    """Set to what it was anyway, and later the file has another number: that one counts."""
    prescreen(
        "site", "set", "north", "--phone", flow.sites[0].phone, "--languages", "zh_Hans,en", "--capacity", "2"
    )
    newer = replace(flow, sites=(replace(flow.sites[0], phone="+86 510 5555 0000", languages=("en",)),))
    assert (now(tmp_path, newer).phone, now(tmp_path, newer).languages) == ("+86 510 5555 0000", ("en",))
    assert now(tmp_path, newer).capacity == 2


def test_the_intake_is_paused_ended_and_begun_again(prescreen: Prescreen, tmp_path: Path, flow: Flow) -> None:
    for verb, status in (("pause", "paused"), ("full", "full"), ("resume", "active")):
        ran = prescreen("site", verb, "north")
        assert (ran.code, now(tmp_path, flow).status) == (0, status)
        assert ran.out.startswith(f"North Clinic (example): {status}.")
        assert now(tmp_path, flow).takes == (status == "active")
    assert [what for what, _ in audited(tmp_path)] == ["site.pause", "site.full", "site.resume"]


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (["set", "north", "--hours", "9 to 5"], 2, "“9 to 5” is not days with times."),
        (["set", "north", "--hours", "Mon 09:00-12:00, 11:00-13:00"], 2, "Two spans of Mon overlap."),
        (["set", "north", "--timezone", "Wuxi"], 2, "“Wuxi” is not a time zone."),
        (["set", "north", "--holidays", "Wuxi"], 2, "The public holidays of “WUXI” are not known."),
        (["set", "north", "--phone", "5555"], 2, "--phone must be a whole number with +"),
        (["set", "north", "--phone", "+86 1"], 2, "--phone"),
        (["set", "north", "--email", "north at example"], 2, "--email must be an address"),
        (["set", "north", "--capacity", "0"], 2, "--capacity must be a number from 1 to 50."),
        (["set", "north", "--languages", "klingon"], 2, "--languages knows en"),
        (["set", "north"], 2, "Say what to change"),
        (["set", "south", "--capacity", "2"], 1, "There is no site with that id. Known: north, harbour."),
        (["show", "south"], 1, "There is no site with that id."),
        (["pause", "south"], 1, "There is no site with that id."),
    ],
)
def test_what_is_wrong_is_told_and_changes_nothing(
    prescreen: Prescreen, tmp_path: Path, flow: Flow, argv: list[str], code: int, told: str
) -> None:
    ran = prescreen("site", *argv)
    assert (ran.code, ran.out) == (code, "")
    assert told in ran.err
    assert len(ran.err.splitlines()) == 1
    assert now(tmp_path, flow) == sites.filed(flow, "north")
    assert audited(tmp_path) == []
