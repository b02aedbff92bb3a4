"""``check``: fast, fair to both files, and never at a loss for what somebody may write into a trial file."""

from __future__ import annotations

import copy
import re
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import turns
from bot.library import TRIALS, BadTrials, load, survey
from flows.author import wording
from flows.author.check import check
from flows.flow import Flow
from flows.kinds import KINDS
from flows.parse import Problem
from flows.speak import MENUS
from tests.definitions.loading import FRAME, HERE, flow_of, parsed, text_of

REAL = text_of(TRIALS / "nct06570291" / "v1.toml")
SMALLEST = text_of(HERE / "valid" / "smallest.toml")


def problems_of(text: str, frame: str = FRAME) -> list[Problem]:
    flow = parsed("tiny", text, frame)
    return check(flow, "tiny.toml") if isinstance(flow, Flow) else flow


def test_the_real_trial_is_checked_quickly(flow: Flow) -> None:
    """Every start of every process pays for it."""
    before = time.perf_counter()
    assert check(flow, "v1.toml") == []
    assert time.perf_counter() - before < 1.5


def test_a_problem_reads_as_one_line() -> None:
    (problem,) = problems_of(SMALLEST.replace('"Do you have pain?"', '"Is pain easy?"'))
    assert str(problem) == "tiny.toml: step.pain: 'easy' is not for patients. Say it another way."


def test_every_problem_comes_at_once() -> None:
    broken = (
        SMALLEST.replace('kind = "yes_no"', 'kind = "slider"')
        .replace('"Pacific/Auckland"\ntext', '"Mars"\ntext')
        .replace('"pain.no"', '"ache.no"')
        .replace('why = "The study is for people with pain."', f'why = "{"x" * 201}"')
    )
    assert [(p.file, p.place) for p in problems_of(broken)] == [
        ("tiny.toml", "trial.timezone"),
        ("tiny.toml", "step.pain.kind"),
        ("tiny.toml", "criterion.I1.answers.ache.no"),
        ("tiny.toml", "step.pain.why"),
    ]


# ---------------------------------------------------------------- the frame


@pytest.mark.parametrize(
    ("old", "new", "place", "piece"),
    [
        ('[[after]]\nid = "check"', '[[after]]\nid = "chek"', "step.check", "The frame needs this step."),
        ('done = "Thank you for your time.', 'don = "Thank you for your time.', "ends.done", "words of this end"),
        ('retry_choice_1 = "', 'retry_choise_1 = "', "says.retry_choice_1", "line is missing"),
        ('button_faq = "Questions people ask"', 'button_faq = "The questions that people ask us"',
         "says.button_faq", "too long"),
        ('text = "What is a trial?"', 'text = "What is a clinical trial then?"', "faq.what.text", "too long"),
        ('id = "yes", label = "Yes, contact me"', 'id = "yes", label = "Yes, contact me as soon as you can"',
         "step.offer.options.yes.label", "too long"),
        ('stopped = "That is fine.', 'stopped = "You failed.', "ends.stopped", "'failed' is not for patients"),
        ('answer = "A clinical trial is', 'answer = "{name}, a clinical trial is', "faq.what", "Nothing fills {name}"),
        ('id = "not_now"', 'id = "not_now"', "", ""),
        ('does = "screen"', 'does = "scream"', "step.check.options.right.does", "This effect is unknown."),
        ('shows = "contact"', 'shows = "all"', "step.send.shows", "cannot be shown"),
        ('id = "calf"', 'id = "hot_knee"', "safety.hot_knee", "This id is used twice."),
    ],
)  # fmt: skip
def test_a_problem_of_the_frame_is_told_with_its_file(old: str, new: str, place: str, piece: str) -> None:
    assert old in FRAME or not place
    found = [p for p in problems_of(SMALLEST, FRAME.replace(old, new)) if p.file == "_frame.toml"]
    if place:
        assert (place, True) in [(p.place, piece in f"{p.what} {p.remedy}") for p in found]
    else:
        assert found == []


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('possible_match = "So far', 'perfect_match = "So far', "outcomes.possible_match"),
        ("[ends]\ndone", "[ends]\nodd = 3\ndone", "ends.odd"),
        ("[emergency.CN]\nemergency", "[emergency.CN]\nambulance", "emergency.CN.ambulance"),
        ('id = "consent"\nkind', 'id = "consent"\nkindly = "x"\nkind', "before.consent.kindly"),
    ],
)
def test_the_shape_of_the_frame_is_checked_too(old: str, new: str, place: str) -> None:
    assert old in FRAME
    assert ("_frame.toml", place) in [(p.file, p.place) for p in problems_of(SMALLEST, FRAME.replace(old, new))]


