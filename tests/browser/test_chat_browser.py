"""The web chat in a real Chromium: golden conversations, a cut network, two tabs, no script, keyboard alone, axe."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from babel.dates import format_skeleton
from playwright.sync_api import Browser, Page, expect

from bot.desk.telling import tell
from bot.store import conversations
from flows.engine import today_of
from flows.flow import Flow, Step
from flows.turn import Tell
from tests.browser.conftest import Site, words
from tests.conftest import FINE, TYPED
from tests.journeys.dialogue import CONTACT
from tests.journeys.test_golden_languages import CASES
from tests.patient import LANGUAGES
from tests.sizes import LONG, many

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chat in chromium")]

ANSWERS: dict[str, Any] = {**FINE, **TYPED, **CONTACT, "call_days": ("mon",)}
SMALL = """() => [...document.querySelectorAll('button, summary, input:not([type=hidden]), a.button')]
  .filter(it => it.offsetParent !== null && !it.closest('label') && it.getBoundingClientRect().height < 44)
  .map(it => it.outerHTML.slice(0, 120))"""
"""What is to be pressed and yet lower than 44 pixels."""
NASTY = "<img src=x onerror=alert(1)><script>alert(1)</script>"


NEVER = 3


def short(day: date, locale: str) -> str:
    """A day without its year, the way people write it: "14 Nov", "11月14日"."""
    return str(format_skeleton("MMMd", day, locale={"en": "en_GB"}.get(locale, locale)))


class Chat:
    """Somebody at a page, who finds things by what they are called."""

    def __init__(self, page: Page, site: Site, flow: Flow, locale: str = "en") -> None:
        self.page, self.site, self.flow, self.locale = page, site, flow, locale

    def text(self, context: str, english: str) -> str:
        return str(words(self.locale).text(context, english))

    def line(self, key: str) -> str:
        return self.text(f"say.{key}", self.flow.says[key])

    def starts(self, path: str = "/chat") -> Chat:
        self.page.goto(self.site.url + path)
        self.page.locator(f"button[value={self.locale}]").click()
        self.page.locator("#log").wait_for()
        return self

    @property
    def row(self) -> Any:
        return self.site.rows("SELECT step, life, id FROM conversation WHERE lane IS NOT NULL")[-1]

    @property
    def step(self) -> Step:
        return self.flow.step_by_id[self.row[0]]

    def button(self, label: str) -> Any:
        return (
            self.page.locator("#open button")
            .filter(has=self.page.get_by_text(label, exact=True))
            .or_(self.page.locator("#open").get_by_role("button", name=label, exact=True))
            .first
        )

    def label(self, step: Step, value: Any) -> str:
        if value is None:
            return self.text(step.context, step.unsure_label) if step.unsure_label else self.line("button_not_sure")
        if value == ():
            return (
                self.text(step.context, step.none_label) if step.none_label else self.line("button_none_of_these")
            )
        if step.source == "sites":
            site = self.flow.site(value)
            assert site is not None
            return self.text(f"{self.flow.trial.slug}.site", site.city)
        option = step.option(value)
        assert option is not None
        return self.text(step.context, option.label)

    def answers(self, **other: Any) -> Chat:
        """Answers the open question, and waits until the page shows the next one."""
        step = self.step
        value = {**ANSWERS, **other}.get(step.id)  # None, "not sure", for what only some are asked
        known = isinstance(value, str) and (step.option(value) is not None or step.source == "sites")
        last = self.page.get_attribute("#chat", "data-last")
        if isinstance(value, tuple) and value:
            for one in value:
                self.page.locator("#open label.box", has_text=self.label(step, one)).locator("input").check()
            self.page.locator("#open .done").click()
        elif value is None or value == () or known:
            self.button(self.label(step, value)).click()
        elif isinstance(value, timedelta):
            day = today_of(self.flow, datetime.now(UTC)) - value
            self.types(short(day, self.locale)).sees_more_than(last)  # without its year, it is read back
            last = self.page.get_attribute("#chat", "data-last")
            self.button(self.line("button_yes")).click()
        else:
            self.types(str(value))
        return self.sees_more_than(last)

    def types(self, text: str) -> Chat:
        self.page.fill("#text", text)
        self.page.locator(".write button").click()
        return self

    def sees_more_than(self, last: str | None) -> Chat:
        self.page.wait_for_function("last => document.getElementById('chat').dataset.last !== last", arg=last)
        return self

    def walks_to(self, step: str, *, reload: int | None = NEVER, **other: Any) -> Chat:
        """``reload`` is the turn of every third step at which the page is loaded anew; None is at each."""
        steps = count()
        while self.row[0] != step:
            if reload is None or next(steps) % 3 == reload:
                before = self.page.inner_text("#open")
                self.page.reload()
                assert self.page.inner_text("#open") == before, self.step.id
            self.answers(**other)
        return self

    def seen(self, context: str, english: str) -> bool:
        """Whether the chat holds this text, up to the first value in it."""
        return self.text(context, english).partition("{")[0].split("\n")[0].strip() in self.page.inner_text("#log")

    def given(self, step: str) -> int:
        return int(self.site.rows("SELECT count(*) FROM answer WHERE step = :step", step=step)[0][0])


WIDTHS = (390, 1280)
GOLDEN = [
    (locale, width, case)
    for number, locale in enumerate(LANGUAGES.names)
    for turn, width in enumerate(WIDTHS)
    for place, case in enumerate(CASES)
    if LONG or (turn == number % 2 and place == number % 3)
]
"""Every language, width and case in the long form; in the usual one each language at one width, in one case."""


@pytest.mark.parametrize(("locale", "width", "case"), GOLDEN)
def test_the_golden_conversation_with_a_reload_at_every_step(
    site: Site, chromium: Browser, flow: Flow, locale: str, width: int, case: str
) -> None:
    """In the usual form a language reloads at each third step, and the next language at the steps after these."""
    number = list(LANGUAGES.names).index(locale)
    other, outcome = CASES[case]
    with site.page(chromium, width) as page:
        rosa = Chat(page, site, flow, locale).starts("/chat?s=c7kp2")
        turn = None if LONG else number // 3
        rosa.walks_to("other_trials", reload=turn, **{"offer_wait": "remind", **other})
        assert rosa.seen(f"outcomes.{outcome}", flow.outcomes[outcome])  # type: ignore[index]
        sent = case == "lead"
        assert ("K-0001" in page.inner_text("#log")) is sent
        assert page.get_attribute("html", "lang") == locale.replace("_", "-")
        assert page.get_attribute("html", "dir") == ("rtl" if locale == "ar" else "ltr")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        rosa.answers()
        page.reload()
        assert rosa.seen("ends", flow.ends["done"])
    leads = site.desk.rows("SELECT source, locale, channel, outcome FROM lead")
    assert [tuple(lead) for lead in leads] == ([("c7kp2", locale, "web", outcome)] if sent else [])


def test_a_double_click_answers_once(site: Site, chromium: Browser, flow: Flow) -> None:
    with site.page(chromium) as page:
        rosa = Chat(page, site, flow).starts().walks_to("knee")
        last = page.get_attribute("#chat", "data-last")
        rosa.button("Left knee").dblclick()
        rosa.sees_more_than(last)
        page.wait_for_timeout(500)
        assert rosa.given("knee") == 1 and page.locator(".mine", has_text="Left knee").count() == 1
        assert rosa.row[0] == "diagnosis"


def test_the_network_is_cut_in_the_middle_of_a_send(site: Site, chromium: Browser, flow: Flow) -> None:
    """The answer reaches us, ours is lost; then nothing goes, 30 s in the long form. It is sent again: one answer."""
    with site.page(chromium) as page:
        rosa = Chat(page, site, flow).starts().walks_to("height")
        lost = threading.Event()

        def lose(route: Any) -> None:
            if not lost.is_set():
                route.fetch()  # it is taken
                lost.set()
                page.context.set_offline(True)
            route.abort()

        page.route("**/chat/say*", lose)
        last = page.get_attribute("#chat", "data-last")
        page.fill("#text", "165 cm")
        page.locator(".write button").click()
        expect(page.locator("#status")).to_have_text(rosa.line("web_offline"), timeout=10_000)
        assert page.input_value("#text") == "165 cm"
        page.wait_for_timeout(1_000 * many(6, 30))
        page.unroute("**/chat/say*")
        page.context.set_offline(False)
        page.wait_for_function(
            "last => document.getElementById('chat').dataset.last !== last", arg=last, timeout=20_000
        )
        expect(page.locator("#status")).to_have_text("")
        assert rosa.given("height") == 1 and page.locator(".mine", has_text="165 cm").count() == 1
        rosa.answers()
        assert rosa.given("weight") == 1


def test_two_tabs_show_one_conversation(site: Site, chromium: Browser, flow: Flow) -> None:
    with site.page(chromium) as page:
        rosa = Chat(page, site, flow).starts().walks_to("diagnosis")
        other = page.context.new_page()
        other.goto(site.url + "/chat")
        other.fill("#text", "half a word")
        rosa.answers()
        other.locator(".msg", has_text="When did the trouble start?").wait_for(timeout=10_000)
        assert other.input_value("#text") == "half a word"  # what somebody was typing stays
        assert other.inner_text("#open") == page.inner_text("#open")
        second = Chat(other, site, flow)
        last = page.get_attribute("#chat", "data-last")
        second.answers()
        rosa.sees_more_than(last)
        assert page.locator(".msg").all_inner_texts() == other.locator(".msg").all_inner_texts()


def test_the_back_button_of_the_browser_loses_nothing(site: Site, chromium: Browser, flow: Flow) -> None:
    with site.page(chromium) as page:
        rosa = Chat(page, site, flow).starts().walks_to("knee")
        page.goto(site.url + "/chat/copy")
        page.go_back()
        page.locator("#open").wait_for()
        rosa.answers().answers()
        page.goto(site.url + "/")
        expect(page.locator("#start")).to_have_text(rosa.line("web_go_on"))
        page.go_back()
        page.locator("#open").wait_for()
        assert rosa.row[0] == "how_long" and "When did the trouble start?" in page.inner_text("#log")


def test_what_staff_say_comes_by_itself(site: Site, chromium: Browser, flow: Flow) -> None:
    """The house's own word in the chat, written by another thread, shows without a reload."""
    with site.page(chromium) as page:
        Chat(page, site, flow).starts().walks_to("knee")
        with site.store.begin() as db:
            kept = conversations.current(db, "web", site.rows("SELECT chat FROM conversation")[0][0])
            assert kept is not None
            tell(db, site.desk.deployed(), kept, [Tell("later")], "test", db.at)
        page.locator(".msg", has_text="Good. Your answers are saved.").wait_for(timeout=5_000)


