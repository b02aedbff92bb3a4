"""Who gets to see and do what: every role at every site asks for every page and sends every form."""

from __future__ import annotations

from itertools import product

import pytest

from tests.desk.acting import CONTACT, has_lead
from tests.desk.browser import Browser, Pages, member
from tests.shell.conftest import Desk

pytestmark = pytest.mark.slow

SITES = ("north", "harbour", "")
ROLES = {
    "coordinator": {"work"},
    "site_lead": {"work", "lead_site", "counts"},
    "sponsor": {"counts"},
    "admin": {"work", "lead_site", "counts", "administer"},
}
"""Written out once more, so that a right that is given away by mistake is found."""
PLACES: tuple[list[str], ...] = (["north"], ["harbour"], [])

SECRETS = ("Rosa-", "Geheim-", "+34 612", "rosa@", "metal from the mill", "Suzhou")
"""What stands in the details of a lead; each lead also has its site in its names."""


def has(desk: Desk, site: str, number: int, **values: object) -> int:
    mark = site or "desk"
    contact = {**CONTACT, "first_name": f"Rosa-{mark}", "last_name": f"Geheim-{mark}"}
    return has_lead(desk, str(800 + number), site=site, contact=contact, **values)


def test_role_by_site_by_object_by_method(desk: Desk, pages: Pages) -> None:
    """More than 300 requests: what is not theirs answers as what is not there, shows nothing and changes nothing."""
    asked = leaks = 0
    theirs = [has(desk, site, number) for number, site in enumerate(SITES)]
    other = member(desk, "Other", role="admin")
    for number, site in enumerate(SITES):
        has(desk, site, 10 + number, status="claimed", owner_id=other["id"])
    for role, where in product(ROLES, PLACES):
        who = member(desk, f"M-{role}-{'-'.join(where)}", role=role, sites=where)
        rights = ROLES[role]
        browser = pages.browser(who)
        csrf = browser.csrf
        for site, lead_id in zip(SITES * 2, [*theirs, *(lead + 3 for lead in theirs)], strict=True):
            name = f"K-{lead_id:04d}"
            mine = "work" in rights and (not where or site in where)
            answer = browser.get(f"/leads/{name}")
            asked += 1
            leaks += wrong(answer.status_code == 200, mine, f"{role} {where} opens {site}")
            leaks += told(answer.text, mine)
            for verb, form in (
                ("claim", {}), ("step", {"verb": "reached"}), ("step", {"verb": "no_answer"}), ("close", {"reason": "duplicate"}),
                ("reassign", {"to": str(who["id"])}), ("snooze", {"until": "later"}), ("undo", {}), ("say", {"text": "Hello"}), ("hand-back", {}),
            ):  # fmt: skip
                before = state(desk, lead_id)
                answer = browser.post(f"/leads/{name}/{verb}", csrf, at="0", follow=False, **form)
                asked += 1
                if not mine:
                    leaks += wrong(answer.status_code != 404, False, f"{role} {where} {verb} at {site}")
                    leaks += wrong(state(desk, lead_id) != before, False, f"{role} {where} changes {site}")
                    leaks += told(answer.text, False)
                if verb == "claim" and state(desk, lead_id) != before:
                    put_back(desk, lead_id)
        missing = browser.get("/leads/K-9999")
        strangers = [site for site in SITES if not ("work" in rights and (not where or site in where))]
        for site in strangers:
            there = browser.get(f"/leads/K-{theirs[SITES.index(site)]:04d}")
            asked += 1
            leaks += wrong(
                (there.status_code, there.text) != (missing.status_code, missing.text), False, "it differs"
            )
        for path, right in (
            ("/", "work"), ("/rows", "work"), ("/counts", "counts"), ("/sites", "lead_site"), ("/staff", "administer"),
            ("/insight", "counts"), ("/export", "lead_site"), ("/audit", "administer"),
        ):  # fmt: skip
            answer = browser.get(path)
            asked += 1
            leaks += wrong(answer.status_code == 200, right in rights, f"{role} asks for {path}")
            leaks += told(answer.text, False)
            for site, lead_id in zip(SITES, theirs, strict=True):
                seen = f"K-{lead_id:04d}" in answer.text
                leaks += wrong(
                    seen and (bool(where) and site not in where), False, f"{role} {where} sees {site} in {path}"
                )
        for site in ("north", "harbour"):
            answer = browser.post(f"/sites/{site}/status", csrf, status="active", follow=False)
            asked += 1
            may = "lead_site" in rights and (not where or site in where)
            leaks += wrong(answer.status_code == 303, may, f"{role} {where} pauses {site}")
        for path, form in (
            ("/staff", {"name": "X", "telegram": "123456", "role": "coordinator"}),
            (f"/staff/{other['id']}", {"role": "admin", "language": "en"}),
        ):  # fmt: skip
            answer = browser.post(path, csrf, follow=False, **form)
            asked += 1
            leaks += wrong(answer.status_code == 303, "administer" in rights, f"{role} sends {path}")
        for text in ("+34 612 34 56 78", f"K-{theirs[1]:04d}"):
            answer = browser.post("/search", csrf, text=text)
            asked += 1
            for site, lead_id in zip(SITES, theirs, strict=True):
                foreign = not ("work" in rights and (not where or site in where))
                leaks += wrong(foreign and f"/leads/K-{lead_id:04d}" in answer.text, False, f"{role} finds {site}")
    print(f"{asked} requests, {leaks} leaks")
    assert asked >= 300 and leaks == 0, (asked, leaks)


