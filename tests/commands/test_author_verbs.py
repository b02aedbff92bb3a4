"""check, coverage, walk, screen, draw and steps on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot import library
from tests.commands.conftest import Prescreen
from tests.definitions.loading import FRAME, HERE, text_of

VERBS = ("chat", "serve", "check", "coverage", "walk", "screen", "draw", "steps", "leads", "staff", "i18n")


def served(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Another folder of trials than the built-in one."""
    for function in (library.load, library.survey, library.files):
        monkeypatch.setattr(function, "__defaults__", (folder,))


def broken(folder: Path) -> Path:
    """A trial with four mistakes, in two files."""
    text = text_of(HERE / "valid" / "smallest.toml")
    text = text.replace('part = "body"\nlabel', 'part = "body"\nhelpp = "x"\nlabel')
    (folder / "smallest").mkdir(parents=True)
    (folder / "smallest" / "v1.toml").write_text(text, encoding="utf-8")
    second = text_of(HERE / "invalid" / "two_default_routes.toml")
    second = text_of(HERE / "_head.toml") + second.replace("handled", "handeld")
    (folder / "tiny").mkdir()
    (folder / "tiny" / "v1.toml").write_text(second, encoding="utf-8")
    (folder / "_frame.toml").write_text(FRAME, encoding="utf-8")
    return folder


# ---------------------------------------------------------------- help and usage


def test_help_names_every_verb(prescreen: Prescreen) -> None:
    ran = prescreen("--help")
    assert ran.code == 0
    assert all(f"    {verb} " in ran.out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(prescreen: Prescreen, verb: str) -> None:
    ran = prescreen(verb, "--help")
    assert ran.code == 0 and ran.out.startswith(f"usage: prescreen {verb}") and ran.err == ""


@pytest.mark.parametrize(
    "argv",
    [(), ("fly",), ("walk", "--on", "soon"), ("screen",), ("staff",), ("staff", "add", "Ana"), ("i18n",),
     ("staff", "disable"), ("staff", "add", "Ana", "--telegram", "x"), ("steps", "--moon")],
)  # fmt: skip
def test_wrong_usage_is_told(prescreen: Prescreen, argv: tuple[str, ...]) -> None:
    ran = prescreen(*argv)
    assert ran.code == 2 and "usage: prescreen" in ran.err and "Traceback" not in ran.err


@pytest.mark.parametrize("verb", ["coverage", "walk", "draw", "steps"])
def test_an_unknown_trial_is_told(prescreen: Prescreen, verb: str) -> None:
    ran = prescreen(verb, "--trial", "nct1")
    assert (ran.code, ran.out, ran.err) == (2, "", "There is no trial nct1. Known: nct06570291.\n")


# ---------------------------------------------------------------- check


def test_check_finds_nothing(prescreen: Prescreen) -> None:
    assert prescreen("check", "--json")[:2] == (0, "[]\n")
    assert prescreen("check")[:2] == (0, "Nothing is wrong.\n")


def test_check_lists_every_problem_of_every_file(prescreen: Prescreen, tmp_path: Path) -> None:
    folder = broken(tmp_path / "trials")
    ran = prescreen("check", str(folder))
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "smallest/v1.toml: step.pain.helpp: This key is not known here. Did you mean 'help'?",
        "tiny/v1.toml: criterion.I1.handled: This key is missing. Add it.",
        "tiny/v1.toml: criterion.I1.handled: '' is not known here. Use one of: asked, site.",
        "tiny/v1.toml: criterion.I1.handeld: This key is not known here. Did you mean 'handled'?",
        "4 problems.",
    ]
    rows = prescreen("check", str(folder), "--json").json
    assert rows[0]["place"] == "step.pain.helpp"
    assert set(rows[0]) == {"file", "place", "what", "remedy"}


def test_check_of_an_empty_folder(prescreen: Prescreen, tmp_path: Path) -> None:
    ran = prescreen("check", str(tmp_path / "nowhere"))
    assert ran.code == 1 and "There is no trial here." in ran.out and ran.out.endswith("1 problem.\n")


