"""The two golden conversations, from the link on a poster to a closed lead, and to a reminder."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from dateutil.relativedelta import relativedelta

from bot.desk.promise import due
from bot.library import load
from bot.store.sites import filed
from flows.engine import today_of
from tests.journeys.conftest import House
from tests.journeys.dialogue import Chat
from tests.patient import LANGUAGES
from tests.telegram_server import Message, Person

pytestmark = pytest.mark.slow

LOCALES = ("en", "es", "zh_Hans")
ROSA = {
    "first_name": "Rosalind", "last_name": "Vandermeer", "town": "Suzhou", "phone": "+34612345678",
    "email": "rosalind@example.org", "other_language": "Esperanto",
}  # fmt: skip


@pytest.mark.parametrize("locale", LOCALES)
def test_from_the_poster_to_a_closed_lead(house: House, locale: str) -> None:
    rosa = house.chat("Rosa", locale)
    ana, li, max_ = (house.server.person(name) for name in ("Ana", "Li", "Max"))
    with ThreadPoolExecutor() as desk:
        hired = desk.submit(house.hires, ana, li)  # while Rosa talks
        _answers_everything(rosa)
        _checks_and_changes_one(rosa)
    hired.result()
    _asks_to_be_contacted(rosa)
    _is_told_what_happens_next(rosa)
    notice = house.team.sees("K-0001", all=True)
    _tells_staff_enough(notice, rosa)

    max_.presses("Claim", notice)
    house.team.sees("You are not on the staff list.")
    owner = _claim_together(house, notice, ana, li)
    card = house.team.sees(f"K-0001 · {owner.card['first_name']} · claimed")
    assert card.id == notice.id and not card.rows
    _has_the_call_sheet(owner, rosa)
    assert not any(m.says("Vandermeer") for nurse in (ana, li, max_) for m in nurse.chat.messages if nurse != owner)
    claimed = rosa.text("say.claimed", rosa.flow.says["claimed"]).replace("{name}", owner.card["first_name"])
    rosa.person.sees(claimed.replace("{phone}", "+86 510 5555 0147"))
    _picks_a_time(rosa, owner)
    _write_to_each_other(rosa, owner)

    _works_the_lead(owner, rosa)
    house.team.sees("K-0001 · closed · Not interested")
    assert house.team.chat.kept[notice.id].says("closed")
    for call in house.server.calls_of("sendMessage") + house.server.calls_of("editMessageText"):
        if call.params["chat_id"] == house.team.chat.id:
            _fits_a_lock_screen(call.params["text"], rosa)
    (lead,) = json.loads(house.bot.run("leads", "--closed", "--json"))
    assert lead["reference"] == "K-0001" and lead["source"] == "c7kp2" and lead["locale"] == locale
    assert (lead["status"], lead["reason"], lead["attempts"]) == ("closed", "not_interested", 1)
    assert house.server.problems == []


def _answers_everything(rosa: Chat) -> None:
    """Every question fine, one of them not sure, and what a person does in between."""
    elsewhere = next(tag for tag in LOCALES if tag != rosa.locale)
    eight_months_ago = today_of(rosa.flow, datetime.now(UTC)) - relativedelta(months=8)

    rosa.starts("c7kp2").walks_to("diagnosis")
    rosa.taps("why").person.sees(rosa.why("diagnosis"))
    rosa.walks_to("knee_start", how_long="about_half")
    rosa.types(rosa.short_date(eight_months_ago)).confirms().asked("past_week")
    rosa.person.sends_voice()
    rosa.sees("got_media")
    rosa.walks_to("walking_aid")
    rosa.types("/language").person.presses(LANGUAGES.names[elsewhere])
    Chat(rosa.person, rosa.flow, elsewhere).asked("walking_aid")
    rosa.types("/language").person.presses(LANGUAGES.names[rosa.locale])
    rosa.walks_to("check", mri=None)


def _checks_and_changes_one(rosa: Chat) -> None:
    """The check page has every answer; after a change it comes back at once."""
    page = rosa.asked("check")
    assert page.says(rosa.shown("mri", rosa.button("not_sure")))
    assert page.says(rosa.shown("birth", "1964"))
    assert page.says(rosa.shown("past_week", rosa.option("past_week", "some")))
    rosa.taps("change").person.presses(rosa.label("past_week"))
    rosa.answers("past_week", "lot")
    assert rosa.asked().says(rosa.shown("past_week", rosa.option("past_week", "lot")))


def _asks_to_be_contacted(rosa: Chat) -> None:
    """Nothing leaves before the page that names who gets it, and all of it."""
    rosa.answers("check", "right").person.sees(
        rosa.text("outcomes.needs_review", rosa.flow.outcomes["needs_review"])
    )
    rosa.walks_to("phone", **ROSA)
    rosa.person.shares_contact(ROSA["phone"].lstrip("+"))
    rosa.sees("noted")
    rosa.walks_to("send", **ROSA, call_days=("tue", "thu"), call_time="morning")
    page = rosa.asked("send")
    assert page.says(rosa.site("north"))
    for step in ("first_name", "last_name", "town", "email", "other_language"):
        assert page.says(rosa.shown(step, ROSA[step])), page
    assert page.says(rosa.shown("phone", "+34 612 34 56 78")), page
    assert page.says(rosa.shown("call_time", rosa.option("call_time", "morning"))), page
    for day in ("tue", "thu"):
        assert page.says(rosa.option("call_days", day)), page
    rosa.answers("send", "send")


def _is_told_what_happens_next(rosa: Chat) -> None:
    told = rosa.sees("sent")
    assert told.says("K-0001") and told.says(rosa.site("north")) and told.says("+86 510 5555 0147")
    assert told.says(rosa.long_date(_due().date()))
    ready = rosa.text(f"{rosa.flow.trial.slug}.trial", rosa.flow.trial.ready)
    assert told.says(ready) and told.says(rosa.text("say.nothing_changes", rosa.flow.says["nothing_changes"]))
    assert all(told.key(rosa.button(wish)) for wish in ("time", "copy", "withdraw"))
    rosa.answers("other_trials", "no").person.sees(rosa.text("ends", rosa.flow.ends["done"]))


def _tells_staff_enough(notice: Message, rosa: Chat) -> None:
    due_at, language = LANGUAGES.staff("en").moment(_due()), LANGUAGES.names[rosa.locale]
    for wanted in ("WX-3", "to review", "1 to verify", language, "Tue and Thu, mornings", due_at):
        assert notice.says(wanted), f"{wanted!r} is not in {notice}"


def _fits_a_lock_screen(text: str, rosa: Chat) -> None:
    """It names nobody and no illness."""
    health = ["knee", "arthritis", "implant", "body", "MRI", "X-ray", "pain", "stem", "E18"]
    counted = [step for step in rosa.flow.steps if rosa.flow.part_by_id[step.part].counted]
    labels = [rosa.label(step.id) for step in counted]
    for unwanted in [*ROSA.values(), "Rosa", "612", *health, *labels]:
        assert unwanted.casefold() not in text.casefold(), f"{unwanted!r} is in {text}"


def _claim_together(house: House, notice: Message, *nurses: Person) -> Person:
    """All tap Claim at the same moment; one wins, the others are told who."""
    ready = threading.Barrier(len(nurses))

    def claim(nurse: Person) -> None:
        ready.wait()
        nurse.presses("Claim", notice)

    threads = [threading.Thread(target=claim, args=[nurse]) for nurse in nurses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = house.team.sees(" has K-0001.")
    (lead,) = house.records.rows("SELECT staff.name FROM lead JOIN staff ON staff.id = owner_id")
    claims = house.records.rows("SELECT * FROM lead_event WHERE what = 'claimed'")
    assert told.text == f"{lead['name']} has K-0001." and len(claims) == 1
    return next(nurse for nurse in nurses if nurse.card["first_name"] == lead["name"])


def _has_the_call_sheet(owner: Person, rosa: Chat) -> None:
    """In private, not to be passed on: who to call, and what to verify, with the coded answer."""
    sheet = owner.sees("K-0001", all=True)
    assert sheet.protected
    wanted = ["Rosalind", "Vandermeer", "+34 612 34 56 78", "rosalind@example.org", "E18", "mri.not_sure"]
    for text in [*wanted, "North Clinic", "Tue and Thu, mornings", rosa.flow.trial.registry_id]:
        assert sheet.says(text), f"{text!r} is not in {sheet}"


def _picks_a_time(rosa: Chat, owner: Person) -> None:
    """How the request stands, in the same chat, and a time for the call that the owner hears of."""
    status = rosa.types("/status").sees("status_has")
    assert status.says(owner.card["first_name"]) and status.says("K-0001")
    rosa.taps("time").sees("time_offer")
    page = next(message for message in reversed(rosa.news()) if message.rows)
    slot = page.rows[0][0]["text"]
    rosa.person.presses(slot)
    assert rosa.sees("time_yours").says(slot)
    owner.sees("K-0001: the person picked a time for the call: ")


def _write_to_each_other(rosa: Chat, owner: Person) -> None:
    """The bot is silent until it is handed back, and Rosa sees both changes."""
    name = owner.card["first_name"]
    owner.presses("Write to the patient")
    owner.sees("All that you type here goes to them")
    assert rosa.sees("talk_open").says(name)
    owner.says("Good morning, does ten suit you?")
    said = rosa.text("say.talk_line", rosa.flow.says["talk_line"]).replace("{name}", name)
    rosa.person.sees(said.replace("{text}", "Good morning, does ten suit you?"))
    rosa.types("ten is fine")
    owner.sees("K-0001 writes: ten is fine")
    owner.presses("Hand back")
    rosa.sees("talk_over")


def _works_the_lead(owner: Person, rosa: Chat) -> None:
    """Each step is shown on the one sheet."""
    for action, status in (
        ("No answer", "attempt 1 of 3"), ("Reached", "reached"), ("Scheduled", "scheduled"),
    ):  # fmt: skip
        owner.presses(action)
        assert owner.sees(f"K-0001 · {status}").protected
    owner.presses("Close")
    owner.sees("Why do you close K-0001?")
    owner.presses("Not interested")
    closed = owner.sees("K-0001 · closed")
    assert [button["text"] for row in closed.rows for button in row] == ["Undo"]
    rosa.sees("scheduled")


@pytest.mark.parametrize("locale", LOCALES)
def test_a_wait_and_a_reminder(shared: House, locale: str) -> None:
    rosa = shared.chat("Rosa", locale)
    shot = today_of(rosa.flow, datetime.now(UTC)) - timedelta(days=8)
    over = shot + relativedelta(months=3)
    rosa.starts().walks_to("shot_date", half_year=("shot",), shot_kind="gel")
    rosa.types(rosa.short_date(shot))
    assert rosa.sees("readback_sure").says(LANGUAGES.patient(locale).day(shot))
    assert rosa.taps("yes").sees("wait_noted").says(rosa.long_date(over))
    rosa.walks_to("check").answers("check", "right")
    outcome = rosa.text("outcomes.not_now", rosa.flow.outcomes["not_now"])
    rosa.person.sees(outcome.replace("{date}", rosa.long_date(over)))
    rosa.answers("offer_wait", "remind")
    assert rosa.sees("reminder_set").says(rosa.long_date(over))
    shared.bot.settles()
    assert shared.records.conversation(rosa.person)["remind_on"] == over.isoformat()
    assert shared.records.leads(rosa.person) == []
    assert shared.server.problems == []


def _due() -> datetime:
    """When the study team promises to call, for somebody who sends now."""
    site = filed(load().newest("nct06570291"), "north")
    return due(site, datetime.now(UTC)).astimezone(site.zone)
