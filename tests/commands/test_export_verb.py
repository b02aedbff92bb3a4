"""``prescreen export``: to the terminal without names, to a private file with them, and never over a file."""

from __future__ import annotations

import csv
import stat
from pathlib import Path

import pytest

from bot.store import Store, audit, leads
from tests.commands.conftest import Prescreen
from tests.patient import NOW

WHY = "Monitoring visit, source data check."


@pytest.fixture
def one_lead(tmp_path: Path) -> Path:
    store = Store(f"sqlite:///{tmp_path / 'prescreen.db'}")
    with store.begin() as db:
        leads.add(
            db, channel="telegram", chat="501", trial="nct06570291", site="north", locale="es", outcome="needs_review",
            eligible_from=None, flags=[], contact={"first_name": "Rosa", "phone": "+34612345678"}, helper=False,
            changed=False, text_version="1", source="", conversation_id=None, created_at=NOW, updated_at=NOW, due_at=NOW,
        )  # fmt: skip
    store.close()
    return tmp_path


def test_leads_go_to_the_terminal_without_names(one_lead: Path, prescreen: Prescreen) -> None:
    ran = prescreen("export", "csv")
    rows = list(csv.DictReader(ran.out.splitlines()))
    assert ran.code == 0 and [row["reference"] for row in rows] == ["K-0001"]
    assert "Rosa" not in ran.out and "612345678" not in ran.out


def test_names_need_a_reason_and_go_to_a_file_for_one_account(one_lead: Path, prescreen: Prescreen) -> None:
    assert prescreen("export", "csv", "--identified", "--reason", WHY).code == 2
    refused = prescreen("export", "csv", "--identified", "--out", "leads.csv")
    assert (refused.code, refused.out) == (2, "") and "Say why" in refused.err
    assert not (one_lead / "leads.csv").exists()
    ran = prescreen("export", "csv", "--identified", "--reason", WHY, "--out", "leads.csv")
    file = one_lead / "leads.csv"
    assert ran.code == 0 and "Rosa" in file.read_text() and "Rosa" not in ran.out + ran.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert prescreen("export", "jsonl", "--out", "leads.csv").code == 1
    assert prescreen("export", "jsonl", "--out", "nowhere/leads.csv").code == 1
    assert prescreen("export", "xlsx").code == 2
    with Store(f"sqlite:///{one_lead / 'prescreen.db'}").look() as db:
        told = [(row["what"], row["detail"], row["staff_id"]) for row in audit.page(db)]
    assert told[-1] == ("export.identified", f"csv: {WHY}", None)
