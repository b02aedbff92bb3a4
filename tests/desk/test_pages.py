"""The web inbox over the real app: what each page shows and does, on both databases."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from bot.shield import policy
from bot.store import sites
from bot.words import of_staff
from tests.desk.acting import CONTACT, acts, has_lead
from tests.desk.browser import Pages, at_of, member
from tests.shell.conftest import ANA, GROUP, Desk, Somebody

pytestmark = pytest.mark.slow


def references(page: str) -> list[str]:
    return re.findall(r'class="reference"[^>]*>(K-\d+)<', page)


def test_the_queue_is_sorted_by_due_time_and_says_what_is_late(desk: Desk, pages: Pages) -> None:
    """The most urgent first; late in words, not only in colour; the time of the site with its zone named."""
    for hours in (5, -26, 1):
        has_lead(desk, str(600 + hours), due_at=desk.now + timedelta(hours=hours))
    page = pages.browser(member(desk, "Nora")).get("/").text
    assert references(page) == ["K-0002", "K-0003", "K-0001"]
    assert page.count("Late by") == 1 and "26 hours" in page and "China Standard Time" in page
    assert "3 here" in page and "1 late" in page
    assert "Rosa" not in page and "612" not in page and "metal" not in page  # details are on the lead's own page


def test_filters(desk: Desk, pages: Pages) -> None:
    nora = member(desk, "Nora")
    has_lead(desk, "601", locale="es")
    has_lead(desk, "602", site="harbour")
    has_lead(desk, "603", status="claimed", owner_id=nora["id"])
    has_lead(desk, "604", status="closed", reason="not_interested")
    has_lead(desk, "605", status="considering", owner_id=nora["id"])
    has_lead(desk, "606", status="claimed", snoozed_until=desk.now + timedelta(hours=1))
    has_lead(desk, "607", site="")
    browser = pages.browser(nora)
    for query, expected in {
        "": [1, 2, 3, 7], "?language=es": [1], "?site=harbour": [2], "?site=desk": [7], "?mine=1": [3, 5],
        "?status=closed": [4], "?status=done": [4], "?status=going_on": [5], "?status=snoozed": [6],
        "?status=claimed": [3, 6], "?status=open": [1, 2, 3, 5, 7], "?site=nowhere": [], "?status=nonsense": [1, 2, 3, 7],
        "?language=xx&after=nonsense": [1, 2, 3, 7],
    }.items():  # fmt: skip
        assert references(browser.get(f"/{query}").text) == [f"K-{number:04d}" for number in expected], query
    for _ in range(5):
        desk.waits(minutes=14)
        browser.get("/")
    assert "K-0006" in references(browser.get("/").text), "it is back when its time has come"


def test_an_empty_queue_says_what_happens_next(desk: Desk, pages: Pages) -> None:
    browser = pages.browser(member(desk, "Nora"))
    assert "Nobody waits for a call" in browser.get("/").text
    assert "Show all that wait" in browser.get("/?status=scheduled").text


def test_pages_of_fifty_leave_nobody_out(desk: Desk, pages: Pages) -> None:
    for number in range(120):
        has_lead(desk, str(1000 + number), due_at=desk.now + timedelta(minutes=number // 7))  # many at one time
    browser, seen, path = pages.browser(member(desk, "Nora")), [], "/"
    for _ in range(3):
        page = browser.get(path).text
        seen += references(page)
        more = re.search(r'href="/desk(/\?[^"]*after=[^"]*)"[^>]*>The next', page)
        path = more[1].replace("&amp;", "&") if more else ""
    assert len(seen) == len(set(seen)) == 120 and not path


def test_search_by_reference_and_by_contact(desk: Desk, pages: Pages) -> None:
    """A number in any format finds its lead; nothing typed stands in an address; another site's is not found."""
    has_lead(desk, "601", contact={**CONTACT, "phone": "+8651055550147", "email": "li@example.org"})
    has_lead(desk, "602", site="harbour")
    browser = pages.browser(member(desk, "Nora", sites=["north"]))
    assert "K-0001" in browser.post("/search", text="k-1").text
    for typed in ("+86 510 5555 0147", "051055550147", "LI@example.org"):
        found = browser.post("/search", text=typed, follow=False)
        assert found.status_code == 200 and references(found.text) == ["K-0001"], typed
    for typed in ("K-0002", "+34612345678", "Rosa", "K-99", "", "☎"):
        assert references(browser.post("/search", text=typed).text) == [], typed


