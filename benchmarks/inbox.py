"""How long staff wait for a page of the web inbox, with very many leads stored: the real pages over real HTTP.

    python -m benchmarks.inbox                              # 100,000 leads, on SQLite and on PostgreSQL
    python -m benchmarks.inbox --stored 1000 --only sqlite  # in passing
    python -m benchmarks.inbox --page                       # and writes the table into docs/performance.md

The leads are written by the product's own statements, sealed as it seals them: three of ten are open, at two sites
and the study desk, in three languages, with twenty members of staff. A process of its own serves the pages; one
browser asks for one page after the other and reads it to its end. A figure is the median of ``--times`` requests.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import random
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
MARK = "inbox"
AIM = 50.0
"""Milliseconds that the median of a page may take."""
PATTERN, BATCH = 100, 5000
"""Leads that are written one by one, and rows that are copied from them at once."""
STAFF = 20
SITES = ("north", "north", "north", "harbour", "harbour", "")
LOCALES = ("en", "en", "es", "zh_Hans")
OPEN = ("new", "new", "claimed", "attempt_1", "attempt_2", "reached", "considering", "scheduled", "consented")
OUTCOMES = ("possible_match", "possible_match", "needs_review")
FLAG = {
    "criterion": "E18", "status": "REVIEW", "until": None, "because": ["mri.not_sure"], "note": "", "noted": None,
    "said": [],
}  # fmt: skip


# ---------------------------------------------------------------------- what is stored


def fill(url: str, stored: int) -> None:
    """Leads with contact, history and look-up keys; some people sent twice."""
    from bot.desk import duplicates, insight  # noqa: PLC0415 (after the environment has its master key)
    from bot.store import Store, leads, staff  # noqa: PLC0415

    store, now = Store(url), datetime.now(UTC)
    deployed, chance = _deployed(store, "http://127.0.0.1:1"), random.Random(7)
    with store.begin(now) as db:
        members = [staff.add(db, f"Nurse{number}", number + 1, "en", role="admin") for number in range(STAFF)]
        staff.change(db, members[1], role="coordinator", sites=["north"])
        staff.change(db, members[2], role="coordinator", sites=["north", "harbour"])
    with store.begin(now) as db:
        for number in range(min(PATTERN, stored)):
            values = _lead(number, chance, members, now)
            leads.add(db, contact=_contact(number), **values)
    _copy(store, chance, members, stored, now)
    for first in range(0, stored, BATCH):
        with store.begin(now) as db:
            for number in range(first, min(first + BATCH, stored)):
                leads.record(db, number + 1, "raised", now)
                leads.record(db, number + 1, "claimed", now, members[number % STAFF])
                found = duplicates.keys_of(deployed, "telegram", str(10_000_000 + number), _contact(number))
                duplicates.note_keys(db, number + 1, found)
    with store.begin(now) as db:
        insight.keep(db, deployed.trial, insight.count(db, deployed, now), now)
    store.close()


def _copy(store: Any, chance: random.Random, members: list[int], stored: int, now: datetime) -> None:
    """More rows like the first: what is sealed is copied with its key, everything else is a lead's own."""
    from sqlalchemy import insert, select, text  # noqa: PLC0415

    from bot.store.tables import LeadRow  # noqa: PLC0415

    lead = LeadRow.__table__  # type: ignore[attr-defined]
    sealed = ("contact", "flags", "outcome", "criterion", "eligible_from")
    with store.begin(now) as db:
        pattern = [dict(row) for row in db.execute(select(lead).order_by(lead.c.id)).mappings()]
    for first in range(len(pattern), stored, BATCH):
        rows = []
        for number in range(first, min(first + BATCH, stored)):
            like, own = pattern[number % len(pattern)], _lead(number, chance, members, now)
            own = {name: value for name, value in own.items() if name not in sealed}
            rows.append({**like, **own, "id": number + 1})
        with store.begin(now) as db:
            db.execute(insert(lead), rows)
    if store.server:
        with store.begin(now) as db:
            db.execute(text("SELECT setval('lead_id_seq', (SELECT max(id) FROM lead))"))


def _lead(number: int, chance: random.Random, members: list[int], now: datetime) -> dict[str, Any]:
    status = chance.choice(OPEN) if chance.random() < 0.3 else "closed"
    created = now - timedelta(minutes=chance.randrange(1, 60 * 24 * 180))
    due = now + timedelta(minutes=chance.randrange(-2000, 3000))
    return {
        "channel": "telegram", "chat": str(10_000_000 + number), "trial": "nct06570291", "conversation_id": None,
        "site": chance.choice(SITES), "locale": chance.choice(LOCALES), "source": f"poster{number % 20}",
        "outcome": chance.choice(OUTCOMES), "eligible_from": None, "flags": [FLAG], "helper": False,
        "changed": False, "text_version": "2026-11-22", "status": status,
        "reason": "not_interested" if status == "closed" else "", "created_at": created, "updated_at": created,
        "owner_id": None if status == "new" else chance.choice(members),
        "due_at": created + timedelta(days=1) if status == "closed" else due,
    }  # fmt: skip


