"""Two press Claim at the same moment, one in the group, one in the inbox: one gets the lead, the other hears who."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bot.house import House
from bot.messages import Inbound
from bot.store import staff
from tests.desk.acting import has_lead
from tests.desk.browser import Pages, member
from tests.shell.conftest import ANA, GROUP, Desk

TIMES = 200


@pytest.fixture
def house(desk: Desk) -> Iterator[House]:
    made = House(desk.store, desk.deployment, {}, clock=desk.clock)
    yield made
    made.close()


@pytest.mark.slow
def test_a_claim_in_the_group_and_one_in_the_inbox_at_once(desk: Desk, house: House) -> None:
    """200 leads, on both databases: exactly one owner each time, and whoever lost reads the owner's name."""
    pages = Pages(desk)  # with a writer of its own, like another process
    nora = member(desk, "Nora")
    browser = pages.browser(nora)
    csrf = browser.csrf
    with desk.store.begin(desk.now) as db:
        ana = staff.by_telegram(db, str(ANA))
    assert ana is not None
    leads = [has_lead(desk, str(9000 + number)) for number in range(TIMES)]
    won = asyncio.run(_race(desk, house, pages, browser.cookies, csrf, leads))
    pages.close()
    owners = dict(desk.rows("SELECT id, owner_id FROM lead"))
    group = inbox = 0
    for lead_id, answer in zip(leads, won, strict=True):
        name = f"K-{lead_id:04d}"
        claims = desk.rows("SELECT staff_id FROM lead_event WHERE lead_id = :id AND what = 'claimed'", id=lead_id)
        assert [claim[0] for claim in claims] == [owners[lead_id]], "one claim, and its owner"
        assert owners[lead_id] in (nora["id"], ana["id"])
        if owners[lead_id] == nora["id"]:
            inbox += 1
            assert answer.status_code == 303
            assert any(f"Nora has {name}" in envelope.text for envelope in desk.sent(GROUP)), name
        else:
            group += 1
            assert answer.status_code == 409 and f"Ana has {name}" in answer.text
    assert group + inbox == TIMES and group and inbox, (group, inbox)


async def _race(
    desk: Desk, house: House, pages: Pages, cookies: dict[str, str], csrf: str, leads: list[int]
) -> list[httpx.Response]:
    transport = httpx.ASGITransport(pages.web)
    headers = {"cookie": "; ".join(f"{n}={v}" for n, v in cookies.items()), "sec-fetch-site": "same-origin"}
    answers = []
    async with httpx.AsyncClient(transport=transport, base_url=pages.url, headers=headers) as client:
        for number, lead_id in enumerate(leads):
            press = desk.deployment.buttons.seal("staff.", "group", f"{lead_id}.claim")
            tapped: dict[str, Any] = {"sender": str(ANA), "press": press, "message": f"m{lead_id}", "group": True}
            inbound = Inbound("telegram", f"race{lead_id}", GROUP, kind="press", **tapped)

            async def in_the_inbox(lead_id: int = lead_id) -> httpx.Response:
                return await client.post(f"/desk/leads/K-{lead_id:04d}/claim", data={"csrf": csrf})

            async def in_the_group(inbound: Inbound = inbound, late: float = 0.0) -> None:
                await asyncio.sleep(late)
                await house.take(inbound)

            # The page is a little longer on its way than the press: let each be the first sometimes.
            late = (number % 20) * 0.0007
            answer, _ = await asyncio.gather(in_the_inbox(), in_the_group(late=late))
            answers.append(answer)
    return answers
