"""The staff's day of ux.md section 7: the real bot, a real browser, a real mail server and the Bot API server.

With ``--update`` the pictures in docs/pictures are taken anew.
"""

from __future__ import annotations

import asyncio
import csv
import io
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from bot import settings
from bot.app import deployment, mail_of
from bot.channels.telegram import NAME, Telegram
from bot.house import House as Inside
from bot.limits import Limits
from bot.messages import Channel
from bot.store import Store
from bot.store.sites import filed
from tests.channels.test_mail import PostOffice
from tests.desk.test_browser import SMALL, chromium
from tests.journeys.conftest import House
from tests.journeys.dialogue import Chat
from tests.telegram_server import Message, Person

__all__ = ["chromium"]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chromium")]

NUMBER = "+34 612 34 56 78"
ROSA = {"first_name": "Rosalind", "last_name": "Vandermeer", "email": "rosalind@example.org", "town": "Suzhou",
        "phone": NUMBER, "call_days": ("tue", "thu"), "call_time": "morning", "mri": None}  # fmt: skip
"""Somebody who is not sure about the scan; later she writes from a second account, with the same number."""
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
KEPT = {
    "queue-1280": "queue.png",
    "lead-390": "lead.png",
    "compare-1280": "compare.png",
    "insight-1280": "insight.png",
}
"""What of it the README shows."""
SECRETS = ("Rosalind", "Vandermeer", "612", "rosalind", "knee", "arthr", "MRI", "implant")
"""None of this may be in what is sent without a sign-in."""


@dataclass
class Clinic:
    """The house of one day: who works there, their browsers, and what was seen on the way."""

    house: House
    office: PostOffice
    url: str
    chromium: Browser
    shots: Path
    update: bool
    people: dict[str, Person] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    """What a browser had to say against a page: a policy that was broken, a script that failed."""

    def person(self, name: str, *how: str) -> Person:
        """Somebody of the staff, with a private chat."""
        self.people[name] = person = self.house.server.person(name)
        self.house.bot.run("staff", "add", name, "--telegram", str(person.id), *how)
        person.starts()
        person.sees(f"You are on the staff list, {name}.")
        return person

    @contextmanager
    def desk(self, name: str, **how: Any) -> Iterator[Page]:
        """A browser in which somebody has signed in by the link that the bot sent to their private chat."""
        person = self.people[name]
        person.says("/desk")
        link = re.search(r"http://\S+/desk/link/\S+", person.sees("/desk/link/").text)
        assert link
        with self.browser(**how) as page:
            page.goto(link[0])
            self.looks_at(page, "link")
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(f"{self.url}/desk/")
            yield page

    @contextmanager
    def browser(self, **how: Any) -> Iterator[Page]:
        context = self.chromium.new_context(viewport={"width": 1280, "height": 900}, **how)
        page = context.new_page()
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        yield page
        context.close()

    def looks_at(self, page: Page, name: str) -> None:
        """The page on a desktop and on a phone: axe finds nothing serious, and nothing is cut off or too small."""
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            found = Axe().run(page).response["violations"]
            assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == [], name
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert page.evaluate(SMALL) == [], name
            page.screenshot(path=self.shots / f"{name}-{width}.png", full_page=True)
            kept = KEPT.get(f"{name}-{width}")
            if kept and self.update:
                PICTURES.mkdir(exist_ok=True)
                page.screenshot(path=PICTURES / kept)

    def opened(self, reference: str) -> int:
        """How often the audit says that this lead's page was opened."""
        query = "SELECT count(*) AS times FROM audit WHERE what = 'lead.opened' AND lead_id = ?"
        return int(self.house.records.rows(query, int(reference.removeprefix("K-")))[0]["times"])

    def mails(self, to: str, number: int = 1) -> list[Any]:
        """What a mailbox has, once there is so much in it."""

        def there() -> list[Any]:
            return [mail for mail in self.office.taken if mail["To"] == to]

        end = monotonic() + 60
        while len(there()) < number:
            assert monotonic() < end, f"{to} got {len(there())} mails"
            sleep(0.1)
        return there()