def test_a_lead_is_a_call_sheet(desk: Desk, pages: Pages) -> None:
    """Everything that U24 asks for: both greetings, the words, the criterion, the suggestion, what was not asked."""
    has_lead(desk, "502", locale="es", helper=True, changed=True, chat_lost=True, source="poster")
    page = pages.browser(member(desk, "Nora")).get("/leads/K-0001").text
    for told in (
        "Hola, soy Nora", "Hello, this is Nora", 'lang="es"', "+34 612 34 56 78", "rosa@example.org", "E18",
        "a bit of metal from the mill, I think", "Is there an implant card", "¿", "The bot did not ask this",
        "criteria version v1", "Answered by a helper", "An answer was changed", "The chat is lost", "poster",
        "The request came in", "China Standard Time",
    ):  # fmt: skip
        assert told in page, told


def test_the_answers_stand_on_the_page(desk: Desk, pages: Pages) -> None:
    Somebody(desk).starts().walks_to("check").sends()
    page = pages.browser(member(desk, "Nora")).get("/leads/K-0001").text
    assert "Left knee" in page and "165 cm" in page and "1964" in page


def test_every_opening_is_in_the_audit(desk: Desk, pages: Pages) -> None:
    nora = member(desk, "Nora", sites=["north"])
    has_lead(desk, "501")
    has_lead(desk, "502", site="harbour")
    browser = pages.browser(nora)
    for path in ("/", "/leads/K-0001", "/leads/K-0001", "/leads/K-0002"):
        browser.get(path)
    opened = desk.rows("SELECT staff_id, lead_id FROM audit WHERE what = 'lead.opened' ORDER BY id")
    assert [tuple(row) for row in opened] == [(nora["id"], 1)] * 2


def test_from_claim_to_enrolled_and_closed(desk: Desk, pages: Pages) -> None:
    """Every step of the life from the page, with what the queue and the person hear of it."""
    Somebody(desk).starts().walks_to("check").sends()
    browser = pages.browser(member(desk, "Nora"))
    page = browser.post("/leads/K-0001/claim")
    assert "✓ Claimed" in page.text and "Nora" in desk.sent()[-1].text
    for verb, status in (
        ("no_answer", "attempt_1"), ("no_answer", "attempt_2"), ("call_later", "call_later"),
        ("no_answer", "attempt_3"), ("reached", "reached"), ("considering", "considering"),
        ("scheduled", "scheduled"), ("consented", "consented"), ("enrolled", "enrolled"),
    ):  # fmt: skip
        page = browser.post("/leads/K-0001/step", verb=verb, at=at_of(page.text))
        assert page.status_code == 200
        assert desk.one("SELECT status FROM lead") == status
    assert desk.one("SELECT attempts FROM lead") == 3
    for form in ({}, {"reason": "nonsense"}, {"reason": "screen_failure"}):
        assert browser.post("/leads/K-0001/close", at=at_of(page.text), **form).status_code == 400
    refused = browser.post("/leads/K-0001/close", at=at_of(page.text), reason="screen_failure", criterion="E99")
    assert refused.status_code == 409 and desk.one("SELECT status FROM lead") == "enrolled"
    page = browser.post("/leads/K-0001/close", at=at_of(page.text), reason="screen_failure", criterion="E4")
    assert "Screen failure" in page.text and desk.one("SELECT criterion FROM lead") == "E4"


def test_undo_is_offered_for_thirty_seconds(desk: Desk, pages: Pages) -> None:
    has_lead(desk)
    browser = pages.browser(member(desk, "Nora"))
    page = browser.post("/leads/K-0001/claim")
    desk.waits(seconds=29)
    page = browser.get("/leads/K-0001")
    assert ">Undo<" in page.text
    browser.post("/leads/K-0001/undo", at=at_of(page.text))
    assert desk.one("SELECT status FROM lead") == "new"
    page = browser.post("/leads/K-0001/claim")
    desk.waits(seconds=31)
    assert ">Undo<" not in browser.get("/leads/K-0001").text
    late = browser.post("/leads/K-0001/undo", at=at_of(page.text))
    assert late.status_code == 409 and "too late" in late.text
    assert desk.one("SELECT status FROM lead") == "claimed"