def _contact(number: int) -> dict[str, Any]:
    person = number - number % 50 if number % 50 == 1 else number  # every fiftieth sent before
    return {
        "town": "Suzhou", "site": "north", "first_name": f"Person{person}", "last_name": "Example",
        "phone": f"+346{person:08d}", "email": f"person{person}@example.org", "call_days": ["mon"],
        "call_time": "morning",
    }  # fmt: skip


def _deployed(store: Any, url: str) -> Any:
    from dataclasses import replace  # noqa: PLC0415

    from bot.app import deployment  # noqa: PLC0415
    from bot.settings import load  # noqa: PLC0415

    return replace(deployment(load(desk_url=url, allow_draft_languages=True)), key=store.secret)


# ---------------------------------------------------------------------- what is served


def serve(url: str, address: str) -> None:
    """The pages as ``prescreen serve`` serves them, without Telegram."""
    import asyncio  # noqa: PLC0415

    from bot import web  # noqa: PLC0415
    from bot.desk.pages import app, room  # noqa: PLC0415
    from bot.house import House  # noqa: PLC0415
    from bot.store import Store  # noqa: PLC0415

    store = Store(url)
    house = House(store, _deployed(store, f"http://{address}"), {})
    desk = app.make(room.Room(house.deployed, store, house.writer, house.clock))
    made = web.make(house.probe, house.ready, house.measure, None, "", desk)
    asyncio.run(web.serve(made, web.listener(address), asyncio.Event()))


class Browser:
    """One connection that stays open, and the cookies."""

    def __init__(self, address: str) -> None:
        self.line = http.client.HTTPConnection(address, timeout=60)
        self.cookie = self.csrf = ""

    def ask(self, method: str, path: str, **form: str) -> tuple[int, str]:
        headers = {"Cookie": self.cookie, "Sec-Fetch-Site": "same-origin"}
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            self.line.request(method, f"/desk{path}", urlencode(form) if form else None, headers)
            answer = self.line.getresponse()
        except http.client.RemoteDisconnected:  # it was idle for too long; the next attempt connects anew
            return self.ask(method, path, **form)
        text = answer.read().decode()
        for cookie in answer.headers.get_all("set-cookie") or ():
            if cookie.startswith("__Host-desk="):
                self.cookie = cookie.partition(";")[0]
        if found := re.search(r'name="csrf" value="([0-9a-f]+)"', text):
            self.csrf = found[1]
        return answer.status, text


def measure(url: str, stored: int, times: int) -> dict[str, dict[str, float]]:
    """Milliseconds of each page: the median, the slowest of twenty, and the size in KB."""
    with _served(url) as address:
        one, of_one_site, of_two = (_signed_in(url, address, number) for number in (1, 2, 3))
        found = {}
        pages = _pages(one, stored)
        for name, path in {"queue": "/", "mine": "/?mine=1&status=open", "closed": "/?status=done"}.items():
            pages[f"{name}, of one site's coordinator"] = _getting(of_one_site, path)
        pages["queue, of two sites' coordinator"] = _getting(of_two, "/")
        for name, ask in pages.items():
            taken, size = [], 0
            for number in range(times + 5):
                began = time.perf_counter()
                status, text = ask(number)
                taken.append((time.perf_counter() - began) * 1e3)
                assert status == 200, (name, status)
                size = len(text)
            taken = sorted(taken[5:])
            found[name] = {
                "p50_ms": statistics.median(taken), "p95_ms": taken[int(len(taken) * 0.95)], "kb": size / 1024
            }  # fmt: skip
        return found


def _pages(browser: Browser, stored: int) -> dict[str, Callable[[int], tuple[int, str]]]:
    chance = random.Random(3)
    twentieth = _deep(browser, 20)

    def lead(_number: int) -> tuple[int, str]:
        return browser.ask("GET", f"/leads/K-{chance.randrange(1, stored + 1):04d}")

    def contact(_number: int) -> tuple[int, str]:
        return browser.ask("POST", "/search", csrf=browser.csrf, text=f"+346{chance.randrange(stored):08d}")

    def get(path: str) -> Callable[[int], tuple[int, str]]:
        return _getting(browser, path)

    return {
        "queue": get("/"),
        "queue, one site and language": get("/?status=to_call&site=harbour&language=es"),
        "queue, mine": get("/?mine=1&status=open"),
        "queue, one status": get("/?status=scheduled"),
        "queue, page 20": get(twentieth),
        "closed leads": get("/?status=done"),
        "a lead's page": lead,
        "search by contact": contact,
        "how it goes": get("/insight"),
        "numbers": get("/counts"),
    }


