"""Who hears of a lead, by which way, and what no way ever tells; with a real mail server and a real webhook where it counts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text
from standardwebhooks import Webhook

from bot.channels.hook import Hook
from bot.channels.mail import Mail
from bot.desk import notices
from bot.limits import Limits
from bot.messages import HOOK, MAIL, Channel, Envelope, Sent
from bot.store import Store, conversations, leads, outbox, sites, vault
from bot.store.leads import reference
from bot.words import of_staff
from flows.flow import Flow
from tests.channels.test_hook import SECRET, Receiver
from tests.channels.test_hook import clock as real_clock
from tests.channels.test_mail import SENDER, PostOffice
from tests.desk.acting import CONTACT, FLAG, acts, has_lead, looks, member, sends
from tests.shell.conftest import ANA, GROUP, Desk, Somebody
from tests.shell.house import Housed, Time, Wire, hurries
from tests.shell.test_limits import Strict

pytestmark = pytest.mark.slow

DESK_URL = "https://desk.example.org"
CALLED = {"town": "Qqtown", "first_name": "Zyxwvut", "last_name": "Qqqsurname", "phone": "+34699887766",
          "email": "zyxwvut.qqq@mail.example"}  # fmt: skip
HEALTH = re.compile(
    "knee|joint|arthr|osteo|stem|cell|adipos|cancer|tumou?r|pain|metal|fragment|diagnos|medic|surg|diabet|hiv|pregnan|clinic trial|"
    "rodilla|artrosis|célula|dolor|膝|关节|细胞|疼|癌|肿瘤|药|手术|磁共振|核磁|骨",
    re.IGNORECASE,
)


def opened(desk: Desk, **deployed: Any) -> Desk:
    """The desk with every way out."""
    desk.deployment = replace(desk.deployment, **{"mail": True, "hook": True, "desk_url": DESK_URL, **deployed})
    return desk


def raises(desk: Desk, *lead_ids: int) -> None:
    """What follows from new leads, in one transaction each."""
    for lead_id in lead_ids:
        with desk.store.begin(desk.now) as db:
            lead = leads.get(db, lead_id)
            assert lead is not None
            notices.raised(db, desk.deployment, flow_of(desk), lead, desk.now)


def flow_of(desk: Desk) -> Flow:
    return desk.deployment.library.newest("nct06570291")


def lane(desk: Desk, channel: str) -> list[tuple[str, Envelope]]:
    """Everything that was put for a channel: chat and envelope."""
    with desk.store.begin() as db:
        rows = db.execute(
            outbox._outbox.select().where(outbox._outbox.c.channel == channel).order_by(outbox._outbox.c.id)
        )
        opened = vault.opened(db, "outbox", rows.mappings().all())
        kept = ((row["chat"], row["envelope"]) for row in opened)
        return [(chat, Envelope.from_json(one) if one else Envelope("")) for chat, one in kept]


def mails(desk: Desk, to: str) -> list[Envelope]:
    return [envelope for chat, envelope in lane(desk, MAIL) if (envelope.to or chat) == to]


def events(desk: Desk) -> list[dict[str, Any]]:
    return [json.loads(envelope.text) for _, envelope in lane(desk, HOOK)]


# ---------------------------------------------------------------------- who hears what


def test_a_new_lead_is_told_by_every_way(desk: Desk) -> None:
    opened(desk)
    sends(desk, "501", source="clinic-7")
    group = desk.sent(GROUP)
    assert len(group) == 1 and "K-0001" in group[0].text
    (notice,) = mails(desk, "north@example.org")
    assert notice.subject == "New lead K-0001"
    for words in ("K-0001", "WX-3", "North Clinic (example), Wuxi", f"{DESK_URL}/desk/leads/K-0001"):
        assert words in notice.text
    (event,) = events(desk)
    assert event["type"] == "lead.raised" and datetime.fromisoformat(event["timestamp"]) == desk.now
    assert event["data"] == {
        "reference": "K-0001", "trial": "WX-3", "site": "north", "status": "new", "outcome": "possible_match",
        "source": "clinic-7", "link": f"{DESK_URL}/desk/leads/K-0001",
    }  # fmt: skip


def test_without_a_way_out_nothing_waits_for_it(desk: Desk) -> None:
    sends(desk, "501")
    assert lane(desk, MAIL) == [] and lane(desk, HOOK) == []


def test_the_study_desk_has_no_mailbox_and_the_others_their_own(desk: Desk) -> None:
    opened(desk)
    raises(desk, has_lead(desk, "601", site=""), has_lead(desk, "602", site="harbour"))
    assert [chat for chat, _ in lane(desk, MAIL)] == ["harbour@example.org"]


def test_a_mailbox_that_was_changed_gets_the_next_one(desk: Desk) -> None:
    opened(desk)
    with desk.store.begin(desk.now) as db:
        sites.change(db, flow_of(desk), "north", desk.now, email="intake@north.example")
    raises(desk, has_lead(desk, "601"))
    assert [chat for chat, _ in lane(desk, MAIL)] == ["intake@north.example"]


def test_another_system_hears_every_step_once_under_a_name_of_its_own(desk: Desk) -> None:
    opened(desk)
    nora = member(desk, "Nora")
    lead_id = sends(desk, "501")
    acts(desk, nora, lambda acting: acting.claim(lead_id))
    acts(desk, nora, lambda acting: acting.step(lead_id, "no_answer"))
    acts(desk, nora, lambda acting: acting.step(lead_id, "no_answer"))
    acts(desk, nora, lambda acting: acting.undo(lead_id))
    acts(desk, nora, lambda acting: acting.close(lead_id, "not_interested"))
    Somebody(desk, "501").says("/delete").presses("Yes, delete all")
    told = [(event["type"], event["data"]["status"]) for event in events(desk)]
    assert told == [
        ("lead.raised", "new"), ("lead.claimed", "claimed"), ("lead.changed", "attempt_1"),
        ("lead.changed", "attempt_2"), ("lead.changed", "attempt_1"), ("lead.closed", "closed"),
        ("lead.withdrawn", "withdrawn"),
    ]  # fmt: skip
    keys = [envelope.key for _, envelope in lane(desk, HOOK)]
    assert len(set(keys)) == len(keys)


def test_who_sends_to_another_site_is_told_to_its_mailbox(desk: Desk) -> None:
    opened(desk)
    lead_id = sends(desk, "501")
    with desk.store.begin(desk.now) as db:
        leads.change(db, lead_id, desk.now, site="harbour")
        lead = leads.get(db, lead_id)
        assert lead is not None
        notices.tell_site(db, desk.deployment, flow_of(desk), lead, desk.now)
    assert len(mails(desk, "north@example.org")) == len(mails(desk, "harbour@example.org")) == 1


# ---------------------------------------------------------------------- S03: what no way tells


def _told(desk: Desk) -> Iterator[str]:
    """Everything that staff and other systems were sent, but for what shows a person to their owner."""
    with desk.store.begin() as db:
        found = db.execute(outbox._outbox.select().where(outbox._outbox.c.sheet_of.is_(None))).mappings()
        rows = vault.opened(db, "outbox", found.all())
    for row in rows:
        if row["channel"] == "telegram" and row["chat"] not in (GROUP, str(ANA)):
            continue  # the person's own chat
        if row["channel"] == MAIL and row["conversation_id"] is not None:
            continue  # the person's own mail, which has a test of its own
        yield json.dumps(row["envelope"], ensure_ascii=False) + row["chat"]


@pytest.mark.parametrize("language", of_staff())
@pytest.mark.parametrize("url", ["", DESK_URL])
def test_no_notice_names_a_person_or_their_health(desk: Desk, language: str, url: str) -> None:
    opened(desk, staff_language=language, desk_url=url)
    nora = member(desk, "Nora")
    said = {**FLAG, "said": ["Zyxwvut has a bit of metal in the knee"], "note": "knee"}
    for number, (outcome, site, locale) in enumerate(
        (outcome, site, locale)
        for outcome in ("possible_match", "needs_review", "not_now", "ruled_out", None)
        for site in ("north", "harbour", "")
        for locale in ("en", "es", "zh_Hans")
    ):
        contact = {**CONTACT, **CALLED, "site": site}
        values = {"outcome": outcome, "locale": locale, "flags": [said] * (number % 3), "contact": contact}
        lead_id = has_lead(desk, f"9990{number}", site, helper=bool(number % 2), changed=bool(number % 2), **values)
        raises(desk, lead_id)
        acts(desk, nora, lambda acting, lead_id=lead_id: acting.claim(lead_id))  # type: ignore[misc]
        verb = ("no_answer", "reached", "release", "call_later")[number % 4]
        acts(desk, nora, lambda acting, lead_id=lead_id, verb=verb: acting.step(lead_id, verb))  # type: ignore[misc]
    raises(
        desk,
        *(has_lead(desk, f"8880{number}", contact={**CONTACT, **CALLED}, flags=[said]) for number in range(30)),
    )
    rosa = Somebody(desk, "501").starts().walks_to("check")
    rosa.presses("All correct, go on").presses("Yes, contact me").says("Suzhou").presses("Wuxi")
    rosa.says("Zyxwvut").says("Qqqsurname").says("+34 699 88 77 66").says("zyxwvut.qqq@mail.example")
    rosa.presses("No other language").presses("Any day").presses("Mornings").presses("Send")
    rosa.says("/delete").presses("Yes, delete all")
    told = list(_told(desk))
    assert len(told) > 200
    for one in told:
        for value in CALLED.values():
            assert value.lower() not in one.lower() and value.lstrip("+34")[:6] not in one, one
        assert "699887766" not in re.sub(r"\D", "", re.sub(r'"rows":.*?"again"', "", one)), one
        found = HEALTH.search(one)
        assert found is None, (found, one)


# ---------------------------------------------------------------------- the copy for the person

COPY = {
    "en": ("Your request K-0001", "Thank you. Your request is with the study team at North Clinic (example)."),
    "es": ("Su solicitud K-0001", "Gracias. Su solicitud ya está con el equipo del estudio en"),
    "zh_Hans": ("您的申请 K-0001", "谢谢您。您的申请已交给"),
}


@pytest.mark.parametrize("locale", COPY)
def test_a_person_gets_where_the_request_went_in_their_language_and_no_word_of_health(
    desk: Desk, locale: str
) -> None:
    opened(desk)
    sends(desk, "501")
    desk.rows("DELETE FROM outbox WHERE channel = 'mail' RETURNING id")
    with desk.store.begin(desk.now) as db:
        lead, kept = leads.get(db, 1), conversations.current(db, "telegram", "501")
        assert lead is not None and kept is not None
        lead = {**lead, "locale": locale}  # type: ignore[assignment]
        facts = {"reference": "K-0001", "due": "2026-11-24", "phone": "+86 510 5555 0147"}
        assert notices.copy_to_person(db, desk.deployment, flow_of(desk), kept, lead, facts, desk.now)  # type: ignore[arg-type]
    (mail,) = mails(desk, "rosa@example.org")
    subject, first = COPY[locale]
    assert mail.subject == subject and first in mail.text
    for words in ("K-0001", "+86 510 5555 0147", "/delete"):
        assert words in mail.text
    assert "24" in mail.text and "{" not in mail.text + mail.subject
    assert HEALTH.search(mail.text + mail.subject) is None
    for private in ("Rosa", "Suzhou", "612"):
        assert private not in mail.text + mail.subject


def test_the_chat_promises_a_mail_only_where_one_goes(desk: Desk) -> None:
    rosa = Somebody(desk, "501").starts().walks_to("check").sends()
    assert "by mail" not in rosa.seen and lane(desk, MAIL) == []
    opened(desk)
    wei = Somebody(desk, "502").starts().walks_to("check")
    wei.presses("All correct, go on").presses("Yes, contact me").says("Suzhou").presses("Wuxi").says("Wei").says(
        "Li"
    )
    wei.says("+34 612 34 56 79").presses("I have no email").presses("No other language")
    wei.presses("Any day").presses("Mornings").presses("Send")
    assert "K-0002" in wei.seen and "by mail" not in wei.seen
    assert [chat for chat, _ in lane(desk, MAIL)] == ["north@example.org"]
    ana = Somebody(desk, "503").starts().walks_to("check").sends()
    assert "You get the same by mail." in ana.seen and len(mails(desk, "rosa@example.org")) == 1


@pytest.mark.parametrize("way", ["delete", "withdraw"])
def test_who_takes_it_back_before_it_went_gets_no_copy(desk: Desk, way: str) -> None:
    opened(desk)
    rosa = Somebody(desk, "501").starts().walks_to("check").sends()
    assert len(mails(desk, "rosa@example.org")) == 1
    if way == "delete":
        rosa.says("/delete").presses("Yes, delete all")
    else:
        rosa.says("withdraw").presses("Yes, withdraw")
    assert desk.one("SELECT status FROM lead") == "withdrawn"
    assert mails(desk, "rosa@example.org") == []
    assert desk.one("SELECT count(*) FROM outbox WHERE channel = 'mail' AND chat LIKE 'lead-%'") == 0
    assert len(mails(desk, "north@example.org")) == 1, "the site's own notice names nobody"


# ---------------------------------------------------------------------- T25: more than a group can read


class Judge(Wire):
    """Telegram's strictest counter stands at the group's door, and notes the minute of everything that came in."""

    def __init__(self, clock: Time) -> None:
        super().__init__()
        self.strict, self.clock, self.refused = Strict(), clock, 0
        self.times: list[float] = []
        self.fate = self._judges

    def _judges(self, chat: str, envelope: Envelope) -> tuple[Sent | None, bool]:
        if not self.strict.accepts(chat, self.clock.monotonic()):
            self.refused += 1
            return Sent("later", wait=1.0, limited=True), False
        if chat == GROUP:
            self.times.append(self.clock.monotonic())
        return None, True


def test_five_hundred_leads_in_ten_minutes_are_all_seen(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 18 messages a minute, then digests; each lead is in one, counts as noticed, and can be claimed."""
    hurries(monkeypatch)
    clock = Time()
    clock.rules(monkeypatch)
    judge = Judge(clock)
    house = Housed(Store(database), judge, clock, Limits())
    try:
        made = []
        for number in range(500):
            made.append(has_lead(house, f"7{number:04d}"))
            raises(house, made[-1])
            house.drains()
            house.waits(seconds=1.2)
        for _ in range(120):
            house.drains()
            house.waits(seconds=1)
        assert judge.refused == 0
        most = max(sum(start <= at < start + 60 for at in judge.times) for start in judge.times)
        assert most <= 18, f"{most} messages in a minute"
        seen = {number for one in judge.texts(GROUP) for number in _numbers(one)}
        assert seen == set(made)
        digests = [one for one in judge.arrived[GROUP] if "new leads wait" in one.text]
        assert digests and len(judge.arrived[GROUP]) < 250 and all(len(_numbers(one.text)) > 10 for one in digests)
        with house.store.begin() as db:
            assert outbox.waiting(db) == 0
            assert leads.unnoticed(db, house.now) == 0
        _claims_one_of(house, digests[-1])
        _claims_the_rest_by_queue(house)
    finally:
        house.closes()


