"""Staff and a person write to each other: the bot is silent, and everybody knows who talks."""

from __future__ import annotations

import pytest

from bot.desk import talking
from bot.desk.actions import Acting, NotThere, Refused
from bot.messages import Sent
from bot.store import Store, staff
from tests.patient import LANGUAGES
from tests.shell.conftest import ANA, GROUP, LI, Desk, Somebody
from tests.shell.house import Housed
from tests.shell.test_turns import press

pytestmark = pytest.mark.slow


class Nurse(Somebody):
    """A member of staff in their private chat."""

    def __init__(self, desk: Desk, who: int = ANA) -> None:
        super().__init__(desk, str(who))

    def last(self) -> str:
        return self.desk.sent(self.chat)[-1].text

    def does(self, label: str) -> Nurse:
        self.desk.take("press", self.chat, press=self.data(label), message="9")
        return self


def chinese(label: str) -> str:
    return LANGUAGES.staff("zh_Hans").text("staff", label)


def heard(rosa: Somebody, since: int) -> list[str]:
    return [envelope.text for envelope in rosa.desk.sent(rosa.chat)[since:]]


def acting(desk: Desk, db: object, name: str = "Ana", key: str = "act") -> Acting:
    member = next(one for one in staff.every(db) if one["name"] == name)  # type: ignore[arg-type]
    return Acting(db, desk.deployment, member, desk.now, key)  # type: ignore[arg-type]


@pytest.fixture
def ana(desk: Desk) -> Nurse:
    return Nurse(desk)


@pytest.fixture
def owned(desk: Desk, rosa: Somebody) -> Somebody:
    """Rosa, whose lead Ana has, with one question still open."""
    rosa.starts().walks_to("check").sends()
    press(desk, ANA, "Claim")
    assert rosa.step == "other_trials"
    return rosa


def test_staff_take_over_and_hand_back_and_the_person_sees_both(desk: Desk, owned: Somebody, ana: Nurse) -> None:
    before = len(desk.sent())
    ana.does("Write to the patient")
    assert "All that you type here goes to them" in ana.last()
    assert heard(owned, before) == ["Ana, study team, writes here now. You can answer in your own words. "
                                    "The automatic helper waits."]  # fmt: skip
    before = len(desk.sent())
    ana.says("Hello Rosa, when may I call?")
    assert heard(owned, before) == ["Ana, study team: Hello Rosa, when may I call?"]
    before, told = len(desk.sent()), len(desk.sent(str(ANA)))
    owned.says("yes, tomorrow at 10")
    assert heard(owned, before) == []  # the bot is silent
    (passed,) = desk.sent(str(ANA))[told:]
    assert passed.text == "K-0001 writes: yes, tomorrow at 10" and passed.protect
    assert [row[0][0] for row in passed.rows] == ["Approved phrases", "Hand back"]
    assert owned.step == "other_trials"
    before = len(desk.sent())
    ana.does("Hand back")
    assert ana.last() == "The automatic helper talks with K-0001 again."
    first, question = heard(owned, before)
    assert first == "The automatic helper is back." and question.startswith("May we tell you about other studies")
    owned.presses("No, thank you")
    assert owned.step is None
    told_of = [row[0] for row in desk.rows("SELECT what FROM lead_event ORDER BY id")]
    assert told_of == ["raised", "claimed", "took_over", "said", "handed_back"]
    assert not any(row[0] for row in desk.rows("SELECT detail FROM lead_event"))
    assert not any(
        "Hello Rosa" in envelope.text or "tomorrow at 10" in envelope.text for envelope in desk.sent(GROUP)
    )


