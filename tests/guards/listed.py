"""The list of guards as data: ``guards.toml``, read, looked up in the tree, taken out and put back."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
LEFT_OUT = (
    ".venv",
    ".git",
    "var",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    "*.db*",
)


@dataclass(frozen=True, slots=True)
class Guard:
    """Something that holds, and what shows that it is missed."""

    name: str
    promise: str
    file: str
    cuts: tuple[tuple[str, str], ...]
    """Pieces of the file, each found once, and what takes their place."""
    tests: tuple[str, ...]

    def problem(self, tree: Path) -> str:
        """Why it cannot be taken out of this tree as it is; "" when it can."""
        path = tree / self.file
        if not path.is_file():
            return f"{self.file} is not there"
        source = path.read_text(encoding="utf-8")
        for text, _ in self.cuts:
            if (count := source.count(text)) != 1:
                return f"{self.file} has its text {count} times: {text.strip()[:60]!r}"
        return ""

    @contextmanager
    def removed(self, tree: Path) -> Iterator[None]:
        """The tree without it. What is left must still be Python."""
        path = tree / self.file
        whole = path.read_text(encoding="utf-8")
        try:
            path.write_text(self.without(whole), encoding="utf-8")
            yield
        finally:
            path.write_text(whole, encoding="utf-8")

    def without(self, source: str) -> str:
        for text, instead in self.cuts:
            source = source.replace(text, instead)
        return source


def guards() -> list[Guard]:
    listed = tomllib.loads((Path(__file__).parent / "guards.toml").read_text(encoding="utf-8"))
    return [
        Guard(
            name,
            values["promise"],
            values["file"],
            tuple(
                (values[f"{head}text"], values[f"{head}instead"])
                for head in ("", "and_")
                if f"{head}text" in values
            ),
            tuple(values["tests"]),
        )
        for name, values in listed.items()
    ]


def copy(tree: Path, to: Path) -> None:
    """The tree as it stands, without what is made from it."""
    shutil.copytree(tree, to, ignore=shutil.ignore_patterns(*LEFT_OUT))