@pytest.fixture
def clinic(house: House, chromium: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Clinic]:
    """The bot again, now with an inbox and a mail server."""
    house.bot.stop()
    office = PostOffice()
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    url = f"http://{listen}"
    house.bot.environment |= {"LISTEN": listen, "DESK_URL": url}
    house.bot.environment |= {"MAIL_SERVER": office.address, "MAIL_FROM": "Knee study <study@example.org>"}
    house.bot.start()
    shots = tmp_path / "shots"
    shots.mkdir()
    yield Clinic(house, office, url, chromium, shots, bool(request.config.getoption("--update")))
    office.closes()


def test_a_day_at_the_clinic(clinic: Clinic) -> None:
    house = clinic.house
    rosa, again, tom = house.chat("Rosa"), house.chat("Rosie"), house.chat("Tom", "es")
    for name, how in (("Ana", ()), ("Li", ()), ("Mara", ("--role", "admin"))):
        clinic.person(name, "--site", "north", *how) if name != "Mara" else clinic.person(name, *how)
    house.bot.run("staff", "add", "Lena", "--email", "lena@north.example", "--role", "site_lead", "--site", "north")

    clinic.office.after = ["drop", "drop"]  # the first mails, to the site and to her, are taken and nobody says so
    rosa.starts("poster7").walks_to("send", **ROSA).answers("send", "send")
    notice = house.team.sees("K-0001", all=True)
    assert notice.says("poster7") is False and notice.says("1 to verify")
    with clinic.desk("Ana") as ana:
        _claim_together(clinic, ana, notice)
        rosa.person.sees("Ana from the study team has your request. They call from +86 510 5555 0147.", all=True)
        _two_more_send(clinic, again, tom)
        _reads_the_sheet(clinic, ana)
        _works_it(ana, rosa)
        _notes(clinic, ana)
        _shares(clinic, ana)
        _takes_over(ana, rosa)
        _merges(clinic, ana, again)
    _third_person_changes_their_mind(tom)
    house.team.sees("K-0003 · withdrawn", all=True)
    _same_mail_again(clinic)
    with clinic.desk("Mara") as mara:
        _looks_around(clinic, mara)
        _exports(clinic, mara)
    house.quiet(60)
    _nothing_is_told_outside(clinic)
    house.bot.stop()
    _next_morning(clinic)
    told = [line for line in clinic.complaints if "status of 404" not in line and "status of 409" not in line]
    assert told == [] and house.server.problems == []


def _claim_together(clinic: Clinic, ana: Page, notice: Message) -> None:
    """Ana in the inbox, Li in the group, at the same moment: one has it, the other reads who."""
    clinic.looks_at(ana, "queue")
    ready, li = threading.Barrier(2), clinic.people["Li"]

    def tap() -> None:
        ready.wait()
        li.presses("Claim", notice)

    other = threading.Thread(target=tap)
    other.start()
    ready.wait()
    ana.locator("#claim-K-0001").click()
    other.join()
    ana.wait_for_url("**/leads/K-0001**")
    (lead,) = clinic.house.records.rows("SELECT staff.name FROM lead JOIN staff ON staff.id = owner_id")
    claims = clinic.house.records.rows("SELECT * FROM lead_event WHERE what = 'claimed'")
    assert len(claims) == 1
    if lead["name"] == "Ana":
        clinic.house.team.sees("Ana has K-0001.")
    else:
        ana.get_by_text("Li has K-0001.").wait_for()
        li.presses("Give to ...")
        li.presses("Ana")
        li.sees("K-0001 · claimed")
        ana.reload()
    clinic.house.team.sees("K-0001 · Ana · claimed", all=True)


def _two_more_send(clinic: Clinic, again: Chat, tom: Chat) -> None:
    """Rosa once more, from another account with the same number; and Tom, in Spanish."""
    with ThreadPoolExecutor() as streets:
        rosie = streets.submit(
            lambda: again.starts().walks_to("send", **ROSA | {"first_name": "Rosie"}).answers("send", "send")
        )
        rosie.result()
        clinic.house.team.sees("K-0002", all=True)
        other = {"first_name": "Tom", "phone": "+44 7400 123456", "email": "tom@example.org"}
        streets.submit(lambda: tom.starts().walks_to("send", **other).answers("send", "send")).result()
    clinic.house.team.sees("K-0003", all=True)


