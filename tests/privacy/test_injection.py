"""Whatever is typed is text: in the chat, on every page, in a file, in a mail and in the log (T42)."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import logging
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from httpx import Response

from bot.channels.telegram import Telegram
from bot.desk import export
from bot.desk.cards import cards_for
from bot.messages import Envelope, chunks
from bot.store import leads
from flows.kinds.text import clean
from tests.channels.test_mail import PostOffice, sends
from tests.desk.acting import CONTACT, FLAG, has_lead, looks
from tests.desk.browser import Browser, Pages, member
from tests.desk.test_export import starts_formula
from tests.privacy.payloads import MARK, payloads
from tests.shell.conftest import Desk, Somebody
from tests.sizes import many
from tests.telegram_server import TelegramServer
from tests.visitor import ChatPages

FIELDS = ("town", "first_name", "last_name", "other_language")
"""What a patient answers in words of their own."""
KINDS = {"knee": "choice", "birth": "date", "height": "measure", "mri": "checklist", "diagnosis": "yes_no"}
"""One question of each other kind, where the same is typed."""
OURS = ("desk.example.org", "study.example.org", "t.me")
TABLES = (
    "lead",
    "staff",
    "conversation",
    "message",
    "audit",
    "outbox",
    "note",
    "site",
    "answer",
    "consent",
    "share",
)

few = pytest.param(10, id="few")
many_of_them = pytest.param(many(120, 500), id="many", marks=pytest.mark.slow)


def some(desk: Desk, usual: int) -> list[str]:
    """What is typed: so many, on a database server a third of them, and in the long form all five hundred."""
    return payloads(many(max(1, usual // 3) if desk.store.server else usual, 500))


@pytest.fixture(autouse=True)
def nothing_of_it_in_a_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """At DEBUG, of every library."""
    caplog.set_level(logging.DEBUG)
    yield
    assert not [record.getMessage()[:80] for record in caplog.records if MARK in record.getMessage()]


@pytest.fixture
def pages(desk: Desk) -> Iterator[Pages]:
    made = Pages(desk)
    yield made
    made.close()


def counts(desk: Desk) -> dict[str, int]:
    """Rows of the tables that are to stay as they are: SQL that was run would have left a trace."""
    return {name: int(desk.one(f"SELECT count(*) FROM {name}")) for name in TABLES}


class Page(HTMLParser):
    """What a browser makes of a page: its elements with the names of their attributes, and its words."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.bones: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.bones.append((tag, tuple(sorted(name for name, _ in attrs))))
        self.links += [
            value or ""
            for name, value in attrs
            if name in ("href", "src", "action", "formaction")
            or name in ("hx-get", "hx-post", "hx-put", "hx-delete")
        ]
        self.words += [
            value for name, value in attrs if name in ("value", "content", "title", "aria-label", "alt") and value
        ]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.bones.append(("!", ()))

    @property
    def said(self) -> str:
        return seen("".join(self.words))

    @property
    def leads_nowhere_else(self) -> bool:
        """Every link and form goes to a page of ours, to a number, or to an address."""
        places = [urlsplit(link) for link in self.links]
        return all(
            place.scheme in ("tel", "mailto") or (place.scheme in ("", "https") and place.netloc in ("", *OURS))
            for place in places
        )


def seen(typed: str) -> str:
    """Words as they are compared: a page may break its lines elsewhere, and parts them by its elements."""
    return "".join(typed.split())


def is_text(page: str, like: str, *typed: str) -> None:
    """The page has the very elements of the one with harmless words, and what was typed is among its words."""
    made, harmless = Page(page), Page(like)
    assert made.bones == harmless.bones, typed
    assert made.leads_nowhere_else, typed
    for one in typed:
        assert seen(one) in made.said, one


# ---------------------------------------------------------------------- a patient