def _numbers(words: str) -> list[int]:
    """The leads that a message names, also those of K-0003–K-0007."""
    found: list[int] = []
    for first, last in re.findall(r"K-(\d+)(?:–K-(\d+))?", words):
        found += range(int(first), int(last or first) + 1)
    return found


def _claims_one_of(house: Housed, digest: Envelope) -> None:
    label, data = digest.rows[0][0]
    number = _numbers(label)[0]
    house.take("press", GROUP, sender=str(ANA), press=data, message="4711", group=True)
    assert house.one("SELECT status FROM lead WHERE id = :id", id=number) == "claimed"
    house.waits(minutes=1)
    house.drains()
    card = house.wire.arrived[GROUP][-1]
    assert reference(number) in card.text and "Ana" in card.text
    assert card.edits == "", "a digest tells of others, too: the card of one does not take its place"
    notice = house.one("SELECT notice FROM lead WHERE id = :id", id=number)
    assert notice, "from now on this is its card"
    house.take("press", GROUP, sender=str(ANA), press=data, message="4711", group=True, key="again")
    house.drains()
    assert house.one("SELECT count(*) FROM lead_event WHERE lead_id = :id AND what = 'claimed'", id=number) == 1


def _claims_the_rest_by_queue(house: Housed) -> None:
    """/queue shows the most urgent ones that nobody has, and the next ones when those are claimed."""
    before: set[str] = set()
    for _ in range(3):
        house.take("text", str(ANA), text="/queue")
        house.waits(minutes=1)
        for _ in range(30):
            house.drains()
            house.waits(seconds=5)
        shown = [one for one in house.wire.arrived[str(ANA)] if "Waiting for somebody" in one.text][-1]
        labels = {label for row in shown.rows for label, _ in row}
        assert labels and not labels & before
        for row in shown.rows:
            for _, data in row:
                house.take("press", str(ANA), press=data, message="1")
        before |= labels
    assert house.one("SELECT count(*) FROM lead WHERE status = 'claimed'") == 1 + len(before)