def test_a_second_press_and_an_old_page_change_nothing(desk: Desk, pages: Pages) -> None:
    has_lead(desk)
    browser = pages.browser(member(desk, "Nora"))
    at = at_of(browser.post("/leads/K-0001/claim").text)
    assert browser.post("/leads/K-0001/step", verb="no_answer", at=at).status_code == 200
    again = browser.post("/leads/K-0001/step", verb="no_answer", at=at)
    assert again.status_code == 409 and "changed while you looked" in again.text
    assert desk.one("SELECT attempts FROM lead") == 1


def test_release_reassign_and_put_off(desk: Desk, pages: Pages) -> None:
    nora, emil = member(desk, "Nora"), member(desk, "Emil")
    has_lead(desk)
    browser = pages.browser(nora)
    at = at_of(browser.post("/leads/K-0001/claim").text)
    for day in ("", "2020-01-01T09:00", "9999-01-01T09:00", "tomorrow"):
        refused = browser.post("/leads/K-0001/snooze", at=at, day=day)
        assert refused.status_code == 409 and "still to come" in refused.text
    page = browser.post("/leads/K-0001/snooze", at=at, until="tomorrow").text
    assert "Put off until Mon 23 Nov 09:00" in page
    page = browser.post("/leads/K-0001/snooze", at=at_of(page), day="2026-11-25T14:30").text
    assert "Put off until Wed 25 Nov 14:30" in page  # in the site's time, not the server's
    page = browser.post("/leads/K-0001/reassign", at=at_of(page), to=str(emil["id"])).text
    assert "Given to Emil" in page and desk.one("SELECT owner_id FROM lead") == emil["id"]
    refused = browser.post(
        "/leads/K-0001/step", verb="release", at=at_of(pages.browser(emil).get("/leads/K-0001").text)
    )
    assert refused.status_code == 409 and "Emil has K-0001" in refused.text
    emils = pages.browser(emil)
    page = emils.post("/leads/K-0001/step", verb="release", at=at_of(emils.get("/leads/K-0001").text)).text
    assert "Released" in page and desk.one("SELECT owner_id FROM lead") is None


def test_who_is_too_late_is_told_who_has_it(desk: Desk, pages: Pages) -> None:
    has_lead(desk)
    one, other = pages.browser(member(desk, "Nora")), pages.browser(member(desk, "Emil"))
    one.post("/leads/K-0001/claim")
    late = other.post("/leads/K-0001/claim")
    assert late.status_code == 409 and "Nora has K-0001" in late.text


def test_the_pages_speak_the_members_language(desk: Desk, pages: Pages) -> None:
    has_lead(desk, due_at=desk.now - timedelta(hours=3))
    browser = pages.browser(member(desk, "Mei", language="zh_Hans"))
    page = browser.get("/")
    assert '<html lang="zh-Hans"' in page.text and "认领" in page.text and "已迟 3小时" in page.text
    assert "中国标准时间" in page.text
    page = browser.post("/account/language", language="en")
    assert '<html lang="en"' in page.text
    strange = pages.browser().get("/sign-in", **{"accept-language": "zh-TW,zh;q=0.9"})
    assert "登录" in strange.text
    strange = pages.browser().get("/sign-in", **{"accept-language": "fr,es-MX;q=0.9"})
    assert '<html lang="es"' in strange.text and "Entrar" in strange.text


def test_a_member_may_choose_each_language_of_the_staff_and_no_other(desk: Desk, pages: Pages) -> None:
    has_lead(desk, due_at=desk.now - timedelta(hours=3))
    sol = member(desk, "Sol")
    browser = pages.browser(sol)
    page = browser.get("/account").text
    assert all(f'value="{tag}"' in page and name in page for tag, name in of_staff().items())
    browser.post("/account/language", language="es")
    page = browser.get("/").text
    assert '<html lang="es"' in page and "Asumir" in page and "Retraso: 3 horas" in page
    browser.post("/account/language", language="tlh")
    assert desk.one("SELECT language FROM staff WHERE id = :id", id=sol["id"]) == "es"