@pytest.mark.parametrize("most", [few, many_of_them])
def test_what_a_patient_types_into_a_field_is_kept_as_it_is(desk: Desk, rosa: Somebody, most: int) -> None:
    """Each of the four fields in turn: cleaned, it is the answer; the next question comes; nothing else happens."""
    rosa.starts().walks_to("check").presses("All correct, go on").presses("Yes, contact me")
    for number, typed in enumerate(payloads(most)):
        desk.waits(minutes=5)
        rosa.says(typed)
        assert rosa.step == "site", typed
        value = desk.rows("SELECT value FROM answer WHERE step = 'town' ORDER BY id DESC LIMIT 1")[0][0]
        assert value == " ".join(clean(typed).split()), typed
        if number % 25 == 0:  # the others as well
            rosa.presses("Wuxi")
            for field in FIELDS[1:3]:
                assert rosa.step == field
                rosa.says(typed)
                last = desk.rows(f"SELECT value FROM answer WHERE step = '{field}' ORDER BY id DESC LIMIT 1")[0][0]
                assert last == " ".join(clean(typed).split()), typed
            for _ in range(3):
                rosa.says("/back")
        rosa.says("/back")
        assert rosa.step == "town"
    told = desk.rows("SELECT text FROM message WHERE NOT outgoing")
    assert sum(MARK in row[0] for row in told) >= most * 0.9
    for envelope in desk.sent():
        assert envelope.text and all(
            0 < len(part.encode("utf-16-le")) // 2 <= 4096 for part in chunks(envelope.text)
        )


@pytest.mark.slow
@pytest.mark.parametrize("step", KINDS)
def test_at_every_other_kind_of_question_it_is_no_answer_and_no_harm(desk: Desk, rosa: Somebody, step: str) -> None:
    rosa.starts().walks_to(step)
    for typed in some(desk, 90):
        desk.waits(minutes=5)
        rosa.says(typed)
        for _ in range(4):  # a year that stands in it may have been read
            if rosa.step == step:
                break
            rosa.says("/back")
        assert rosa.step == step, typed
    assert desk.one("SELECT count(*) FROM conversation") == 1 and desk.one("SELECT count(*) FROM quarantine") == 0


@pytest.mark.slow
def test_a_lead_of_such_answers_goes_all_the_way(desk: Desk, pages: Pages) -> None:
    """Sent, told, claimed, shown, answered, written to and erased: with the worst of each family in every field."""
    nora = member(desk, "Nora", role="admin")
    browser = pages.browser(nora)
    for number, typed in enumerate(some(desk, 21)):
        chat = str(601 + number)
        rosa = Somebody(desk, chat).starts().walks_to("knee").says(typed).walks_to("check")
        rosa.presses("All correct, go on").presses("Yes, contact me").says(typed).presses("Wuxi").says(typed).says(
            typed
        )
        rosa.says(f"+34 612 34 56 {number + 10}").says("rosa@example.org").says(typed)
        rosa.presses("Any day").presses("Mornings").presses("Send")
        name = leads.reference(int(desk.one("SELECT max(id) FROM lead WHERE chat = :chat", chat=chat)))
        assert seen(clean(typed)) in Page(browser.get(f"/leads/{name}").text).said, typed
        assert browser.post(f"/leads/{name}/claim").status_code == 200
        assert browser.post(f"/leads/{name}/say", text=typed).status_code == 200
        assert clean(typed) in desk.sent(chat)[-1].text, typed
        rosa.says(typed)
        assert browser.post(f"/leads/{name}/hand-back").status_code == 200
        notice = "\n".join(envelope.text for envelope in desk.sent("-100500"))
        assert MARK not in notice
        desk.waits(hours=1)
        browser = pages.browser(nora)
    assert desk.one("SELECT count(*) FROM lead") == len(some(desk, 21))


@pytest.mark.slow
def test_it_is_text_on_the_pages_of_the_web_chat(desk: Desk) -> None:
    chat = ChatPages(desk)
    try:
        rosa = chat.visitor().starts().walks_to("check").presses("All correct, go on").presses("Yes, contact me")
        rosa.types("harmless").presses("Back")
        for typed in some(desk, 60):
            desk.waits(minutes=5)
            rosa.types(typed)
            page = Page(rosa.page)
            assert seen(clean(typed)) in page.said, typed
            assert page.leads_nowhere_else, typed
            assert {tag for tag, _ in page.bones} <= PLAIN, typed
            assert not [name for _, names in page.bones for name in names if name.startswith("on")], typed
            rosa.presses("Back")
        assert rosa.get("/chat/copy").status == 200
    finally:
        chat.close()