def test_ten_that_wait_are_ten_cards_and_the_eleventh_makes_one_message_of_them(desk: Desk) -> None:
    made = [has_lead(desk, f"60{number:02d}") for number in range(14)]
    raises(desk, *made[:10])
    assert len(desk.sent(GROUP)) == 10
    raises(desk, made[10])
    (digest,) = desk.sent(GROUP)
    assert digest.text == "11 new leads wait: K-0001–K-0011"
    assert len([label for row in digest.rows for label, _ in row]) == 11
    raises(desk, *made[11:])
    (digest,) = desk.sent(GROUP)
    assert digest.text.startswith("14 new leads wait: K-0001–K-0014")
    assert all(len(data.encode()) <= 64 for row in digest.rows for _, data in row)
    assert desk.one("SELECT count(*) FROM outbox WHERE lead_id IS NOT NULL") == 0


def test_what_is_under_way_or_was_tried_is_left_as_it_is(desk: Desk) -> None:
    made = [has_lead(desk, f"60{number:02d}") for number in range(12)]
    raises(desk, *made[:10])
    desk.rows("UPDATE outbox SET state = 'sending', attempts = 1 WHERE id = 1 RETURNING id")
    desk.rows("UPDATE outbox SET attempts = 1 WHERE id = 2 RETURNING id")
    raises(desk, made[10])
    assert len(desk.sent(GROUP)) == 11, "nine that wait, and two that may have arrived"
    desk.rows("UPDATE outbox SET attempts = 0, state = 'due' WHERE id = 2 RETURNING id")
    raises(desk, made[11])
    texts = [envelope.text for envelope in desk.sent(GROUP)]
    assert len(texts) == 2 and texts[0].startswith("New lead K-0001") and texts[1].startswith("11 new leads wait")


