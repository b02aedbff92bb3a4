"""Exports: nothing in them runs, nothing in them names anybody unless a reason was given, and REDCap can read them."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.desk import export
from bot.desk import lead as life
from bot.desk.actions import NotThere, Refused
from bot.desk.export import DICTIONARY, FORMS, SPONSOR, inert, sponsor_word
from bot.store import audit
from tests.desk.acting import CONTACT, FLAG, acts, has_lead, looks, member, sends
from tests.shell.conftest import Desk, Somebody
from tests.shell.test_lead import STATUSES

WHY = "Monitoring visit of 3 December, source data check."


def written(desk: Desk, form: export.Form, *, identified: bool = False, sites: tuple[str, ...] = ()) -> str:
    with desk.store.look(desk.now) as db:
        return "".join(export.written(db, desk.deployment, form, sites, identified=identified))


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


# ---------------------------------------------------------------------- formulas


@pytest.mark.parametrize("text", [
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\x00=1", "＝1", "＋1", "－1", "＠A", " =1", "\u3000＝1",
    "\u200b=1", "\ufeff=1", "﹦1", "\u202e=1", "=cmd|' /C calc'!A0", "=HYPERLINK(\"http://x\")", "\t", "\u0301=1",
])  # fmt: skip
def test_what_might_be_a_formula_is_text(text: str) -> None:
    assert inert(text) == "'" + text.replace("\x00", "")


@pytest.mark.parametrize("text", ["", "Rosa", "K-0001", "1=1", "a+b", "李", "2026-11-22", "O'Neill", "“quoted”"])
def test_what_is_none_stays_as_it_is(text: str) -> None:
    assert inert(text) == text


def starts_formula(cell: str) -> bool:
    """What a spreadsheet would do, said in another way: look at the first thing that can be seen."""
    for char in cell:
        folded = unicodedata.normalize("NFKC", char)[:1]
        if folded in ("=", "+", "-", "@"):
            return True
        if folded.isspace() or unicodedata.category(char)[0] in "CM":
            continue
        return False
    return False


@given(st.lists(st.text(alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from("=+-@\t\r\n\x00＝＋－＠\";, '")),
                        max_size=12), min_size=1, max_size=4))  # fmt: skip
def test_no_cell_of_a_file_starts_a_formula_and_the_text_can_be_read_back(cells: list[str]) -> None:
    file = "".join(export._csv(["head"] * len(cells), iter([cells])))
    row = list(csv.reader(io.StringIO(file, newline="")))[1]
    assert not any(starts_formula(cell) or cell[:1] in ("\t", "\r", "\n", "\x00") for cell in row)
    for cell, typed in zip(row, cells, strict=True):
        was = typed.replace("\x00", "")
        assert cell in (was, "'" + was)


# ---------------------------------------------------------------------- identity


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_nobody_can_be_told_from_an_export_without_identity(desk: Desk, form: export.Form) -> None:
    sends(desk, "5017771", source="c7kp2")
    has_lead(desk, "5017772", flags=[FLAG], contact={**CONTACT, "first_name": "=cmd()", "town": "Kunshan"})
    text = written(desk, form)
    for row in desk.rows("SELECT contact, flags FROM lead"):
        contact, flags = (json.loads(one) if isinstance(one, str) else one for one in row)
        values = [contact[step] for step in ("town", "first_name", "last_name", "phone", "email")]
        words = [said for flag in flags for said in flag["said"]]
        assert all(values)
        for secret in (*values, *words, "5017771", "5017772", "612345678", "cmd"):
            assert str(secret) not in text
    if form != "redcap-dictionary":
        assert "K-0001" in text and "c7kp2" in text and "north" in text


@pytest.mark.slow
def test_an_identified_export_has_the_contact_and_still_no_words_of_the_person(desk: Desk) -> None:
    has_lead(desk, contact={**CONTACT, "first_name": "=HYPERLINK(1)"})
    row = read(written(desk, "csv", identified=True))[0]
    assert row["contact_first_name"] == "'=HYPERLINK(1)" and row["contact_phone"] == "'+34612345678"
    assert row["contact_call_days"] == "mon" and FLAG["said"][0] not in str(row)
    line = json.loads(written(desk, "jsonl", identified=True))
    assert line["contact_phone"] == "+34612345678"


@pytest.mark.slow
def test_an_export_needs_the_right_and_one_with_names_a_reason_and_both_are_in_the_audit(desk: Desk) -> None:
    lena = member(desk, "Lena", "site_lead", ["north"])

    def asks(who, reason: str = "", identified: bool = False) -> None:
        acts(desk, who, lambda acting: export.begin(
            acting.db, desk.deployment, acting.member, "csv", reason, identified=identified))  # fmt: skip

    for role in ("coordinator", "sponsor"):
        with pytest.raises(NotThere):
            asks(member(desk, role.capitalize(), role))
    for reason in ("", "because", "x" * 301, " " * 50):
        with pytest.raises(Refused):
            asks(lena, reason, identified=True)
    asks(lena)
    asks(lena, WHY, identified=True)
    told = looks(desk, lambda db: audit.page(db, what="export"))
    assert [(row["what"], row["name"], row["detail"]) for row in told] == [
        ("export.identified", "Lena", f"csv: {WHY}"), ("export", "Lena", "csv"),
    ]  # fmt: skip


@pytest.mark.slow
def test_a_site_exports_its_own_leads_and_nobody_one_that_was_withdrawn(desk: Desk) -> None:
    has_lead(desk, "1")
    has_lead(desk, "2", site="harbour")
    withdrawn = sends(desk, "3")
    Somebody(desk, "3").says("/delete").presses("Yes, delete all")
    assert withdrawn == 3
    assert [row["reference"] for row in read(written(desk, "csv"))] == ["K-0001", "K-0002"]
    assert [row["reference"] for row in read(written(desk, "csv", sites=("harbour",)))] == ["K-0002"]


@pytest.mark.slow
def test_a_row_says_what_became_of_a_lead(desk: Desk) -> None:
    lead = has_lead(desk)
    lena = member(desk, "Lena", "site_lead")
    desk.waits(minutes=20)
    acts(desk, lena, lambda acting: acting.claim(lead))
    acts(desk, lena, lambda acting: acting.step(lead, "no_answer"))
    desk.waits(days=1)
    acts(desk, lena, lambda acting: acting.close(lead, "screen_failure", "E18"))
    row = read(written(desk, "csv"))[0]
    wanted = {
        "status": "closed", "sponsor_status": "screenFailure", "reason": "screen_failure", "criterion": "E18",
        "attempts": "1", "criterion_E18": "REVIEW", "criterion_E2": "OK", "helper": "no",
    }  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted
    assert row["first_claimed_at"] == row["first_called_at"] != row["created_at"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["created_at"])


# ---------------------------------------------------------------------- shapes


def test_every_status_and_reason_has_a_word_for_the_sponsor() -> None:
    words = {status: sponsor_word({"status": status, "reason": ""}) for status in STATUSES}
    assert words["new"] == "potentialCandidate" and words["scheduled"] == "firstVisitScheduled"
    assert {words[status] for status in STATUSES - {"closed", "withdrawn"}} <= set(SPONSOR.values())
    reasons = {reason: sponsor_word({"status": "closed", "reason": reason}) for reason in life.CLOSINGS}
    assert reasons["not_a_fit"] == "preScreenFailure" and reasons["screen_failure"] == "screenFailure"
    assert reasons["duplicate"] == reasons["could_not_reach"] == "closed"


@pytest.mark.slow
@pytest.mark.parametrize("identified", [False, True])
def test_redcap_reads_the_data_by_its_dictionary(desk: Desk, identified: bool) -> None:
    """Names, choices and codes as REDCap wants them, and each column of the data is a field of the dictionary."""
    has_lead(desk)
    has_lead(desk, "502", locale="zh_Hans", status="closed", reason="screen_failure", criterion="E18", site="")
    lines = read(written(desk, "redcap-dictionary", identified=identified))
    assert list(lines[0]) == list(DICTIONARY) and len(DICTIONARY) == 18
    fields = {line[DICTIONARY[0]]: line for line in lines}
    assert len(fields) == len(lines) and next(iter(fields)) == "record_id"
    choices = {}
    for name, line in fields.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,25}", name) and "__" not in name
        assert line["Form Name"] == "prescreen" and line["Field Label"]
        assert line["Identifier?"] == ("y" if name.startswith("contact_") else "")
        given = [part.strip().partition(", ") for part in line[DICTIONARY[5]].split("|") if part.strip()]
        choices[name] = [code for code, _, label in given if label]
        assert len(set(choices[name])) == len(given)
        assert all(re.fullmatch(r"[A-Za-z0-9_]+", code) for code in choices[name])
        assert bool(given) == (line["Field Type"] in ("dropdown", "checkbox"))
    for row in read(written(desk, "redcap", identified=identified)):
        for column, cell in row.items():
            name, _, code = column.partition("___")
            line = fields[name]
            if line["Field Type"] == "checkbox":
                assert code in choices[name] and cell in ("0", "1")
            elif line["Field Type"] == "dropdown":
                assert cell == "" or cell in choices[name], (column, cell)
            elif line["Field Type"] == "yesno":
                assert cell in ("0", "1")
            if line[DICTIONARY[7]] == "datetime_seconds_ymd" and cell:
                assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", cell)
    first = read(written(desk, "redcap"))[0]
    assert first["points_review___e18"] == "1" and first["points_out___e18"] == "0"
