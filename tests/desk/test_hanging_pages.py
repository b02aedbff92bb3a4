"""Notes, shared links, duplicates, numbers and exports as pages: over the real app, on both databases."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Iterator

import pytest

from bot.desk import insight
from tests.desk.acting import CONTACT, FLAG, has_lead, looks
from tests.desk.browser import Browser, Pages, member
from tests.desk.test_insight import counted
from tests.shell.conftest import Desk

pytestmark = pytest.mark.slow
SECRETS = ("Rosa", "Example", "Suzhou", "612", "rosa@", FLAG["said"][0], "poster7")


@pytest.fixture
def pages(desk: Desk) -> Iterator[Pages]:
    made = Pages(desk)
    yield made
    made.close()


@pytest.fixture
def nora(desk: Desk, pages: Pages) -> Browser:
    return pages.browser(member(desk, "Nora", sites=["north"]))


def value_of(page: str, name: str) -> str:
    found = re.search(rf'id="{name}"[^>]*value="([^"]*)"', page)
    assert found
    return html.unescape(found[1])


def test_notes_on_the_page_are_seen_by_whom_they_are_for(desk: Desk, pages: Pages, nora: Browser) -> None:
    has_lead(desk)
    nora.post("/leads/K-0001/notes", text="ours <b>", about="E18", marked="metal from the mill")
    page = nora.post("/leads/K-0001/notes", text="mine alone", private="yes").text
    assert "ours &lt;b&gt;" in page and "mine alone" in page and "metal from the mill</q>" in page
    other = pages.browser(member(desk, "Ada", role="admin")).get("/leads/K-0001").text
    assert "ours &lt;b&gt;" in other and "mine alone" not in other
    refused = nora.post("/leads/K-0001/notes", text="x", about="E18", marked="never said")
    assert refused.status_code == 409 and "not among the person" in refused.text
    number = desk.one("SELECT id FROM note WHERE private")
    assert (
        pages.browser(member(desk, "Ada", role="admin")).post(f"/leads/K-0001/notes/{number}/delete").status_code
        == 404
    )
    assert "mine alone" not in nora.post(f"/leads/K-0001/notes/{number}/delete").text


def test_a_link_is_shown_once_and_opens_redacted_for_anybody_with_the_passcode(
    desk: Desk, pages: Pages, nora: Browser
) -> None:
    has_lead(desk, source="poster7")
    made = nora.post("/leads/K-0001/share", hours="8").text
    link, passcode = value_of(made, "link"), value_of(made, "passcode")
    path = link.removeprefix(pages.url + "/desk")
    assert link.startswith(f"{pages.url}/desk/shared/")
    listed = nora.get("/leads/K-0001").text
    assert "openings: 0" in listed and passcode not in listed and path not in listed
    stranger = pages.browser()
    door = stranger.get(path).text
    assert "K-0001" not in door
    assert stranger.post(path, passcode="WRONGONE").status_code == 403
    seen = stranger.post(path, passcode=passcode)
    assert seen.status_code == 200 and "E18" in seen.text and "mri.fragments" in seen.text
    assert not [secret for secret in SECRETS if secret in seen.text + door]
    assert not stranger.cookies and "no-store" in seen.headers["cache-control"]
    assert "openings: 1" in nora.get("/leads/K-0001").text
    number = desk.one("SELECT id FROM share")
    assert "revoked" in nora.post(f"/leads/K-0001/shares/{number}/revoke").text
    over, never = stranger.post(path, passcode=passcode), stranger.post("/shared/nothing", passcode=passcode)
    assert over.status_code == never.status_code == 403
    assert over.text.replace(path, "") == never.text.replace("/shared/nothing", "")


def test_two_leads_are_compared_merged_undone_and_told_apart(desk: Desk, pages: Pages, nora: Browser) -> None:
    has_lead(desk, "501")
    has_lead(desk, "502", locale="es", contact={**CONTACT, "first_name": "Rose"})
    assert "Maybe the same person" in nora.get("/leads/K-0001").text
    page = nora.get("/leads/K-0001/compare/K-0002").text
    assert "Rose" in page and "Rosa" in page and "same number" in page and page.count("differs</span>") == 2
    opened = desk.rows("SELECT lead_id FROM audit WHERE detail = 'compare' ORDER BY lead_id")
    assert [row[0] for row in opened] == [1, 2]
    merged = nora.post("/leads/K-0002/merge", into="K-0001").text
    assert "Merged into" in merged and "Undo" in merged
    both = nora.get("/leads/K-0001").text
    assert "K-0002 was merged into this one" in both and "K-0002: The request came in" in both
    at = re.search(r'name="at" value="(\d+)"', merged)
    assert at is not None
    nora.post("/leads/K-0002/undo", at=at[1])
    assert "Maybe the same person" in nora.get("/leads/K-0001").text
    assert "Maybe the same person" not in nora.post("/leads/K-0001/different", other="K-0002").text


def test_another_sites_lead_is_not_there_for_any_of_it(desk: Desk, pages: Pages, nora: Browser) -> None:
    mine, theirs = "K-0001", "K-0002"
    has_lead(desk, "501")
    has_lead(desk, "502", site="harbour")
    hana = pages.browser(member(desk, "Hana", sites=["harbour"]))
    hana.post(f"/leads/{theirs}/notes", text="theirs")
    hana.post(f"/leads/{theirs}/share", hours="1")
    share, note = desk.one("SELECT id FROM share"), desk.one("SELECT id FROM note")
    before = desk.rows("SELECT count(*) FROM lead_event")
    for path, form in (
        (f"/leads/{theirs}/notes", {"text": "x"}), (f"/leads/{theirs}/share", {"hours": "1"}),
        (f"/leads/{theirs}/notes/{note}/delete", {}), (f"/leads/{mine}/notes/{note}/delete", {}),
        (f"/leads/{mine}/shares/{share}/revoke", {}), (f"/leads/{theirs}/shares/{share}/revoke", {}),
        (f"/leads/{mine}/merge", {"into": theirs}), (f"/leads/{theirs}/merge", {"into": mine}),
        (f"/leads/{mine}/different", {"other": theirs}), (f"/leads/{mine}/merge", {"into": "K-1"}),
        (f"/leads/{mine}/merge", {"into": "K-9999"}),
    ):  # fmt: skip
        assert nora.post(path, **form).status_code == 404, path
    for path in (
        f"/leads/{mine}/compare/{theirs}",
        f"/leads/{theirs}/compare/{mine}",
        f"/leads/{mine}/compare/{mine}",
    ):
        assert nora.get(path).status_code == 404
    assert desk.rows("SELECT count(*) FROM lead_event") == before
    sam = pages.browser(member(desk, "Sam", role="sponsor"))
    for path in (f"/leads/{mine}/notes", f"/leads/{mine}/share", f"/leads/{mine}/merge"):
        assert sam.post(path, text="x", into=theirs).status_code == 404


@pytest.mark.parametrize("path", ["/leads/K-0001/notes", "/leads/K-0001/share", "/leads/K-0001/merge", "/export"])
def test_no_form_counts_without_its_token(desk: Desk, nora: Browser, path: str) -> None:
    has_lead(desk)
    assert nora.post(path, csrf="0" * 48, text="x", form="csv").status_code == 403
    assert desk.one("SELECT count(*) FROM note") == desk.one("SELECT count(*) FROM share") == 0


@pytest.mark.parametrize(
    ("role", "sees"), [("coordinator", 404), ("sponsor", 404), ("site_lead", 200), ("admin", 200)]
)
def test_an_export_is_for_who_leads_a_site(desk: Desk, pages: Pages, role: str, sees: int) -> None:
    browser = pages.browser(member(desk, "Somebody", role=role))
    assert browser.get("/export").status_code == browser.post("/export", form="csv").status_code == sees


def test_an_export_is_a_file_of_ones_own_sites_and_with_names_only_for_a_reason(desk: Desk, pages: Pages) -> None:
    has_lead(desk, "501", source="poster7")
    has_lead(desk, "502", site="harbour")
    lena = pages.browser(member(desk, "Lena", role="site_lead", sites=["north"]))
    plain = lena.post("/export", form="csv")
    assert plain.headers["content-disposition"].startswith('attachment; filename="prescreen-csv-')
    assert [row["reference"] for row in csv.DictReader(io.StringIO(plain.text))] == ["K-0001"]
    assert not [secret for secret in SECRETS if secret in plain.text and secret != "poster7"]
    assert lena.post("/export", form="csv", identified="yes", reason="short").status_code == 400
    named = lena.post("/export", form="jsonl", identified="yes", reason="Monitoring visit of 3 December.")
    assert json.loads(named.text)["contact_first_name"] == "Rosa"
    told = desk.rows("SELECT what, detail FROM audit WHERE what LIKE 'export%' ORDER BY id")
    assert [tuple(row) for row in told] == [
        ("export", "csv"), ("export.identified", "jsonl: Monitoring visit of 3 December."),
    ]  # fmt: skip
    assert lena.post("/export", form="xlsx").status_code == 404


def test_numbers_have_their_table_and_no_small_group(desk: Desk, pages: Pages) -> None:
    sam = pages.browser(member(desk, "Sam", role="sponsor"))
    assert "Nothing was counted yet" in sam.get("/insight").text
    found = {
        "groups": [["poster7", "en", "north", {"started": 40, "consented": 30, "may_fit": 3}],
                   ["", "es", "", {"started": 20, "consented": 20}]],
        "stopped": {"knee": 7, "birth": 3, "mri": 9}, "findings": {"E18:OUT": 6, "E3:REVIEW": 2},
        "waits": {"north": {"claim": {"number": 8, "median": 25, "ninth": 120}, "call": {"number": 2}}},
        "verdicts": {"E18": {"flagged": 20, "flagged_failed": 10, "passed": 9, "passed_failed": 1}},
    }  # fmt: skip
    looks(desk, lambda db: insight.keep(db, desk.deployment.trial, found, desk.now))
    page = sam.get("/insight").text
    assert "poster7" in page and "As of" in page and "10/20 (50%)" in page and "25 minutes" in page
    charts = [json.loads(html.unescape(found)) for found in re.findall(r'data-chart="([^"]*)"', page)]
    assert [len(chart["labels"]) for chart in charts] == [8, 3, 2]
    assert charts[0]["sets"][0]["data"] == [60, 50, 0, None, 0, 0, 0, 0]
    assert not re.search(r"<td>[1-4]</td>", page)
    assert "<style" not in page and not re.search(r"<script(?![^>]*src=)", page) and " style=" not in page
    cora = pages.browser(member(desk, "Cora"))
    assert cora.get("/insight").status_code == 404


def test_the_page_shows_what_was_counted(desk: Desk, pages: Pages) -> None:
    for number in range(6):
        has_lead(desk, str(number))
    first = counted(desk)
    looks(desk, lambda db: insight.keep(db, desk.deployment.trial, first, desk.now))
    page = pages.browser(member(desk, "Lena", role="site_lead", sites=["north"])).get("/insight").text
    assert "North Clinic" in page and "Harbour" not in page
