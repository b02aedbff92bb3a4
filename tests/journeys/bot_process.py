"""The real bot process, as a person would start it, talking to the fake Bot API server over HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.telegram_server import Group, TelegramServer

ROOT = Path(__file__).parent.parent.parent


class BotProcess:
    """``prescreen serve`` on a database of its own. ``kill`` is kill -9."""

    def __init__(
        self, server: TelegramServer, folder: Path, team: Group | None = None, database: str = "", workers: int = 1
    ) -> None:
        """``database``: its address, where it is not an SQLite file in ``folder``."""
        self.server, self.folder, self.workers = server, folder, workers
        self.log = folder / "bot.log"
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": database or f"sqlite:///{folder / 'prescreen.db'}",
            "TELEGRAM_TOKEN": server.token,
            "MASTER_KEY": os.environ["MASTER_KEY"],
            "ALLOW_DRAFT_LANGUAGES": "yes",
            "UPDATES_A_MINUTE": "100000",  # the people of the tests type fast
            "TELEGRAM_API": server.base_url,
            "SEND_SPEED": "100",  # the server here sets no limits, and the people answer at once
            "STAFF_GROUP": str(team.chat.id if team else -1),
            "PTB_TIMEDELTA": "true",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> BotProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, **more: str) -> None:
        """``more``: environment of this one process, such as where it is to die."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bot", "serve", "--workers", str(self.workers)],
                cwd=self.folder,
                env={**self.environment, **more},
                stdout=log,
                stderr=log,
            )

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=15)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    @property
    def is_up(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def children(self) -> list[int]:
        """The workers' process ids."""
        assert self.process is not None
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in listed.read_text().split()] if listed.exists() else []

    def run(self, *words: str) -> str:
        """Another command of the same installation, such as ``leads``."""
        done = subprocess.run(
            [sys.executable, "-m", "bot", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def settles(self, seconds: float = 30.0) -> None:
        """Until every update is confirmed."""
        end = time.monotonic() + seconds
        while self.server.pending and time.monotonic() < end:
            time.sleep(0.02)
        assert not self.server.pending
