"""The request after it was sent, as the person sees it: how it stands, its time, a person, taking it back."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import event

from bot.handlers.request import own_zone
from bot.store import sites
from tests.shell.conftest import ANA, GROUP, Desk, Somebody, plain
from tests.shell.test_turns import press

pytestmark = pytest.mark.slow


def news(rosa: Somebody, since: int) -> str:
    return "\n".join(envelope.text for envelope in rosa.desk.sent(rosa.chat)[since:])


def said(rosa: Somebody, words: str) -> str:
    """What the bot says to some typed words."""
    before = len(rosa.desk.sent(rosa.chat))
    rosa.says(words)
    return news(rosa, before)


def tapped(rosa: Somebody, label: str) -> str:
    before = len(rosa.desk.sent(rosa.chat))
    rosa.presses(label)
    return news(rosa, before)


def labels(rosa: Somebody) -> list[str]:
    return [label for row in rosa.desk.sent(rosa.chat)[-1].rows for label, _ in row]


@pytest.fixture
def sent(desk: Desk, rosa: Somebody) -> Somebody:
    """Rosa, whose request has been sent to Wuxi, from a Spanish number, on a Sunday."""
    return rosa.starts().walks_to("check").sends()


def test_the_confirmation_says_what_to_have_ready_and_offers_what_may_change(desk: Desk, sent: Somebody) -> None:
    (told,) = [envelope for envelope in desk.sent() if "Your reference is" in envelope.text]
    for wanted in ("K-0001", "North Clinic", "Monday, 23 November 2026", "+86 510 5555 0147",
                   "Have this ready for the call: the names of your medicines", "Nothing changes in your treatment"):  # fmt: skip
        assert wanted in told.text
    assert [row[0][0] for row in told.rows] == ["Change the time", "Copy of my answers", "Withdraw"]
    assert desk.one("SELECT count(*) FROM outbox WHERE question") < len(desk.sent())


def test_status_follows_the_lead(desk: Desk, rosa: Somebody) -> None:
    assert "Nothing has been sent yet" in said(rosa.starts().walks_to("knee"), "/status")
    assert "Withdraw" not in labels(rosa)
    rosa.walks_to("check").sends()
    told = said(rosa, "where is my request?")
    assert "You sent your request on Sunday, 22 November 2026" in told and "North Clinic" in told
    assert "They aim to call you by Monday, 23 November 2026" in told and "K-0001" in told
    assert labels(rosa) == ["Change the time", "Change an answer", "Withdraw", "Copy of my answers",
                            "A person, please", "Go on"]  # fmt: skip
    press(desk, ANA, "Claim")
    assert "Ana from the study team has your request. They aim to call you by" in said(rosa, "/status")
    desk.waits(days=1)
    press(desk, ANA, "No answer", str(ANA))
    assert "They tried to call you on Monday, 23 November 2026" in said(rosa, "status")
    press(desk, ANA, "Reached", str(ANA))
    assert "You have talked already" in said(rosa, "status")
    press(desk, ANA, "Scheduled", str(ANA))
    assert "Your visit is arranged" in said(rosa, "status")
    assert "Your visit is arranged. To change it" in tapped(rosa, "Change the time")
    press(desk, ANA, "Close", str(ANA))
    press(desk, ANA, "Not interested", str(ANA))
    assert "is closed" in said(rosa, "status") and "Withdraw" not in labels(rosa)


def test_status_is_told_in_the_language_of_the_chat(desk: Desk, sent: Somebody) -> None:
    sent.says("/language").presses("Español")
    assert "Envió su solicitud el domingo, 22 de noviembre de 2026" in said(sent, "/status")
    assert "lunes-viernes 08:30-12:00, 13:30-17:00, hora de Wuxi" in said(sent, "/person")


def test_what_staff_do_is_heard(desk: Desk, sent: Somebody) -> None:
    before = len(desk.sent())
    press(desk, ANA, "Claim")
    assert "Ana from the study team has your request. They call from +86 510 5555 0147." in news(sent, before)
    for number, line in ((1, "We will try again"), (2, "We will try again"), (3, "three times")):
        before = len(desk.sent())
        press(desk, ANA, "No answer", str(ANA))
        assert line in news(sent, before), number
        assert "Change the time" in labels(sent)
    press(desk, ANA, "Reached", str(ANA))
    before = len(desk.sent())
    press(desk, ANA, "Scheduled", str(ANA))
    assert "Your visit is arranged" in news(sent, before)


def test_who_blocked_the_bot_is_told_nothing_and_the_lead_says_so(desk: Desk, sent: Somebody) -> None:
    desk.take("blocked")
    assert desk.rows("SELECT chat_lost, status FROM lead")[0] == (1, "new")
    before = len(desk.sent())
    press(desk, ANA, "Claim")
    assert len(desk.sent()) == before
    assert "The chat cannot be written to" in desk.sent(str(ANA))[-1].text
    sent.says("hello again")
    assert desk.one("SELECT chat_lost FROM lead") == 0


# ---------------------------------------------------------------------- the time of the call


def slot_labels(rosa: Somebody) -> list[str]:
    return [label for label in labels(rosa) if re.search(r"\d\d:\d\d$", label)]


def test_a_slot_is_picked_and_the_team_hears_of_it(desk: Desk, sent: Somebody) -> None:
    told = tapped(sent, "Change the time")
    assert "They are times in Wuxi" in told
    first = slot_labels(sent)[0]
    assert first.startswith("Mon 23 Nov")
    told = tapped(sent, first)
    assert f"The team calls you: {first}, time in Wuxi" in told
    slot = desk.one("SELECT slot_at FROM lead")
    assert str(slot).startswith("2026-11-23 01:30")
    assert f"K-0001: the person picked a time for the call: {first}." in desk.sent(GROUP)[-1].text
    assert f"Your time for the call: {first}, time in Wuxi." in said(sent, "/status")
    press(desk, ANA, "Claim")
    assert f"Time picked for the call: {first}" in desk.sent(str(ANA))[-1].text
    tapped(sent, "Change the time")
    other = slot_labels(sent)[-1]
    tapped(sent, other)
    assert f"picked a time for the call: {other}" in desk.sent(str(ANA))[-1].text  # the owner, in private


def test_a_slot_taken_meanwhile_is_offered_to_nobody_else(desk: Desk, sent: Somebody) -> None:
    tapped(sent, "Change the time")
    first, others = slot_labels(sent)[0], slot_labels(sent)[1:]
    li = Somebody(desk, "502").starts().walks_to("check").sends()
    tapped(li, "Change the time")
    assert slot_labels(li)[0] == first
    tapped(sent, first)
    assert "That time is no longer free" in tapped(li, first)
    assert first not in slot_labels(li) and set(others) & set(slot_labels(li))
    assert desk.rows("SELECT slot_at FROM lead ORDER BY id")[1] == (None,)


def test_both_clocks_are_shown_where_the_number_tells_the_other_one(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").presses("All correct, go on").presses("Yes, contact me").says("Suzhou")
    rosa.presses("Wuxi").says("Rosa").says("Example").says("+81 90 1234 5678").says("rosa@example.org")
    rosa.presses("No other language").presses("Any day").presses("Mornings").presses("Send")
    told = tapped(rosa, "Change the time")
    assert "Mon 23 Nov 09:30 in Wuxi. For you that is Mon 23 Nov 10:30" in told
    assert "For you that is Mon 23 Nov 10:30" in tapped(rosa, slot_labels(rosa)[0])


@pytest.mark.parametrize(
    ("number", "zone"),
    [("+819012345678", "Asia/Tokyo"), ("+8613912345678", "Asia/Shanghai"), ("+34612345678", ""),
     ("write_here", ""), ("", ""), ("+80012345678", "")],
)  # fmt: skip
def test_a_number_tells_a_time_zone_only_if_it_is_the_only_one(number: str, zone: str) -> None:
    assert own_zone(number) == zone


def test_without_a_request_or_a_free_time_the_words_are_kind(desk: Desk, rosa: Somebody) -> None:
    assert "There is no request yet" in said(rosa.starts().walks_to("knee"), "change the time")
    rosa.walks_to("check").sends()
    with desk.store.begin() as db:
        flow = desk.deployment.library.newest("nct06570291")
        sites.change(db, flow, "north", desk.now, capacity=0)
    assert "There is no free time to choose" in said(rosa, "/time")


def test_a_slot_of_long_ago_is_no_longer_free(desk: Desk, sent: Somebody) -> None:
    tapped(sent, "Change the time")
    first = slot_labels(sent)[0]
    desk.waits(days=3)
    assert "no longer free" in tapped(sent, first)
    assert desk.one("SELECT slot_at FROM lead") is None


# ---------------------------------------------------------------------- a person, and taking it back


def test_a_person_can_be_asked_for_after_the_send_and_staff_hear_it_once(desk: Desk, sent: Somebody) -> None:
    told = said(sent, "a person, please")
    assert "Monday-Friday 08:30-12:00, 13:30-17:00, time in Wuxi" in told
    told = tapped(sent, "Yes, contact me")
    assert "I have told the study team" in told and "time in Wuxi" in told
    assert desk.one("SELECT wants_person FROM lead") == 1
    asked = [envelope for envelope in desk.sent(GROUP) if "asks to talk to somebody" in envelope.text]
    sent.says("human").presses("Yes, contact me")
    again = [envelope for envelope in desk.sent(GROUP) if "asks to talk to somebody" in envelope.text]
    assert len(asked) == len(again) == 1 and "Rosa" not in asked[0].text
    press(desk, ANA, "Claim")
    assert "Wants to talk to a person" in desk.sent(str(ANA))[-1].text
    press(desk, ANA, "Reached", str(ANA))
    assert desk.one("SELECT wants_person FROM lead") == 0
    sent.says("human").presses("Yes, contact me")
    assert "asks to talk to somebody" in desk.sent(str(ANA))[-1].text
    assert desk.one("SELECT count(*) FROM lead") == 1


def test_who_asks_for_a_person_before_the_end_is_marked(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("mri").says("a person, please").presses("Yes, contact me").says("Suzhou").presses("Wuxi")
    rosa.says("Rosa").says("Example").presses("Write to me here").presses("I have no email")
    rosa.presses("No other language").presses("Any day").presses("Any time").presses("Send")
    assert desk.rows("SELECT outcome, wants_person FROM lead")[0] == (None, 1)
    rosa.says("a person, please").presses("Yes, contact me")
    assert desk.one("SELECT count(*) FROM lead") == 1 and rosa.step == "mri"


def test_a_person_can_be_asked_for_after_the_request_was_closed(desk: Desk, sent: Somebody) -> None:
    press(desk, ANA, "Claim")
    press(desk, ANA, "Close", str(ANA))
    press(desk, ANA, "Wrong number", str(ANA))
    sent.says("a person, please").presses("Yes, contact me")
    assert desk.rows("SELECT status, wants_person FROM lead ORDER BY id") == [("closed", 0), ("new", 1)]
    assert "K-0002" in desk.sent(GROUP)[-1].text


def test_a_closed_request_can_be_sent_again(desk: Desk, sent: Somebody) -> None:
    press(desk, ANA, "Claim")
    press(desk, ANA, "Close", str(ANA))
    press(desk, ANA, "Not interested", str(ANA))
    sent.presses("No, thank you").presses("Change an answer").presses("Walking aid").presses("Now and then")
    sent.presses("All correct, go on").presses("Send")
    assert [row[0] for row in desk.rows("SELECT status FROM lead ORDER BY id")] == ["closed", "new"]


def test_a_request_is_withdrawn_in_two_taps_and_can_be_sent_again(desk: Desk, sent: Somebody) -> None:
    press(desk, ANA, "Claim")
    sheet = desk.sent(str(ANA))[-1]
    assert "Rosa" in sheet.text
    assert "Shall I withdraw your request?" in tapped(sent, "Withdraw")
    assert "Your request is withdrawn" in tapped(sent, "Yes, withdraw")
    row = desk.rows("SELECT status, contact, flags, chat, outcome, conversation_id FROM lead")[0]
    assert (row[0], plain(row[1]), plain(row[2]), *row[3:]) == ("withdrawn", {}, [], "", None, None)
    assert "was withdrawn by the person" in desk.sent(str(ANA))[-1].text
    assert desk.one("SELECT count(*) FROM answer WHERE step = 'knee'") == 1  # the answers stay
    assert "Nothing has been sent yet" in said(sent, "/status")
    assert "There is no open request" in said(sent, "/withdraw") + tapped(sent, "Yes, withdraw")
    assert "Send these details" in tapped(sent, "Send again")
    sent.presses("Send")
    assert [row[0] for row in desk.rows("SELECT status FROM lead ORDER BY id")] == ["withdrawn", "new"]
    assert "K-0002" in desk.sent()[-2].text


def test_a_request_of_an_earlier_conversation_can_be_withdrawn(desk: Desk, sent: Somebody) -> None:
    sent.presses("No, thank you").presses("Start again").walks_to("knee")
    assert "You sent your request" in said(sent, "/status")
    sent.presses("Withdraw").presses("Yes, withdraw")
    assert desk.one("SELECT status FROM lead") == "withdrawn"
    assert "Send again" not in labels(sent)
    sent.presses("Go on").presses("Left knee")
    assert sent.step == "diagnosis"


def test_an_answer_is_corrected_from_the_status(desk: Desk, sent: Somebody) -> None:
    sent.says("/status").presses("Change an answer").presses("Walking aid").presses("Now and then")
    assert sent.step == "check"
    sent.presses("All correct, go on").presses("Send")
    assert desk.rows("SELECT outcome, changed FROM lead") == [("needs_review", 1)]


# ---------------------------------------------------------------------- sites that take nobody


def closes(desk: Desk, *keys: str, status: str = "paused") -> None:
    flow = desk.deployment.library.newest("nct06570291")
    with desk.store.begin() as db:
        for key in keys:
            sites.change(db, flow, key, desk.now, status=status)


def test_a_paused_site_is_not_offered(desk: Desk, rosa: Somebody) -> None:
    closes(desk, "north")
    rosa.starts().walks_to("check").presses("All correct, go on").presses("Yes, contact me").says("Suzhou")
    assert labels(rosa)[:2] == ["Qingdao", "None of these"]
    closes(desk, "north", status="active")
    rosa.says("help").presses("Go on")
    assert labels(rosa)[:3] == ["Wuxi", "Qingdao", "None of these"]


@pytest.mark.parametrize("status", ["paused", "full"])
def test_who_chose_a_site_that_closed_is_asked_again_before_anything_is_sent(
    desk: Desk, rosa: Somebody, status: str
) -> None:
    rosa.starts().walks_to("check").presses("All correct, go on").presses("Yes, contact me").says("Suzhou")
    rosa.presses("Wuxi").says("Rosa").says("Example").says("+34 612 34 56 78").says("rosa@example.org")
    rosa.presses("No other language").presses("Any day").presses("Mornings")
    assert rosa.step == "send"
    closes(desk, "north", status=status)
    told = tapped(rosa, "Send")
    assert "North Clinic (example) takes no new people just now" in told and "Which study hospital" in told
    assert desk.one("SELECT count(*) FROM lead") == 0 and rosa.step == "site"
    assert "takes no new people" in tapped(rosa, "Wuxi")  # an old button
    assert "Harbour Hospital" in tapped(rosa, "Qingdao") and rosa.step == "send"
    rosa.presses("Send")
    assert desk.one("SELECT site FROM lead") == "harbour"


def test_a_wish_is_heard_though_the_site_closed(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").presses("All correct, go on").presses("Yes, contact me").says("Suzhou")
    rosa.presses("Wuxi")
    closes(desk, "north")
    told = said(rosa, "why")
    assert "takes no new people" in told and "Your details go only to the hospital you choose" in told
    assert rosa.step == "site"


def test_when_every_site_is_closed_the_study_desk_can_be_asked(desk: Desk, rosa: Somebody) -> None:
    closes(desk, "north", "harbour")
    rosa.starts().walks_to("check").presses("All correct, go on").presses("Yes, contact me")
    assert "No study hospital takes new people just now" in said(rosa, "Suzhou")
    assert labels(rosa)[0] == "The study's desk"
    rosa.presses("The study's desk").says("Rosa").says("Example").presses("Write to me here")
    rosa.presses("I have no email").presses("No other language").presses("Any day").presses("Mornings")
    rosa.presses("Send")
    assert desk.one("SELECT site FROM lead") == ""
    assert "the study's own desk" in desk.sent()[-2].text


def test_a_request_that_is_there_already_stays_with_its_site(desk: Desk, sent: Somebody) -> None:
    closes(desk, "north")
    assert "North Clinic" in said(sent, "/status")
    sent.presses("Change an answer").presses("Walking aid").presses("Now and then")
    sent.presses("All correct, go on").presses("Send")
    assert desk.rows("SELECT site, outcome FROM lead") == [("north", "needs_review")]


def test_the_questions_read_no_site(desk: Desk, rosa: Somebody) -> None:
    """What the hot path does not need, it does not ask the database for."""
    rosa.starts().walks_to("walking_aid")
    asked: list[str] = []
    with desk.store.begin() as db:
        engine = db.connection.engine

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    rosa.presses("No")
    event.remove(engine, "before_cursor_execute", note)
    assert asked and not any("FROM site" in one or "FROM lead" in one for one in asked)
