"""An old copy of the database brings back nobody who was erased since; and what a copy for a person holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.store import Store, copies, tombstones
from tests.patient import NOW
from tests.privacy.test_erasure import erases, left
from tests.shell.conftest import Desk, Somebody

pytestmark = pytest.mark.slow


@pytest.fixture
def served(desk: Desk, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("DATABASE_URL", database)
    yield desk
    desk.store.close()


def restores(desk: Desk, *words: str) -> int:
    """Over the database as it is; the desk opens it anew."""
    url = desk.store.engine.url.render_as_string(hide_password=False)
    desk.store.close()
    code = main(["restore", *words])
    desk.store = Store(url)
    return code


def test_who_was_erased_since_the_copy_stays_erased(served: Desk, tmp_path: Path) -> None:
    rosa, luis = Somebody(served, "501"), Somebody(served, "502")
    rosa.starts().walks_to("check").sends()
    luis.starts().walks_to("knee")
    assert main(["backup", str(tmp_path / "copy")]) == 0
    served.waits(minutes=5)
    erases(rosa)
    assert restores(served, "--force", str(tmp_path / "copy")) == 0
    assert left(served, "501") == {}
    assert tuple(served.rows("SELECT status, chat FROM lead")[0]) == ("withdrawn", "")
    assert left(served, "502") and luis.step == "knee"
    assert served.one("SELECT count(*) FROM data_key WHERE lane = 'telegram:501'") == 0
    rosa.says("1964")
    assert left(served, "501") == {}


def test_on_another_machine_the_log_says_who_was_erased(
    served: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rosa = Somebody(served, "501")
    rosa.starts().walks_to("knee")
    assert main(["backup", str(tmp_path / "copy")]) == 0
    served.waits(minutes=5)
    erases(rosa)
    (tmp_path / "log").write_text(capsys.readouterr().err)
    with served.store.begin() as db:  # the other machine knows of nothing
        tombstones.forget(db, NOW + timedelta(days=1), 1000)
    assert restores(served, "--force", "--erased", str(tmp_path / "log"), str(tmp_path / "copy")) == 0
    assert left(served, "501") == {}


def test_who_began_anew_before_the_copy_was_made_is_left_alone(served: Desk, tmp_path: Path) -> None:
    rosa = Somebody(served, "501")
    rosa.starts().walks_to("knee")
    erases(rosa)
    served.waits(minutes=5)
    rosa.starts().walks_to("birth")
    assert main(["backup", str(tmp_path / "copy")]) == 0
    assert restores(served, "--force", str(tmp_path / "copy")) == 0
    assert rosa.step == "birth"


# ---------------------------------------------------------------------- a copy for the person


def test_a_copy_holds_everything_of_one_person_and_of_nobody_else(served: Desk, tmp_path: Path) -> None:
    Somebody(served, "501").starts().walks_to("check").sends().presses("Yes, tell me")
    Somebody(served, "502").starts().walks_to("knee")
    with served.store.look() as db:
        found = copies.copy_of(db, "telegram", "501")
        assert copies.where_is(db, "K-0001") == copies.where_is(db, "telegram:501") == ("telegram", "501")
        assert (
            copies.where_is(db, "K-0009") is copies.where_is(db, "telegram:9") is copies.where_is(db, "x") is None
        )
    (talk,), (request,) = found["conversations"], found["requests"]
    answers = {row["step"]: row["value"] for row in talk["answers"]}
    assert answers["first_name"] == "Rosa" and answers["knee"] == "left"
    assert any("Which knee" in row["text"] or "knee" in row["text"] for row in talk["messages"])
    assert request["reference"] == "K-0001" and request["contact"]["email"] == "rosa@example.org"
    assert [row["kind"] for row in found["consents"]] == ["health", "send", "notices"]
    assert len(found["wishes"]) == 1
    assert "502" not in json.dumps(found, default=str)


def test_a_copy_is_a_page_or_json_in_a_file_of_ones_own(
    served: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Somebody(served, "501").starts().walks_to("check").sends()
    page, plain = tmp_path / "page.txt", tmp_path / "copy.json"
    assert main(["copy", "K-0001", "--out", str(page)]) == 0
    assert main(["copy", "telegram:501", "--json", "--out", str(plain)]) == 0
    assert page.stat().st_mode & 0o077 == 0
    assert "first name: Rosa" in page.read_text()
    assert json.loads(plain.read_text())["requests"][0]["contact"]["first_name"] == "Rosa"
    assert main(["copy", "telegram:501", "--out", str(page)]) == 1  # it is there already
    assert main(["copy", "K-0077", "--out", str(tmp_path / "none")]) == 1
    assert served.rows("SELECT what, lead_id FROM audit WHERE what = 'copy' ORDER BY id")[0] == ("copy", 1)
    said = capsys.readouterr()
    assert "Rosa" not in said.out + said.err
