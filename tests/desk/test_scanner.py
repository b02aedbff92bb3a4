"""S03: whatever goes out by any way, in every language of the staff, is read for names, ways to reach somebody, and illness.

Only what lies before its owner alone may have them: a protected message in the private chat of a member of staff.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.desk import sign_in
from bot.messages import HOOK, Envelope, Sent
from bot.store import Store, sites, staff
from bot.words import of_staff
from tests.desk.acting import has_lead
from tests.desk.test_notices import CALLED, HEALTH, raises
from tests.desk.test_ways import Ways
from tests.shell.conftest import GROUP, LIBRARY, Desk, Somebody
from tests.shell.house import hurries

pytestmark = pytest.mark.slow

ANA, LI, LENA, ADA = 7_000_000_001, 7_000_000_002, 7_000_000_003, 7_000_000_004
STAFF = (GROUP, *map(str, (ANA, LI, LENA, ADA)))
HOME = ("rosa@example.org", "zyxwvut.qqq@mail.example")
"""Where people of the test have their own mail."""


class Opened(Ways):
    """A house by whose clock days go by with a sweep each quarter of an hour."""

    def until(self, hours: float) -> None:
        self.passes(int(hours * 60), step=15)

    def claims(self, who: int, number: int) -> None:
        press = self.deployment.buttons.seal("staff.", "group", f"{number}.claim")
        self.take("press", GROUP, sender=str(who), press=press, message="1", group=True)

    def presses(self, who: int, label: str, chat: str = "") -> None:
        """The newest button that begins so, in the group or in their own chat."""
        where = chat or str(who)
        for envelope in reversed(self.wire.arrived[where]):
            for row in envelope.rows:
                for name, data in row:
                    if name.startswith(label):
                        self.take("press", where, sender=str(who), press=data, message="1", group=where == GROUP)
                        return
        raise AssertionError(f"no button {label!r} in {where}")


@pytest.fixture(params=of_staff())
def house(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    hurries(monkeypatch)
    how = {"mail": True, "hook": True, "desk_url": "https://desk.example.org", "staff_language": request.param}
    made = Opened(Store(f"sqlite:///{tmp_path / 'p.db'}"), hires=False, **how)
    with made.store.begin() as db:
        staff.add(db, "Ana", ANA, request.param, sites=["north"])
        staff.add(db, "Li", LI, request.param, sites=["north"])
        staff.add(db, "Lena", LENA, request.param, email="lena@north.example", role="site_lead", sites=["north"])
        staff.add(db, "Olga", None, request.param, email="olga@north.example", role="site_lead", sites=["north"])
        staff.add(db, "Ada", ADA, request.param, role="admin")
        staff.add(db, "Max", None, request.param, email="max@desk.example", role="admin")
    yield made
    made.closes()


def test_nothing_that_goes_out_names_anybody_or_their_health(house: Opened) -> None:
    """Everything that makes the product say something to staff, one after the other; then all of it is read."""
    words = house.deployment.languages.staff(house.deployment.staff_language)

    def label(text: str) -> str:
        return words.text("staff", text)

    rosa = person(house, "501")
    asks = Somebody(house, "502").starts().walks_to("knee")
    asks.says("a person, please")
    house.until(72)  # nobody acts: nudge, second person, the site lead's morning, digests, slips, a silent site
    with house.store.begin() as db:
        flow = LIBRARY.newest("nct06570291")
        assert sites.now(db, flow, "north").status == "paused"
        sites.change(db, flow, "north", house.now, status="active")
    house.presses(ANA, label("Claim"), GROUP)
    house.claims(999, 1)  # somebody who is no staff
    house.claims(ANA, 1)
    house.claims(LI, 1)
    for step in ("No answer", "Reached"):
        house.presses(ANA, label(step))
    rosa.says("/status").presses("Change the time")
    slot = next(name for row in house.sent("501")[-1].rows for name, _ in row if re.search(r"\d\d:\d\d$", name))
    rosa.presses(slot)
    house.presses(ANA, label("Write to the patient"))
    rosa.says("my knee hurts, Zyxwvut")
    house.presses(ANA, label("Hand back"))
    house.presses(ANA, label("Scheduled"))
    house.presses(ANA, label("Close"))
    house.presses(ANA, label("Not interested"))
    many(house, 40)  # more than a group can read: digests
    house.until(1)
    wei = person(house, "503")
    house.wire.fate = lambda chat, envelope: (Sent("gone"), False) if chat == str(LI) else (None, True)
    number = int(house.one("SELECT max(id) FROM lead"))
    house.claims(LI, number)
    house.wire.fate = lambda chat, envelope: (None, True)
    wei.says("/withdraw").presses("Yes, withdraw")
    rosa.says("/delete").presses("Yes, delete all")
    for name in ("Ana", "Olga"):
        with house.store.begin(house.now) as db:
            member = next(one for one in staff.every(db) if one["name"] == name)
            assert sign_in.send_link(db, house.deployment, member, house.now)
    house.until(24)
    reads(house)


def person(house: Desk, chat: str) -> Somebody:
    """Somebody answers with a name, a town and ways to reach them that no other word contains, and sends."""
    who = Somebody(house, chat).starts().walks_to("check")
    who.presses("All correct, go on").presses("Yes, contact me").says("Qqtown").presses("Wuxi")
    who.says(CALLED["first_name"]).says(CALLED["last_name"]).says(CALLED["phone"]).says(CALLED["email"])
    return who.presses("No other language").presses("Any day").presses("Mornings").presses("Send")


def many(house: Opened, number: int) -> None:
    made = [has_lead(house, f"88{one:03d}", contact={**CALLED, "site": "north"}) for one in range(number)]
    raises(house, *made)
    house.drains()


def reads(house: Opened) -> None:
    """Each message by each way: nothing private, but in what its owner alone has before them."""
    told: list[tuple[str, Envelope]] = [(chat, one) for chat in STAFF for one in house.wire.arrived[chat]]
    told += [(chat, one) for chat, some in house.mail.arrived.items() if chat not in HOME for one in some]
    told += [(HOOK, one) for one in house.hook.arrived["subscriber"]]
    own = [one for chat, one in told if one.protect and chat not in (GROUP, HOOK) and "/desk/link/" not in one.text]
    assert any("Zyxwvut" in one.text for one in own), "whoever owns the lead reads who it is: the reading reads"
    assert any(HEALTH.search(one.text) for one in own), "and what to verify"
    open_ = [(chat, one) for chat, one in told if not any(one is known for known in own)]
    assert not any(one.protect for chat, one in open_ if "/desk/link/" not in one.text)
    counted = {
        chat: sum(one_chat == chat for one_chat, _ in open_)
        for chat in (*STAFF, HOOK, "north@example.org", "lena@north.example", "olga@north.example")
    }
    assert all(counted.values()), f"some way was never used: {counted}"
    assert any("/desk/link/" in one.text for _, one in open_) and len(open_) > 80
    for chat, one in open_:
        said = " ".join([one.text, one.subject, *(label for row in one.rows for label, _ in row)])
        for value in CALLED.values():
            assert value.casefold() not in said.casefold(), (chat, said)
        assert "699887766" not in re.sub(r"\D", "", said), (chat, said)
        assert HEALTH.search(said) is None, (chat, said)
