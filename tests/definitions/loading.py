"""The trial files of these tests: tiny ones, each within the real frame."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from bot.library import TRIALS
from flows.flow import Flow
from flows.parse import Problem, Source, parse

HERE = Path(__file__).parent
HEAD = (HERE / "_head.toml").read_text(encoding="utf-8")
"""What a file begins with unless it has a [trial] of its own."""
FRAME = (TRIALS / "_frame.toml").read_text(encoding="utf-8")

VALID = sorted(path.stem for path in (HERE / "valid").glob("*.toml"))
INVALID = sorted(path.stem for path in (HERE / "invalid").glob("*.toml"))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def parsed(name: str, text: str, frame: str = FRAME) -> Flow | list[Problem]:
    whole = text if "[trial]" in text else HEAD + text
    return parse(Source(f"{name}.toml", whole), Source("_frame.toml", frame))


@cache
def flow_of(name: str, text: str = "") -> Flow:
    """A valid definition by its name, or a text of the test's own."""
    flow = parsed(name, text or text_of(HERE / "valid" / f"{name}.toml"))
    assert isinstance(flow, Flow), flow
    return flow
