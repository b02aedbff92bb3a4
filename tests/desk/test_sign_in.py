"""Getting in and being kept out: links, passwords, codes, sessions, forms of others, and who tries too often."""

from __future__ import annotations

import time
from datetime import timedelta

import pyotp
import pytest

from bot.desk import passwords, sign_in
from bot.desk.pages.room import COOKIE, WISH
from bot.store import staff
from tests.desk.acting import has_lead
from tests.desk.browser import Browser, Pages, member
from tests.shell.conftest import ANA, Desk

PASSWORD = "umbrella kettle orchard"
SECRET = pyotp.random_base32()


@pytest.fixture
def nora(desk: Desk) -> staff.Member:
    """Somebody with a password and a second factor."""
    made = member(desk, "Nora", telegram=77)
    with desk.store.begin(desk.now) as db:
        staff.change(db, made["id"], password=passwords.keep(PASSWORD), totp=SECRET)
    return made


def code(desk: Desk, **later: float) -> str:
    return pyotp.TOTP(SECRET).at(desk.now + timedelta(**later))


def signs_in(browser: Browser, desk: Desk, **other: str) -> int:
    form = {"email": "nora@site.example", "password": PASSWORD, "code": code(desk), **other}
    return browser.post("/sign-in", follow=False, **form).status_code


# ---------------------------------------------------------------------- links


@pytest.mark.slow
def test_a_link_comes_to_the_private_chat_and_works_once(desk: Desk, pages: Pages, nora: staff.Member) -> None:
    browser = pages.browser()
    said = browser.post("/sign-in/link", email="NORA@site.example").text
    text = desk.sent("77")[-1].text
    token = text.partition("/desk/link/")[2].split()[0]
    assert "If we know this address" in said and token not in said
    assert len(token) >= 43 and desk.rows("SELECT 1 FROM sign_in WHERE token = :token", token=token) == []
    for _ in range(3):  # what looks at a link by itself uses nothing up
        assert "Sign in" in pages.browser().get(f"/link/{token}").text
    assert browser.post("/link", token=token, follow=False).headers["location"] == "/desk/"
    assert "Queue" in browser.get("/").text
    late = pages.browser()
    assert late.post("/link", token=token).status_code == 403 and COOKIE not in late.cookies


@pytest.mark.slow
def test_a_link_is_old_after_ten_minutes_and_a_new_one_ends_it(
    desk: Desk, pages: Pages, nora: staff.Member
) -> None:
    token = pages.link(nora)
    desk.waits(minutes=10, seconds=1)
    assert pages.browser().post("/link", token=token).status_code == 403
    first, second = pages.link(nora), pages.link(nora)
    assert pages.browser().post("/link", token=first).status_code == 403
    assert pages.browser().post("/link", token=second).status_code == 200


@pytest.mark.slow
def test_mail_where_there_is_no_chat(desk: Desk, nora: staff.Member) -> None:
    from dataclasses import replace  # noqa: PLC0415

    desk.deployment = replace(desk.deployment, mail=True)
    pages = Pages(desk)
    member(desk, "Emil")
    pages.browser().post("/sign-in/link", email="emil@site.example")
    pages.close()
    row = desk.rows("SELECT channel, chat FROM outbox WHERE chat = 'emil@site.example'")
    assert [tuple(one) for one in row] == [("mail", "emil@site.example")]
    assert desk.sent("emil@site.example")[0].subject == "Sign in to the study desk"


def test_desk_to_the_bot_sends_a_link_to_staff_alone(desk: Desk) -> None:
    from dataclasses import replace  # noqa: PLC0415

    desk.take("text", str(ANA), text="/desk")
    assert "no web inbox" in desk.sent(str(ANA))[-1].text
    desk.deployment = replace(desk.deployment, desk_url="https://desk.example.org")
    desk.take("text", str(ANA), text="/desk")
    assert "https://desk.example.org/desk/link/" in desk.sent(str(ANA))[-1].text
    desk.take("text", "501", text="/desk")
    assert "/desk/link/" not in "".join(envelope.text for envelope in desk.sent("501"))


