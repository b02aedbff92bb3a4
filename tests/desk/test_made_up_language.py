"""Nothing that staff read is left untranslated: every page and notice in a language that marks each of its texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from bot import pseudo
from bot.desk import shares
from bot.desk.cards import STATUS
from tests.desk.acting import FLAG, acts, has_lead
from tests.desk.browser import Pages, member
from tests.made_up import Reader, languages, of_page, untranslated
from tests.shell.conftest import Desk, Somebody

pytestmark = pytest.mark.slow


@pytest.fixture
def made_up(desk: Desk, tmp_path: Path) -> Iterator[Pages]:
    """The inbox of a desk that has the made-up language, too."""
    spoken = languages(tmp_path / "locales")
    desk.deployment = replace(desk.deployment, languages=spoken, staff_language=pseudo.TAG)
    pages = Pages(desk)
    yield pages
    pages.close()


AUDITED = re.compile(r"^(?:[a-z_]+(?:\.[a-z_]+)?|(?:send|health) nct\S* .*)$")
"""What the audit has no words for is shown there by its code."""


def test_every_page_of_the_inbox(desk: Desk, made_up: Pages) -> None:
    nora = member(desk, "Nora", role="admin", language=pseudo.TAG)
    Somebody(desk).starts().walks_to("check").sends()
    has_lead(desk, "502", locale="es", helper=True, changed=True, chat_lost=True, source="c7kp2")
    for number, status in enumerate(STATUS):
        has_lead(
            desk, str(510 + number), status=status, owner_id=nora["id"], due_at=desk.now - timedelta(days=number)
        )
    browser = made_up.browser(nora)
    assert "⟦" in browser.get("/").text
    left: dict[str, list[str]] = {}
    paths = [
        "/", "/?status=closed", "/?status=scheduled&language=ar", "/account", "/audit", "/counts", "/export", "/insight", "/staff", "/sites",
        *(f"/leads/K-{number:04}" for number in range(1, 3 + len(STATUS))), "/leads/K-0001/compare/K-0002", "/leads/K-9999", "/nowhere",
    ]  # fmt: skip
    for path in paths:
        page = Reader()
        answer = browser.get(path)
        assert answer.status_code == (404 if path in ("/leads/K-9999", "/nowhere") else 200), path
        page.feed(answer.text)
        words = [text for text in page.words if path != "/audit" or not AUDITED.match(text)]
        if found := untranslated(words):
            left[path] = found
    stranger = made_up.browser()
    page = Reader()
    page.feed(stranger.get("/sign-in", **{"accept-language": "eo"}).text)
    left["/sign-in"] = untranslated(page.words)
    found = {path: words for path, words in left.items() if words}
    assert found == {}, "\n".join(f"{path} {words}" for path, words in found.items())


def test_a_shared_lead(desk: Desk, made_up: Pages) -> None:
    """Also to who has no account, in the language of their browser."""
    wait = {**FLAG, "status": "WAIT", "criterion": "E12", "until": "2027-02-14", "because": ["mri.fragments"]}
    shown = {"helper": True, "changed": True, "outcome": "not_now", "eligible_from": date(2027, 2, 14)}
    lead, fresh = has_lead(desk, flags=[FLAG, wait, {**FLAG, "status": "OUT"}], **shown), shares.fresh()
    acts(desk, member(desk, "Nora", role="admin"), lambda acting: shares.make(acting, lead, 24, fresh))
    browser = made_up.browser()
    eo = {"accept-language": pseudo.TAG, "sec-fetch-site": "same-origin"}
    assert of_page(browser.get(f"/shared/{fresh.token}", **eo).text) == []
    for passcode, status in (("wrong", 403), (fresh.passcode, 200)):
        answer = browser.ask("POST", f"/shared/{fresh.token}", data={"passcode": passcode}, headers=eo)
        assert answer.status_code == status
        assert of_page(answer.text) == []
    assert "K-0001" in answer.text