def _reads_the_sheet(clinic: Clinic, ana: Page) -> None:
    """Who to call, in which words, what to verify; and that it was opened is written down."""
    before = clinic.opened("K-0001")
    ana.goto(f"{clinic.url}/desk/leads/K-0001")
    assert clinic.opened("K-0001") == before + 1
    text = ana.inner_text("main")
    for wanted in (
        "Rosalind",
        NUMBER,
        "rosalind@example.org",
        "E18",
        "Tue and Thu, mornings",
        "poster7",
        "criteria version",
    ):
        assert wanted in text, wanted
    assert "Hello" in ana.locator(".greeting").first.inner_text()
    clinic.looks_at(ana, "lead")


def _works_it(ana: Page, rosa: Chat) -> None:
    """A call in vain, and she reads it; then she is reached, by a slip of the finger and for good; a visit."""
    ana.get_by_role("button", name="No answer").click()
    ana.get_by_text("attempt 1 of 3").first.wait_for()
    assert rosa.sees("tried").key(rosa.button("time"))
    ana.get_by_role("button", name="Reached").click()
    ana.locator("h1 .status", has_text="reached").wait_for()
    ana.get_by_role("button", name="Undo").click()
    ana.locator("h1 .status", has_text="attempt 1 of 3").wait_for()
    ana.get_by_role("button", name="Reached").click()
    ana.get_by_role("button", name="Scheduled").click()
    ana.locator("h1 .status", has_text="scheduled").wait_for()
    rosa.sees("scheduled")
    history = ana.locator(".history").inner_text()
    assert "Undone: Reached" in history and history.count("No answer") == 1


def _notes(clinic: Clinic, ana: Page) -> None:
    """One for the team, on the words of the answer, and one that nobody but its writer sees."""
    for text, private in (("Ask for the implant's card.", False), ("Sounded tired, be brief.", True)):
        ana.get_by_text("Write a note").click()
        ana.get_by_label("Note", exact=True).fill(text)
        if private:
            ana.get_by_label("Private: nobody but me sees it").check()
        else:
            ana.get_by_label("About", exact=True).select_option("E18")
        ana.get_by_role("button", name="Save the note").click()
        ana.get_by_text(text).wait_for()
    with clinic.desk("Li") as li:
        li.goto(f"{clinic.url}/desk/leads/K-0001")
        assert "Ask for the implant's card." in li.inner_text("#main") and "tired" not in li.content()


def _shares(clinic: Clinic, ana: Page) -> None:
    """A link with a passcode opens in another browser: codes, no person. Then it is revoked."""
    ana.get_by_text("Share this lead").click()
    ana.get_by_role("button", name="Make a link").click()
    link = ana.get_by_label("Link", exact=True).input_value()
    passcode = ana.get_by_label("Passcode").input_value()
    clinic.looks_at(ana, "share")
    with clinic.browser() as doctor:
        doctor.goto(link)
        clinic.looks_at(doctor, "shared-door")
        doctor.get_by_label("Passcode").fill("WRONG-ONE")
        doctor.get_by_role("button", name="Open").click()
        doctor.get_by_text("This did not open").wait_for()
        doctor.get_by_label("Passcode").fill(passcode.lower())
        doctor.get_by_role("button", name="Open").click()
        doctor.get_by_role("heading", name="Points to verify").wait_for()
        text = doctor.content()
        assert "E18" in text and not [secret for secret in ("Rosalind", "612", "Vandermeer", "@") if secret in text]
        clinic.looks_at(doctor, "shared")
        ana.goto(f"{clinic.url}/desk/leads/K-0001")
        ana.get_by_text("openings: 1").wait_for()
        ana.get_by_role("button", name="Revoke").click()
        ana.get_by_text("revoked").first.wait_for()
        doctor.goto(link)
        doctor.get_by_label("Passcode").fill(passcode)
        doctor.get_by_role("button", name="Open").click()
        doctor.get_by_text("This did not open").wait_for()
    clinic.complaints[:] = [line for line in clinic.complaints if "status of 403" not in line]  # the wrong tries


