"""What one deployment is made of: its trial, its languages, its people. Wired together in app.py only."""

from __future__ import annotations

import hashlib
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
    desk_url: str = ""
    """The public address of the web inbox, without a path; "" where there is none."""
    chat_url: str = ""
    """The public address of the web chat, without a path; "" where there is none."""
    mail: bool = False
    """Whether there is a way to send mail."""
    hook: bool = False
    """Whether another system is told of what happens to leads."""
    key: bytes = b"of a terminal"
    """What every other secret of this deployment is made from."""

    demo: bool = False
    """Everybody in it is invented. No setting turns this on: the demo lets its visitor in as staff."""

    def secret(self, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose, which tells nothing of the others."""
        return hashlib.blake2b(purpose.encode(), key=self.key[:64], digest_size=32).digest()