PLAIN = {
    "html", "head", "meta", "title", "link", "script", "body", "main", "header", "footer", "nav", "section", "article", "div",
    "p", "a", "span", "strong", "small", "em", "form", "input", "button", "label", "textarea", "ul", "ol", "li", "h1", "h2", "h3",
    "svg", "path", "img", "figure", "figcaption", "details", "summary", "fieldset", "legend", "bdi", "time", "noscript", "circle",
    "rect", "br", "hr", "dl", "dt", "dd", "select", "option", "line", "g", "use", "symbol", "!", "q",
}  # fmt: skip
"""Elements that a page of the chat may have. Which of them it has is up to the conversation."""


# ---------------------------------------------------------------------- staff


def typed_lead(desk: Desk, number: int, typed: str) -> int:
    """A lead of which each word of the person's is this; a number and an address of its own."""
    words = " ".join(clean(typed).split())
    contact = {
        **CONTACT, **dict.fromkeys(FIELDS, words), "phone": f"+34612{number:06}", "email": f"p{number}@example.org",
    }  # fmt: skip
    return has_lead(desk, str(10_000 + number), contact=contact, flags=[{**FLAG, "said": [words]}])


@pytest.fixture
def nora(desk: Desk, pages: Pages) -> Browser:
    return pages.browser(member(desk, "Nora", role="admin"))


@pytest.mark.slow
def test_it_is_text_on_the_page_of_a_lead(desk: Desk, nora: Browser) -> None:
    typed_lead(desk, 0, "harmless")
    like = nora.get("/leads/K-0001").text
    for number, typed in enumerate(some(desk, 90), 1):
        name = leads.reference(typed_lead(desk, number, typed))
        words = " ".join(clean(typed).split())
        is_text(nora.get(f"/leads/{name}").text, like, words)


@pytest.mark.slow
def test_it_is_text_wherever_staff_type_it(desk: Desk, pages: Pages, nora: Browser) -> None:
    """Notes, search, hours of a site, a colleague's name, and the forms that refuse it."""
    has_lead(desk)
    here = "/leads/K-0001"
    forms: dict[str, tuple[str, Callable[[str], dict[str, str]]]] = {
        "search": ("/search", lambda typed: {"text": typed}),
        "hours": ("/sites/north", lambda typed: {"hours": typed, "timezone": "Asia/Shanghai", "capacity": "1"}),
        "zone": ("/sites/north", lambda typed: {"hours": "Mon 08:00-09:00", "timezone": typed, "capacity": "1"}),
        "way": ("/staff", lambda typed: {"name": typed, "telegram": typed, "email": typed}),
        "step": (f"{here}/step", lambda typed: {"verb": typed}),
        "merge": (f"{here}/merge", lambda typed: {"into": typed}),
        "snooze": (f"{here}/snooze", lambda typed: {"until": "then", "day": typed}),
    }
    csrf, like = "", dict[str, str]()
    before = counts(desk)
    for number, typed in enumerate(one for one in some(desk, 90) if len(one) <= 100):
        if number % 40 == 0:
            desk.waits(minutes=10)
        if number % 180 == 0:
            desk.waits(hours=1)
            nora = pages.browser(member(desk, f"Nora{number}", role="admin"))
        if number % 20 == 0:
            csrf = nora.csrf

        def sends(form: str, typed: str, nora: Browser = nora, csrf: str = csrf) -> Response:
            if form == "queue":
                where = dict.fromkeys(("site", "language", "status", "after"), typed)
                return nora.ask("GET", "/", params=where)
            if form == "note":
                written = nora.post(f"{here}/notes", csrf, text=typed, private="yes")
                nora.post(f"{here}/notes/{desk.one('SELECT max(id) FROM note')}/delete", csrf)
                return written
            path, values = forms[form]
            return nora.post(path, csrf, follow=False, **values(typed))

        for form in (*forms, "queue", "note"):
            answer = sends(form, typed)
            assert answer.status_code < 500, (form, typed)
            if form not in like or Page(answer.text).bones != Page(like[form]).bones:
                like[form] = sends(form, "harmless").text  # what else is on the page changes with the hours
            is_text(answer.text, like[form], *([clean(typed)] if form == "note" else []))
    after = counts(desk)
    assert (after["lead"], after["conversation"]) == (before["lead"], before["conversation"])