def test_everything_works_without_a_script(site: Site, chromium: Browser, flow: Flow) -> None:
    with site.page(chromium, java_script_enabled=False) as page:
        page.goto(site.url + "/")
        page.locator("#start").click()
        page.get_by_role("button", name="English").click()
        rosa = Chat(page, site, flow)
        rosa.sees_more_than = lambda last: rosa  # type: ignore[method-assign]
        rosa.walks_to("mri").answers(mri=("heart_part", "bone_metal"))
        assert "Plate or screws" in page.inner_text("#log")
        rosa.walks_to("check", mri=())
        page.locator(".menu summary").click()
        page.get_by_role("button", name="Delete my answers").click()
        page.get_by_role("button", name="Yes, delete all").click()
        assert "Everything is deleted here." in page.inner_text("main")


def test_by_keyboard_alone(site: Site, chromium: Browser, flow: Flow) -> None:
    """From the skip link to an answer, a list and a typed one; the focus is seen and never lost."""
    with site.page(chromium, 1280) as page:
        rosa = Chat(page, site, flow).starts().walks_to("knee")
        page.reload()
        page.keyboard.press("Tab")
        assert "skip" in str(page.evaluate("document.activeElement.className"))
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.innerText.trim()") == "Left knee"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        last = page.get_attribute("#chat", "data-last")
        page.keyboard.press("Enter")
        rosa.sees_more_than(last)
        assert page.evaluate("document.activeElement.id") == "open"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.innerText.trim()") == "Yes"
        rosa.walks_to("mri")
        page.focus("#open")
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        for _ in range(12):
            if page.evaluate("document.activeElement.matches('.done')"):
                break
            page.keyboard.press("Tab")
        last = page.get_attribute("#chat", "data-last")
        page.keyboard.press("Enter")
        rosa.sees_more_than(last)
        rosa.walks_to("height", mri=())
        last = page.get_attribute("#chat", "data-last")
        page.focus("#text")
        page.keyboard.type("165 cm")
        page.keyboard.press("Enter")
        rosa.sees_more_than(last)
        assert page.evaluate("document.activeElement.id") == "text"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_is_accessible_and_fits(
    site: Site, chromium: Browser, flow: Flow, width: int, scheme: Any
) -> None:
    """axe finds nothing serious, nothing scrolls sideways, what is pressed is 44 pixels high, at 100% and at 200%."""
    with site.page(chromium, width, color_scheme=scheme) as page:
        page.goto(site.url + "/")
        for question in page.locator(".question summary").all():
            question.click()
        _is_fine(page, width)
        page.goto(site.url + "/chat")
        _is_fine(page, width)
        rosa = Chat(page, site, flow).starts()
        for step in ("consent", "birth", "knee", "mri", "check", "send", "other_trials"):
            rosa.walks_to(step)
            _is_fine(page, width)
        for summary in (".menu summary", ".look summary"):
            page.locator(summary).click()
            _is_fine(page, width)
            page.keyboard.press("Escape")
        assert page.get_attribute("#log", "role") == "log" and page.get_attribute("#log", "aria-live") == "polite"
        page.evaluate("document.documentElement.style.fontSize = '212%'")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for path in ("/chat/copy", "/chat/bye", "/chat/carry/any-code"):
            page.goto(site.url + path)
            _is_fine(page, width)
        page.goto(site.url + "/chat")
        page.locator(".menu summary").click()
        page.get_by_role("button", name="Carry on in Telegram").click()
        page.locator(".qr").wait_for()
        _is_fine(page, width)
    lost = chromium.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    lost.goto(site.url + "/nowhere")
    _is_fine(lost, width)
    lost.close()


