"""Anything a person may send is answered kindly, and changes nothing that it should not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest

from tests.journeys.conftest import House
from tests.journeys.dialogue import Chat, pattern
from tests.telegram_server import Message, Person

pytestmark = pytest.mark.slow

At = Callable[..., Chat]
NUL, TURNED, HALF = "\x00", "\u202e", "\ud83d"
"""A zero byte, an override of the writing direction, half an emoji."""


@contextmanager
def nothing_changes(house: House, chat: Chat) -> Iterator[None]:
    """What happens inside leaves the open question, what waits to be confirmed, and the answers as they are."""
    house.quiet()
    before = house.records.conversation(chat.person)
    yield
    house.quiet()
    after = house.records.conversation(chat.person)
    for part in ("step", "answers", "draft", "pending", "life", "locale"):
        assert after["state"][part] == before["state"][part], part


# ---------------------------------------------------------------------- what is no answer

ODD: dict[str, Callable[[Person], object]] = {
    "only spaces": lambda person: person.says(" \n\t "),
    "a photo": Person.sends_photo,
    "10,000 characters": lambda person: person.says("left knee " * 1000),
    "a voice note": Person.sends_voice,
    "emoji": lambda person: person.says("👍🏽🦵"),
    "a sticker": Person.sends_sticker,
    "an unknown command": lambda person: person.says("/settings"),
    "a location": Person.sends_location,
    "only punctuation": lambda person: person.says("..."),
    "a document": Person.sends_document,
    "a forwarded message": lambda person: person.forwards("A miracle cure for everybody"),
    "a photo with words": lambda person: person.sends_photo("my left knee"),
    "zero bytes and half characters": lambda person: person.says(f"{NUL}{TURNED}{HALF}"),
    "somebody's contact": lambda person: person.shares_contact("34612345678"),
    "code": lambda person: person.says("'; DROP TABLE answer; -- <b>{value}%s"),
    "an edited message": lambda person: person.edits(person.says("who can tell"), "Right knee"),
}


@pytest.mark.parametrize("step", ["language", "birth", "knee", "mri", "offer"])
def test_what_is_no_answer_gets_a_reply_and_the_question_again(shared: House, at: At, step: str) -> None:
    rosa = at(step)
    complaint = ""
    for name, send in ODD.items():
        with nothing_changes(shared, rosa):
            send(rosa.person)
            rosa.asked(step)
        first, *_ = rosa.news()
        assert first.text != complaint, f"the same words twice running, the second time for {name}"
        complaint = first.text
    assert shared.server.problems == []


@pytest.mark.parametrize("step", ["birth", "knee", "diagnosis", "mri", "phone", "email"])
def test_no_two_complaints_running_are_the_same(shared: House, at: At, step: str) -> None:
    rosa, complaints = at(step), list[str]()
    with nothing_changes(shared, rosa):
        for _ in range(6):
            rosa.types("perhaps, who can tell").asked(step)
            complaints.append(rosa.news()[0].text)
            shared.quiet()
    assert all(one != other for one, other in pairwise(complaints)), complaints
    assert shared.server.problems == []


@pytest.mark.parametrize("step", ["town", "first_name", "other_language"])
def test_a_command_that_we_do_not_have_is_no_name(shared: House, at: At, step: str) -> None:
    rosa = at(step)
    with nothing_changes(shared, rosa):
        rosa.types("/settings").asked(step)
    assert shared.server.problems == []


def test_a_name_may_look_like_anything(shared: House, at: At) -> None:
    """Markup, placeholders and hidden characters are shown as what they are, or not at all."""
    rosa = at("first_name")
    rosa.types(f"<b>{{reference}}</b>%s{NUL}{TURNED}{HALF} & Söhne")
    page = rosa.walks_to("send").asked("send")
    assert page.says(rosa.shown("first_name", "<b>{reference}</b>%s & Söhne"))
    assert "entities" not in page.raw
    assert shared.server.problems == []


def test_a_contact_of_somebody_else_is_read_back(shared: House, at: At) -> None:
    rosa, friend = at("phone"), shared.server.person("Ruth")
    rosa.person.shares_contact("34612345678", of=friend)
    rosa.confirms().asked("email")
    shared.quiet()
    assert shared.records.answers(rosa.person)["phone"] == "+34612345678"
    assert shared.server.problems == []


# ---------------------------------------------------------------------- buttons


def test_the_same_answer_on_an_old_screen(shared: House, at: At) -> None:
    rosa, old = _past_the_knee(at)
    with nothing_changes(shared, rosa):
        rosa.person.presses(rosa.option("knee", "left"), old)
        rosa.sees("already")
        rosa.asked("how_long")
    assert shared.server.problems == []


def test_another_answer_on_an_old_screen_is_asked_about(shared: House, at: At) -> None:
    rosa, old = _past_the_knee(at)
    rosa.person.presses(rosa.option("knee", "both"), old)
    asked = rosa.sees("readback_change")
    assert asked.says(rosa.option("knee", "left")) and asked.says(rosa.option("knee", "both"))
    rosa.taps("no").sees("kept")
    rosa.asked("how_long")
    shared.quiet()
    assert shared.records.answers(rosa.person)["knee"] == "left"

    rosa.person.presses(rosa.option("knee", "both"), old)
    rosa.sees("readback_change")
    rosa.taps("yes").asked("how_long")
    shared.quiet()
    answers = shared.records.answers(rosa.person)
    assert (answers["knee"], answers["diagnosis"]) == ("both", "yes")
    assert shared.server.problems == []


def _past_the_knee(at: At) -> tuple[Chat, Message]:
    """Somebody two questions after the knee, and the screen that asked it."""
    rosa = at("knee")
    old = rosa.asked("knee")
    return rosa.walks_to("how_long"), old


def test_a_forged_press_changes_nothing(shared: House, at: At) -> None:
    rosa, other = at("knee"), at("knee", name="Ruth")
    screen = rosa.asked("knee")
    good, foreign = screen.data("Right knee"), other.asked("knee").data("Right knee")
    code, _, seal = good.rpartition("~")
    forged = [
        "x", "~", "1~", "é~ø", "a" * 64, HALF, code, f"{code}~{seal[::-1]}", f"{code[:-1]}0~{seal}", foreign,
        good.upper(), "1staff.1.claim~AAAAAAAA",
    ]  # fmt: skip
    stale = [rosa.text(f"say.{key}", rosa.flow.says[key]) for key in ("stale", "stale_again")]
    with nothing_changes(shared, rosa), nothing_changes(shared, other):
        for data in forged:
            rosa.person.presses_data(screen, data)
            if not data.startswith("1staff."):
                rosa.person.sees(re.compile("|".join(re.escape(line) for line in stale)))
                rosa.asked("knee")
    assert shared.server.unanswered == []
    assert shared.server.problems == []


def test_twenty_presses_at_once_are_one_answer(shared: House, at: At) -> None:
    rosa = at("knee")
    screen = rosa.asked("knee")
    shared.quiet()
    with shared.server.changed:  # all of them wait before the bot asks for the first
        for _ in range(20):
            rosa.person.presses(rosa.option("knee", "left"), screen)
    shared.quiet()
    assert [message.text for message in rosa.news()] == [rosa.asked("diagnosis").text]
    assert shared.records.given_twice(rosa.person) == []
    assert shared.records.conversation(rosa.person)["step"] == "diagnosis"
    assert shared.server.unanswered == []
    assert shared.server.problems == []


@pytest.mark.parametrize("new_id", [False, True], ids=["under its own id", "under a new id"])
def test_an_update_that_comes_twice_counts_once(shared: House, at: At, new_id: bool) -> None:
    rosa = at("birth")
    rosa.types("1964").asked("knee")
    shared.quiet()
    seen = len(rosa.person.chat.messages)
    with nothing_changes(shared, rosa):
        shared.server.redeliver(new_id=new_id)
        rosa.taps("why").asked("knee")
    assert len(rosa.person.chat.messages) == seen + 2
    assert shared.records.given_twice(rosa.person) == []
    assert shared.server.problems == []


# ---------------------------------------------------------------------- coming, going, and coming back


def test_start_in_the_middle_keeps_everything(shared: House, at: At) -> None:
    rosa = at("how_long")
    with nothing_changes(shared, rosa):
        menu = rosa.starts("another-poster").sees("menu_start")
        assert all(menu.key(rosa.button(wish)) for wish in ("resume", "start_over", "delete"))
        rosa.taps("resume").asked("how_long")
    rosa.starts().sees("menu_start")
    rosa.taps("start_over").asked("language")
    shared.quiet()
    assert shared.records.answers(rosa.person) == {}
    assert shared.server.problems == []


def test_a_start_link_keeps_only_what_a_link_can_carry(shared: House) -> None:
    rosa = shared.chat()
    rosa.types(f"/start my knee hurts{HALF}").asked("language")
    shared.quiet()
    assert shared.records.conversation(rosa.person)["source"] == ""
    assert shared.server.problems == []


def test_who_blocks_and_comes_back_finds_everything(shared: House, at: At) -> None:
    rosa = at("how_long")
    seen = len(rosa.person.chat.messages)
    with nothing_changes(shared, rosa):
        rosa.person.blocks()
        shared.quiet()
        assert not shared.records.conversation(rosa.person)["reachable"]
        rosa.person.unblocks()
    assert shared.records.conversation(rosa.person)["reachable"]
    assert len(rosa.person.chat.messages) == seen
    rosa.answers("how_long", "over_a_year").asked("past_week")
    assert shared.server.problems == []


def test_a_press_after_the_deletion_revives_nothing(shared: House, at: At) -> None:
    rosa = at("knee")
    old = rosa.asked("knee")
    rosa.types("/delete").taps("delete_now").sees("deleted")
    rosa.person.presses(rosa.option("knee", "left"), old)
    rosa.sees("begin_anew")
    shared.quiet()
    assert shared.records.rows("SELECT * FROM conversation WHERE chat = ?", str(rosa.person.id)) == []
    rosa.starts().asked("language")
    shared.quiet()
    assert shared.records.answers(rosa.person) == {}
    assert shared.server.problems == []


def test_who_only_blocks_and_unblocks_is_not_written_to(shared: House) -> None:
    rosa = shared.chat()
    rosa.person.chat.standing = "member"
    rosa.person.blocks()
    rosa.person.unblocks()
    shared.quiet()
    assert rosa.person.chat.messages == []
    assert shared.server.problems == []


# ---------------------------------------------------------------------- everything is deleted in two taps

CANARY = {
    "first_name": "Qrytobel", "last_name": "Vlenditz", "town": "Zwyxhaven", "phone": "+34698765432",
    "email": "qrytobel@example.org", "other_language": "Volapuk",
}  # fmt: skip


def test_a_deletion_leaves_nothing_behind(shared: House, at: At, ana: Person) -> None:
    rosa = at("other_trials", **CANARY)
    lead, reference = _lead_of(shared, rosa)
    ana.presses("Claim", shared.team.sees(reference, all=True))
    ana.sees(reference)
    shared.quiet()
    assert all(shared.records.tell(word) for word in CANARY.values())
    assert {word: files for word in CANARY.values() if (files := shared.records.hold(word))} == {}

    rosa.types("/delete").sees("menu_delete")
    shared.quiet()
    said = rosa.taps("delete_now").sees("deleted")
    shared.quiet()
    assert {word: where for word in CANARY.values() if (where := shared.records.tell(word))} == {}
    assert {word: files for word in CANARY.values() if (files := shared.records.hold(word))} == {}
    assert shared.records.rows("SELECT * FROM conversation WHERE chat = ?", str(rosa.person.id)) == []
    (gone,) = shared.records.rows("SELECT * FROM lead WHERE id = ?", lead["id"])
    assert (gone["status"], gone["contact"], gone["flags"], gone["chat"]) == ("withdrawn", "{}", "[]", "")
    withdrawn = f"{reference} was withdrawn by the person. All details are deleted."
    assert shared.team.sees(withdrawn, all=True) and ana.sees(withdrawn, all=True)
    assert rosa.person.chat.messages == [said]  # what was said in the chat before is gone, too
    assert shared.server.problems == []


def test_a_deletion_half_way_leaves_nothing_behind(shared: House, at: At) -> None:
    rosa = at("knee")
    rosa.types("Gwendrolin told me so").asked("knee")
    shared.quiet()
    assert shared.records.tell("Gwendrolin")
    rosa.starts().taps("delete").taps("delete_now").sees("deleted")
    shared.quiet()
    assert shared.records.tell("Gwendrolin") == shared.records.hold("Gwendrolin") == []
    assert shared.server.problems == []


# ---------------------------------------------------------------------- danger comes before everything else

DANGERS = {"knee": "hot_knee", "mri": "emergency", "visits": "calf", "first_name": "despair"}
"""At which question which danger is told of."""


@pytest.mark.parametrize("locale", ["en", "es", "zh_Hans"])
def test_words_of_danger_get_the_safety_message_and_are_not_kept(shared: House, locale: str) -> None:
    rosa = shared.chat("Rosa", locale).starts()
    for step, sign in DANGERS.items():
        rosa.walks_to(step)
        with nothing_changes(shared, rosa):
            rosa.types(f"{_alarm(rosa, sign)}, xylo{sign}{locale}").sees("menu_safety")
            assert rosa.news()[0].says(_safety(rosa, sign))
            rosa.taps("resume").asked(step)
        assert shared.records.tell(f"xylo{sign}{locale}") == shared.records.hold(f"xylo{sign}{locale}") == []
    rosa.walks_to("other_trials")
    shared.quiet()
    (lead,) = shared.records.leads(rosa.person)
    assert (lead["outcome"], lead["flags"], lead["changed"]) == ("possible_match", "[]", 0)
    assert shared.server.problems == []


def test_danger_is_heard_in_the_first_words_ever(shared: House) -> None:
    rosa = shared.chat()
    rosa.types(f"{_alarm(rosa, 'emergency')}, xylofirst").asked("language")
    assert rosa.news()[0].says(_safety(rosa, "emergency"))
    assert shared.records.tell("xylofirst") == shared.records.hold("xylofirst") == []
    assert shared.server.problems == []


def test_danger_is_heard_under_a_picture_and_in_an_edit(shared: House, at: At) -> None:
    rosa = at("knee")
    with nothing_changes(shared, rosa):
        rosa.person.sends_photo(f"{_alarm(rosa, 'calf')}, xylopicture")
        assert rosa.sees("menu_safety") and rosa.news()[0].says(_safety(rosa, "calf"))
        rosa.person.edits(rosa.person.chat.messages[0], f"{_alarm(rosa, 'despair')}, xyloedit")
        assert rosa.sees("menu_safety") and rosa.news()[0].says(_safety(rosa, "despair"))
    assert shared.records.tell("xylo") == shared.records.hold("xylo") == []
    assert shared.server.problems == []


def _alarm(chat: Chat, sign: str) -> str:
    """The first thing in the person's language that calls for this message."""
    words = next(safety.words for safety in chat.flow.safety if safety.id == sign)
    first = chat.text(f"hear.{sign}", words).split(";")[0]
    return " ".join(part.strip() for part in first.split("+"))