def _takes_over(ana: Page, rosa: Chat) -> None:
    """Ana writes, the bot is silent, Rosa answers, Ana hands back; Rosa sees both changes."""
    ana.get_by_label("Your words, in the person's language").fill("Please bring your implant card.")
    ana.get_by_role("button", name="Send to the chat").click()
    ana.get_by_text("You talk here.").wait_for()
    rosa.person.sees("Ana, study team, writes here now.")
    rosa.person.sees("Ana, study team: Please bring your implant card.")
    before = len(rosa.person.chat.messages)
    rosa.types("I will. Is there a lift?")
    ana.wait_for_function(
        "url => fetch(url).then(answer => answer.text()).then(text => text.includes('Is there a lift?'))",
        arg=ana.url.partition("#")[0],
    )
    ana.reload()
    ana.get_by_text("Is there a lift?").wait_for()
    assert len(rosa.person.chat.messages) == before + 1, "the bot said something, too"
    ana.get_by_text("Approved phrases").click()
    ana.get_by_role("button", name="Send this").first.click()
    rosa.person.sees(re.compile("Ana, study team: (?!Please bring)"))
    ana.get_by_role("button", name="Hand back to the bot").click()
    ana.get_by_text("The bot talks here.").wait_for()
    rosa.sees("talk_over")
    rosa.types("/status").sees("status_visit")


def _merges(clinic: Clinic, ana: Page, again: Chat) -> None:
    """The same number: suggested, put side by side, merged with both histories. Never by itself."""
    ana.goto(f"{clinic.url}/desk/")
    clinic.looks_at(ana, "queue-two")
    ana.get_by_label("Find by reference").fill("0034 612345678")
    ana.get_by_role("button", name="Find").click()
    assert {"K-0001", "K-0002"} <= set(ana.locator("a.reference").all_inner_texts())
    clinic.looks_at(ana, "found")
    ana.goto(f"{clinic.url}/desk/leads/K-0002")
    ana.get_by_role("button", name="Claim").click()
    again.person.sees("Ana from the study team has your request.", all=True)
    ana.get_by_text("Maybe the same person").wait_for()
    ana.get_by_role("link", name="Compare").click()
    ana.get_by_role("heading", name="Is this the same person?").wait_for()
    assert "same number" in ana.inner_text("main")
    clinic.looks_at(ana, "compare")
    ana.get_by_role("button", name="Keep K-0001, close K-0002").click()
    ana.get_by_text("Merged into").first.wait_for()
    clinic.looks_at(ana, "merged")
    clinic.house.team.sees("K-0002 · closed · Duplicate", all=True)
    ana.goto(f"{clinic.url}/desk/leads/K-0001")
    history = ana.locator(".history").inner_text()
    assert "K-0002 was merged into this one" in history and "K-0002: The request came in" in history


def _third_person_changes_their_mind(tom: Chat) -> None:
    """Where the request is, another time for the call, and then it is taken back."""
    tom.answers("other_trials", "no")
    tom.types("/status").sees("status_waiting")
    tom.taps("time").sees("time_offer")
    page = next(message for message in reversed(tom.news()) if message.rows)
    slot = page.rows[0][0]["text"]
    tom.person.presses(slot)
    assert tom.sees("time_yours").says(slot)
    tom.types("/status").sees("status_slot")
    tom.taps("withdraw").taps("withdraw_now").sees("menu_withdrawn")


def _same_mail_again(clinic: Clinic) -> None:
    """What was taken without a word came again, under its name; and Rosa has her copy, as Tom has his."""
    for address, number in (("north@example.org", 4), ("rosalind@example.org", 3)):
        first, *others = clinic.mails(address, number)
        assert "K-0001" in first["Subject"]
        (same,) = [mail for mail in others if mail["Message-ID"] == first["Message-ID"]]
        assert same.get_content() == first.get_content()
        assert len({mail["Message-ID"] for mail in others}) == number - 1
    (copy,) = clinic.mails("tom@example.org")
    assert "K-0003" in copy["Subject"] and "+86 510 5555 0147" in copy.get_content()


def _looks_around(clinic: Clinic, mara: Page) -> None:
    """Every page there is, as an admin sees it."""
    for path, name in (
        ("/", "queue-admin"), ("/?status=done", "queue-done"), ("/leads/K-0001", "lead-worked"), ("/leads/K-0003", "lead-withdrawn"),
        ("/counts", "counts"), ("/insight", "insight"), ("/export", "export"), ("/sites", "sites"), ("/staff", "staff"),
        ("/audit", "audit"), ("/account", "account"), ("/leads/K-0099", "not-there"),
    ):  # fmt: skip
        mara.goto(f"{clinic.url}/desk{path}")
        for summary in mara.locator("summary").all():
            summary.click()
        clinic.looks_at(mara, name)
    mara.goto(f"{clinic.url}/desk/audit")
    assert "K-0001" in mara.inner_text("main") and "Rosalind" not in mara.content()
    mara.goto(f"{clinic.url}/desk/leads/K-0003")
    assert "Tom" not in mara.content() and "7400" not in mara.content()


