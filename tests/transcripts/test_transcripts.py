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
MONTH = {
    "en": "May 2024", "es": "mayo de 2024", "zh_Hans": "2024年5月", "ar": "مايو 2024", "hi": "मई 2024", "ru": "май 2024",
    "fr": "mai 2024", "pt_BR": "maio de 2024",
}  # fmt: skip
DAY = {
    "en": "14 nov", "es": "14 nov", "zh_Hans": "11月14日", "ar": "١٤ نوفمبر", "hi": "१४ नवंबर", "ru": "14 ноября",
    "fr": "le 14 novembre", "pt_BR": "14 de novembro",
}  # fmt: skip
YES = {
    "en": "yes", "es": "sí", "zh_Hans": "是", "ar": "نعم", "hi": "हाँ जी", "ru": "да", "fr": "oui", "pt_BR": "sim",
}  # fmt: skip


def to_a_lead(patient: Patient) -> None:
    """Conversation A: to a lead, with a doubt, a why, a voice note, another language and a change."""
    walk_to(patient, "diagnosis", language=patient.conversation.locale)
    patient.replies(Asked("why")).answers("yes").answers("about_half")
    patient.says(MONTH[patient.conversation.locale])
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
    patient.says(DAY[patient.conversation.locale])
    patient.says(YES[patient.conversation.locale])
    walk_to(patient, "check").answers("right").replies(Asked("reason")).answers("remind").answers("no")


def ruled_out(patient: Patient) -> None:
    """A permanent reason: the questions stop, kindly, and a slip can be mended."""
    walk_to(patient, "ever", language=patient.conversation.locale)
    patient.answers(("artificial_knee",)).answers("right").replies(Asked("reason")).answers("yes")


CASES: dict[str, Callable[[Patient], None]] = {"lead": to_a_lead, "not_now": not_now, "ruled_out": ruled_out}
OUTCOMES = {"lead": "needs_review", "not_now": "not_now", "ruled_out": "ruled_out"}


@pytest.mark.parametrize("locale", LANGUAGES.names)
@pytest.mark.parametrize("case", CASES)
def test_golden_dialogue(flow: Flow, case: str, locale: str, request: pytest.FixtureRequest) -> None:
    patient = Patient(flow, locale)
    CASES[case](patient)
    assert patient.verdict.outcome == OUTCOMES[case]
    name = LANGUAGES.names[locale]
    lines = [f"# {flow.trial.registry_id} {flow.trial.version}, {case}, {name}", ""]
    for who, text in patient.transcript:
        lines += [f"**{who}**", *(f"> {line}".rstrip() for line in text.splitlines()), ""]
    told = "\n".join(lines)
    path = HERE / flow.trial.slug / f"{case}.{locale}.md"
    if request.config.getoption("--update"):
        path.write_text(told, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == told, "the dialogue changed; see pytest --update"