# ---------------------------------------------------------------------- passwords and codes


@pytest.mark.slow
def test_password_and_code(desk: Desk, pages: Pages, nora: staff.Member) -> None:
    browser = pages.browser()
    for wrong in ({"password": "not it at all"}, {"code": "000000"}, {"code": ""}, {"email": "x@site.example"}):
        assert signs_in(browser, desk, **wrong) == 403 and COOKIE not in browser.cookies
    assert signs_in(browser, desk) == 303 and "Queue" in browser.get("/").text


@pytest.mark.slow
def test_a_code_works_once(desk: Desk, pages: Pages, nora: staff.Member) -> None:
    used = code(desk)
    assert signs_in(pages.browser(), desk) == 303
    assert signs_in(pages.browser(), desk, code=used) == 403, "the same code again"
    assert signs_in(pages.browser(), desk, code=code(desk, seconds=-30)) == 403, "an older one"
    desk.waits(seconds=30)
    assert signs_in(pages.browser(), desk) == 303


@pytest.mark.slow
def test_five_tries_by_account_and_by_address(desk: Desk, pages: Pages, nora: staff.Member) -> None:
    """The right password does not help any more, until the time is over; another account is not locked out."""
    for number in range(5):
        assert signs_in(pages.browser(address=f"198.51.100.{number}"), desk, password="guess" * 3) == 403
    assert signs_in(pages.browser(address="198.51.100.99"), desk) == 429, "by account"
    for number in range(5):
        assert signs_in(pages.browser(address="192.0.2.1"), desk, email=f"x{number}@site.example") == 403
    emil = member(desk, "Emil")
    refused = pages.browser(address="192.0.2.1").post("/sign-in/link", email="emil@site.example")
    assert refused.status_code == 429 and "15 minutes" in refused.text, "by address"
    assert pages.browser(emil, address="192.0.2.2").get("/").status_code == 200
    assert "nora" not in str(desk.rows("SELECT * FROM sign_in_try")) and "198.51" not in str(
        desk.rows("SELECT * FROM sign_in_try")
    )
    desk.waits(minutes=15, seconds=1)
    assert signs_in(pages.browser(address="192.0.2.1"), desk) == 303


@pytest.mark.slow
def test_an_unknown_account_answers_the_same_and_takes_as_long(
    desk: Desk, pages: Pages, nora: staff.Member
) -> None:
    answers, seconds = [], []
    for email in ("nora@site.example", "nobody@site.example"):
        began = time.perf_counter()
        answer = pages.browser(address=f"203.0.113.{len(answers)}").post(
            "/sign-in", email=email, password="wrong wrong wrong", code="123456"
        )
        seconds.append(time.perf_counter() - began)
        answers.append((answer.status_code, answer.text.replace(email, "")))
    assert answers[0] == answers[1] and answers[0][0] == 403
    assert min(seconds) > 0.3 * max(seconds), seconds
    one, other = (
        pages.browser(address=f"203.0.113.{at}").post("/sign-in/link", email=email)
        for at, email in ((7, "nora@site.example"), (8, "nobody@site.example"))
    )
    assert (
        one.text.replace("nora@", "") == other.text.replace("nobody@", "") and one.status_code == other.status_code
    )