def test_an_approved_phrase_is_read_in_two_languages_before_it_goes(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("check").sends().says("/language").presses("Español")
    press(desk, LI, "Claim")
    li = Nurse(desk, LI)
    li.does(chinese("Write to the patient")).does(chinese("Approved phrases"))
    assert "1. 您好。我是研究团队的工作人员。" in li.last()
    li.does("1")
    assert "您好。我是研究团队的工作人员。" in li.last() and "Español" in li.last()
    assert "Hola. Soy del equipo del estudio." in li.last()
    before = len(desk.sent())
    li.does(chinese("Send this"))
    assert heard(rosa, before) == [
        "Li, equipo del estudio: Hola. Soy del equipo del estudio. He leído su solicitud."
    ]


def test_danger_comes_first_and_its_words_go_to_nobody(desk: Desk, owned: Somebody, ana: Nurse) -> None:
    ana.does("Write to the patient")
    before, told = len(desk.sent()), len(desk.sent(str(ANA)))
    owned.says("I have chest pain since this morning")
    assert "call emergency services" in heard(owned, before)[0]
    (alarm,) = desk.sent(str(ANA))[told:]
    assert "was shown a safety message" in alarm.text and "chest" not in alarm.text
    for table, column in (("message", "text"), ("outbox", "envelope"), ("lead_event", "detail")):
        found = desk.rows(f"SELECT {column} FROM {table}")
        assert not any("chest pain" in str(row[0]) for row in found)
    desk.take("edited", text="my face is drooping on the left")
    assert "call emergency services" in desk.sent()[-2].text


@pytest.mark.parametrize(
    ("words", "wanted"),
    [("help", "what you can do"), ("/privacy", "is responsible"), ("language", "Which language"),
     ("/status", "Ana from the study team has your request"), ("stop", "Would you like to stop"),
     ("delete", "Delete all your answers")],
)  # fmt: skip
def test_what_may_be_asked_for_at_any_time_is_heard(
    desk: Desk, owned: Somebody, ana: Nurse, words: str, wanted: str
) -> None:
    ana.does("Write to the patient")
    before, told = len(desk.sent()), len(desk.sent(str(ANA)))
    owned.says(words)
    (answer,) = heard(owned, before)
    assert wanted in answer and len(desk.sent(str(ANA))) == told
    if words == "help":
        owned.presses("Go on")
        assert desk.sent()[-1].text == "Ana, study team, reads along here now. Just write what you want to say."


def test_buttons_and_media_are_not_passed_on(desk: Desk, owned: Somebody, ana: Nurse) -> None:
    ana.does("Write to the patient")
    before, told = len(desk.sent()), len(desk.sent(str(ANA)))
    owned.presses("Yes, tell me")
    assert heard(owned, before) == ["Ana, study team, reads along here now. Just write what you want to say."]
    assert owned.step == "other_trials" and desk.one("SELECT count(*) FROM interest") == 0
    before = len(desk.sent())
    desk.take("media")
    assert "cannot read pictures" in heard(owned, before)[0] and len(heard(owned, before)) == 1
    assert len(desk.sent(str(ANA))) == told
    desk.take("edited", text="I meant Friday")
    assert desk.sent(str(ANA))[-1].text == "K-0001 writes: I meant Friday"
    desk.take("media", str(ANA))
    assert "Only words go to the person" in ana.last()


def test_delete_ends_it_and_takes_back_what_was_passed_on(desk: Desk, owned: Somebody, ana: Nurse) -> None:
    ana.does("Write to the patient")
    owned.says("my number is 555")
    owned.says("/delete").presses("Yes, delete all")
    assert "was withdrawn by the person" in ana.last()
    assert not any("555" in envelope.text for envelope in desk.sent(str(ANA)))
    assert desk.one("SELECT count(*) FROM message") == 0
    before = len(desk.sent())
    ana.says("are you there?")  # to nobody: it is not taken for a patient's words either
    assert heard(owned, before) == []


def test_stop_ends_it_and_the_holder_is_told(desk: Desk, owned: Somebody, ana: Nurse) -> None:
    ana.does("Write to the patient")
    owned.says("stop").presses("Stop for now")
    assert desk.one("SELECT held_by FROM conversation WHERE chat = '501'") is None
    assert "the person stopped the chat" in ana.last()
    owned.says("hello")
    assert "Welcome back" in desk.sent()[-1].text


@pytest.mark.parametrize("label", ["Release", "Close"])
def test_a_lead_that_is_let_go_hands_the_chat_back(desk: Desk, owned: Somebody, ana: Nurse, label: str) -> None:
    ana.does("Write to the patient")
    ana.does(label)
    if label == "Close":
        ana.does("Not interested")
    assert desk.one("SELECT held_by FROM conversation WHERE chat = '501'") is None
    assert "The automatic helper is back." in owned.seen
    if label == "Close":
        ana.does("Undo")
        assert desk.one("SELECT status FROM lead") == "claimed"


def test_a_lead_given_to_somebody_else_hands_the_chat_back(desk: Desk, owned: Somebody, ana: Nurse) -> None:
    ana.does("Write to the patient").does("Give to ...").does("Li")
    assert desk.rows("SELECT owner_id FROM lead") == [(2,)]
    assert "Li from the study team has your request" in owned.seen
    assert "The automatic helper is back." in owned.seen
    assert "Rosa" not in ana.last()


def test_a_lead_is_put_off_until_the_next_morning_and_taken_back(desk: Desk, owned: Somebody, ana: Nurse) -> None:
    ana.does("Snooze to tomorrow")
    assert str(desk.one("SELECT snoozed_until FROM lead")).startswith("2026-11-23 00:30")
    ana.does("Undo")
    assert desk.one("SELECT snoozed_until FROM lead") is None
    desk.waits(minutes=1)
    ana.does("Undo")
    assert "too late" in ana.last()


def test_who_says_nothing_for_a_day_hands_back_by_itself(desk: Desk, owned: Somebody, ana: Nurse) -> None:
    ana.does("Write to the patient")
    desk.waits(hours=20)
    ana.says("I ask a colleague")
    desk.waits(hours=23)
    with desk.store.begin(desk.now) as db:
        assert talking.hand_back_idle(db, desk.deployment, desk.now) == 0
    desk.waits(hours=1)
    before = len(desk.sent())
    with desk.store.begin(desk.now) as db:
        assert talking.hand_back_idle(db, desk.deployment, desk.now) == 1
        assert talking.hand_back_idle(db, desk.deployment, desk.now) == 0
    assert heard(owned, before)[0] == "The automatic helper is back."
    assert ana.last() == "The automatic helper talks with K-0001 again."


def test_rights_and_reach_are_judged(desk: Desk, owned: Somebody) -> None:
    with desk.store.begin(desk.now) as db, pytest.raises(Refused, match="has"):
        talking.take_over(acting(desk, db, "Li"), 1)
    with desk.store.begin(desk.now) as db, pytest.raises(NotThere):
        talking.take_over(acting(desk, db), 99)
    with desk.store.begin(desk.now) as db:
        desk_of_harbour = staff.add(db, "Max", 7_000_000_003, "en", sites=("harbour",))
        assert desk_of_harbour
    with desk.store.begin(desk.now) as db, pytest.raises(NotThere):
        talking.transcript(acting(desk, db, "Max"), 1)
    for text in ("", "   ", "\u200b"):
        with desk.store.begin(desk.now) as db, pytest.raises(Refused, match="nothing to send"):
            talking.say(acting(desk, db), 1, text)
    with desk.store.begin(desk.now) as db, pytest.raises(Refused, match="too long"):
        talking.say(acting(desk, db), 1, "a" * 3001)
    with desk.store.begin(desk.now) as db, pytest.raises(Refused, match="nothing to send"):
        talking.say(acting(desk, db), 1, phrase="no such phrase")
    desk.take("blocked")
    with desk.store.begin(desk.now) as db, pytest.raises(Refused, match="cannot be written to"):
        talking.take_over(acting(desk, db), 1)


def test_nobody_talks_to_two_people_at_once(desk: Desk, owned: Somebody, ana: Nurse) -> None:
    ana.does("Write to the patient")
    Somebody(desk, "502").starts().walks_to("check").sends()
    press(desk, ANA, "Claim")
    ana.does("Write to the patient")
    assert ana.last() == "You are writing to K-0001. Hand that chat back first."


def test_the_web_inbox_can_do_all_of_it_and_sees_only_the_talk(desk: Desk, owned: Somebody) -> None:
    with desk.store.begin(desk.now) as db:
        act = acting(desk, db, key="w1")
        assert talking.holder(act, 1) is None
        talking.say(act, 1, "Good morning")
        assert talking.holder(act, 1) == act.member["id"]
    owned.says("good morning Ana")
    with desk.store.begin(desk.now) as db:
        talking.say(acting(desk, db, key="w2"), 1, phrase="when")
        found = talking.transcript(acting(desk, db), 1)
    assert [(row["outgoing"], row["text"].partition(".")[0]) for row in found] == [
        (True, "Ana, study team, writes here now"),
        (True, "Ana, study team: Good morning"),
        (False, "good morning Ana"),
        (True, "Ana, study team: When may I call you? A day and a time of day are enough"),
    ]
    with desk.store.begin(desk.now) as db:
        assert talking.hand_back(acting(desk, db, key="w3"), 1)
        assert not talking.hand_back(acting(desk, db, key="w4"), 1)
    assert "The automatic helper is back." in owned.seen


def test_staff_who_try_the_bot_as_patients_are_patients_until_they_write_to_somebody(
    desk: Desk, owned: Somebody, ana: Nurse
) -> None:
    desk.take("text", str(ANA), text="hello")
    assert desk.one(f"SELECT count(*) FROM conversation WHERE chat = '{ANA}'") == 1
    ana.does("Write to the patient").says("this goes to Rosa")
    assert desk.sent()[-1].text == "Ana, study team: this goes to Rosa"
    ana.does("Hand back").says("this is for the bot")
    assert not any("this is for the bot" in envelope.text for envelope in desk.sent())


def test_a_reminder_waits_while_staff_talk(desk: Desk, rosa: Somebody, ana: Nurse) -> None:
    rosa.starts().walks_to("half_year").says("2").presses("Gel or lubricant").says("2026-11-14").walks_to("check")
    rosa.presses("All correct, go on").presses("Remind me")
    rosa.says("a person, please").presses("Yes, contact me").says("Suzhou").presses("Wuxi").says("Rosa")
    rosa.says("Example").presses("Write to me here").presses("I have no email").presses("No other language")
    rosa.presses("Any day").presses("Any time").presses("Send")
    press(desk, ANA, "Claim")
    ana.does("Write to the patient")
    desk.waits(days=90)
    assert desk.sweeps() == 0
    ana.does("Hand back")
    assert desk.sweeps() == 1


def test_the_sweep_hands_back_what_was_forgotten(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    house = Housed(Store(database))
    monkeypatch.setattr("bot.house.clock_of", lambda db: house.time.now())
    try:
        rosa, ana = Somebody(house), Nurse(house)
        rosa.starts().walks_to("check").sends()
        press(house, ANA, "Claim")
        ana.does("Write to the patient")
        house.waits(days=1)
        house.sweeps()
        assert "The automatic helper is back." in rosa.seen
        assert house.one("SELECT count(*) FROM conversation WHERE held_by IS NOT NULL") == 0
    finally:
        house.closes()


def test_a_person_who_blocks_the_bot_is_noted_when_a_message_comes_back(database: str) -> None:
    house = Housed(Store(database))
    try:
        rosa = Somebody(house)
        rosa.starts().walks_to("check").sends()
        house.wire.fate = lambda chat, envelope: (Sent("gone"), False) if chat == "501" else (None, True)
        press(house, ANA, "Claim")
        assert house.rows("SELECT chat_lost FROM lead") == [(1,)]
    finally:
        house.closes()


def test_who_is_staff_no_more_talks_to_nobody(desk: Desk, owned: Somebody, ana: Nurse) -> None:
    ana.does("Write to the patient")
    with desk.store.begin(desk.now) as db:
        staff.disable(db, telegram_id=ANA)
    before = len(desk.sent())
    ana.says("one more thing")
    assert heard(owned, before) == []
    with desk.store.begin(desk.now) as db:
        assert talking.hand_back_idle(db, desk.deployment, desk.now) == 1
    assert heard(owned, before)[0] == "The automatic helper is back."