def test_a_lead_that_was_claimed_before_its_card_went_is_told_once(desk: Desk) -> None:
    nora = member(desk, "Nora")
    raises(desk, has_lead(desk, "601"))
    acts(desk, nora, lambda acting: acting.claim(1))
    (card,) = desk.sent(GROUP)
    assert "Nora" in card.text and not card.rows


def test_five_hundred_in_one_message_fit_into_it(desk: Desk) -> None:
    made = [has_lead(desk, f"6{number:04d}") for number in range(500)]
    looks(desk, lambda db: db.execute(text("DELETE FROM outbox")))
    odd = made[::2]
    cards = acts(desk, member(desk, "Nora"), lambda acting: acting.cards(acting.lead(1), "en"))
    for some in (made, odd):
        digest = notices.digest(cards, some)
        assert len(digest.text) < 1000 and str(len(some)) in digest.text
        assert sum(map(len, digest.rows)) == notices.BUTTONS


# ---------------------------------------------------------------------- T28, T29: the ways fail


class Routes(Housed):
    """A house with a real mail server and a real receiver; the group is the wire's."""

    def __init__(self, url: str, server: str, receiver: str) -> None:
        self.mail = Mail(server, SENDER, "", lambda: self.now)
        self.hook = Hook(receiver, SECRET, real_clock, private=True)
        super().__init__(Store(url), mail=True, hook=True, desk_url=DESK_URL)

    def channels(self) -> dict[str, Channel]:
        return {"telegram": self.wire, MAIL: self.mail, HOOK: self.hook}

    def waiting(self, channel: str) -> int:
        return int(self.one("SELECT count(*) FROM outbox WHERE lane IS NOT NULL AND channel = :c", c=channel))

    def closes(self) -> None:
        self.runs(self.hook.close())
        super().closes()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.closes()


