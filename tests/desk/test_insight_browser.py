"""The numbers in a real Chromium: charts under the strict policy, tables without a script; a link that is given away."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from bot.desk import insight
from tests.desk.acting import CONTACT, has_lead, looks
from tests.desk.test_browser import SMALL, Site, chromium, site

__all__ = ["chromium", "site"]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chromium")]

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
FOUND = {
    "groups": [["poster7", "en", "", {"started": 40, "consented": 30, "finished": 20, "may_fit": 12}],
               ["poster7", "en", "north", {"sent": 9, "reached": 7}]],
    "stopped": {"knee": 7, "birth": 6, "mri": 9}, "findings": {"E18:OUT": 6, "E3:REVIEW": 8},
    "waits": {}, "verdicts": {},
}  # fmt: skip


@pytest.mark.parametrize("width", [390, 1280])
def test_the_new_pages_are_accessible_and_fit(
    site: Site, chromium: Browser, width: int, request: pytest.FixtureRequest
) -> None:
    """No policy is broken, axe finds nothing serious, and each chart has drawn something.

    With ``--update`` the picture of the numbers is taken anew.
    """
    looks(site.desk, lambda db: insight.keep(db, site.desk.deployment.trial, FOUND, site.desk.now))
    has_lead(site.desk, "509", contact=CONTACT)
    with site.page(chromium, width) as page:
        for path in ("/insight", "/export", "/leads/K-0002", "/leads/K-0002/compare/K-0004"):
            page.goto(f"{site.url}/desk{path}")
            for summary in page.locator("summary").all():
                summary.click()
            if path == "/insight":
                page.wait_for_function("document.querySelectorAll('.chart:not([hidden])').length === 3")
                drawn = page.evaluate(
                    "[...document.querySelectorAll('canvas')].map(it => it.getContext('2d')"
                    ".getImageData(0, 0, it.width, it.height).data.some(byte => byte))"
                )
                assert drawn == [True] * 3
                if width == 1280 and request.config.getoption("--update"):
                    page.screenshot(path=PICTURES / "insight.png")
            grave = [found["id"] for found in Axe().run(page).response["violations"]
                     if found["impact"] in ("serious", "critical")]  # fmt: skip
            assert grave == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert page.evaluate(SMALL) == [], path


def test_without_a_script_the_tables_say_it_all(site: Site, chromium: Browser) -> None:
    looks(site.desk, lambda db: insight.keep(db, site.desk.deployment.trial, FOUND, site.desk.now))
    with site.page(chromium, java_script_enabled=False) as page:
        page.goto(f"{site.url}/desk/insight")
        assert page.locator("table").count() >= 5 and not page.locator("canvas").first.is_visible()
        assert page.get_by_role("row", name="poster7").first.is_visible()


def test_a_link_is_made_given_away_and_opened(site: Site, chromium: Browser) -> None:
    with site.page(chromium) as page:
        page.goto(f"{site.url}/desk/leads/K-0002")
        page.get_by_text("Share this lead").click()
        page.get_by_role("button", name="Make a link").click()
        link, passcode = (
            page.get_by_label("Link", exact=True).input_value(),
            page.get_by_label("Passcode").input_value(),
        )
    stranger = chromium.new_context().new_page()
    stranger.goto(link)
    stranger.get_by_label("Passcode").fill(passcode.lower())
    stranger.get_by_role("button", name="Open").click()
    stranger.get_by_role("heading", name="Points to verify").wait_for()
    text = stranger.content()
    assert "E18" in text and not [secret for secret in ("Rosa", "612", "mill", "example.org") if secret in text]
    stranger.context.close()
