"""The web chat without a script: the same conversation, its limits, who may see it, and how it moves to Telegram."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from bot.channels.web import chat_of
from bot.chat.room import COOKIE, FRAMED
from bot.limits import Pace
from bot.store import Store
from bot.store.carries import LASTS
from tests.shell.conftest import Desk, Somebody, plain
from tests.visitor import ChatPages, Visitor

pytestmark = pytest.mark.slow

NASTY = ("<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "{{ 7 * 7 }}", "javascript:alert(1)",
         "'; DROP TABLE message; --", "</textarea><svg onload=alert(1)>")  # fmt: skip


@pytest.fixture
def desk(database: str) -> Iterator[Desk]:
    store = Store(database)
    yield Desk(store)
    store.close()


@pytest.fixture
def chat(desk: Desk) -> Iterator[ChatPages]:
    pages = ChatPages(desk)
    yield pages
    pages.close()


@pytest.fixture
def rosa(chat: ChatPages) -> Visitor:
    return chat.visitor()


def test_nothing_is_kept_of_who_only_looks(chat: ChatPages, rosa: Visitor) -> None:
    rosa.get("/").get("/chat")
    assert "Which language suits you?" in rosa.said and not rosa.cookies
    assert chat.desk.one("SELECT count(*) FROM conversation") == 0


def test_from_the_poster_to_a_lead_with_a_reload_at_every_step(chat: ChatPages, rosa: Visitor) -> None:
    rosa.starts(path="/chat?s=c7kp2")
    assert "May we ask you some health questions" in rosa.said and rosa.page.count("<li>") > 5
    steps = 0
    while rosa.step != "check":
        before = rosa.labels, rosa.said
        assert (rosa.get().labels, rosa.said) == before, rosa.step
        rosa.answers()
        steps += 1
    assert steps > 15
    rosa.sends()
    assert '<span class="whole">K-0001.</span>' in rosa.page  # not parted at its hyphen
    assert "Your reference is K-0001" in rosa.said and {"Withdraw", "Yes, tell me"} <= set(rosa.labels)
    (lead,) = chat.desk.rows("SELECT source, channel, chat, locale FROM lead")
    assert tuple(lead) == ("c7kp2", "web", chat_of(rosa.token), "en")
    page = rosa.get("/chat/copy").said
    assert "+34 612 34 56 78" in page and "Left knee" in page and "Monday" in page


def test_a_list_is_ticked_and_sent_at_once(chat: ChatPages, rosa: Visitor) -> None:
    rosa.starts().walks_to("mri").ticks("Plate or screws", "Heart stent or valve")
    flow = chat.desk.deployment.library.newest("nct06570291")
    labels = {option.id: option.label for option in flow.step_by_id["mri"].options}  # type: ignore[index]
    picked = [labels[one] for one in _state(chat)["answers"]["mri"]["value"]]
    assert picked == ["Heart stent or valve", "Plate or screws"]


def test_nothing_ticked_is_no_answer(rosa: Visitor) -> None:
    rosa.starts().walks_to("mri").ticks()
    assert rosa.step == "mri"
    rosa.presses("None of these")
    assert rosa.step != "mri"


def test_the_same_form_twice_counts_once(chat: ChatPages, rosa: Visitor) -> None:
    """A double click, or a resend after the answer was lost: the first press is taken, the second changes nothing."""
    rosa.starts().walks_to("knee")
    form, button = rosa.form_with("Left knee")
    for _ in range(3):
        rosa.post(form.action, [*form.fields, button])
    assert rosa.step == "diagnosis"
    assert chat.desk.one("SELECT count(*) FROM answer WHERE step = 'knee'") == 1
    assert rosa.page.count("Left knee") == 1


def test_two_windows_on_one_chat(chat: ChatPages, rosa: Visitor) -> None:
    """The one that is behind presses an old button: it is told so, and sees where the chat is."""
    rosa.starts().walks_to("knee")
    other = chat.visitor()
    other.cookies = dict(rosa.cookies)
    other.get()
    rosa.presses("Left knee")
    chat.desk.waits(seconds=30)
    other.presses("Right knee")
    assert "Left knee" in other.said and other.step == "diagnosis"
    assert (
        "instead" in other.said or "Change" in other.said or "Is that right" in other.said or "Yes" in other.labels
    )


def test_an_old_page_that_comes_back_answers_anew(chat: ChatPages, rosa: Visitor) -> None:
    """By the back button a browser may show an old form, with its id: another answer in it is not lost."""
    rosa.starts().walks_to("knee")
    form, left = rosa.form_with("Left knee")
    _, right = rosa.form_with("Right knee")
    rosa.post(form.action, [*form.fields, left])
    chat.desk.waits(seconds=30)
    rosa.post(form.action, [*form.fields, right])
    assert "Right knee" in rosa.said


@pytest.mark.parametrize("text", NASTY)
def test_what_is_typed_is_shown_as_text(rosa: Visitor, text: str) -> None:
    rosa.starts().walks_to("knee").types(text)
    assert not re.search(r"<script>alert|<img src=x|<svg onload|\b49\b", rosa.page)
    rosa.walks_to("check").presses("All correct, go on").presses("Yes, contact me").types(text)
    assert text in rosa.said
    assert not re.search(r"<script>alert|<img src=x|<svg onload", rosa.page)


def test_deleted_is_deleted_and_said_once(chat: ChatPages, rosa: Visitor) -> None:
    rosa.starts().walks_to("check").presses("Delete my answers").presses("Yes, delete all")
    assert "Everything is deleted here." in rosa.said and COOKIE not in rosa.cookies
    for table in ("conversation", "message", "answer"):
        assert chat.desk.one(f"SELECT count(*) FROM {table}") == 0
    assert "Which language suits you?" in rosa.get().said


def test_who_says_no_is_not_kept(chat: ChatPages, rosa: Visitor) -> None:
    rosa.starts().presses("No")
    assert "I have kept nothing" in rosa.said and not rosa.cookies
    assert chat.desk.one("SELECT count(*) FROM conversation") == 0


def test_the_token_is_nowhere_but_in_the_browser(chat: ChatPages, rosa: Visitor) -> None:
    rosa.starts().walks_to("knee")
    assert len(rosa.token) == 43 and rosa.token not in rosa.page
    for table in ("conversation", "message", "receipt", "outbox"):
        assert rosa.token not in str(chat.desk.rows(f"SELECT * FROM {table}"))


def test_another_persons_chat_cannot_be_reached(chat: ChatPages, rosa: Visitor) -> None:
    """Not by a guessed token, not by the hash that the database holds, not with a button of theirs."""
    rosa.starts().walks_to("knee")
    form, button = rosa.form_with("Left knee")
    for token in (chat_of(rosa.token), chat_of(rosa.token)[1:44], "A" * 43, "", "../../etc"):
        stranger = chat.visitor()
        stranger.cookies = {COOKIE: token}
        assert "Which language" in stranger.get().said
        stranger.post(form.action, [*form.fields, button])
        assert rosa.step == "knee"
    max_ = chat.visitor().starts()
    max_.post(form.action, [*max_.form_with("Yes, for me")[0].fields, button])
    assert chat.desk.one("SELECT count(*) FROM answer WHERE step = 'knee'") == 0


def test_a_token_that_somebody_planted_begins_no_chat(chat: ChatPages, rosa: Visitor) -> None:
    rosa.cookies = {COOKIE: "A" * 43}
    rosa.starts()
    assert rosa.token != "A" * 43


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}])
def test_forms_of_other_sites_do_nothing(chat: ChatPages, rosa: Visitor, headers: dict[str, str]) -> None:
    rosa.starts().walks_to("knee")
    form, button = rosa.form_with("Left knee")
    for path, fields in ((form.action, [*form.fields, button]), ("/chat/carry", form.fields), ("/chat/look", [])):
        assert rosa.post(path, fields, **headers).status_code == 403
    wrong = [(name, "0" * 48 if name == "csrf" else value) for name, value in form.fields]
    assert rosa.post(form.action, [*wrong, button]).status_code == 403
    assert rosa.step == "knee"
    assert chat.visitor().post("/chat/start", [("language", "en")], **headers).status_code == 403


def test_headers_on_every_answer(chat: ChatPages, rosa: Visitor) -> None:
    rosa.starts()
    for path in ("/", "/chat", "/chat/copy", "/chat/bye", "/nowhere", "/chat/picture/x/y", "/embed.js"):
        found = rosa.ask("GET", path).headers
        assert (
            "script-src 'self'" in found["content-security-policy"]
            and "unsafe" not in found["content-security-policy"]
        )
        assert "frame-ancestors 'none'" in found["content-security-policy"] and found["x-frame-options"] == "DENY"
        assert found["x-content-type-options"] == "nosniff" and found["referrer-policy"] == "no-referrer"
        assert "max-age=31536000" in found["strict-transport-security"]
        if path != "/embed.js":
            assert found["cache-control"] == "no-store"


def test_only_named_sites_may_frame_the_chat(desk: Desk) -> None:
    pages = ChatPages(desk, embed_sites=("https://www.example.org",))
    somebody = pages.visitor().starts(path="/chat?frame=1&s=flyer")
    found = somebody.ask("GET", "/chat?frame=1")
    assert "frame-ancestors https://www.example.org" in found.headers["content-security-policy"]
    assert FRAMED in somebody.cookies and COOKIE not in somebody.cookies
    somebody.walks_to("knee").presses("Left knee")
    assert somebody.step == "diagnosis" and desk.one("SELECT source FROM conversation") == "flyer"
    assert "iframe" in somebody.ask("GET", "/embed.js").text
    pages.close()


def test_too_much_is_refused_and_what_was_typed_stays(desk: Desk) -> None:
    pages = ChatPages(desk, pace=Pace(0.001, 2))
    rosa = pages.visitor().starts().presses("Yes, for me").presses("Why do you ask?")
    form = next(form for form in rosa.forms if form.types)
    answer = rosa.post(form.action, [*form.fields, ("text", 'nineteen "62"')])
    assert answer.status_code == 429 and answer.headers["retry-after"]
    assert 'value="nineteen &#34;62&#34;"' in rosa.page and "Wait a moment" in rosa.page
    script = rosa.post(form.action, [*form.fields, ("text", "1962")], **{"x-chat": "1"})
    assert script.status_code == 429 and "Wait a moment" in script.json()["trouble"]
    pages.close()


def test_new_chats_of_one_address_are_limited(desk: Desk) -> None:
    pages = ChatPages(desk, births=Pace(0.001, 3))
    for _ in range(3):
        assert pages.visitor().starts().step
    late = pages.visitor().starts()
    assert late.status == 429 and "Wait a moment" in late.page
    assert pages.visitor(address="198.51.100.2").starts().status == 200
    pages.close()


def test_a_body_that_is_too_large_is_not_read(rosa: Visitor) -> None:
    rosa.starts()
    form = next(form for form in rosa.forms if form.types)
    assert rosa.post(form.action, [*form.fields, ("text", "a" * 70_000)]).status_code == 413
    rosa.get().post(form.action, [*form.fields, ("text", "a" * 5_000)])
    assert "That is a lot of text" in rosa.said


def test_how_somebody_likes_to_read_is_remembered(rosa: Visitor) -> None:
    rosa.post("/chat/look", [("theme", "dark"), ("size", "3"), ("back", "/")])
    assert 'data-theme="dark" data-size="3"' in rosa.page
    rosa.post("/chat/look", [("theme", "<b>"), ("size", "9"), ("back", "https://evil.example")])
    assert 'data-theme="auto" data-size="1"' in rosa.get().page


def test_the_front_page_tells_the_facts_and_keeps_the_source(rosa: Visitor) -> None:
    rosa.get("/?s=c7kp2")
    for fact in ("NCT06570291", "40–75", "Wuxi Cellular Biopharmaceutical Group Ltd.", "What is a trial?"):
        assert fact in rosa.said, fact
    assert 'href="/chat?lang=en&amp;s=c7kp2"' in rosa.page
    assert "<b>" not in rosa.get("/?s=<b>&lang=<b>").page
    assert 'lang="zh-Hans"' in rosa.get("/?lang=zh_Hans").page


# ---------------------------------------------------------------------- to Telegram, and back


def _code(page: str) -> str:
    found = re.search(r"start=on-([A-Za-z0-9_-]+)", page)
    assert found, "no link"
    return found[1]


def _state(chat: ChatPages) -> dict[str, Any]:
    found: dict[str, Any] = plain(chat.desk.one("SELECT state FROM conversation WHERE lane IS NOT NULL"))
    return found


def test_carried_on_in_telegram_with_nothing_lost(chat: ChatPages, rosa: Visitor) -> None:
    desk = chat.desk
    rosa.starts(path="/chat?s=c7kp2").walks_to("check").sends()
    before = _state(chat)
    rosa.presses("Carry on in Telegram")
    code = _code(rosa.page)
    assert code not in str(desk.rows("SELECT * FROM carry"))
    phone = Somebody(desk, "901").starts(f"on-{code}")
    assert "Your answers came along" in phone.seen and "May we tell you about other studies" in phone.seen
    assert _state(chat)["answers"] == before["answers"]
    assert tuple(desk.rows("SELECT channel, chat FROM lead")[0]) == ("telegram", "901")
    phone.presses("No, thank you")
    assert "Thank you for your time" in phone.seen
    assert "This chat goes on in Telegram." in rosa.get().said
    Somebody(desk, "902").starts(f"on-{code}")  # used up
    assert desk.one("SELECT channel FROM conversation WHERE source = 'c7kp2'") == "telegram"


def test_a_code_is_good_for_minutes(chat: ChatPages, rosa: Visitor) -> None:
    rosa.starts().walks_to("knee").presses("Carry on in Telegram")
    chat.desk.waits(seconds=LASTS.total_seconds() + 1)
    Somebody(chat.desk, "901").starts(f"on-{_code(rosa.page)}")
    assert chat.desk.one("SELECT count(*) FROM conversation WHERE lane LIKE 'web:%'") == 1
    assert rosa.get().step == "knee"


def test_only_the_newest_code_is_good(chat: ChatPages, rosa: Visitor) -> None:
    rosa.starts().walks_to("knee").presses("Carry on in Telegram")
    old = _code(rosa.page)
    rosa.get().presses("Carry on in Telegram")
    Somebody(chat.desk, "901").starts(f"on-{old}")
    assert rosa.step == "knee"
    Somebody(chat.desk, "902").starts(f"on-{_code(rosa.page)}")
    assert rosa.step is None


def test_from_telegram_into_the_browser_and_back(chat: ChatPages, rosa: Visitor) -> None:
    desk = chat.desk
    phone = Somebody(desk, "901").starts().walks_to("knee")
    phone.says("/web")
    found = re.search(r"https://study\.example\.org(/chat/carry/[A-Za-z0-9_-]+)", phone.seen)
    assert found
    assert found[1].rpartition("/")[2] not in str(desk.rows("SELECT * FROM message"))
    rosa.get(found[1])
    assert rosa.status == 200 and phone.step == "knee"  # a messenger that looks at the link moves nothing
    rosa.presses("Carry on")
    assert rosa.step == "knee" and "Your answers came along" in rosa.said
    assert "What year were you born?" in rosa.said  # the whole talk came along
    assert "goes on in your browser" in phone.seen
    rosa.presses("Left knee")
    assert rosa.step == "diagnosis"
    phone.says("hello?")
    assert desk.one("SELECT count(*) FROM conversation") == 1
    other = chat.visitor().get(found[1])
    assert other.presses("Carry on").status == 410
    rosa.presses("Carry on in Telegram")
    phone.starts(f"on-{_code(rosa.page)}")
    assert phone.step == "diagnosis" and rosa.step is None


def test_what_waits_to_be_sent_goes_along(chat: ChatPages, rosa: Visitor) -> None:
    desk = chat.desk
    phone = Somebody(desk, "901").starts().walks_to("check").sends()
    waiting = desk.one("SELECT count(*) FROM outbox WHERE lane = 'telegram:901'")
    phone.says("/web")
    link = re.search(r"/chat/carry/[A-Za-z0-9_-]+", phone.seen)
    assert link and waiting
    rosa.get(link[0]).presses("Carry on")
    left = desk.rows("SELECT lane, question FROM outbox WHERE chat = '901' AND lane IS NOT NULL")
    assert [lane for lane, _ in left] == ["telegram:901"]  # where it went on, and nothing else
    assert tuple(desk.rows("SELECT channel, chat FROM lead")[0]) == ("web", chat_of(rosa.token))
    rosa.presses("Delete my answers").presses("Yes, delete all")
    for table in ("conversation", "message", "answer", "carry"):
        assert desk.one(f"SELECT count(*) FROM {table}") == 0
    assert desk.one("SELECT status FROM lead") == "withdrawn"


def test_a_chat_that_slept_for_days_goes_on(chat: ChatPages, rosa: Visitor) -> None:
    rosa.starts().walks_to("diagnosis")
    chat.desk.waits(days=14)
    chat.desk.sweeps()
    assert rosa.get().step == "diagnosis"
    rosa.presses("Yes")
    assert rosa.step == "how_long"
