"""The same person twice: found however the number was typed, told apart by sites, merged and taken apart again."""

from __future__ import annotations

import pytest

from bot.desk import duplicates, merging
from bot.desk.actions import NotThere, Refused
from bot.store import audit, details, leads
from tests.desk.acting import CONTACT, acts, has_lead, looks, member, sends
from tests.shell.conftest import Desk, Somebody


@pytest.fixture
def cora(desk: Desk):
    return member(desk, "Cora", sites=["north"])


@pytest.mark.parametrize("typed", [
    "+8613812345678", "+86 138 1234 5678", "0086 138-1234-5678", "138 1234 5678", "１３８ １２３４ ５６７８",
    "(+86) 138.1234.5678",
])  # fmt: skip
def test_a_number_is_found_in_any_format_also_as_the_sites_country_writes_it(typed: str) -> None:
    deployment = Desk.deployed()
    keys = dict(duplicates.keys_of(deployment, "telegram", "501", {**CONTACT, "phone": "+8613812345678"}))
    assert keys["phone"] in duplicates.search(deployment, typed)


@pytest.mark.parametrize(
    "typed", ["Rosa@Example.ORG", " rosa@example.org ", "<rosa@example.org>", "rosa＠example.org"]
)
def test_an_address_is_found_in_any_case(typed: str) -> None:
    deployment = Desk.deployed()
    keys = dict(duplicates.keys_of(deployment, "telegram", "501", CONTACT))
    assert duplicates.search(deployment, typed) == [keys["email"]]


@pytest.mark.parametrize("typed", ["", "Rosa", "@", "12", "rosa@", "'; DROP TABLE lead", "\x00", "9" * 5000])
def test_what_is_neither_number_nor_address_finds_nothing(typed: str) -> None:
    assert duplicates.search(Desk.deployed(), typed) == []


def test_a_hash_tells_nothing_and_depends_on_the_secret_and_the_kind() -> None:
    one = Desk.deployed()
    other = type(one)(**{**one.__dict__, "key": b"another"})
    mine, theirs = (duplicates.keys_of(d, "telegram", "501", CONTACT) for d in (one, other))
    assert [kind for kind, _ in mine] == ["account", "phone", "email"]
    assert not {hashed for _, hashed in mine} & {hashed for _, hashed in theirs}
    assert "612345678" not in str(mine) and "rosa" not in str(mine)


def test_a_lead_has_its_keys_from_the_send_on_and_loses_them_when_the_person_withdraws(desk: Desk) -> None:
    sends(desk, "501")
    assert {row[0] for row in desk.rows("SELECT kind FROM lead_key")} == {"phone", "email", "account"}
    ada = member(desk, "Ada", "admin")
    found = looks(desk, lambda db: duplicates.found(db, desk.deployment, ada, "rosa@example.org"))
    assert [lead["chat"] for lead in found] == ["501"]
    Somebody(desk).says("/delete").presses("Yes, delete all")
    assert desk.one("SELECT status FROM lead") == "withdrawn"
    assert desk.one("SELECT count(*) FROM lead_key") == 0


@pytest.mark.slow
def test_other_leads_of_the_person_are_suggested_with_what_is_equal(desk: Desk, cora) -> None:
    first = has_lead(desk, "501")
    again = has_lead(desk, "502", contact={**CONTACT, "email": "other@example.org"})
    has_lead(desk, "503", contact={**CONTACT, "email": "third@example.org", "phone": "+34699999999"})
    lead = looks(desk, lambda db: leads.get(db, again))
    alike = looks(desk, lambda db: duplicates.suggested(db, lead, cora))
    assert [(one.lead["id"], one.kinds) for one in alike] == [(first, ("phone",))]


@pytest.mark.slow
def test_a_closed_lead_is_suggested_and_one_of_another_site_is_not(desk: Desk, cora) -> None:
    closed = has_lead(desk, "501", status="closed", reason="not_interested")
    has_lead(desk, "502", site="harbour")
    mine = has_lead(desk, "503")
    lead = looks(desk, lambda db: leads.get(db, mine))
    assert [one.lead["id"] for one in looks(desk, lambda db: duplicates.suggested(db, lead, cora))] == [closed]
    everywhere = member(desk, "Ada", "admin")
    assert len(looks(desk, lambda db: duplicates.suggested(db, lead, everywhere))) == 2
    sponsor = member(desk, "Sam", "sponsor")
    assert not looks(desk, lambda db: duplicates.suggested(db, lead, sponsor))


@pytest.mark.slow
def test_people_who_are_different_are_not_suggested_again_from_either_side(desk: Desk, cora) -> None:
    one, other = has_lead(desk, "501"), has_lead(desk, "502")
    for _ in range(2):
        acts(desk, cora, lambda acting: merging.different(acting, other, one))
    for number in (one, other):
        lead = looks(desk, lambda db, number=number: leads.get(db, number))
        assert looks(desk, lambda db, lead=lead: duplicates.suggested(db, lead, cora)) == []
    assert len(looks(desk, lambda db: audit.page(db, what="lead.different"))) == 1


