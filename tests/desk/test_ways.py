"""A way that is closed for good, or so it seems: put out of the group, refused by a member, a claim that goes back."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from bot.channels.telegram import Telegram
from bot.messages import HOOK, MAIL, Channel, Envelope, Sent
from bot.store import Store, leads, staff
from tests.shell.conftest import ANA, GROUP, Somebody
from tests.shell.house import Housed, Wire, hurries
from tests.telegram_server import Group, TelegramServer

pytestmark = pytest.mark.slow


class Ways(Housed):
    """A house with wires for all ways; behind Telegram's may be the real channel."""

    def channels(self) -> dict[str, Channel]:
        self.mail, self.hook = Wire(), Wire()
        return {"telegram": self.wire, MAIL: self.mail, HOOK: self.hook}

    def passes(self, minutes: int, step: int = 1) -> None:
        for _ in range(0, minutes, step):
            self.waits(minutes=step)
            self.sweeps()

    def unnoticed(self) -> float:
        page = self.runs(self.house.measure()).decode()
        return float(page.partition("\nprescreen_leads_unnoticed ")[2].partition("\n")[0])


class OnlyToTheGroup:
    """The real channel for the group; the people of the test have no account there."""

    name = "telegram"

    def __init__(self, real: Channel, group: str) -> None:
        self.real, self.group = real, group

    async def send(self, chat: str, envelope: Envelope, last: str) -> Sent:
        return await self.real.send(chat, envelope, last) if chat == self.group else Sent("sent", "1")


@pytest.fixture
def ways(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ways]:
    hurries(monkeypatch)
    made = Ways(Store(database), mail=True, hook=True, desk_url="https://desk.example.org")
    monkeypatch.setattr("bot.house.clock_of", lambda db: made.now)
    yield made
    made.closes()


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    with TelegramServer() as server:
        yield server


def test_a_bot_that_was_put_out_of_the_group_tells_it_everything_once_it_is_back(
    telegram: TelegramServer, database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By the real channel: in the queue at once, an alarm within five minutes, and each notice once, in order."""
    hurries(monkeypatch)
    team: Group = telegram.group("Study team", [telegram.person("Mara")])
    channel = Telegram(telegram.token, telegram.base_url)
    wire = Wire(OnlyToTheGroup(channel, str(team.chat.id)))
    ways = Ways(Store(database), wire, staff_group=str(team.chat.id))
    monkeypatch.setattr("bot.house.clock_of", lambda db: ways.now)
    try:
        people = [Somebody(ways, chat).starts().walks_to("check") for chat in ("501", "502")]
        team.kicks_bot()
        for number, person in enumerate(people, 1):
            person.sends()
            with ways.store.begin() as db:
                assert len(leads.queue(db)) == number, "in the queue at once"
        ways.passes(4)
        assert "no notice of them has got through" not in caplog.text
        assert "may not write to the staff group" in caplog.text
        ways.passes(2)
        assert "no notice of them has got through" in caplog.text and ways.unnoticed() == 2
        ways.passes(60, step=5)
        assert not [message for message in team.chat.messages if message.from_bot]
        team.chat.stand("member", telegram.bot)
        ways.passes(5)
        told = [message.text for message in team.chat.messages if message.from_bot]
        assert [text[:15] for text in told if text.startswith("New lead")] == ["New lead K-0001", "New lead K-0002"]
        assert ways.unnoticed() == 0
    finally:
        ways.runs(channel.close())
        ways.closes()


def test_a_member_whom_the_bot_may_not_write_to_gets_mail(ways: Ways) -> None:
    """Somebody who leads a site and never opened the bot: the alarm of the next morning is not lost."""
    with ways.store.begin() as db:
        staff.add(db, "Lena", 7_000_000_009, email="lena@north.example", role="site_lead", sites=["north"])
    ways.wire.fate = lambda chat, envelope: (Sent("gone"), False) if chat == "7000000009" else (None, True)
    Somebody(ways, "501").starts().walks_to("check").sends()
    ways.passes(60 * 72, step=30)
    (letter,) = [
        mail for mail in ways.mail.arrived["lena@north.example"] if "K-0001" in mail.text and not _daily(mail)
    ]
    assert letter.subject == "Leads are waiting: North Clinic (example)" and "/desk" in letter.text
    assert not ways.wire.arrived["7000000009"]


def _daily(mail: Envelope) -> bool:
    return "Yesterday" in mail.text or "Since" in mail.text


def test_a_link_to_sign_in_that_the_bot_may_not_bring_comes_by_mail(ways: Ways) -> None:
    from bot.desk import sign_in  # noqa: PLC0415

    with ways.store.begin() as db:
        number = staff.add(db, "Lena", 7_000_000_009, email="lena@north.example")
        lena = staff.by_id(db, number)
        assert lena is not None
        assert sign_in.send_link(db, ways.deployment, lena, ways.now)
    ways.wire.fate = lambda chat, envelope: (Sent("gone"), False)
    ways.drains()
    (mail,) = ways.mail.arrived["lena@north.example"]
    assert mail.subject and "https://desk.example.org/desk/link/" in mail.text


def test_a_claim_that_goes_back_is_told_to_the_group_and_the_webhook(ways: Ways) -> None:
    """Ana claims and was never written to by the bot: nobody has the lead, and every way knows."""
    Somebody(ways, "501").starts().walks_to("check").sends()
    ways.wire.fate = lambda chat, envelope: (Sent("gone"), False) if chat == str(ANA) else (None, True)
    card = ways.wire.arrived[GROUP][-1]
    ways.take("press", GROUP, sender=str(ANA), press=card.rows[0][0][1], message="1", group=True)
    assert ways.one("SELECT status FROM lead") == "new" and ways.one("SELECT owner_id FROM lead") is None
    assert "please open a private chat" in ways.wire.arrived[GROUP][-1].text
    told = [json.loads(event.text) for event in ways.hook.arrived["subscriber"]]
    assert [(one["type"], one["data"]["status"]) for one in told] == [
        ("lead.raised", "new"), ("lead.claimed", "claimed"), ("lead.changed", "new"),
    ]  # fmt: skip
