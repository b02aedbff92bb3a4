"""Keeps what runs from left to right together inside a text that runs from right to left."""

from __future__ import annotations

import re

_START, _END = "\u2066", "\u2069"
_RUN = re.compile(
    r"[a-z]+://\S+"
    r"|\+[0-9](?:[0-9 ()-]*[0-9])?"
    r"|[0-9]+(?:[.,:/-][0-9]+)*(?![0-9]| ?[A-Za-z])"
    r"|[/@]?[0-9A-Za-z](?:[0-9A-Za-z .,:;/()+@_'&%-]*[0-9A-Za-z)%])?"
)
"""An address, a phone number, a number or a range, or Latin words with the numbers among them."""
_AS_IT_IS = re.compile(r"[0-9.,:]+|[a-z]+://.*")


def isolated(text: str) -> str:
    """The text with isolates around phone numbers, ranges, Latin names and commands.

    Without them ``+86 510 5555 0147`` is shown from its last group to its first. A plain number needs none, and
    an address gets none, because some apps would make them a part of the link.
    """
    return _RUN.sub(lambda found: _wrapped(found[0]), text)


def _wrapped(run: str) -> str:
    rest = ""
    while run.endswith(")") and run.count(")") > run.count("("):  # the bracket is of the text around it
        run, rest = run[:-1].rstrip(" .,:;-"), run[-1] + rest
    return run + rest if _AS_IT_IS.fullmatch(run) else f"{_START}{run}{_END}{rest}"
