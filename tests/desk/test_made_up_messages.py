"""Nothing that staff or patients get as a message or see in the web chat is left untranslated."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from bot import pseudo
from bot.desk import cards, digest, escalation, letters, notices, sign_in, talking, telling, watch, work
from bot.desk.work import hand_back
from bot.handlers import request
from bot.messages import MAIL, Envelope
from bot.pseudo import marked
from bot.store import leads, outbox, staff
from flows.tidy import fold
from tests.desk.acting import CONTACT, FLAG, has_lead
from tests.made_up import languages, of_message, of_page
from tests.shell.conftest import GROUP, Desk, Somebody, plain
from tests.visitor import ChatPages, Visitor

pytestmark = pytest.mark.slow

NORA, IVO, ZOE = 7_000_000_011, 7_000_000_012, 7_000_000_013
SPOKEN = (cards, digest, escalation, letters, notices, request, sign_in, talking, telling, watch, work)
"""The modules whose lines go out as messages."""


@pytest.fixture
def crew(desk: Desk, tmp_path: Path) -> Desk:
    """A desk whose staff read the made-up language: two with Telegram, one by mail, one who leads the site."""
    desk.deployment = replace(
        desk.deployment, languages=languages(tmp_path / "locales"), staff_language=pseudo.TAG,
        mail=True, desk_url="https://desk.example.org", key=b"0" * 32,
    )  # fmt: skip
    with desk.store.begin() as db:
        for member in staff.every(db):
            staff.change(db, member["id"], active=False, sites=["harbour"])
        staff.add(db, "Nora", NORA, pseudo.TAG, role="admin", email="nora@site.example")
        staff.add(db, "Ivo", IVO, pseudo.TAG, sites=["north"])
        staff.add(db, "Zoe", language=pseudo.TAG, email="zoe@site.example", role="site_lead", sites=["north"])
    return desk


def presses(desk: Desk, who: int, label: str, chat: str = "", number: int = 0) -> None:
    """The newest button with this English label; in the group, or in their own chat."""
    where = chat or str(who)
    wanted = fold(marked(label))
    rows = [row for one in reversed(desk.sent(where)) for row in one.rows]
    data = next(data for row in rows for name, data in row if fold(name) in (wanted, fold(label)))
    desk.take("press", where, sender=str(who), press=data, group=where == GROUP, message="9")


def writes(desk: Desk, who: int, text: str, kind: str = "text") -> None:
    desk.take(kind, str(who), sender=str(who), text=text)  # type: ignore[arg-type]


def sends(desk: Desk, chat: str) -> Somebody:
    return Somebody(desk, chat).starts().walks_to("check").sends()


def time_brings(desk: Desk, moment: datetime) -> None:
    """All that is due at the sites then, as the sweep takes it."""
    desk.now = moment
    for place in escalation.places(desk.deployment):
        with desk.store.begin(desk.now) as db:
            while escalation.alarm(place, db, desk.deployment, desk.now):
                pass
            for late in escalation.slips(place, db, desk.deployment, desk.now):
                escalation.slip(late, db, desk.deployment, desk.now)
            digest.digest(place, db, desk.deployment, desk.now)
            escalation.silence(place, db, desk.deployment, desk.now)
            watch.surge(db, desk.deployment, desk.now)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A time at the sites, eight hours before UTC; the 23rd is a Monday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) - timedelta(hours=8)


def to_staff(desk: Desk) -> list[Envelope]:
    ours = {GROUP, str(NORA), str(IVO), str(ZOE), "888"}
    rows = desk.rows("SELECT channel, chat, envelope FROM outbox ORDER BY id")
    return [
        Envelope.from_json(plain(envelope))
        for channel, chat, envelope in rows
        if chat in ours or (channel == MAIL and chat.endswith("@site.example")) or chat == "north@example.org"
    ]


def what_staff_do(desk: Desk) -> None:
    """Everything that staff may do by messenger, and all that people do meanwhile."""
    desk.now = at(23, 9)
    writes(desk, NORA, "", "start")
    rosa = sends(desk, "501")
    for text in ("/queue", "/desk"):
        writes(desk, NORA, text)
    with desk.store.begin() as db:
        zoe = staff.by_email(db, "zoe@site.example")
        assert zoe is not None and sign_in.send_link(db, desk.deployment, zoe, desk.now)
    claim = desk.sent(GROUP)[-1].rows[0][0][1]
    desk.take("press", GROUP, sender="888", press=claim, group=True, message="9")
    presses(desk, IVO, "Claim", GROUP)
    with desk.store.begin() as db:
        hand_back(db, desk.deployment, next(due for due in outbox.heads(db) if due.chat == str(IVO)), desk.now)
    for who in (NORA, IVO):
        desk.take("press", GROUP, sender=str(who), press=claim, group=True, message="9")
    for label in ("No answer", "Undo", "Snooze to tomorrow", "Give to ...", "Back", "Close", "Not a fit", "Back"):
        presses(desk, NORA, label)
    desk.waits(minutes=2)
    presses(desk, NORA, "Undo")
    for label in ("Write to the patient", "Approved phrases", "1", "Back", "Approved phrases", "1", "Send this"):
        presses(desk, NORA, label)
    rosa.says("yes, tomorrow")
    writes(desk, NORA, "", "media")
    writes(desk, NORA, "x" * 3500)
    writes(desk, NORA, " \u200b ")
    rosa.says("chest pain")
    presses(desk, NORA, "Hand back")
    rosa.says("/person").presses("Yes, contact me")
    rosa.says("/time")
    rosa.presses(desk.sent("501")[-1].rows[0][0][0])
    for label in ("Reached", "Scheduled", "Consented", "Enrolled"):
        presses(desk, NORA, label)
    desk.take("press", GROUP, sender=str(NORA), press=claim, group=True, message="9")


def what_people_take_back(desk: Desk) -> None:
    """A chat that is stopped or deleted while staff write in it; an answer that is changed; a chat that is lost."""
    other = sends(desk, "502")
    presses(desk, NORA, "Claim", GROUP)
    presses(desk, NORA, "Write to the patient")
    third = sends(desk, "503")
    presses(desk, NORA, "Claim", GROUP)
    presses(desk, NORA, "Write to the patient")
    other.says("/stop").presses("Stop for now")
    third.presses("No, thank you")
    third.says("/change").presses("Past week").presses("None").presses("All correct, go on")
    third.presses("Yes, contact me").presses("Send")
    presses(desk, NORA, "Write to the patient")
    with desk.store.begin() as db:
        staff.change(db, 3, role="coordinator", sites=["harbour"])
    writes(desk, NORA, "are you there?")
    with desk.store.begin() as db:
        staff.change(db, 3, role="admin", sites=[])
    desk.take("blocked", "503")
    presses(desk, NORA, "Write to the patient")
    desk.waits(hours=25)
    with desk.store.begin(desk.now) as db:
        talking.hand_back_idle(db, desk.deployment, desk.now)
    sends(desk, "506").says("/delete").presses("Yes, delete all")
    for number in range(16):
        has_lead(desk, str(600 + number))
    with desk.store.begin(desk.now) as db:
        flow = desk.deployment.library.newest("nct06570291")
        for number in range(16):
            lead = leads.get(db, number + 5)
            assert lead is not None
            notices.raised(db, desk.deployment, flow, lead, desk.now)
            watch.shared_number(db, desk.deployment, lead, desk.now)
        watch.surge(db, desk.deployment, desk.now)
    writes(desk, IVO, "/queue")


def what_time_brings(desk: Desk) -> None:
    """Nobody acts for a week; at a site with one who could be asked, and at one with nobody."""
    desk.now = at(30, 9)
    sends(desk, "504")
    has_lead(desk, "650", site="", escalate_at=desk.now)
    has_lead(desk, "651", site="harbour", escalate_at=desk.now)
    has_lead(desk, "652", status="attempt_3", attempts=3, owner_id=4, updated_at=desk.now - timedelta(days=20))
    desk.deployment = replace(desk.deployment, desk_url="")
    writes(desk, NORA, "/desk")
    sends(desk, "505")
    for hours in range(7 * 24):
        time_brings(desk, at(30, 9) + timedelta(hours=hours))


def every_card(desk: Desk) -> list[Envelope]:
    """What a lead can look like: in the group, to its owner, and the small pages on the way to close it."""
    made = cards.cards_for(desk.deployment, desk.deployment.library.newest("nct06570291"), pseudo.TAG)
    wait, slot = {**FLAG, "status": "WAIT", "until": "2027-02-14"}, {"slot_at": desk.now, "wants_person": True}
    shown = [
        *({"status": status, "reason": "withdrawn" if status == "withdrawn" else ""} for status in cards.STATUS),
        *({"status": "closed", "reason": reason} for reason in cards.CLOSING),
        *({"outcome": outcome, "flags": [wait, {**FLAG, "status": "OUT"}]} for outcome in cards.FIT),
        {"outcome": "not_now", "eligible_from": date(2027, 2, 14)}, {"flags": []}, slot, {"site": ""},
        {"helper": True, "changed": True, "chat_lost": True, "wants_person": True},
        *({"contact": {**CONTACT, "call_time": time}} for time in ("morning", "afternoon", "evening", "any")),
        {"contact": {**CONTACT, "call_days": ["mon", "tue", "wed", "thu", "fri"]}},
    ]  # fmt: skip
    numbers = [has_lead(desk, str(700 + place), **values) for place, values in enumerate(shown)]
    with desk.store.begin() as db:
        found = [lead for number in numbers if (lead := leads.get(db, number)) is not None]
        crew = staff.every(db)
    pages = [made.notice, *(partial(page, chat="1") for page in (made.call_sheet, made.closings))]
    pages += [partial(made.criteria, chat="1", reason="not_a_fit"), partial(made.heirs, chat="1", members=crew)]
    return [page(lead) for lead in found for page in pages]


def said(line: str, texts: list[str]) -> bool:
    """Whether some text says the line."""
    pattern = ".+?".join(map(re.escape, re.split(r"\{[a-z_]+\}", marked(line))))
    return any(re.search(pattern, text, re.DOTALL) for text in texts)


def test_every_message_to_staff(crew: Desk) -> None:
    what_staff_do(crew)
    what_people_take_back(crew)
    what_time_brings(crew)
    told = [*to_staff(crew), *every_card(crew)]
    left = [text for one in told for text in of_message(one)]
    assert left == [], "\n".join(left)
    texts = [text for one in told for text in (one.text, one.subject, *(b for row in one.rows for b, _ in row))]
    lines = {line for room in SPOKEN for line in room.LINES}
    missing = sorted(line for line in lines if not said(line, texts))
    assert missing == [], "\n".join(missing)


class Reads(Visitor):
    """Somebody whose browser and chat are in the made-up language."""

    def presses(self, label: str) -> Visitor:
        return super().presses(marked(label))

    def ticks(self, *labels: str) -> Visitor:
        return super().ticks(*map(marked, labels))

    def get(self, path: str = "/chat") -> Visitor:
        found = super().get(path)
        self.left = [*getattr(self, "left", []), *((path, text) for text in of_page(self.page))]
        return found


@pytest.fixture
def chat(crew: Desk) -> Iterator[ChatPages]:
    pages = ChatPages(crew)
    yield pages
    pages.close()


def test_every_page_of_the_web_chat(chat: ChatPages) -> None:
    """Each question on the way, the copy, what is refused, and both ends; one list ticked, one answer not heard."""
    rosa = Reads(chat, pseudo.TAG, "203.0.113.7")
    rosa.get("/").get("/nowhere").get("/chat?new=1").get("/chat?frame=1&new=1").get("/chat/carry/abc")
    rosa.starts(pseudo.TAG).walks_to("mri")
    rosa.types("hm").types("/help").types("/pictures").types("/plain").ticks("Heart device").types("/plain_off")
    rosa.types("/language").types("/faq").types("/privacy").types("/status").types("/unwell").types("chest pain")
    rosa.presses("Go on")
    rosa.walks_to("check", mri_heart_device="pacemaker").types("/change").get("/chat/copy")
    assert of_page(rosa.post("/chat/carry", [("csrf", "wrong")]).text) == []
    rosa.get().types("/change").get()
    rosa.presses("Go on").presses("All correct, go on")
    csrf = next(value for form in rosa.forms for name, value in form.fields if name == "csrf")
    assert of_page(rosa.post("/chat/carry", [("csrf", csrf)]).text) == []
    assert rosa.status == 200 and marked("Open Telegram") in rosa.page
    rosa.get("/chat").types("/delete").presses("Yes, delete all")
    assert marked("Everything is deleted here.") in rosa.page
    no = Reads(chat, pseudo.TAG, "203.0.113.8")
    no.starts(pseudo.TAG).presses("No")
    assert marked("That is fine. I have kept nothing. You can write again at any time.") in no.page
    left = [f"{path} {text}" for path, text in [*rosa.left, *no.left]]
    assert left == [], "\n".join(left)


def test_a_request_and_its_mail(chat: ChatPages) -> None:
    rosa = Reads(chat, pseudo.TAG, "203.0.113.7")
    rosa.starts(pseudo.TAG).walks_to("check").sends().presses("Yes, tell me").types("/status").types("/time").get()
    assert rosa.left == [] and "K-0001" in rosa.page
    (mail,) = (one for one in mails(chat.desk) if one.to == "rosa@example.org")
    assert of_message(mail) == [] and "K-0001" in mail.subject


def test_a_chat_that_went_to_telegram(chat: ChatPages) -> None:
    rosa = Reads(chat, pseudo.TAG, "203.0.113.7")
    rosa.starts(pseudo.TAG).walks_to("knee")
    csrf = next(value for form in rosa.forms for name, value in form.fields if name == "csrf")
    link = re.search(r"start=([A-Za-z0-9_-]+)", rosa.post("/chat/carry", [("csrf", csrf)]).text)
    assert link
    chat.desk.take("start", "901", text=link[1])
    assert [text for one in chat.desk.sent("901") for text in of_message(one)] == []
    assert marked("This chat goes on in Telegram.") in rosa.get("/chat").page
    assert rosa.post(f"/chat/carry/{link[1]}", []).status_code == 410
    assert rosa.left == [] and of_page(rosa.page) == []


def test_the_frame_on_another_site_has_a_name_in_each_language(chat: ChatPages) -> None:
    """Read out where the frame is met: in the language that the page asks for, or its own."""
    script = Visitor(chat, pseudo.TAG, "203.0.113.7").ask("GET", "/embed.js").text
    spoken = chat.desk.deployment.languages
    titles = {tag: spoken.patient(tag).text("nct06570291.trial", "knee arthritis study") for tag in spoken.names}
    assert len(set(titles.values())) == len(spoken.names) == 9
    assert json.dumps(titles, ensure_ascii=False) in script


def mails(desk: Desk) -> list[Envelope]:
    rows = desk.rows("SELECT envelope FROM outbox WHERE channel = :mail ORDER BY id", mail=MAIL)
    return [Envelope.from_json(plain(row[0])) for row in rows]