def test_nobody_gets_anywhere_without_a_session(desk: Desk, pages: Pages) -> None:
    """Every route there is, but those to sign in: none answers a stranger, and none acts."""
    lead_id = has(desk, "north", 1)
    stranger = pages.browser()
    before = state(desk, lead_id)
    for route in pages_of(pages):
        path = (
            route.replace("{reference}", "K-0001")
            .replace("{name}", "K-0001")
            .replace("{number}", "1")
            .replace("{key}", "north")
        )
        for method in ("GET", "POST"):
            headers = {"sec-fetch-site": "same-origin"}
            answer = stranger.ask(
                method, path, headers=headers, **({"data": {"csrf": ""}} if method == "POST" else {})
            )
            assert answer.status_code in (303, 404) and told(answer.text, False) == 0, (method, path)
            if answer.status_code == 303:
                assert answer.headers["location"] == "/desk/sign-in", (method, path)
    assert state(desk, lead_id) == before


def pages_of(pages: Pages) -> list[str]:
    """The paths of all routes, from the app itself: a new page is in this test by being there."""
    from bot.desk.pages.app import ROOMS  # noqa: PLC0415
    from bot.desk.pages.entry import leaving  # noqa: PLC0415

    found = [route.path for router in (leaving, *(part.router for part in ROOMS)) for route in router.routes]
    assert len(found) > 15
    return found


def wrong(happened: bool, may: bool, what: str) -> int:
    if happened != may:
        print(what)
    return int(happened != may)


def told(page: str, mine: bool) -> int:
    return 0 if mine else sum(secret in page for secret in SECRETS)


def state(desk: Desk, lead_id: int) -> tuple[object, ...]:
    return tuple(desk.rows("SELECT status, owner_id, attempts, updated_at FROM lead WHERE id = :id", id=lead_id)[0])


def put_back(desk: Desk, lead_id: int) -> None:
    """As it was before it was claimed, for the next who asks."""
    with desk.store.begin(desk.now) as db:
        from bot.store import leads  # noqa: PLC0415

        leads.change(db, lead_id, desk.now, status="new", owner_id=None, claimed_at=None)


def test_one_owner_of_a_browser(desk: Desk, pages: Pages) -> None:
    """A role that is taken away is gone with the next press, in the same session."""
    has(desk, "north", 1)
    nora = member(desk, "Nora", sites=["north"])
    browser: Browser = pages.browser(nora)
    assert browser.get("/leads/K-0001").status_code == 200
    member(desk, "Nora", sites=["harbour"])
    assert browser.get("/leads/K-0001").status_code == 404
    member(desk, "Nora", role="sponsor", sites=["north"])
    assert browser.get("/leads/K-0001").status_code == 404
    assert browser.post("/leads/K-0001/claim").status_code == 404
