"""The dialogue engine: pure, and usable on its own. This is its public face, and nothing else is."""

from flows.engine import advance, start
from flows.hear import hear
from flows.machine import place, screen
from flows.parse import parse
from flows.reply import Reply
from flows.speak import speak
from flows.turn import Turn

__all__ = ["Reply", "Turn", "advance", "hear", "parse", "place", "screen", "speak", "start"]
