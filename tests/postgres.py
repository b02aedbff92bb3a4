"""A real PostgreSQL server for the tests: started in a folder of its own, and as easily killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

MEMORY, ROOM = Path("/dev/shm"), 4 * 2**30


def binaries() -> Path:
    """Where initdb and pg_ctl lie. A missing server is a failure, not a skip: ``make setup`` installs it."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists():
            return folder
    raise FileNotFoundError("There is no PostgreSQL server on this machine. Run: make setup")


class Postgres:
    """One server on a socket in its own folder; no port, no password, nobody else's data."""

    def __init__(self, *, on_disk: bool = False) -> None:
        """``on_disk`` where speed is measured; else in memory, where there is room: its tests kill it, not the power."""
        self.bin = binaries()
        memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM and not on_disk
        self.folder = Path(tempfile.mkdtemp(prefix="prescreen-pg-", dir=MEMORY if memory else None))
        self.root = os.geteuid() == 0
        if self.root:  # the server refuses to run as root
            shutil.chown(self.folder, "postgres", "postgres")
        self.data = self.folder / "data"
        self._run(
            "initdb",
            "-D",
            self.data,
            "-A",
            "trust",
            "-U",
            "prescreen",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        )
        self._made = 0
        self.template = "template1"
        """What a new database is a copy of."""
        self.start()

    def _run(self, program: str, *words: object, check: bool = True) -> None:
        command = [str(self.bin / program), *map(str, words)]
        if self.root:
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", timeout=60)
        if check and done.returncode:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")

    def start(self) -> None:
        settings = f"-c listen_addresses= -c unix_socket_directories={self.folder} -c max_connections=100"
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self.folder / "log", "-o", settings, "start")

    def stop(self, how: str = "fast", *, check: bool = True) -> None:
        """``how``: "immediate" is the server's own kill -9."""
        self._run("pg_ctl", "-D", self.data, "-m", how, "-w", "stop", check=check)

    def restart(self, how: str = "immediate") -> None:
        self.stop(how)
        self.start()

    def remove(self) -> None:
        self.stop("immediate", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql:///{database}?host={self.folder}&user=prescreen"

    def database(self, template: str = "") -> str:
        """The address of a new database, as the template is."""
        self._made += 1
        name = f"d{self._made}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or self.template}"')  # type: ignore[call-overload]
        return self.url(name)

    def drop(self, url: str) -> None:
        """A database that nobody needs any more, whoever is still connected to it."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            name = url.partition("///")[2].partition("?")[0]
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')  # type: ignore[call-overload]