def test_a_merge_closes_one_keeps_the_other_as_it_was_and_shows_both_histories(desk: Desk, cora) -> None:
    kept = has_lead(desk, "501", contact={**CONTACT, "first_name": "Rosa"})
    gone = has_lead(desk, "502", contact={**CONTACT, "first_name": "R."})
    before = dict(looks(desk, lambda db: leads.get(db, kept)))
    after = acts(desk, cora, lambda acting: merging.merge(acting, gone, kept))
    assert dict(after) == before
    merged = looks(desk, lambda db: leads.get(db, gone))
    assert (merged["status"], merged["reason"], merged["merged_into"]) == ("closed", "duplicate", kept)
    together = looks(desk, lambda db: merging.history(db, kept))
    assert {(row["lead_id"], row["what"]) for row in together} == {
        (kept, "raised"), (gone, "raised"), (kept, "merged_from"), (gone, "merged"),
    }  # fmt: skip
    row = looks(desk, lambda db: audit.page(db, what="lead"))[0]
    assert (row["what"], row["name"], row["lead_id"], row["detail"]) == ("lead.merged", "Cora", gone, "K-0001")
    assert looks(desk, lambda db: duplicates.suggested(db, leads.get(db, kept), cora)) == []


@pytest.mark.slow
def test_a_merge_can_be_undone_for_a_while(desk: Desk, cora) -> None:
    kept, gone = has_lead(desk, "501"), has_lead(desk, "502")
    acts(desk, cora, lambda acting: merging.merge(acting, gone, kept))
    again = acts(desk, cora, lambda acting: acting.undo(gone))
    assert (again["status"], again["merged_into"], again["reason"]) == ("new", None, "")
    told = [row["what"] for row in looks(desk, lambda db: merging.history(db, kept))]
    assert told == ["raised", "merged_from", "unmerged"]
    assert [one.lead["id"] for one in looks(desk, lambda db: duplicates.suggested(db, again, cora))] == [kept]


def test_a_merge_needs_the_right_on_both_leads(desk: Desk, cora) -> None:
    mine, theirs = has_lead(desk, "501"), has_lead(desk, "502", site="harbour")
    for pair in ((mine, theirs), (theirs, mine), (mine, 999)):
        for what in (merging.merge, merging.different):
            with pytest.raises(NotThere):
                acts(desk, cora, lambda acting, pair=pair, what=what: what(acting, *pair))
    assert desk.one("SELECT count(*) FROM audit WHERE what <> 'lead.raised'") == 0


@pytest.mark.slow
def test_what_cannot_be_merged_is_refused_in_words(desk: Desk, cora) -> None:
    one, other, third = has_lead(desk, "501"), has_lead(desk, "502"), has_lead(desk, "503")
    withdrawn = has_lead(desk, "504", status="withdrawn", contact={})
    owned = has_lead(desk, "505", status="claimed", owner_id=1)
    acts(desk, cora, lambda acting: merging.merge(acting, one, other))
    for pair in (
        (other, other),
        (one, third),
        (third, one),
        (withdrawn, third),
        (third, withdrawn),
        (owned, third),
    ):
        with pytest.raises(Refused):
            acts(desk, cora, lambda acting, pair=pair: merging.merge(acting, *pair))
    leader = member(desk, "Lena", "site_lead", ["north"])
    assert acts(desk, leader, lambda acting: merging.merge(acting, owned, third))["id"] == third


@pytest.mark.slow
def test_how_a_closed_lead_ended_stays_when_it_is_merged(desk: Desk, cora) -> None:
    closed = has_lead(desk, "501", status="closed", reason="screen_failure", criterion="E18")
    kept = has_lead(desk, "502")
    acts(desk, cora, lambda acting: merging.merge(acting, closed, kept))
    row = looks(desk, lambda db: leads.get(db, closed))
    assert (row["reason"], row["criterion"], row["merged_into"]) == ("screen_failure", "E18", kept)


@pytest.mark.slow
def test_a_comparison_shows_what_differs(desk: Desk) -> None:
    one = has_lead(desk, "501")
    other = has_lead(desk, "502", locale="es", contact={**CONTACT, "first_name": "Rose"}, flags=[])
    lines = looks(desk, lambda db: duplicates.compare(leads.get(db, one), leads.get(db, other)))
    differ = {line.what: (line.one, line.other) for line in lines if not line.same}
    assert differ == {"locale": ("en", "es"), "contact.first_name": ("Rosa", "Rose"), "flag.E18": ("REVIEW", None)}


@pytest.mark.slow
def test_whoever_works_the_other_lead_learns_that_the_person_withdrew(desk: Desk, cora) -> None:
    kept = has_lead(desk, "777")
    gone = sends(desk, "501")
    acts(desk, member(desk, "Ada", "admin"), lambda acting: merging.merge(acting, gone, kept))
    Somebody(desk).says("/delete").presses("Yes, delete all")
    assert "duplicate_withdrawn" in [row["what"] for row in looks(desk, lambda db: leads.history(db, kept))]


@pytest.mark.slow
def test_what_hangs_on_a_lead_goes_at_once(desk: Desk) -> None:
    lead = has_lead(desk)
    looks(desk, lambda db: details.forget(db, lead))
    assert desk.one("SELECT count(*) FROM lead_key") == 0
