"""One transaction per update: what is in the rows after it, and what is not."""

from __future__ import annotations

import asyncio

import pytest

from bot.desk.work import hand_back
from bot.house import House
from bot.messages import Envelope, Inbound, Sent
from bot.store import conversations, outbox
from tests.shell.conftest import ANA, GROUP, LI, Desk, Somebody, plain


def test_a_turn_writes_everything_or_nothing(desk: Desk, rosa: Somebody, monkeypatch: pytest.MonkeyPatch) -> None:
    rosa.starts().walks_to("knee")
    before = {table: desk.rows(f"SELECT * FROM {table}") for table in ("receipt", "answer", "message", "outbox")}

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(conversations, "add_message", broken)
    with pytest.raises(RuntimeError):
        rosa.says("left knee")
    monkeypatch.undo()
    assert before == {table: desk.rows(f"SELECT * FROM {table}") for table in before}
    rosa.says("left knee")
    assert rosa.step == "diagnosis"


def test_the_same_update_counts_once(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("knee")
    data = rosa.data("Left knee")
    assert desk.take("press", key="c:1", press=data)
    messages = len(desk.sent())
    assert not desk.take("press", key="c:1", press=data)
    assert (rosa.step, len(desk.sent())) == ("diagnosis", messages)


def test_answers_keep_every_revision(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("diagnosis").presses("Back").presses("Right knee")
    rows = desk.rows("SELECT value, cleared FROM answer WHERE step = 'knee' ORDER BY revision")
    assert [(plain(value), cleared) for value, cleared in rows] == [("left", 0), (None, 1), ("right", 0)]


def test_the_transcript_is_what_was_said(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("how_long").says("about a year")
    said = [row[0] for row in desk.rows("SELECT text FROM message WHERE NOT outgoing")]
    assert said == ["English", "Yes, for me", "1964", "Left knee", "Yes", "about a year"]


def test_dangerous_and_private_words_are_nowhere(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("mri").says("I want to die canary").says("I have hepatitis canary").says(
        "x" * 5000 + "canary"
    )
    dump = str([desk.rows(f"SELECT * FROM {table}") for table in ("message", "answer", "conversation", "outbox")])
    assert "canary" not in dump
    assert rosa.step == "mri"


def test_who_declines_is_not_kept(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().presses("English").presses("No")
    for table in ("conversation", "answer", "message"):
        assert desk.rows(f"SELECT * FROM {table}") == []
    assert "I have kept nothing" in rosa.seen
    rosa.says("hello again")
    assert rosa.step == "language"


def test_delete_takes_everything_and_tells_staff(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends()
    rosa.says("delete").presses("Yes, delete all")
    for table in ("conversation", "answer", "message"):
        assert desk.rows(f"SELECT * FROM {table}") == []
    status, contact, flags, chat = desk.rows("SELECT status, contact, flags, chat FROM lead")[0]
    assert (status, plain(contact), plain(flags), chat) == ("withdrawn", {}, [], "")
    assert "K-0001 was withdrawn" in desk.sent(GROUP)[-1].text
    (goodbye,) = desk.sent()
    assert "Everything is deleted" in goodbye.text and "Rosa" not in str(desk.rows("SELECT * FROM outbox"))


def test_starting_again_keeps_the_old_answers_apart(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("mri").starts().presses("Start again")
    assert rosa.step == "language"
    assert desk.one("SELECT count(*) FROM conversation") == 2
    assert desk.one("SELECT count(*) FROM conversation WHERE lane IS NOT NULL") == 1


def test_one_open_lead_per_person(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends().presses("No, thank you")
    rosa.presses("Start again").walks_to("check").sends()
    assert desk.one("SELECT count(*) FROM lead") == 1
    assert [row[0] for row in desk.rows("SELECT what FROM lead_event ORDER BY id")][:2] == ["raised", "sent_again"]


def test_two_people_have_two_leads(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends()
    Somebody(desk, "502").starts().walks_to("check").sends()
    assert desk.one("SELECT count(*) FROM lead") == 2


def test_the_lead_holds_what_staff_need(desk: Desk, rosa: Somebody) -> None:
    rosa.starts("poster-7").walks_to("check", mri="not sure").sends()
    row = desk.rows("SELECT outcome, site, locale, helper, changed, text_version, source, status FROM lead")[0]
    assert tuple(row) == ("needs_review", "north", "en", 0, 0, "2026-11-22", "poster-7", "new")
    (flag,) = plain(desk.one("SELECT flags FROM lead"))
    assert (flag["criterion"], flag["because"], flag["said"]) == ("E18", ["mri.not_sure"], ["not sure"])


def test_the_notice_names_nobody(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check", mri="not sure").sends()
    (notice,) = desk.sent(GROUP)
    assert "K-0001" in notice.text and "WX-3" in notice.text and "1 to verify" in notice.text
    for word in ("Rosa", "Example", "612", "@", "knee", "arthritis", "implant", "MRI"):
        assert word not in notice.text


def test_a_person_request_becomes_a_full_lead_later(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("mri").says("a person, please").presses("Yes, contact me").says("Suzhou").presses("Wuxi")
    rosa.says("Rosa").says("Example").presses("Write to me here").presses("I have no email")
    rosa.presses("No other language").presses("Any day").presses("Any time").presses("Send")
    assert desk.one("SELECT outcome FROM lead") is None
    assert "asked for a person" in desk.sent(GROUP)[-1].text
    rosa.walks_to("check").presses("All correct, go on").presses("Yes, contact me").presses("Send")
    assert desk.one("SELECT outcome FROM lead") == "possible_match"


def press(desk: Desk, who: int, label: str, chat: str = GROUP) -> None:
    data = Somebody(desk, chat).data(label)
    desk.take("press", chat, sender=str(who), press=data, group=chat == GROUP, message="9")


def test_one_of_two_claims_wins(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends()
    press(desk, ANA, "Claim")
    press(desk, LI, "Claim")
    assert desk.rows("SELECT owner_id, status FROM lead")[0] == (1, "claimed")
    assert "Ana 已经认领" in desk.sent(GROUP)[-1].text or "Ana" in desk.sent(GROUP)[-1].text
    (sheet,) = desk.sent(str(ANA))
    assert sheet.protect and "Rosa" in sheet.text and "+34 612 34 56 78" in sheet.text
    assert desk.sent(str(LI)) == []
    assert "Ana from the study team has your request" in rosa.seen


def test_only_staff_on_the_list_may_claim(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends()
    press(desk, 9_999, "Claim")
    assert desk.one("SELECT status FROM lead") == "new"
    assert "not on the staff list" in desk.sent(GROUP)[-1].text


def test_a_lead_is_worked_to_its_close(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends()
    press(desk, ANA, "Claim")
    for label, status in (("No answer", "attempt_1"), ("Reached", "reached"), ("Scheduled", "scheduled")):
        press(desk, ANA, label, str(ANA))
        assert desk.one("SELECT status FROM lead") == status
    press(desk, ANA, "Close", str(ANA))
    press(desk, ANA, "Screen failure", str(ANA))
    press(desk, ANA, "E18", str(ANA))
    assert desk.rows("SELECT status, reason, criterion FROM lead")[0] == ("closed", "screen_failure", "E18")
    told = [row[0] for row in desk.rows("SELECT what FROM lead_event ORDER BY id")]
    assert told == ["raised", "claimed", "no_answer", "reached", "scheduled", "close"]


def test_a_released_lead_can_be_claimed_again(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends()
    press(desk, ANA, "Claim")
    press(desk, ANA, "Release", str(ANA))
    assert desk.rows("SELECT status, owner_id FROM lead")[0] == ("new", None)
    press(desk, LI, "Claim")
    assert desk.one("SELECT owner_id FROM lead") == 2


def test_a_changed_answer_after_the_send_is_told_to_the_owner(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends()
    press(desk, ANA, "Claim")
    rosa.presses("No, thank you").presses("Change an answer").presses("Walking aid").presses("Now and then")
    rosa.presses("All correct, go on")
    assert desk.rows("SELECT outcome, changed FROM lead")[0] == ("possible_match", 1)
    assert plain(desk.one("SELECT flags FROM lead")) == []  # not sent yet
    rosa.presses("Send")
    assert desk.rows("SELECT outcome, changed FROM lead")[0] == ("needs_review", 1)
    assert any("an answer was changed" in envelope.text for envelope in desk.sent(str(ANA)))


def test_the_reminder_comes_once_in_the_daytime(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("half_year").says("2").presses("Gel or lubricant").says("2026-11-14").walks_to("check")
    rosa.presses("All correct, go on").presses("Remind me").presses("No, thank you")
    assert str(desk.one("SELECT remind_on FROM conversation")) == "2027-02-14"
    assert desk.sweeps() == 0
    desk.waits(days=84, hours=10)  # the day has come, but it is night at the study
    assert desk.sweeps() == 0
    desk.waits(hours=12)
    assert desk.sweeps() == 1
    assert desk.sweeps() == 0
    assert "the reminder you asked for" in desk.sent()[-1].text


def test_answers_without_a_lead_are_erased_in_the_end(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("mri")
    other = Somebody(desk, "502").starts().walks_to("check").sends()
    desk.waits(days=29)
    desk.sweeps()
    assert rosa.step == "mri"
    desk.waits(days=2)
    desk.sweeps()
    assert rosa.step is None and other.step is not None
    assert (
        desk.one("SELECT count(*) FROM answer a JOIN conversation c ON c.id = a.conversation_id WHERE chat = '501'")
        == 0
    )


def test_a_wish_for_other_trials_outlives_the_answers(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("walking_aid").presses("Most days").presses("All correct, go on").presses("Yes, tell me")
    desk.waits(days=40)
    desk.sweeps()
    assert desk.rows("SELECT chat, locale FROM interest")[0] == ("501", "en")
    assert desk.one("SELECT count(*) FROM conversation") == 0


def test_a_blocked_bot_sends_nothing_and_keeps_the_lead(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends()
    desk.take("blocked")
    assert desk.one("SELECT count(*) FROM outbox WHERE chat = '501' AND state = 'due'") == 0
    assert desk.rows("SELECT reachable FROM conversation")[0] == (0,)
    assert desk.one("SELECT status FROM lead") == "new"
    rosa.says("I am back")
    assert desk.rows("SELECT reachable FROM conversation")[0] == (1,)


def test_a_shared_number_counts_only_if_it_is_ones_own(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").presses("All correct, go on").presses("Yes, contact me").says("Suzhou")
    rosa.presses("Wuxi").says("Rosa").says("Example")
    desk.take("contact", text="34612345678", verified=False)
    assert rosa.step == "phone" and "Is that right?" in desk.sent()[-1].text
    rosa.presses("Back")
    desk.take("contact", text="34612345678", verified=True)
    assert rosa.step == "email"


def test_odd_characters_reach_no_table(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").presses("All correct, go on").presses("Yes, contact me")
    rosa.says("Su\x00zh\u202eou \ud800 1").presses("Wuxi").says("{reference} %s <b>").says("O'Example")
    answers = {step: plain(value) for step, value in desk.rows("SELECT step, value FROM answer")}
    assert answers["town"] == "Suzhou 1" and answers["first_name"] == "{reference} %s <b>"


def test_nothing_typed_before_consent_is_kept(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().says("my canary knee hurts").presses("English").says("my canary knee hurts")
    assert rosa.step == "consent"
    assert "canary" not in str(
        [desk.rows(f"SELECT * FROM {table}") for table in ("message", "answer", "conversation")]
    )


def test_a_double_tap_gets_one_answer(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("knee")
    data, before = rosa.data("Left knee"), len(desk.sent())
    for _ in range(20):
        desk.take("press", press=data, message="7")
    assert rosa.step == "diagnosis" and len(desk.sent()) == before + 1
    desk.waits(minutes=5)
    desk.take("press", press=data, message="7")
    assert "I have that answer already" in desk.sent()[-2].text


def test_withdrawal_takes_the_call_sheets_back(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends()
    press(desk, ANA, "Claim")
    desk.rows(
        "UPDATE outbox SET state = 'sent', lane = NULL, provider_id = '77' WHERE sheet_of IS NOT NULL RETURNING id"
    )
    rosa.says("delete").presses("Yes, delete all")
    told = desk.sent(str(ANA))
    assert [envelope.deletes for envelope in told] == [("77",)]
    assert "delete what you noted" in told[0].text
    assert "Rosa" not in str(desk.rows("SELECT * FROM outbox"))


def test_a_question_that_was_answered_is_not_sent_again(desk: Desk, rosa: Somebody) -> None:
    """The process died between the send and its record: the answer proves that the question arrived."""
    rosa.starts().walks_to("knee")
    desk.rows("UPDATE outbox SET state = 'sent', lane = NULL WHERE true RETURNING id")
    question = desk.one("SELECT max(id) FROM outbox")
    desk.rows("UPDATE outbox SET state = 'sending', lane = 'telegram:501' WHERE id = :id RETURNING id", id=question)
    rosa.presses("Left knee")
    with desk.store.begin() as db:
        assert [due.id > question for due in outbox.heads(db)] == [True]


def test_quarantine_goes_with_the_rest(desk: Desk, rosa: Somebody) -> None:
    rosa.starts()
    with desk.store.begin() as db:
        conversations.set_aside(db, "telegram", "501", {"text": "canary"}, desk.now)
        conversations.set_aside(db, "telegram", "502", {"text": "another"}, desk.now)
    rosa.says("delete").presses("Yes, delete all")
    assert [row[0] for row in desk.rows("SELECT chat FROM quarantine")] == ["502"]


def test_staff_who_cannot_be_written_to_hand_the_lead_back(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends()
    press(desk, ANA, "Claim")
    with desk.store.begin() as db:
        (due,) = [due for due in outbox.heads(db) if due.chat == str(ANA)]
        hand_back(db, desk.deployment, due, desk.now)
    assert desk.rows("SELECT status, owner_id FROM lead")[0] == ("new", None)
    card, line = desk.sent(GROUP)[-2:]
    assert card.rows and "tap Start" in line.text and "Ana" in line.text
    press(desk, LI, "Claim")
    assert desk.one("SELECT owner_id FROM lead") == 2


def test_two_conversations_may_change_one_lead_at_the_same_turn(desk: Desk, rosa: Somebody) -> None:
    """The second conversation counts its turns anew; what staff are told must not clash with the first."""
    rosa.starts().walks_to("check").sends().presses("No, thank you")
    for _ in range(2):
        rosa.presses("Start again").walks_to("check").sends().presses("No, thank you")
    assert desk.one("SELECT count(*) FROM lead") == 1
    told = [row[0] for row in desk.rows("SELECT what FROM lead_event ORDER BY id")]
    assert told.count("sent_again") == 2


def test_what_fails_again_can_be_set_aside_again(desk: Desk, rosa: Somebody) -> None:
    house = House(desk.store, desk.deployment, {})
    inbound = Inbound("telegram", "m:501:1", "501", "501", "text", text="x")
    for _ in range(2):
        asyncio.run(house.set_aside({"update_id": 1}, inbound))
    assert desk.one("SELECT count(*) FROM quarantine") == 2
    assert "Your answers are safe" in desk.sent()[-1].text


def test_after_a_silence_only_the_last_question_is_asked(desk: Desk, rosa: Somebody) -> None:
    """What was answered or asked again meanwhile is not sent; what is no question is, and so is a page of one turn."""
    rosa.starts()
    desk.rows("UPDATE outbox SET state = 'sent', lane = NULL RETURNING id")
    for text in ("good morning", "hello", "anybody there"):
        desk.waits(minutes=1)
        rosa.says(text)
    with desk.store.begin(desk.now) as db:
        waiting = outbox.heads(db)
    assert not waiting[0].overtaken and "Hello" not in waiting[0].envelope.text
    sent: list[Envelope] = []

    class Wire:
        name = "telegram"

        async def send(self, chat: str, envelope: Envelope, last: str) -> Sent:
            sent.append(envelope)
            return Sent("sent", str(len(sent)))

    async def drains() -> None:
        house = House(desk.store, desk.deployment, {"telegram": Wire()}, clock=desk.clock)
        await house.delivery.drain()
        house.close()

    asyncio.run(drains())
    assert len([envelope for envelope in sent if envelope.rows]) == 1 and sent[-1].rows
    assert len(sent) == 4  # three lines that it was not understood, and the question once


def test_a_group_that_got_a_new_number_can_still_claim(desk: Desk, rosa: Somebody) -> None:
    """Telegram gives a group that grows another number; the cards that are in it already stay good."""
    rosa.starts().walks_to("check").sends()
    (card,) = [envelope for envelope in desk.sent(GROUP) if envelope.rows]
    claim = card.rows[0][0][1]
    desk.take("press", "-1009999", sender=str(ANA), press=claim, message="7", group=True)
    assert desk.one("SELECT status FROM lead") == "claimed"
    desk.take("press", str(LI), sender=str(LI), press=claim, message="8")  # in a private chat it says nothing
    assert desk.one("SELECT owner_id FROM lead") == 1


def test_a_turn_on_what_is_no_longer_so_writes_nothing(desk: Desk, rosa: Somebody) -> None:
    """The last guard behind the locks: a conversation is saved only over the revision that was read."""
    rosa.starts().walks_to("knee")
    before = desk.rows("SELECT revision, step FROM conversation")
    with pytest.raises(conversations.Conflict), desk.store.begin() as db:
        kept = conversations.current(db, "telegram", "501")
        assert kept is not None
        kept.revision -= 1
        conversations.add_message(db, kept.id, "too late", desk.now, outgoing=False, step="knee")
        conversations.save(db, kept, kept.conversation, desk.now)
    assert desk.rows("SELECT revision, step FROM conversation") == before
    assert desk.one("SELECT count(*) FROM message WHERE text = 'too late'") == 0