@pytest.fixture
def office() -> Iterator[PostOffice]:
    made = PostOffice()
    yield made
    made.closes()


@pytest.fixture
def routes(
    database: str, office: PostOffice, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Routes]:
    hurries(monkeypatch)
    made = Routes(database, office.address, receiver.url())
    monkeypatch.setattr("bot.house.clock_of", lambda db: made.now)  # the database server's own
    yield made
    made.closes()


def test_an_hour_without_mail_holds_no_other_way_up_and_loses_nothing(
    routes: Routes, office: PostOffice, receiver: Receiver
) -> None:
    office.closes()
    Somebody(routes, "501").starts().walks_to("check").sends()
    routes.drains()
    assert any("K-0001" in said for said in routes.wire.texts(GROUP)) and len(receiver.calls) == 1
    assert routes.waiting(MAIL) == 2
    keys = {envelope.key for _, envelope in lane(routes, MAIL)}
    for _ in range(12):
        routes.waits(minutes=5)
        routes.sweeps()
    assert routes.waiting(MAIL) == 2
    again = PostOffice(office.port)
    again.after = ["drop"]
    try:
        for _ in range(3):
            routes.waits(minutes=15)
            routes.drains()
        assert routes.waiting(MAIL) == 0
        names = [(str(one["To"]), str(one["Message-ID"])) for one in again.taken]
        assert len(names) == 3 and len(set(names)) == 2, "one was taken twice, under one name"
        assert {to for to, _ in names} == {"north@example.org", "rosa@example.org"} and len(keys) == 2
        assert routes.one("SELECT sum(unsure) FROM outbox") == 1
    finally:
        again.closes()


