"""Golden dialogues, one Markdown file per case and language: the test, and what an ethics board can read and sign.

``pytest --update tests/transcripts`` rewrites them; the change is then read like any other change.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flows.flow import Flow
from flows.reply import Asked, Garbled
from tests.conftest import walk_to
from tests.patient import LANGUAGES, Patient

HERE = Path(__file__).parent


def to_a_lead(patient: Patient) -> None:
    """Conversation A: to a lead, with a doubt, a why, a voice note, another language and a change."""
    walk_to(patient, "diagnosis", language=patient.conversation.locale)
    patient.replies(Asked("why")).answers("yes").answers("about_half")
    patient.says({"en": "May 2024", "es": "mayo de 2024", "zh_Hans": "2024年5月"}[patient.conversation.locale])
    home, away = patient.conversation.locale, "es" if patient.conversation.locale != "es" else "en"
    patient.replies(Garbled("media")).replies(Asked("language", away)).replies(Asked("language", home))
    walk_to(patient, "check", mri=None)
    patient.replies(Asked("change", "walking_aid")).answers("now_and_then").answers("right").answers("yes")
    patient.says("Suzhou").answers("north").says("Rosa").says("Example").says("+34 612 34 56 78")
    patient.says("rosa@example.org").answers("no").answers(("mon", "tue")).answers("morning").answers("send")
    patient.answers("no")


def not_now(patient: Patient) -> None:
    """Conversation B: a shot eight days ago, so not now, with its date and a reminder."""
    walk_to(patient, "half_year", language=patient.conversation.locale)
    patient.answers(("shot",)).answers("gel")
    patient.says({"en": "14 nov", "es": "14 nov", "zh_Hans": "11月14日"}[patient.conversation.locale])
    patient.says({"en": "yes", "es": "sí", "zh_Hans": "是"}[patient.conversation.locale])
    walk_to(patient, "check").answers("right").replies(Asked("reason")).answers("remind").answers("no")


def ruled_out(patient: Patient) -> None:
    """A permanent reason: the questions stop, kindly, and a slip can be mended."""
    walk_to(patient, "ever", language=patient.conversation.locale)
    patient.answers(("artificial_knee",)).answers("right").replies(Asked("reason")).answers("yes")


CASES: dict[str, Callable[[Patient], None]] = {"lead": to_a_lead, "not_now": not_now, "ruled_out": ruled_out}


@pytest.mark.parametrize("locale", ["en", "es", "zh_Hans"])
@pytest.mark.parametrize("case", CASES)
def test_golden_dialogue(flow: Flow, case: str, locale: str, request: pytest.FixtureRequest) -> None:
    patient = Patient(flow, locale)
    CASES[case](patient)
    name = LANGUAGES.names[locale]
    lines = [f"# {flow.trial.registry_id} {flow.trial.version}, {case}, {name}", ""]
    for who, text in patient.transcript:
        lines += [f"**{who}**", *(f"> {line}".rstrip() for line in text.splitlines()), ""]
    told = "\n".join(lines)
    path = HERE / flow.trial.slug / f"{case}.{locale}.md"
    if request.config.getoption("--update"):
        path.write_text(told, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == told, "the dialogue changed; see pytest --update"