def test_an_admin_adds_changes_and_disables_staff(desk: Desk, pages: Pages) -> None:
    boss = member(desk, "Boss", role="admin")
    browser = pages.browser(boss)
    for form, told in (
        ({}, "Type a name"), ({"name": "Nora"}, "so that this person can sign in"),
        ({"name": "Nora", "telegram": "12x"}, "digits only"), ({"name": "Nora", "email": "nora"}, "no mail address"),
        ({"name": "Nora", "telegram": str(ANA), "email": "boss@site.example"}, "two different people"),
    ):  # fmt: skip
        refused = browser.post("/staff", **form)
        assert refused.status_code == 400 and told in refused.text
    page = browser.post(
        "/staff", name="<Nora>", email="NORA@site.example", role="site_lead", sites=["north", "moon"]
    )
    assert "&lt;Nora&gt;" in page.text
    number, *row, where = desk.rows("SELECT id, email, role, sites FROM staff WHERE name = '<Nora>'")[0]
    assert row == ["nora@site.example", "site_lead"] and "moon" not in str(where)
    browser.post(f"/staff/{number}", role="coordinator", sites=["harbour"], language="zh_Hans")
    assert desk.one("SELECT role FROM staff WHERE id = :id", id=number) == "coordinator"
    refused = browser.post(f"/staff/{boss['id']}", role="coordinator")
    assert (
        refused.status_code == 400 and desk.one("SELECT role FROM staff WHERE id = :id", id=boss["id"]) == "admin"
    )
    assert browser.post(f"/staff/{boss['id']}", active="0").status_code == 400
    assert browser.post(f"/staff/{number}", role="king").status_code == 404
    assert browser.post("/staff/999", active="0").status_code == 404
    whats = [what for (what,) in desk.rows("SELECT what FROM audit WHERE what LIKE 'staff.%' ORDER BY id")]
    assert whats == ["staff.added", "staff.changed"]


def test_a_site_is_paused_and_changed_by_those_who_lead_it(desk: Desk, pages: Pages) -> None:
    browser = pages.browser(member(desk, "Lena", role="site_lead", sites=["north"]))
    page = browser.get("/sites").text
    assert "North Clinic" in page and "Harbour Hospital" not in page
    browser.post("/sites/north/status", status="paused")
    assert desk.one("SELECT status FROM site WHERE key = 'north'") == "paused"
    for path in ("/sites/harbour/status", "/sites/moon/status"):
        assert browser.post(path, status="paused").status_code == 404
    form = {
        "hours": "Mon-Fri 08:00-12:00", "timezone": "Asia/Shanghai", "holidays": "cn", "phone": "+8651055550100",
        "email": "north@example.org", "capacity": "2",
    }  # fmt: skip
    for wrong, told in (
        ({"hours": "whenever"}, "whenever"), ({"timezone": "Moon"}, "not a time zone"), ({"phone": "12"}, "no phone"),
        ({"capacity": "0"}, "from 1 to 100"), ({"holidays": "ZZZ"}, "not known"), ({"email": "x"}, "no mail address"),
    ):  # fmt: skip
        refused = browser.post("/sites/north", **{**form, **wrong})
        assert refused.status_code == 400 and told in refused.text, wrong
    assert browser.post("/sites/north", **form).status_code == 200
    row = desk.rows("SELECT hours, phone, capacity, status FROM site WHERE key = 'north'")[0]
    assert tuple(row) == ("Mon-Fri 08:00-12:00", "+86 510 5555 0100", 2, "paused")
    audit = desk.rows("SELECT detail FROM audit WHERE what = 'site.changed' ORDER BY id")
    assert len(audit) == 2 and "status=paused" in audit[0][0] and "5555" not in audit[1][0]


def test_a_sponsor_sees_numbers_and_small_ones_are_hidden(desk: Desk, pages: Pages) -> None:
    for number in range(7):
        has_lead(desk, str(700 + number))
    has_lead(desk, "710", site="harbour")
    page = pages.browser(member(desk, "Wu", role="sponsor")).get("/")
    assert page.status_code == 303
    page = pages.browser(member(desk, "Wu", role="sponsor")).get("/counts")
    assert "<td>7</td>" in page.text and "&lt;5" in page.text and "K-0" not in page.text


def test_headers_on_every_answer(desk: Desk, pages: Pages) -> None:
    has_lead(desk)
    browser = pages.browser(member(desk, "Nora"))
    for path in (
        "/",
        "/rows",
        "/leads/K-0001",
        "/leads/K-0009",
        "/account",
        "/nowhere",
        "/static/x/desk.css",
        "/openapi.json",
        "/docs",
    ):
        answer = browser.get(path)
        for name, value in {
            "content-security-policy": policy(), "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
            "cache-control": "no-store", "strict-transport-security": "max-age=31536000; includeSubDomains",
        }.items():  # fmt: skip
            assert answer.headers[name] == value, (path, name)
        assert (
            " style=" not in answer.text
            and "<style" not in answer.text
            and not re.search(r"<script(?![^>]*src=)", answer.text)
        )
    style = re.search(r'href="/desk(/static/[0-9a-f]+/desk\.css)"', browser.get("/").text)
    assert style and "immutable" in browser.get(style[1]).headers["cache-control"]
    for strange in ("/static/x/../app.py", "/static/x/%2e%2e%2fapp.py", "/static/x/htmx.LICENSE.txt"):
        assert browser.get(strange).status_code == 404


