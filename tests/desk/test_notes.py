"""Notes: a private one is its writer's alone, a mark must be in the person's words, and all go with the person."""

from __future__ import annotations

import pytest

from bot.desk import notes
from bot.desk.actions import NotThere, Refused
from bot.store import leads
from tests.desk.acting import FLAG, acts, has_lead, looks, member, sends
from tests.shell.conftest import Desk, Somebody

pytestmark = pytest.mark.slow


def add(desk: Desk, who, lead: int, text: str = "Rang twice.", private: bool = False, **values: str) -> int:
    return acts(desk, who, lambda acting: notes.add(acting, lead, text, private, **values))


def read(desk: Desk, who, lead: int) -> list[str]:
    return [row["text"] for row in looks(desk, lambda db: notes.listed(db, leads.get(db, lead), who))]


def test_a_private_note_is_its_writers_alone(desk: Desk) -> None:
    cora, lena = member(desk, "Cora", sites=["north"]), member(desk, "Lena", "site_lead", ["north"])
    ada, lead = member(desk, "Ada", "admin"), has_lead(desk)
    add(desk, cora, lead, "mine", private=True)
    add(desk, cora, lead, "ours")
    assert read(desk, cora, lead) == ["mine", "ours"]
    assert read(desk, lena, lead) == read(desk, ada, lead) == ["ours"]
    assert [row["what"] for row in looks(desk, lambda db: leads.history(db, lead))] == ["raised", "note"]


def test_another_sites_lead_has_no_notes_and_takes_none(desk: Desk) -> None:
    lead = has_lead(desk)
    for other in (member(desk, "Hana", sites=["harbour"]), member(desk, "Sam", "sponsor")):
        with pytest.raises(NotThere):
            add(desk, other, lead)
        with pytest.raises(NotThere):
            read(desk, other, lead)


@pytest.mark.parametrize(
    ("about", "marked", "good"),
    [
        ("E18", "", True), ("mri", "", True), ("E18", "metal from the mill", True), ("", "metal", True),
        ("mri", "from the mill", True), ("E18", "never said", False), ("E7", "", False), ("E7", "metal", False),
        ("E18", "  ", False), ("mri", "METAL", False), ("E18", "a" * 301, False),
    ],
)  # fmt: skip
def test_a_mark_must_be_words_of_the_person_there(desk: Desk, about: str, marked: str, good: bool) -> None:
    cora, lead = (
        member(desk, "Cora"),
        has_lead(desk, flags=[FLAG, {**FLAG, "criterion": "E9", "because": [], "said": []}]),
    )
    if good:
        add(desk, cora, lead, about=about, marked=marked)
        row = looks(desk, lambda db: notes.listed(db, leads.get(db, lead), cora))[0]
        assert (row["about"], row["marked"]) == (about, marked)
    else:
        with pytest.raises(Refused):
            add(desk, cora, lead, about=about, marked=marked)


@pytest.mark.parametrize("text", ["", " \n\t ", "\u200b\u202e", "x" * 2001])
def test_what_is_no_note_is_refused(desk: Desk, text: str) -> None:
    lead = has_lead(desk)
    with pytest.raises(Refused):
        add(desk, member(desk, "Cora"), lead, text)


def test_only_the_writer_deletes_a_note(desk: Desk) -> None:
    cora, ada, lead = member(desk, "Cora"), member(desk, "Ada", "admin"), has_lead(desk)
    note = add(desk, cora, lead)
    with pytest.raises(NotThere):
        acts(desk, ada, lambda acting: notes.take_away(acting, lead, note))
    another = has_lead(desk, "502")
    for lead_id in (another, 999):
        with pytest.raises(NotThere):
            acts(desk, cora, lambda acting, lead_id=lead_id: notes.take_away(acting, lead_id, note))
    acts(desk, cora, lambda acting: notes.take_away(acting, lead, note))
    assert read(desk, cora, lead) == []


def test_notes_go_when_the_person_withdraws_and_none_come_after(desk: Desk) -> None:
    cora, lead = member(desk, "Cora"), sends(desk, "501")
    add(desk, cora, lead, "shared")
    add(desk, cora, lead, "private", private=True)
    Somebody(desk).says("/delete").presses("Yes, delete all")
    assert desk.one("SELECT count(*) FROM note") == 0
    with pytest.raises(Refused):
        add(desk, cora, lead)
