"""What one deployment is made of: its trial, its languages, its people. Wired together in app.py only."""

from __future__ import annotations

from dataclasses import dataclass

from bot.buttons import Buttons
from bot.library import Library
from bot.words import Languages


@dataclass(frozen=True)
class Deployment:
    library: Library
    languages: Languages
    buttons: Buttons
    trial: str
    keep_days: int
    staff_channel: str = "telegram"
    staff_group: str = ""
    """The chat where site staff get notices; "" where there is none."""
    staff_language: str = "en"
