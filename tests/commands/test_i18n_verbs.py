"""``i18n check``: a missing, a fuzzy, a stale message and a broken placeholder are each named; ``update`` mends."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bot import catalogues
from bot.library import load
from bot.words import LOCALES
from tests.commands.conftest import Prescreen


@pytest.fixture
def locales(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the catalogues that the commands work on."""
    folder = tmp_path / "locales"
    shutil.copytree(LOCALES, folder)
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
