"""What is counted: numbers that go up once a transaction is committed, under names without anybody in them."""

from __future__ import annotations

import asyncio

from prometheus_client import REGISTRY

from bot.house import House
from bot.messages import Inbound
from tests.shell.conftest import ANA, Desk, Somebody


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def counted(desk: Desk, *inbounds: Inbound) -> None:
    async def run() -> None:
        house = House(desk.store, desk.deployment, {}, clock=desk.clock)
        for inbound in inbounds:
            await house.take(inbound)
        house.close()

    asyncio.run(run())


def said(number: int, text: str, chat: str = "501") -> Inbound:
    return Inbound("telegram", f"m:{chat}:{number}", chat, chat, "text", text=text)


def test_a_turn_is_counted_once_and_a_repeated_one_as_known(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("birth")
    names = {"answer": ("prescreen_answers_total", {"question": "birth"}), "taken": ("prescreen_updates_total", {"result": "taken"}),
             "known": ("prescreen_updates_total", {"result": "known"}), "odd": ("prescreen_invalid_input_total", {"reason": "unclear"})}  # fmt: skip
    before = {key: value(name, **labels) for key, (name, labels) in names.items()}
    counted(desk, said(1, "hm hm"), said(2, "1964"), said(2, "1964"))
    after = {key: value(name, **labels) - before[key] for key, (name, labels) in names.items()}
    assert after == {"answer": 1, "taken": 2, "known": 1, "odd": 1}


def test_what_was_rolled_back_is_not_counted(desk: Desk, rosa: Somebody) -> None:
    """A batch that fails is taken again one by one: each turn still counts once."""
    rosa.starts().walks_to("birth")
    before = value("prescreen_updates_total", result="taken")

    async def run() -> list[object]:
        house = House(desk.store, desk.deployment, {}, clock=desk.clock)

        def broken(_db: object) -> None:
            raise ValueError("one of them fails")

        return await asyncio.gather(
            house.take(said(1, "1964")),
            house.writer.write(broken),
            house.take(said(1, "/start", chat="777")),
            return_exceptions=True,
        )

    first, second, third = asyncio.run(run())
    assert first is None and third is None and isinstance(second, ValueError)
    assert value("prescreen_updates_total", result="taken") - before == 2


def test_the_page_tells_what_waits(desk: Desk) -> None:
    Somebody(desk, "600700800901").starts().walks_to("check").sends()
    desk.waits(minutes=6)

    async def run() -> str:
        house = House(desk.store, desk.deployment, {}, clock=desk.clock)
        page = (await house.measure()).decode()
        house.close()
        return page

    page = asyncio.run(run())
    assert "prescreen_leads_unclaimed 1.0" in page and "prescreen_leads_unnoticed 1.0" in page
    assert value("prescreen_outbox_oldest_seconds") == 360 and value("prescreen_outbox_waiting") > 10
    assert not any(told in page for told in ("Rosa", "600700800901", "612345678", str(ANA)))