def _safety(chat: Chat, sign: str) -> Any:
    text = next(safety.text for safety in chat.flow.safety if safety.id == sign)
    return pattern(chat.text(f"safety.{sign}", text))


# ---------------------------------------------------------------------- staff


def test_staff_without_a_private_chat_get_the_sheet_when_they_start_one(shared: House, at: At) -> None:
    """Telegram lets no bot write first: the lead goes back, the group is told why, and a second claim holds."""
    rosa, li = at("other_trials"), shared.server.person("Li")
    _, reference = _lead_of(shared, rosa)
    shared.bot.run("staff", "add", "Li", "--telegram", str(li.id))
    li.presses("Claim", shared.team.sees(reference, all=True))
    shared.team.sees(f"Li, please open a private chat with me and tap Start. Then claim {reference} again.")
    assert li.chat.messages == []
    li.starts()
    li.sees("You are on the staff list")
    li.presses("Claim", chat=shared.team.chat)
    assert li.sees("criteria version").protected
    assert shared.server.problems == []


def test_a_call_sheet_of_any_length_arrives(shared: House, at: At, ana: Person) -> None:
    """Somebody with a doubt about nearly everything: more than fits into one message."""
    doubts: dict[str, Any] = {
        "consent": "not_here", "diagnosis": "no", "how_long": None, "past_week": "worst",
        "walking_aid": "now_and_then", "mri": None, "ever": None, "half_year": None, "two_months": None,
        "joints": ("rheumatoid", "connective", "inflamed", "gout", "pseudogout", "cartilage", "bone", "rare"),
        "joint_sure/rheumatoid": "no", "xray": "other_report", "xray_other": "bone_on_bone",
        "health_now": ("illness", "bleeding", "pain", "reaction"), "plans_older": None, "private": "talk",
        "visits": "no", "last_name": "V" * 200, "other_language": "W" * 200,
    }  # fmt: skip
    rosa = at("other_trials", **doubts)
    _, reference = _lead_of(shared, rosa)
    ana.presses("Claim", shared.team.sees(reference, all=True))
    for status in ("claimed", "attempt 1 of 3"):
        ana.sees(f"{reference} · {status}", all=True)
        shared.quiet()
        assert ana.last.key("No answer") and all(message.protected for message in ana.chat.messages[-2:])
        assert len("".join(message.text for message in ana.chat.messages[-2:])) > 4096
        ana.presses("No answer", ana.last)
    assert shared.server.problems == []