@pytest.mark.slow
def test_a_colleague_of_such_a_name_is_a_colleague(desk: Desk, nora: Browser) -> None:
    nora.post("/staff", name="harmless", email="c@site.example", role="coordinator", language="en")
    like, names = nora.get("/staff").text, []
    for number, typed in enumerate(some(desk, 45)):
        done = nora.post("/staff", name=typed, email=f"c{number}@site.example", role="coordinator", language="en")
        assert done.status_code == 200, typed
        names.append(typed)
    page, one = Page(nora.get("/staff").text), Page(like)
    assert set(page.bones) == set(one.bones)
    assert page.leads_nowhere_else
    for name in names:
        assert seen(clean(name))[:40] in page.said, name


# ---------------------------------------------------------------------- what goes out


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "jsonl", "redcap"])
def test_an_export_of_it_is_inert(desk: Desk, form: export.Form) -> None:
    typed = some(desk, 250)
    for number, one in enumerate(typed):
        typed_lead(desk, number, one)
    file = looks(desk, lambda db: "".join(export.written(db, desk.deployment, form, identified=True)))
    if form == "jsonl":
        rows = [json.loads(line) for line in file.splitlines()]
        assert [row["contact_town"] for row in rows] == [" ".join(clean(one).split()) for one in typed]
        return
    rows = list(csv.reader(io.StringIO(file, newline="")))
    assert len(rows) == len(typed) + 1 and {len(row) for row in rows} == {len(rows[0])}
    assert not [cell for row in rows for cell in row if starts_formula(cell)]
    town = next(number for number, head in enumerate(rows[0]) if head.endswith("town"))
    for row, one in zip(rows[1:], typed, strict=True):
        assert row[town].removeprefix("'") == " ".join(clean(one).split()).removeprefix("'"), one


@pytest.mark.slow
def test_every_send_of_it_is_taken_and_read_as_it_is(desk: Desk) -> None:
    """Call sheets and words of staff through the real channel, into a server that judges as Telegram does."""
    deployment, typed = desk.deployment, some(desk, 90)
    numbers = [typed_lead(desk, number, one) for number, one in enumerate(typed)]
    flow = deployment.library.newest(deployment.trial)
    cards = cards_for(deployment, flow, "en")
    sheets = [looks(desk, lambda db, n=n: cards.call_sheet(leads.get(db, n), "7000000001")) for n in numbers]
    with TelegramServer() as server:
        person = server.person("Nora")
        person.starts()

        async def send() -> list[str]:
            channel = Telegram(server.token, server.base_url)
            try:
                envelopes = [*sheets, *(Envelope(clean(one)) for one in typed)]
                return [(await channel.send(str(person.id), envelope, "")).fate for envelope in envelopes]
            finally:
                await channel.close()

        fates = asyncio.run(send())
        assert fates == ["sent"] * 2 * len(typed)
        got = [message.text for message in person.chat.messages if message.from_bot]
        assert got[-len(typed) :] == [clean(one) for one in typed]
        for sheet, one in zip(got[: len(typed)], typed, strict=True):
            assert sheet.count(" ".join(clean(one).split())) >= 4, one
        calls = server.calls_of("sendMessage")
        assert not [call for call in calls if {"parse_mode", "entities"} & set(call.params)]


@pytest.mark.slow
def test_a_mail_has_the_headers_that_we_gave_it() -> None:
    """In its words, its subject and its address: it arrives once, with one of each header, or is refused."""
    office = PostOffice()
    try:
        for typed in [one for one in payloads(many(100, 500)) if "zqmail" in one or "zqlog" in one] + payloads(30):
            assert (
                sends(office.address, Envelope(clean(typed), subject="A lead waits", key=typed)).fate == "sent"
            ), typed
            sends(office.address, Envelope("A lead waits", subject=typed, key=typed))
            assert (
                sends(office.address, Envelope("A lead waits", subject="A lead", key=typed), to=typed).fate
                != "unsure"
            )
    finally:
        office.closes()
    assert len(office.taken) >= many(40, 100)
    for message in office.taken:
        assert message["X-To"] == "north@example.org" or "evil" not in str(message["X-To"]), message["X-To"]
        assert not [name for name in ("Bcc", "Cc", "X-Injected") if message[name]]
        assert [len(message.get_all(name, [])) for name in ("To", "From", "Subject", "Content-Type")] == [
            1,
            1,
            1,
            1,
        ]
        assert message.get_content_type() == "text/plain"
