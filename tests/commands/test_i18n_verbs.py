"""``i18n check``: a missing, a fuzzy, a stale message and a broken placeholder are each named; ``update`` mends."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from bot import catalogues, pseudo, reading, signatures
from bot.library import load
from bot.words import LOCALES, Languages
from tests.commands.conftest import Prescreen


@pytest.fixture
def locales(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the catalogues of two languages, that the commands work on."""
    folder = tmp_path / "locales"
    for tag in ("es", "zh_Hans"):
        shutil.copytree(LOCALES / tag, folder / tag)
    for function in (catalogues.check, catalogues.update):
        monkeypatch.setattr(function, "__defaults__", (folder,))
    catalogues.update(load().flows.values(), folder)
    return folder


def change(folder: Path, tag: str, context: str, source: str, text: str | None, *, fuzzy: bool = False) -> None:
    """Writes one translation; None takes the message away."""
    path = folder / tag / "LC_MESSAGES" / "patient.po"
    catalogue = catalogues.read(path)
    catalogue.delete(source, context=context)
    if text is not None:
        catalogue.add(source, text, context=context, flags={"fuzzy"} if fuzzy else ())
    with path.open("wb") as file:
        catalogues.write_po(file, catalogue, width=0)


def test_a_right_catalogue_has_no_problems(prescreen: Prescreen, locales: Path) -> None:
    assert prescreen("i18n", "check")[:2] == (0, "")


def test_each_wrong_message_is_named(prescreen: Prescreen, locales: Path) -> None:
    weigh, born = "What do you weigh?", "What year were you born?"
    change(locales, "es", "nct06570291.weight", weigh, None)
    change(locales, "es", "nct06570291.birth", born, "¿En qué año nació?", fuzzy=True)
    change(locales, "es", "nct06570291.moon", "How big is the moon?", "¿Qué tamaño tiene la luna?")
    change(locales, "es", "say.wait_noted", load().newest("nct06570291").says["wait_noted"], "Gracias. El {dia}.")
    change(locales, "es", "say.noted", "I noted: {value}.", "Anotado: {value}. {")
    change(locales, "zh_Hans", "nct06570291.height", "How tall are you?", "")
    ran = prescreen("i18n", "check")
    assert ran.code == 1
    assert sorted(ran.out.splitlines()) == sorted([
        f"es/patient.po: nct06570291.weight: {weigh}: This message is missing. Run: prescreen i18n update",
        f"es/patient.po: nct06570291.birth: {born}: It is marked fuzzy. Check it and take the mark away.",
        "es/patient.po: nct06570291.moon: How big is the moon?: This message is stale. Run: prescreen i18n update",
        "es/patient.po: say.wait_noted: Thank you for telling me. That means a wait. It...: "
        "Its placeholders differ from the source. Use the same {names}.",
        "es/patient.po: say.noted: I noted: {value}.: A placeholder is broken. Write it as {name}.",
        "zh_Hans/patient.po: nct06570291.height: How tall are you?: It is not translated. Translate it.",
    ])  # fmt: skip
    assert prescreen("check").out.count("es/patient.po") == 5


@pytest.mark.parametrize("forms", [("{number} día", ""), ("{number} día", "{n} días")])
def test_every_form_of_a_number_is_looked_at(prescreen: Prescreen, locales: Path, forms: tuple[str, str]) -> None:
    path = locales / "es" / "LC_MESSAGES" / "patient.po"
    catalogue = catalogues.read(path)
    message = catalogue.get(("{number} day", "{number} days"), context="say.days")
    assert message is not None
    message.string = forms
    with path.open("wb") as file:
        catalogues.write_po(file, catalogue, width=0)
    (line,) = prescreen("i18n", "check").out.splitlines()
    assert line.startswith("es/patient.po: say.days: {number} day: ")


def test_update_takes_the_stale_and_adds_the_missing(prescreen: Prescreen, locales: Path) -> None:
    change(locales, "es", "nct06570291.moon", "How big is the moon?", "¿Qué tamaño tiene la luna?")
    change(locales, "es", "nct06570291.weight", "What do you weigh?", None)
    ran = prescreen("i18n", "update")
    assert ran.code == 0 and "updated es/patient.po" in ran.out.splitlines()
    assert prescreen("i18n", "check").out.splitlines() == [
        "es/patient.po: nct06570291.weight: What do you weigh?: It is not translated. Translate it."
    ]


def test_update_of_a_right_catalogue_changes_nothing(prescreen: Prescreen, locales: Path) -> None:
    before = {path: path.read_bytes() for path in locales.rglob("*.po")}
    prescreen("i18n", "update")
    assert {path: path.read_bytes() for path in locales.rglob("*.po")} == before


def test_a_language_without_words_for_patients_is_a_problem(prescreen: Prescreen, locales: Path) -> None:
    (locales / "zh_Hans" / "LC_MESSAGES" / "patient.po").unlink()
    assert "zh_Hans: patient: There is no catalogue. Copy one and translate it." in prescreen("i18n", "check").out


# ---------------------------------------------------------------------- who signed what