def test_the_lines_that_are_needed_are_the_lines_that_are_said(flow: Flow) -> None:
    """What the code says by name stands in the list that ``check`` goes by, and the list names nothing else."""
    code = "".join(path.read_text(encoding="utf-8") for path in TRIALS.parent.glob("*.py"))
    said = set(re.findall(r'(?:_line|Tell|Menu)\(\s*"(\w+)"', code))
    assert said <= set(wording.LINES) | set(MENUS), said - set(wording.LINES) - set(MENUS)
    assert set(wording.LINES) <= set(flow.says)
    assert wording.COMMANDS == turns.COMMANDS
    assert {f"retry_{kind}_1" for kind in KINDS} <= set(wording.LINES)


# ---------------------------------------------------------------- nothing breaks it


ODD = st.sampled_from(
    [None, "", "x", 0, -1, 7, True, 1.5, [], ["x"], [1], {}, {"a": 1}, [{}], [{"id": "x"}], "é{", "{x}"]
)


def _paths(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [at, *(path for key, value in inner for path in _paths(value, (*at, key)))]


def _toml(data: Any) -> str:
    if isinstance(data, dict):
        return "{" + ", ".join(f'"{key}" = {_toml(value)}' for key, value in data.items()) + "}"
    if isinstance(data, list):
        return "[" + ", ".join(map(_toml, data)) + "]"
    if isinstance(data, bool):
        return str(data).lower()
    return (
        str(data) if isinstance(data, int | float) else '"' + data.replace("\\", "\\\\").replace('"', '\\"') + '"'
    )


def _file(data: dict[str, Any]) -> str:
    return "\n".join(f'"{key}" = {_toml(value)}' for key, value in data.items()).replace("\n\n", "\\n")


WHOLE = [
    tomllib.loads((HERE / "_head.toml").read_text(encoding="utf-8") + text_of(HERE / "valid" / f"{name}.toml"))
    for name in ("each", "numbers", "waits", "routes", "follow_up_dates")
]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_stands_in_a_file_is_told_and_not_thrown(data: st.DataObject) -> None:
    """One value of a right file is exchanged for another, or left out: there are problems, or there are none."""
    whole = copy.deepcopy(data.draw(st.sampled_from(WHOLE)))
    path = data.draw(st.sampled_from(_paths(whole)[1:]))
    value, inner = data.draw(ODD), whole
    for key in path[:-1]:
        inner = inner[key]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    text = _file(whole)
    tomllib.loads(text)
    flow = parsed("odd", text if "trial" in whole else f"# [trial] is gone\n{text}")
    for problem in check(flow, "odd.toml") if isinstance(flow, Flow) else flow:
        assert problem.place and problem.what.endswith((".", "...")) and problem.remedy


# ---------------------------------------------------------------- folders


def folder(tmp_path: Path, **files: str) -> Path:
    (tmp_path / "_frame.toml").write_text(FRAME, encoding="utf-8")
    for name, text in files.items():
        slug, _, version = name.partition("__")
        (tmp_path / slug).mkdir(exist_ok=True)
        (tmp_path / slug / f"{version}.toml").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_folder_holds_several_trials_and_versions(tmp_path: Path) -> None:
    second = SMALLEST.replace('version = "v1"', 'version = "v2"')
    sites = text_of(HERE / "valid" / "sites.toml")
    library = load(folder(tmp_path, smallest__v1=SMALLEST, smallest__v2=second, sites__v3=sites))
    assert library.slugs == ["sites", "smallest"]
    assert set(library.flows) == {"smallest/v1", "smallest/v2", "sites/v3"}
    assert library.newest("smallest").trial.version == "v2"


def test_a_copied_file_must_say_its_own_version(tmp_path: Path) -> None:
    """Else the copy would take the place of the version that running conversations are pinned to."""
    with pytest.raises(BadTrials) as error:
        load(folder(tmp_path, smallest__v1=SMALLEST, smallest__v2=SMALLEST))
    (problem,) = error.value.problems
    assert (problem.file, problem.place) == ("smallest/v2.toml", "trial.version")


def test_an_empty_folder_is_a_problem(tmp_path: Path) -> None:
    found, problems = survey(tmp_path)
    assert found == {} and [p.what for p in problems] == ["There is no trial here."]


def test_a_file_that_is_no_text_is_a_problem(tmp_path: Path) -> None:
    folder(tmp_path, smallest__v1=SMALLEST)
    (tmp_path / "smallest" / "v2.toml").write_bytes(b"\xff\xfe\x00")
    found, problems = survey(tmp_path)
    assert list(found) == ["smallest/v1"]
    assert [(p.file, p.what) for p in problems] == [("smallest/v2.toml", "It cannot be read: UnicodeDecodeError.")]


def test_a_frame_that_is_gone_is_a_problem(tmp_path: Path) -> None:
    (folder(tmp_path, smallest__v1=SMALLEST) / "_frame.toml").unlink()
    assert [(p.file, p.what) for p in survey(tmp_path)[1]] == [
        ("_frame.toml", "It cannot be read: FileNotFoundError.")
    ]


def test_a_problem_of_the_frame_is_told_once_for_all_trials(tmp_path: Path) -> None:
    sites = text_of(HERE / "valid" / "sites.toml")
    folder(tmp_path, smallest__v1=SMALLEST, sites__v3=sites)
    (tmp_path / "_frame.toml").write_text(FRAME.replace("retry_choice_1", "retry_chois_1"), encoding="utf-8")
    assert [p.place for p in survey(tmp_path)[1]] == ["says.retry_choice_1"]


def test_the_real_trial_with_a_mistake(flow: Flow) -> None:
    """The nine mistakes an author makes most, in the real file: each is named where it stands."""
    for old, new, place in (
        ('help = "Type the year, like 1962."', 'halp = "x"', "step.birth.halp"),
        ('id = "walking_aid"\nkind = "choice"', 'id = "walking_aid"\nkind = "choise"', "step.walking_aid.kind"),
        ('asked_if = { step = "mri", is = "ear" }', 'asked_if = { step = "mri", is = "nose" }', "step.mri_ear.asked_if"),
        ('after = "shot_date", months = 3', 'after = "shot_date", months = -3', "criterion.E13.waits[0].months"),
        ('"visits.no" = "REVIEW"', '"visits.noo" = "REVIEW"', "criterion.E24.answers.visits.noo"),
        ('"mri.not_sure" = "REVIEW"', '"mri.not_sure" = "OUT"', "criterion.E18.answers.mri.not_sure"),
        ('why = "You should know what comes later.', 'wye = "You should know what comes later.', "step.private.wye"),
        ('of = ["height", "weight"]', 'of = ["height"]', "facts.bmi.of"),
        ('timezone = "Asia/Shanghai"\ntext_version', 'timezone = "Asia/Wuxi"\ntext_version', "trial.timezone"),
    ):  # fmt: skip
        assert old in REAL, old
        assert place in [problem.place for problem in problems_of(REAL.replace(old, new))], place


def test_flows_of_these_tests_are_told_apart() -> None:
    assert flow_of("smallest").name == "smallest/v1" and flow_of("each").name == "tiny/v1"