def _getting(browser: Browser, path: str) -> Callable[[int], tuple[int, str]]:
    return lambda _number: browser.ask("GET", path)


def _signed_in(url: str, address: str, number: int) -> Browser:
    """The browser of the member of staff with this Telegram number."""
    browser = Browser(address)
    browser.ask("POST", "/link", token=_token(url, address, number))
    return browser


def _deep(browser: Browser, number: int) -> str:
    """The address of a page far down the queue, by pressing on as staff would."""
    path = "/"
    for _ in range(number - 1):
        _, text = browser.ask("GET", path)
        more = re.search(r'href="/desk/(\?[^"]*after=[^"]*)">', text)
        if more is None:
            break
        path = "/" + more[1].replace("&amp;", "&")
    return path


def _token(url: str, address: str, number: int) -> str:
    from bot.desk import sign_in  # noqa: PLC0415
    from bot.store import Store, staff  # noqa: PLC0415

    store, now = Store(url), datetime.now(UTC)
    with store.begin(now) as db:
        member = staff.by_telegram(db, str(number))
        assert member is not None
        link = sign_in.make_link(db, _deployed(store, f"http://{address}"), member, now)
    store.close()
    return link.rpartition("/")[2]


class _served:  # noqa: N801 (read as a verb in a ``with``)
    """The serving process, from its first answer to its end."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __enter__(self) -> str:
        import socket  # noqa: PLC0415

        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        command = [sys.executable, "-m", "benchmarks.inbox", "--serve", address, "--database", self.url]
        self.process = subprocess.Popen(command)
        for _ in range(300):
            try:
                Browser(address).ask("GET", "/sign-in")
            except OSError:
                time.sleep(0.1)
            else:
                return address
        raise RuntimeError("the pages were not served in 30 s")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


# ---------------------------------------------------------------------- what is told


def _databases(only: str, folder: Path) -> Iterator[tuple[str, str]]:
    if only in ("", "sqlite"):
        yield "SQLite", f"sqlite:///{folder / 'inbox.db'}"
    if only in ("", "postgresql"):
        from tests.postgres import Postgres  # noqa: PLC0415

        server = Postgres(on_disk=True)
        try:
            yield "PostgreSQL", server.database()
        finally:
            server.remove()


def table(found: dict[str, dict[str, dict[str, float]]], stored: int, times: int) -> str:
    day, python = datetime.now(UTC).date().isoformat(), platform.python_version()
    busy = os.getloadavg()[0]
    machine = f"{day}, {os.cpu_count()} cores, CPython {python}, load {busy:.1f}"
    head = f"{machine}; {stored:,} leads stored, {times} requests each."
    lines = [head, "", "| page | " + " | ".join(f"{name}, p50 | p95" for name in found) + " | KB | |"]
    lines.append("|---|" + "---|" * (2 * len(found) + 2))
    for page in next(iter(found.values())):
        each = [one[page] for one in found.values()]
        numbers = " | ".join(f"{one['p50_ms']:.1f} ms | {one['p95_ms']:.1f} ms" for one in each)
        met = "met" if max(one["p50_ms"] for one in each) < AIM else "**not met**"
        lines.append(f"| {page} | {numbers} | {each[0]['kb']:.0f} | {met} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--stored", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=60)
    parser.add_argument("--only", choices=("sqlite", "postgresql"), default="")
    parser.add_argument("--page", action="store_true", help="write the table into docs/performance.md")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--dir", type=Path)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--database", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("MASTER_KEY", secrets.token_hex(32))
    if options.serve:
        serve(options.database, options.serve)
        return
    found = {}
    with tempfile.TemporaryDirectory(prefix="prescreen-bench-") as passing:
        for name, url in _databases(options.only, (options.dir or Path(passing)).resolve()):
            began = time.perf_counter()
            fill(url, options.stored)
            print(f"{name}: filled in {time.perf_counter() - began:.0f} s", file=sys.stderr)
            found[name] = measure(url, options.stored, options.times)
    if options.json:
        print(json.dumps(found))
        return
    told = table(found, options.stored, options.times)
    print(told)
    if options.page:
        page = PAGE.read_text(encoding="utf-8")
        begin, end = f"<!-- {MARK} -->", f"<!-- /{MARK} -->"
        before, after = page.partition(begin)[0], page.partition(end)[2]
        PAGE.write_text(f"{before}{begin}\n{told}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