def _exports(clinic: Clinic, mara: Page) -> None:
    """Without names, unless a reason is given; the audit has both."""
    mara.goto(f"{clinic.url}/desk/export")
    with mara.expect_download() as given:
        mara.get_by_role("button", name="Download", exact=True).click()
    rows = list(csv.DictReader(io.StringIO(Path(given.value.path()).read_text(encoding="utf-8-sig"))))
    assert [(row["reference"], row["status"]) for row in rows] == [("K-0001", "scheduled"), ("K-0002", "closed")]
    text = Path(given.value.path()).read_text(encoding="utf-8")
    assert not [secret for secret in ("Rosalind", "Vandermeer", "612", "rosalind@") if secret in text]
    mara.get_by_text("I need names").click()
    mara.get_by_label("Reason").fill("Monitoring visit of 3 December, source data check.")
    with mara.expect_download() as given:
        mara.get_by_role("button", name="Download with names").click()
    assert "Vandermeer" in Path(given.value.path()).read_text(encoding="utf-8")
    kept = clinic.house.records.rows("SELECT what, detail FROM audit WHERE what LIKE 'export%' ORDER BY id")
    assert [row["what"] for row in kept] == ["export", "export.identified"] and "Monitoring" in kept[1]["detail"]


def _nothing_is_told_outside(clinic: Clinic) -> None:
    """Group, mailbox and log name nobody and no illness."""
    team = clinic.house.team.chat.id
    calls = clinic.house.server.calls_of("sendMessage") + clinic.house.server.calls_of("editMessageText")
    told = [call.params["text"] for call in calls if call.params["chat_id"] == team]
    told += [mail.get_content() + mail["Subject"] for mail in clinic.mails("north@example.org")]
    assert told and len(told) > 8
    for text in [*told, clinic.house.log]:
        found = [secret for secret in (*SECRETS, "Rosie", "Tom", "7400") if secret.casefold() in text.casefold()]
        assert found == [], text


def _next_morning(clinic: Clinic) -> None:
    """The bot's own house on the same database and the same channels, by a clock that says half past eight."""
    environment = {key.lower(): value for key, value in clinic.house.bot.environment.items()}
    known = {name: value for name, value in environment.items() if name in settings.Settings.model_fields}
    given = settings.load(**known)
    site = filed(clinic.house.flow, "north")
    day = datetime.now(site.zone).date() + timedelta(days=1)
    while not site.open.works_on(day):
        day += timedelta(days=1)
    morning = datetime.combine(day, time(8, 30), site.zone)

    async def sweeps(clock: Callable[[], datetime]) -> None:
        assert given.telegram_token is not None
        store, mail = Store(given.database_url), mail_of(given)
        assert mail is not None
        channel = Telegram(given.telegram_token.get_secret_value(), given.telegram_api)
        channels: dict[str, Channel] = {NAME: channel, mail.name: mail}
        inside = Inside(store, deployment(given), channels, {NAME: Limits(given.send_speed)}, clock)
        try:
            await inside.sweep()
            await inside.delivery.drain()
        finally:
            await channel.close()
            inside.close()
            store.close()

    def at(clock: datetime) -> None:
        with ThreadPoolExecutor() as elsewhere:  # the browser's own loop runs in this thread
            elsewhere.submit(lambda: asyncio.run(sweeps(lambda: clock))).result()

    at(morning - timedelta(minutes=1))
    assert not any(
        message.says("Yesterday: ") or message.says("Since ") for message in clinic.house.team.chat.messages
    )
    at(morning)
    at(morning + timedelta(minutes=1))
    digests = [message for message in clinic.house.team.chat.messages if message.says("Waiting: ")]
    (digest,) = digests
    assert digest.says("North Clinic") and digest.says("3 new, 1 called, 1 booked"), digest
    (mail,) = clinic.mails("lena@north.example")
    assert mail.get_content().splitlines() == [*digest.text.splitlines(), "", f"{clinic.url}/desk"]