def test_what_cannot_be_read_is_refused_kindly(desk: Desk, pages: Pages) -> None:
    has_lead(desk)
    browser = pages.browser(member(desk, "Nora"))
    csrf = browser.csrf
    long = browser.post("/leads/K-0001/step", csrf, verb="x" * 200)
    assert long.status_code == 400 and "could not be read" in long.text and "xxx" not in long.text
    assert browser.ask("POST", "/search", content=b"x" * 70_000).status_code == 413
    for path in ("/leads/K-1", "/leads/K-00001", "/leads/x", "/leads/K-９９９９", "/leads/K-99999999999999"):
        assert browser.get(path).status_code == 404, path
    assert browser.get("/staff/abc").status_code == 404
    assert browser.post("/leads/K-0001/step", csrf, verb="destroy").status_code == 404
    assert browser.ask("DELETE", "/leads/K-0001", headers={"content-length": "0"}).status_code == 404


def test_staff_write_in_the_chat_until_they_hand_back(desk: Desk, pages: Pages) -> None:
    """Own words and approved phrases in the person's language; the bot is silent; both changes are told."""
    rosa = Somebody(desk).starts().walks_to("check").sends()
    nora = member(desk, "Nora")
    browser, other = pages.browser(nora), pages.browser(member(desk, "Emil"))
    assert "Write in the chat" not in browser.get("/leads/K-0001").text
    browser.post("/leads/K-0001/claim")
    assert "Write in the chat" not in other.get("/leads/K-0001").text
    page = browser.post("/leads/K-0001/say", text="Is <b>Tuesday</b> fine?").text
    assert "Is &lt;b&gt;Tuesday" in page and "The bot is silent" in page
    assert any("Is <b>Tuesday</b> fine?" in envelope.text and "Nora" in envelope.text for envelope in desk.sent())
    before = len(desk.sent())
    rosa.says("Yes, it is.")
    assert len(desk.sent()) == before, "the bot says nothing"
    assert "Yes, it is." in browser.get("/leads/K-0001").text
    browser.post("/leads/K-0001/say", phrase="call_now")
    assert "May I call you now?" in desk.sent()[-1].text
    for form in ({}, {"text": "   "}, {"phrase": "nonsense"}, {"text": "x" * 3001}):
        assert browser.post("/leads/K-0001/say", **form).status_code == 409
    refused = other.post("/leads/K-0001/say", text="Me too")
    assert refused.status_code == 409 and "Nora has K-0001" in refused.text
    page = browser.post("/leads/K-0001/hand-back").text
    assert "The bot talks here" in page and len(desk.sent()) > before
    rosa.says("hello")
    assert desk.one("SELECT held_by FROM conversation") is None


def test_a_changed_time_zone_is_the_one_that_is_read_everywhere(desk: Desk, pages: Pages) -> None:
    """In the group, on the sheet in private, in the queue and on the page: the site's own time, as it is now."""
    nora = member(desk, "Nora")
    due = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    has_lead(desk, due_at=due, slot_at=due)
    with desk.store.begin(desk.now) as db:
        flow = desk.deployment.library.newest("nct06570291")
        sites.change(db, flow, "north", desk.now, timezone="Europe/Madrid")
    acts(desk, nora, lambda acting: acting.claim(1))
    assert "first call by Mon 23 Nov 13:00" in desk.sent(GROUP)[-1].text
    sheet = acts(desk, nora, lambda acting: acting.cards(acting.lead(1), "en").call_sheet(acting.lead(1), "1"))
    assert "Time picked for the call: Mon 23 Nov 13:00" in sheet.text
    browser = pages.browser(nora)
    for path in ("/?status=open", "/leads/K-0001"):
        page = browser.get(path).text
        assert "Mon 23 Nov 13:00" in page and "Central European" in page and "20:00" not in page, path