@pytest.mark.slow
def test_setting_a_password_needs_a_good_one_and_the_code(desk: Desk, pages: Pages) -> None:
    emil = member(desk, "Emil")
    browser, elsewhere = pages.browser(emil), pages.browser(emil)
    page = browser.get("/account").text
    secret = page.partition('<p class="key">')[2].partition("<")[0].replace(" ", "")
    good = "umbrella kettle orchard"
    for form, told in (
        ({"fresh": good, "again": "another"}, "differ"), ({"fresh": "short", "again": "short"}, "12"),
        ({"fresh": "password123456", "again": "password123456"}, "common"),
        ({"fresh": "emil emil emil", "again": "emil emil emil"}, "common"),
        ({"fresh": good, "again": good, "code": "000000"}, "did not fit"),
    ):  # fmt: skip
        refused = browser.post("/account/password", **{"code": pyotp.TOTP(secret).at(desk.now), **form})
        assert refused.status_code == 400 and told in refused.text
        assert good not in refused.text
        with desk.store.begin(desk.now) as db:
            from bot.store import sessions  # noqa: PLC0415

            sessions.forget_tries(db, sign_in.keys_of(desk.deployment, f"account {emil['id']}", "")[0])
    assert (
        browser.post("/account/password", fresh=good, again=good, code=pyotp.TOTP(secret).at(desk.now)).status_code
        == 200
    )
    kept = desk.one("SELECT password FROM staff WHERE id = :id", id=emil["id"])
    assert kept.startswith("$argon2id$") and good not in kept
    assert elsewhere.get("/").status_code == 303, "sessions elsewhere end"
    refused = browser.post("/account/password", present="not it", fresh=good, again=good, code="1")
    assert "present password" in refused.text


@pytest.mark.parametrize(
    "password", ["elevenchars", "aaaaaaaaaaaaaaaa", "abcdefghijklmnop", "password123456", "123456789012", "qwertyuiop12345", "Nora2026Nora!", "x" * 201]
)  # fmt: skip
def test_passwords_that_are_refused(password: str) -> None:
    assert passwords.refusal(password, "Nora", "nora")


@pytest.mark.parametrize(
    "password", ["umbrella kettle orchard", "correct horse battery", "七月的雨落在老城的屋檐上啊", "tR7#kw92-Lmq0"]
)
def test_passwords_that_are_fine(password: str) -> None:
    assert passwords.refusal(password, "Nora", "nora") is None


# ---------------------------------------------------------------------- sessions


@pytest.mark.slow
def test_the_cookie_is_of_the_safest_kind(desk: Desk, pages: Pages, nora: staff.Member) -> None:
    browser = pages.browser()
    answer = browser.post("/link", token=pages.link(nora), follow=False)
    cookie = next(line for line in answer.headers.get_list("set-cookie") if line.startswith("__Host-desk="))
    for part in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie and len(browser.cookies[COOKIE]) >= 43
    assert desk.rows("SELECT 1 FROM session WHERE token = :token", token=browser.cookies[COOKIE]) == []


@pytest.mark.slow
def test_a_session_that_was_planted_is_not_taken_over(desk: Desk, pages: Pages, nora: staff.Member) -> None:
    """Fixation: signing in gives a new token, and ends the session that the browser brought."""
    emil = pages.browser(member(desk, "Emil"))
    planted = dict(emil.cookies)
    victim = pages.browser()
    victim.cookies = dict(planted)
    victim.post("/link", token=pages.link(nora))
    assert victim.cookies[COOKIE] != planted[COOKIE] and "Nora" in victim.get("/account").text
    assert emil.get("/").status_code == 303
    unknown = pages.browser()
    unknown.cookies = {COOKIE: "A" * 43}
    unknown.post("/link", token=pages.link(nora))
    assert unknown.cookies[COOKIE] != "A" * 43


@pytest.mark.slow
def test_idle_and_absolute_time_out(desk: Desk, pages: Pages, nora: staff.Member) -> None:
    idle, busy, polling = pages.browser(nora), pages.browser(nora), pages.browser(nora)
    for _ in range(3):
        desk.waits(minutes=7)
        assert busy.get("/").status_code == 200
        polling.get("/rows", **{"x-quiet": "1"})
    assert idle.get("/").status_code == 303, "idle"
    assert polling.get("/").status_code == 303, "a page that looks by itself keeps nobody signed in"
    for _ in range(45):
        desk.waits(minutes=10)
        busy.get("/")
    assert busy.get("/").status_code == 200
    desk.waits(minutes=10)
    assert busy.get("/").status_code == 303, "eight hours"
    gone = busy.get("/rows", **{"hx-request": "true"})
    assert gone.headers["hx-redirect"] == "/desk/sign-in"