@pytest.fixture
def signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the catalogues where two languages can be signed."""
    folder = tmp_path / "locales"
    for tag in ("es", "zh_Hans"):
        shutil.copytree(LOCALES / tag, folder / tag)
    for function in (signatures.every, signatures.sign):
        monkeypatch.setattr(function, "__defaults__", (folder,))
    return folder


def test_a_language_is_a_draft_until_it_is_signed_and_again_when_a_word_changes(
    prescreen: Prescreen, signed: Path
) -> None:
    assert " yes" not in prescreen("i18n", "status")[1]
    assert prescreen("i18n", "sign", "es", "--by", "Dr. Example")[0] == 0
    line = next(line for line in prescreen("i18n", "status")[1].splitlines() if line.startswith("es"))
    assert line.split()[1:4] == ["signed", "Dr.", "Example"] and line.endswith("yes")
    change(signed, "es", "nct06570291.weight", "What do you weigh?", "¿Cuánto pesa usted ahora?")
    line = next(line for line in prescreen("i18n", "status")[1].splitlines() if line.startswith("es"))
    assert "stale" in line and line.endswith("no")


def test_a_back_translated_language_is_not_shown_yet(prescreen: Prescreen, signed: Path) -> None:
    assert prescreen("i18n", "sign", "zh_Hans", "--by", "Li", "--as", "back-translated")[0] == 0
    (one,) = [s for s in signatures.every(load().flows.values(), signed) if s.tag == "zh_Hans"]
    assert (one.status, one.by, one.fresh, one.offered) == ("back-translated", "Li", True, False)


def test_the_source_is_stale_when_its_text_changes(signed: Path) -> None:
    flow = load().newest("nct06570291")
    signatures.sign("en", "signed", "Dr. Example", date(2026, 11, 22), [flow])
    states = []
    for one in (flow, replace(flow, says={**flow.says, "sent": "It is gone."})):
        states.append(signatures.every([one])[0].offered)
    assert states == [True, False]


def test_an_unknown_language_is_told(prescreen: Prescreen, signed: Path) -> None:
    code, _, told = prescreen("i18n", "sign", "tlh", "--by", "Worf")
    assert code == 2 and "There is no language tlh. Known: en," in told


def test_serve_offers_no_draft_unless_it_is_told_to(prescreen: Prescreen, signed: Path) -> None:
    code, _, told = prescreen("serve", TELEGRAM_TOKEN="123456:abcdefgh", STAFF_GROUP="-100123")
    assert code == 2 and "ALLOW_DRAFT_LANGUAGES=yes" in told


def test_people_may_choose_what_is_offered_and_go_on_in_what_is_not() -> None:
    languages = Languages(offered=["es"])
    assert list(languages.names) == ["es"] and languages.resolve("zh-CN") is None
    assert languages.patient("zh_Hans").text("say.button_yes", "Yes") == "是"
    assert languages.patient("zh_Hans").languages.keys() == {"es"}


# ---------------------------------------------------------------------- sheets, templates, and a made-up language


def test_a_sheet_goes_out_to_a_back_translator_and_comes_in_again(prescreen: Prescreen, tmp_path: Path) -> None:
    sheet = tmp_path / "es.csv"
    assert prescreen("i18n", "sheet", "es", str(sheet))[0] == 0
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    weigh = next(row for row in rows if row["source"] == "What do you weigh?")
    assert weigh["translation"] and not weigh["back-translation"] and len(rows) > 600
    assert prescreen("i18n", "sheet", "es", str(sheet), "--read")[0] == 1, "nothing is back-translated yet"
    for row in rows:
        row["back-translation"] = "said again"
    with sheet.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    assert prescreen("i18n", "sheet", "es", str(sheet), "--read")[0] == 0
    (tmp_path / "no.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert prescreen("i18n", "sheet", "es", str(tmp_path / "no.csv"), "--read")[0] == 2


def test_extract_writes_what_is_to_be_translated(prescreen: Prescreen, tmp_path: Path) -> None:
    assert prescreen("i18n", "extract", str(tmp_path / "pot"))[0] == 0
    assert 'msgid "What do you weigh?"' in (tmp_path / "pot" / "patient.pot").read_text(encoding="utf-8")


def test_the_made_up_language_marks_every_text_and_no_placeholder(prescreen: Prescreen, tmp_path: Path) -> None:
    assert prescreen("i18n", "pseudo", str(tmp_path / "pseudo"))[0] == 0
    assert pseudo.marked("Hello {name}.") == "⟦Hélló {name}.⟧"
    assert catalogues.check(load().flows.values(), tmp_path / "pseudo") == []


# ---------------------------------------------------------------------- how hard it is to read


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("Do you smoke? It is fine to say no.", -3, 2),
        ("Have you been diagnosed with an inflammatory arthropathy necessitating immunosuppression?", 15, 30),
        ("", 0, 0),
    ],
)
def test_the_grade_of_a_text(text: str, low: float, high: float) -> None:
    assert low <= reading.grade(text) <= high


def test_what_is_too_hard_too_long_or_forbidden_is_named(locales: Path) -> None:
    flow = load().newest("nct06570291")
    steps = tuple(
        replace(step, text="Do you consume anticoagulating medication habitually?") if step.id == "weight" else step
        for step in flow.steps
    )
    (problem,) = reading.check([replace(flow, steps=steps)], locales.parent)
    assert problem.place == "step.weight" and "grade" in problem.what
    change(locales, "es", "say.button_yes", "Yes", "Sí, claro que sí, por supuesto")
    change(locales, "es", "say.again", flow.says["again"], "Una " + "palabra " * 20)
    change(locales, "zh_Hans", "say.again", flow.says["again"], "保证" + "好" * 40)
    told = [f"{problem.file} {problem.what}" for problem in reading.check([flow], locales)]
    assert sorted(line.split(":")[0] for line in told) == [
        "es/patient.po A sentence is longer than 15",
        "es/patient.po The label is too long",
        "zh_Hans/patient.po '保证' is not for patients.",
        "zh_Hans/patient.po A sentence is longer than 30",
    ]


def test_nothing_of_ours_is_too_hard() -> None:
    assert reading.check(load().flows.values()) == []