def _is_fine(page: Page, width: int) -> None:
    grave = [
        (found["id"], found["nodes"][0]["html"][:160])
        for found in Axe().run(page).response["violations"]
        if found["impact"] in ("serious", "critical")
    ]
    assert grave == [], page.url
    assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    assert page.evaluate(SMALL) == [], page.url


def test_nothing_typed_ever_runs(site: Site, chromium: Browser, flow: Flow) -> None:
    with site.page(chromium) as page:
        page.on("dialog", lambda dialog: pytest.fail("a script ran"))
        rosa = Chat(page, site, flow).starts().walks_to("birth")
        page.fill("#text", NASTY)
        last = page.get_attribute("#chat", "data-last")
        page.locator(".write button").click()
        rosa.sees_more_than(last)
        fields: dict[str, Any] = dict.fromkeys(("town", "first_name", "last_name", "other_language"), NASTY)
        rosa.walks_to("send", **fields)
        assert page.inner_text("#log").count(NASTY) >= 4
        assert page.locator("#log img, #log script").count() == 0
        page.goto(site.url + "/chat/copy")
        assert NASTY in page.inner_text("main") and page.locator("main img, main script").count() == 0


def test_the_first_load_is_small_and_quick(site: Site, chromium: Browser, flow: Flow) -> None:
    """All of it under 150 KB, no script in the way; the first question within a second on a slow line."""
    with site.page(chromium) as page:
        line = page.context.new_cdp_session(page)
        line.send("Network.enable")
        slow = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 93_750}
        line.send("Network.emulateNetworkConditions", slow)
        sizes: list[int] = []
        line.on("Network.loadingFinished", lambda done: sizes.append(int(done["encodedDataLength"])))
        page.goto(site.url + "/chat")
        page.get_by_role("button", name="English").wait_for()
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        assert paint < 1000
        page.locator("button[value=en]").click()
        page.locator("#log").wait_for()
        assert page.locator("script:not([defer])").count() == 0
        assert 1_000 < sum(sizes) < 150_000
