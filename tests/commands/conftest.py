"""The command line in this process, away from anybody's settings and database."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bot.__main__ import main
from bot.settings import Settings


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Prescreen = Callable[..., Ran]


@pytest.fixture
def prescreen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Prescreen:
    """``prescreen("leads", "--json", typed="...", KEEP_DAYS="7")``: its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'prescreen.db'}")
    monkeypatch.setenv("MASTER_KEY", "of-the-tests-and-of-nothing-else-")

    def run(*argv: str, typed: str = "", **settings: str) -> Ran:
        with monkeypatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.StringIO(typed))
            try:
                code = main(argv)
            except SystemExit as stop:  # argparse: 0 for --help, 2 for a wrong argument
                code = int(stop.code or 0)
        return Ran(code, *capsys.readouterr())

    return run