@pytest.mark.slow
def test_signing_out_here_and_everywhere(desk: Desk, pages: Pages, nora: staff.Member) -> None:
    one, two, three = (pages.browser(nora) for _ in range(3))
    token = dict(one.cookies)
    one.post("/sign-out")
    assert COOKIE not in one.cookies
    one.cookies = token
    assert one.get("/").status_code == 303 and two.get("/").status_code == 200
    two.post("/sign-out", everywhere="1")
    assert three.get("/").status_code == 303


@pytest.mark.slow
def test_an_account_that_is_disabled_is_out_at_once(desk: Desk, pages: Pages, nora: staff.Member) -> None:
    boss = pages.browser(member(desk, "Boss", role="admin"))
    browser, token = pages.browser(nora), pages.link(nora)
    boss.post(f"/staff/{nora['id']}", active="0")
    assert browser.get("/").status_code == 303
    assert pages.browser().post("/link", token=token).status_code == 403
    assert signs_in(pages.browser(), desk) == 403
    boss.post(f"/staff/{nora['id']}", active="1")
    assert browser.get("/").status_code == 303, "an old session stays ended"


@pytest.mark.slow
def test_the_lead_that_was_asked_for_opens_after_signing_in(desk: Desk, pages: Pages, nora: staff.Member) -> None:
    has_lead(desk)
    browser = pages.browser()
    assert browser.get("/leads/K-0001").headers["location"] == "/desk/sign-in"
    assert browser.post("/link", token=pages.link(nora), follow=False).headers["location"] == "/desk/leads/K-0001"
    evil = pages.browser()
    evil.cookies = {WISH: "//evil.example"}
    assert evil.post("/link", token=pages.link(nora), follow=False).headers["location"] == "/desk/"


# ---------------------------------------------------------------------- forms of others


@pytest.mark.slow
def test_forms_that_no_page_of_ours_sent(desk: Desk, pages: Pages, nora: staff.Member) -> None:
    """Without a token, with a wrong one, with another session's, from another site, and without a word of where."""
    has_lead(desk)
    browser, other = pages.browser(nora), pages.browser(member(desk, "Emil"))
    right = browser.csrf
    for token in ("", "0" * 48, other.csrf, right[:-1], "ü"):
        assert browser.post("/leads/K-0001/claim", token or "-").status_code == 403, token
    assert (
        browser.ask("POST", "/leads/K-0001/claim", headers={"sec-fetch-site": "same-origin"}, data={}).status_code
        == 403
    )
    for headers in (
        {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "none"},
        {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://desk.example.org"}, {},
        {"origin": pages.url, "sec-fetch-site": "cross-site"},
    ):  # fmt: skip
        answer = browser.ask("POST", "/leads/K-0001/claim", headers=headers, data={"csrf": right})
        assert answer.status_code == 403, headers
        token = pages.link(nora)
        assert pages.browser().ask("POST", "/link", headers=headers, data={"token": token}).status_code == 403, (
            headers
        )
    assert desk.one("SELECT status FROM lead") == "new"
    again = browser.ask("POST", "/leads/K-0001/claim", headers={"origin": pages.url}, data={"csrf": right})
    assert again.status_code == 303 and desk.one("SELECT status FROM lead") == "claimed"
    browser = pages.browser(nora)
    assert browser.csrf != right, "a new session has another token"
    by_header = {"sec-fetch-site": "same-origin", "x-csrf": browser.csrf}
    assert browser.ask("POST", "/account/language", headers=by_header, data={"language": "en"}).status_code == 303