def test_check_names_trials_and_translations_together(
    prescreen: Prescreen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A problem in a trial does not hide that its new words are not translated."""
    folder = tmp_path / "trials"
    (folder / "smallest").mkdir(parents=True)
    text = text_of(HERE / "valid" / "smallest.toml").replace('"Do you have pain?"', '"Is the pain easy?"')
    (folder / "smallest" / "v1.toml").write_text(text, encoding="utf-8")
    (folder / "_frame.toml").write_text(FRAME, encoding="utf-8")
    served(monkeypatch, folder)
    rows = prescreen("check", "--json").json
    assert (rows[0]["file"], rows[0]["place"]) == ("smallest/v1.toml", "step.pain")
    assert ("es/patient.po", "smallest.pain: Is the pain easy?", "This message is missing.") in [
        (row["file"], row["place"], row["what"]) for row in rows
    ]


@pytest.mark.parametrize("verb", ["coverage", "walk", "draw", "steps"])
def test_a_tool_on_broken_trials_tells_the_problems(
    prescreen: Prescreen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    served(monkeypatch, broken(tmp_path / "trials"))
    ran = prescreen(verb)
    assert ran.code == 1 and ran.out == "" and ran.err.startswith("smallest/v1.toml: step.pain.helpp: ")


# ---------------------------------------------------------------- coverage, walk, steps, draw


def test_coverage(prescreen: Prescreen) -> None:
    rows = prescreen("coverage", "--json").json
    assert [row["criterion"] for row in rows] == [f"I{n}" for n in range(1, 7)] + [f"E{n}" for n in range(1, 26)]
    assert set(rows[0]) == {
        "criterion", "title", "handled", "asked_in", "decided_by", "otherwise", "left_to_site", "why", "listing",
    }  # fmt: skip
    ran = prescreen("coverage")
    assert ran.code == 0 and ran.out.startswith("NCT06570291 v1: 31 criteria\n\nI1  Informed consent\n")


def test_walk(prescreen: Prescreen) -> None:
    ran = prescreen("walk", "--on", "2026-11-22", "--json")
    golden = Path(__file__).parent.parent / "author" / "golden" / "nct06570291-v1-walk.json"
    assert ran.code == 0 and ran.json == json.loads(golden.read_text(encoding="utf-8"))
    ran = prescreen("walk", "--on", "2026-11-22")
    assert ran.code == 0 and "1975: 20 steps, 17 taps, 3 typed" in ran.out and "1960: 19 steps" in ran.out


def test_a_walk_that_misses_something_is_a_problem(prescreen: Prescreen) -> None:
    """In 2080 everybody whom the file tries is too old."""
    ran = prescreen("walk", "--on", "2080-01-01")
    assert ran.code == 1 and ran.out.endswith("Never reached: outcome possible_match\n")


def test_a_walk_before_somebody_was_born_is_refused(prescreen: Prescreen) -> None:
    ran = prescreen("walk", "--on", "1970-01-01")
    assert (ran.code, ran.out) == (2, "") and "the probe '1975' is not understood" in ran.err


def test_steps(prescreen: Prescreen) -> None:
    rows = prescreen("steps", "--json").json
    assert set(rows[0]) == {"id", "part", "kind", "text", "options", "not_sure", "criteria", "asked_if"}
    assert rows[0]["id"] == "language" and rows[-1]["id"] == "other_trials"
    ran = prescreen("steps")
    assert len(ran.out.splitlines()) == len(rows) and "mri_narrow" in ran.out


def test_draw(prescreen: Prescreen) -> None:
    ran = prescreen("draw")
    assert ran.code == 0 and "\nstateDiagram-v2\n" in ran.out
    part = prescreen("draw", "--part", "you")
    assert part.code == 0 and part.out.count("\n    state ") == 3
    ran = prescreen("draw", "--part", "moon")
    assert ran.code == 2 and ran.err.startswith("There is no part moon. Known: welcome, you, knee, body, health,")


# ---------------------------------------------------------------- screen

ROSA = {
    "id": "rosa", "date": "2026-11-22",
    "answers": {
        "language": "en", "consent": "me", "birth": 1964, "knee": "left", "diagnosis": "yes", "how_long": "over_a_year",
        "past_week": "some", "walking_aid": "no", "mri": [], "ever": [], "joints": [], "half_year": ["shot"],
        "shot_kind": "gel", "shot_date": "2026-11-14", "two_months": [], "height": {"cm": 165}, "weight": {"kg": 65},
        "xray": "not_sure", "health_now": [], "plans_older": [], "private": "fine", "visits": "yes",
    },
}  # fmt: skip


def test_screen_many_people(prescreen: Prescreen, tmp_path: Path) -> None:
    stopped = {"id": "max", "date": "2026-11-22", "answers": {"language": "en", "consent": "no"}}
    file = tmp_path / "people.json"
    file.write_text(json.dumps([ROSA, stopped]), encoding="utf-8")
    ran = prescreen("screen", str(file))
    assert ran.code == 0
    rosa, max_ = ran.json
    assert (rosa["id"], rosa["outcome"], rosa["eligible_from"]) == ("rosa", "not_now", "2027-02-14")
    assert (max_["id"], max_["outcome"], max_["open_step"]) == ("max", None, None)


def test_screen_one_person_from_standard_input(prescreen: Prescreen) -> None:
    ran = prescreen("screen", "-", typed=json.dumps(ROSA))
    assert ran.code == 0 and ran.json["reasons"][0]["criterion"] == "E13"


def test_screen_tells_who_has_problems_and_screens_the_others(prescreen: Prescreen) -> None:
    wrong = {"id": "bo", "date": "2026-11-22", "answers": {"knee": "third"}}
    ran = prescreen("screen", "-", typed=json.dumps([wrong, ROSA, 7]))
    assert ran.code == 1
    assert ran.json[0] == {"id": "bo", "person": 1, "problems": ["This is no answer to step 'knee'."]}
    assert ran.json[1]["outcome"] == "not_now"
    assert ran.json[2] == {"id": None, "person": 3, "problems": ['A person needs "date" and "answers".']}


@pytest.mark.parametrize("typed", ["", "{", "[1,", "nonsense"])
def test_screen_of_no_json(prescreen: Prescreen, typed: str) -> None:
    ran = prescreen("screen", "-", typed=typed)
    assert (ran.code, ran.out) == (2, "") and ran.err == "The file of answers cannot be read: JSONDecodeError.\n"


def test_screen_of_no_file(prescreen: Prescreen, tmp_path: Path) -> None:
    assert prescreen("screen", str(tmp_path / "gone.json")).code == 2
    (tmp_path / "odd.json").write_bytes(b"\xff\xfe")
    assert prescreen("screen", str(tmp_path / "odd.json")).code == 2