def _lead_of(house: House, chat: Chat) -> tuple[dict[str, Any], str]:
    """The one lead of a person, and its reference."""
    (lead,) = house.records.leads(chat.person)
    return lead, f"K-{lead['id']:04d}"


@pytest.fixture(scope="module")
def ana(shared: House) -> Person:
    """A member of staff."""
    nurse = shared.server.person("Ana")
    shared.hires(nurse)
    return nurse


# ---------------------------------------------------------------------- what the log knows


def test_the_log_names_nobody_when_telegram_fails(shared: House, at: At) -> None:
    """Whether a call is refused, fails, or gets no answer at all; and whatever an update looks like."""
    people = {code: at("knee", name="Qrytobel") for code in (429, 500, 0)}
    for code, rosa in people.items():
        shared.server.fail("sendMessage", code=code, chat_id=rosa.person.id)
        rosa.types("Zwyxhaven +34612345678 qrytobel@example.org")
    for code in (500, 0):
        shared.server.fail("getUpdates", code=code)
    shared.server.fail("answerCallbackQuery", code=500)
    shared.server.fail("editMessageReplyMarkup", code=400)
    shared.server.publish("message", {"text": "Zwyxhaven", "from": {"id": "Qrytobel"}})
    for rosa in people.values():
        rosa.answers("knee", "left").asked("diagnosis")
    shared.quiet(20)
    log = shared.log
    assert "cannot read updates" in log and "set aside" in log
    number, _, secret = shared.server.token.partition(":")
    for word in ("Qrytobel", "Zwyxhaven", "612345678", "qrytobel@", "Rosa", "left knee", number, secret):
        assert word not in log, word
    assert shared.server.problems == []