def test_an_hour_of_five_hundreds_holds_no_other_way_up_and_loses_nothing(
    routes: Routes, office: PostOffice, receiver: Receiver
) -> None:
    """The group and the mailbox hear at once; the webhook hears all of it afterwards, in order, each under one id."""
    receiver.codes = [500] * 1000
    nora = member(routes, "Nora")
    Somebody(routes, "501").starts().walks_to("check").sends()
    routes.drains()
    assert any("K-0001" in said for said in routes.wire.texts(GROUP)) and routes.waiting(MAIL) == 0
    acts(routes, nora, lambda acting: acting.claim(1))
    for _ in range(12):
        routes.waits(minutes=5)
        routes.sweeps()
    assert routes.waiting(HOOK) == 2 and 5 < len(receiver.calls) < 30
    tried = len(receiver.calls)
    receiver.codes = []
    for _ in range(3):
        routes.waits(minutes=15)
        routes.drains()
    assert routes.waiting(HOOK) == 0
    bodies = [json.loads(body)["type"] for _, _, body in receiver.calls]
    assert bodies == ["lead.raised"] * (tried + 1) + ["lead.claimed"]
    assert len({headers["webhook-id"] for _, headers, _ in receiver.calls}) == 2


def test_all_ways_down_for_a_day(
    routes: Routes, office: PostOffice, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """In the queue at once, an alarm within five minutes, and everything arrives once the ways are back."""
    office.closes()
    receiver.codes = [500] * 1000
    routes.wire.fate = lambda chat, envelope: (Sent("later", wait=60.0), False) if chat == GROUP else (None, True)
    Somebody(routes, "501").starts().walks_to("check").sends()
    routes.drains()
    with routes.store.begin() as db:
        assert [lead["id"] for lead in leads.queue(db)] == [1]
    routes.waits(minutes=4)
    routes.sweeps()
    assert "no notice" not in caplog.text
    routes.waits(minutes=1, seconds=1)
    routes.sweeps()
    assert "no notice of them has got through" in caplog.text
    assert _gauge(routes) == 1
    for _ in range(24):
        routes.waits(hours=1)
        routes.sweeps()
    assert routes.wire.texts(GROUP) == [] and _gauge(routes) == 1
    again = PostOffice(office.port)
    try:
        routes.waits(minutes=15)
        routes.drains()
        assert routes.waiting(MAIL) == 0 and _gauge(routes) == 0, "one way is enough for somebody to know"
        caplog.clear()
        routes.sweeps()
        assert "no notice" not in caplog.text
        assert routes.one("SELECT notice FROM lead") == "", "and that was no card"
        receiver.codes = []
        routes.wire.fate = lambda chat, envelope: (None, True)
        for _ in range(4):
            routes.waits(minutes=15)
            routes.sweeps()
        assert any("K-0001" in said for said in routes.wire.texts(GROUP))
        assert routes.one("SELECT notice FROM lead") != ""
        assert routes.waiting("telegram") == routes.waiting(HOOK) == 0
        _, headers, body = receiver.calls[-1]
        assert Webhook(SECRET).verify(body, headers)["data"]["reference"] == "K-0001"
        assert len({headers["webhook-id"] for _, headers, body in receiver.calls if b"raised" in body}) == 1
    finally:
        again.closes()


def _gauge(house: Housed) -> float:
    page = house.runs(house.house.measure()).decode()
    return float(re.findall(r"^prescreen_leads_unnoticed (\S+)$", page, re.MULTILINE)[0])


def test_a_mail_server_that_is_down_does_not_take_the_bot_out_of_service(
    routes: Routes, office: PostOffice
) -> None:
    office.closes()
    for chat in ("501", "502"):
        Somebody(routes, chat).starts().walks_to("check").sends()
    routes.drains()
    routes.waits(hours=1)
    routes.runs(routes.house.ready())
