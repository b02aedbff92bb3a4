"""How far invented people come: half leave within three questions, one in ten goes to the end."""

from __future__ import annotations

import random


def depth(number: int, acts: int) -> int:
    """After how many acts person ``number`` stopped; the same in every run and for every peer."""
    chance = random.Random(number).random()
    if chance < 0.5:
        return 1 + int(chance * 6)
    if chance > 0.9:
        return acts
    return 4 + int((chance - 0.5) / 0.4 * (acts - 4))


FIRST = 1_000_000_000
"""The chat of the first person stored; the others follow."""


def somebody(stored: int) -> int:
    """One of those stored, another one each time."""
    return FIRST + random.SystemRandom().randrange(stored)
