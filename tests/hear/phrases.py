"""Reads the phrase tables, and judges what is heard against what was meant."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from flows import hear
from flows.answer import Span, value_to_json
from flows.conversation import Conversation
from flows.flow import Flow
from flows.reply import Asked, Gave, Narrowed, Reply, Signalled
from tests.conftest import walk_to
from tests.patient import Patient

FOLDER = Path(__file__).parent
WAYS: dict[str, dict[str, Any]] = {
    "knee_start": {"how_long": "less"},
    "operation_date": {"half_year": ("operation",)},
    "shot_kind": {"half_year": ("shot",)},
    "shot_date": {"half_year": ("shot",), "shot_kind": "gel"},
    "infection_end": {"half_year": ("infection",)},
    "study_end": {"half_year": ("study",)},
    "supplement_kind": {"two_months": ("supplement",)},
    "supplement_last": {"two_months": ("supplement",), "supplement_kind": "yes"},
    "steroid_last": {"two_months": ("steroid",)},
    "vaccine_kind": {"two_months": ("vaccine",)},
    "mri_heart_device": {"mri": ("heart_device",)},
    "mri_bone_metal": {"mri": ("bone_metal",)},
    "sex": {"birth": Span(date(1980, 1, 1), date(1980, 12, 31))},
    "joint_sure": {"joints": ("gout", "rheumatoid")},
}
"""What somebody answered before, to come to a question that not everybody is asked."""
CONTACT: dict[str, Any] = {
    **{"check": "right", "offer": "yes", "town": "Wuxi", "site": "north", "first_name": "Rosa"},
    **{"last_name": "Example", "phone": "write_here", "email": "no_email", "other_language": "no"},
    **{"call_days": (), "call_time": "any"},
}

Heard = tuple[str, Any]
"""How sure, and what: ("taken", value), ("asked", value) for a read-back, ("wish", name), ("danger", sign),
("again", None) for a question back."""


@dataclass(frozen=True)
class Phrase:
    """``types`` at the question ``at``, in ``locale``. ``means`` is the value as plain JSON, "/back" for a wish,
    "!emergency" for danger, "?" where only a question back is right, "unsure" for not sure."""

    locale: str
    at: str
    types: str
    means: Any

    def __str__(self) -> str:
        return f"{self.locale}:{self.at}:{self.types[:40]}"


def phrases(folder: Path = FOLDER) -> Iterator[Phrase]:
    for path in sorted(folder.glob("*.toml")):
        for row in tomllib.loads(path.read_text(encoding="utf-8"))["said"]:
            yield Phrase(path.stem, row["at"], row["types"], row["means"])


class Listener:
    """Walks to each question once, and hears there."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self._at: dict[tuple[str, str], Patient] = {}

    def at(self, locale: str, step: str) -> Patient:
        """Somebody who has come as far as that question."""
        if (locale, step) not in self._at:
            way = {"language": locale, **CONTACT, **WAYS.get(step, {})}
            self._at[locale, step] = walk_to(Patient(self.flow, locale), step, **way)
        return self._at[locale, step]

    def hears(self, phrase: Phrase) -> Heard:
        patient = self.at(phrase.locale, phrase.at)
        before: Conversation = patient.conversation
        reply: Reply = hear(self.flow, before, phrase.types, patient.words, patient.now)
        match reply:
            case Asked(what, about):
                return "wish", f"/{what}" + (f" {about}" if about else "")
            case Signalled(sign):
                return "danger", f"!{sign}"
            case Gave() | Narrowed():
                after = Patient.__new__(Patient)
                after.__dict__.update(patient.__dict__, events=[], transcript=[], speeches=[])
                after.replies(reply)
                pending = after.conversation.pending
                if pending is not None:
                    return "asked", _plain(pending.value)
                return "taken", _plain(after.conversation.answers[before.step].value)  # type: ignore[index]
            case _:
                return "again", None


def _plain(value: Any) -> Any:
    if value is None:
        return "unsure"
    if isinstance(value, Span):
        same = value.first == value.last
        return value.first.isoformat() if same else f"{value.first.isoformat()}..{value.last.isoformat()}"
    plain = value_to_json(value)
    return f"{value.normalize():f}" if isinstance(value, Decimal) else plain


def verdict(phrase: Phrase, heard: Heard) -> str:
    """right, honest (a question back), off (a wrong value, but asked about), or wrong (taken as certain)."""
    how, what = heard
    if phrase.means == "?":
        asked_back = how in ("asked", "danger") or what == "/question"
        return "right" if how == "again" else "honest" if asked_back else "wrong"
    if what == phrase.means:
        return "right"
    return {"again": "honest", "asked": "off"}.get(how, "wrong")
