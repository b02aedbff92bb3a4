"""What happens between two questions: back, change, why, a list, a read-back, a rough date, a safety word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.words import Languages
from flows import hear, speak
from flows.conversation import Conversation
from flows.flow import CHECK, Flow
from flows.reply import Asked, Elapsed, Garbled, Gave, Signalled
from flows.screening import Verdict
from flows.turn import Cleared, Deleted, Ended, LeadRaised, Menu, ReminderWished, SafetyShown, Screened
from tests.conftest import walk_to
from tests.patient import LANGUAGES, NOW, Patient

At = Callable[..., Patient]


def test_language_then_consent_then_the_first_question(flow: Flow) -> None:
    patient = Patient(flow).sees("automated helper", "Which language").presses("English")
    patient.sees("not a doctor", "for 30 days", "not for emergencies", "you say yes a second time")
    patient.presses("Yes, for me").sees("What year were you born?", "Part 1 of 4", "About 17 left")


@pytest.mark.parametrize(
    ("locale", "one", "many"), [("en", "1 day", "30 days"), ("es", "1 día", "30 días"), ("zh_Hans", "1天", "30天")]
)
def test_days_are_counted_as_the_language_counts(flow: Flow, locale: str, one: str, many: str) -> None:
    patient = Patient(flow, locale).answers(locale)
    for days, wanted in (("1", one), ("30", many)):
        (speech,) = speak(flow, patient.conversation, [Menu("stopped")], patient.words, {"days": days})
        assert wanted in speech.text and ("day" not in wanted or wanted + "." in speech.text)


def test_no_consent_ends_it_and_asks_nothing(flow: Flow) -> None:
    patient = Patient(flow).presses("English").presses("No").sees("I have kept nothing")
    assert patient.conversation.life == "declined"
    assert [event.end for event in patient.happened(Ended)] == ["declined"]  # type: ignore[attr-defined]


def test_back_asks_the_question_before_again(at: At) -> None:
    patient = at("diagnosis").presses("Back").is_at("knee")
    assert [event.step for event in patient.happened(Cleared)] == ["knee"]  # type: ignore[attr-defined]
    patient.presses("Right knee").is_at("diagnosis").sees("the right knee")


def test_back_at_the_very_start_says_so(flow: Flow) -> None:
    Patient(flow).replies(Asked("back")).sees("first question").is_at("language")


def test_why_answers_and_asks_again(at: At) -> None:
    at("knee").presses("Why do you ask?").sees("for people with a sore knee", "Which knee").is_at("knee")


@pytest.mark.parametrize(
    "typed", ["pictures", "Show pictures", "can you show me a picture", "What does it look like?"]
)
def test_pictures_can_be_asked_for_in_words(at: At, typed: str) -> None:
    patient = at("knee").says(typed).sees("L is the left knee. R is the right knee.", "Which knee").is_at("knee")
    patient.presses("Left knee").is_at("diagnosis")


def test_a_question_without_pictures_says_so(at: At) -> None:
    at("diagnosis").says("pictures").sees("There is no picture for this question.", "arthritis from wear")
    at("diagnosis").sees_not("Show pictures")


def test_ticks_and_what_waits_for_a_yes_stay_while_pictures_are_looked_at(at: At) -> None:
    patient = at("half_year").presses("Shot in a knee").presses("Show pictures")
    assert [speech.picture for speech in patient.speeches][:-1] == ["nct06570291/keyhole", "nct06570291/shot"]
    assert patient.conversation.draft == ("shot",)
    patient.presses("Done").is_at("shot_kind")
    patient = at("knee").replies(Gave("left", "lefft", sure=False, step="knee")).sees("Is that right?")  # type: ignore[arg-type]
    patient.says("pictures").sees("L is the left knee.", "Is that right?").presses("Yes").is_at("diagnosis")


def test_pictures_after_the_end_are_the_help(at: At) -> None:
    at("knee").presses("Help").presses("Stop").presses("Stop for now").says("pictures").sees("what you can do")


def test_a_list_is_ticked_then_sent(at: At) -> None:
    patient = at("half_year").presses("Knee operation").presses("Shot in a knee").presses("Knee operation")
    assert patient.conversation.draft == ("shot",)
    assert any(button.label.startswith("☑") for button in patient.buttons)
    patient.presses("Done").is_at("shot_kind")


def test_a_list_is_typed_in_one_message(at: At) -> None:
    at("half_year").says("1 and 2").is_at("operation_date")
    at("half_year").says("knee operation, another study").is_at("operation_date")
    at("half_year").says("None of these").is_at("two_months")
    at("half_year").says("1, 9").is_at("half_year").sees("I did not catch that")


def test_follow_ups_are_asked_for_each_pick_and_no_other(at: At) -> None:
    patient = at("half_year").says("1, 4").says("8 months ago").presses("Yes").is_at("study_end")
    patient.presses("I am still in it").is_at("two_months").sees("For now that means a wait")


def test_a_rough_date_that_leaves_it_open_is_asked_once_for_the_day(at: At) -> None:
    patient = at("half_year").says("2").presses("Gel or lubricant").says("August")
    patient.presses("Yes").sees("Do you know the day?").is_at("shot_date").presses("Not sure").is_at("two_months")
    patient = at("half_year").says("2").presses("Gel or lubricant").says("August").presses("Yes").says("the 3rd")
    assert patient.is_at("two_months").conversation.answers["shot_date"].value.first.day == 3  # type: ignore


def test_a_birth_year_at_the_edge_asks_for_month_then_day(at: At) -> None:
    patient = at("birth").says("1986").sees("Which month").presses("November").sees("Do you know the day")
    patient.says("22").is_at("knee")
    at("birth").says("1986").presses("March").is_at("knee")
    at("birth").says("1986").presses("Not sure").is_at("knee")
    at("birth").says("1975").is_at("knee")


def test_an_inferred_year_is_read_back(at: At) -> None:
    patient = (
        at("half_year").says("2").presses("Gel or lubricant").says("14 nov").sees("14 November 2026", "right?")
    )
    patient.presses("No, change it").is_at("shot_date").says("15 nov").says("yes")
    patient.sees("Monday, 15 February 2027").is_at("two_months")


def test_a_day_still_to_come_is_asked_about(at: At) -> None:
    patient = at("half_year").says("2").presses("Gel or lubricant").says("3 March 2027").sees("only planned?")
    assert patient.says("yes").is_at("two_months").conversation.answers["shot_date"].value == "planned"  # type: ignore
    patient = at("half_year").says("4").says("3 March 2027").sees("still to come").is_at("study_end")


def test_a_bare_weight_gets_a_unit_in_chinese(flow: Flow) -> None:
    patient = walk_to(Patient(flow, "zh_Hans"), "weight", language="zh_Hans").says("140").is_at("weight")
    unit = LANGUAGES.patient("zh_Hans").text("say.unit_jin", "{number} jin").replace("{number}", "140")
    patient.presses(unit).is_at("xray")
    assert str(patient.conversation.answers["weight"].value) in ("70", "70.0")  # type: ignore[index]


def test_a_measure_that_makes_no_sense_is_left_open_in_the_end(at: At) -> None:
    patient = at("height").says("a lot").is_at("height").says("tall").is_at("height").says("very tall")
    patient.is_at("weight").sees("We leave this open")
    assert patient.conversation.answers["height"].value is None  # type: ignore[index]


@pytest.mark.parametrize("step", ["knee", "birth", "diagnosis", "mri"])
def test_the_same_error_never_comes_twice_running(at: At, step: str) -> None:
    patient, last = at(step), ""
    for _ in range(8):
        line = patient.garbles().is_at(step).speeches[0].text
        assert line != last
        last = line


def test_change_on_the_check_page_repeats_no_other_question(at: At) -> None:
    patient = at(CHECK).presses("Change an answer").presses("Walking aid").is_at("walking_aid")
    patient.presses("Now and then").is_at(CHECK).sees("Walking aid: Now and then")
    assert patient.conversation.changed == ("walking_aid",)


def test_a_change_asks_what_is_newly_needed_and_names_what_no_longer_counts(at: At) -> None:
    patient = at(CHECK, half_year=("shot",), shot_kind="gel", shot_date=None)
    patient.presses("Change an answer").presses("Last 6 months").presses("None of these").is_at(CHECK)
    patient.sees("This no longer counts: Kind of shot and Knee shot")
    patient.presses("Change an answer").presses("Last 6 months").says("1").is_at("operation_date")


def test_a_permanent_reason_stops_the_questions_and_can_be_mended(at: At) -> None:
    patient = at("walking_aid").presses("Most days").is_at(CHECK).sees("Walking aid: Most days")
    patient.presses("All correct, go on").sees("not a good fit", "nothing about your care").is_at("other_trials")
    assert patient.verdict.outcome == "ruled_out"
    patient.presses("Why is that?").sees("the answer about walking aids").sees_not("crutches")
    patient.replies(Asked("change", "walking_aid")).presses("No").is_at("mri")


def test_a_wait_is_told_at_once_and_the_questions_go_on(at: At) -> None:
    patient = at("half_year").says("2").presses("Gel or lubricant").says("2026-11-14").is_at("two_months")
    patient.sees("Sunday, 14 February 2027", "at the earliest")
    walk_to(patient, CHECK).presses("All correct, go on").sees("14 February 2027", "Keep the treatment")
    patient.presses("Remind me").sees("I will write once")
    verdict: Verdict = patient.happened(ReminderWished)[0].verdict  # type: ignore[attr-defined]
    assert str(verdict.eligible_from) == "2027-02-14"
    assert not patient.happened(LeadRaised)


def test_the_reminder_asks_only_what_time_can_change(at: At) -> None:
    patient = at(CHECK, half_year=("shot",), shot_kind="gel", shot_date=None)
    patient.presses("All correct, go on").presses("Yes, contact me")
    patient = at("half_year").says("2").presses("Gel or lubricant").says("2026-11-14")
    walk_to(patient, CHECK).presses("All correct, go on").presses("Remind me").presses("No, thank you")
    patient.waits(days=85).replies(Elapsed("reminder")).sees("the reminder you asked for").sees_not("knee")
    patient.presses("Yes, ask me").is_at("how_long").presses("Over a year ago").is_at("half_year")
    patient.presses("None of these").presses("None of these").is_at(CHECK).presses("All correct, go on")
    assert patient.verdict.outcome == "possible_match"


def test_a_lead_needs_a_second_yes(at: At) -> None:
    patient = at(CHECK).presses("All correct, go on").sees("This is not a yes").presses("Yes, contact me")
    patient.is_at("town").says("Suzhou").is_at("site").presses("Wuxi").says("Rosa").says("Example")
    patient.is_at("phone").says("+34 612 34 56 78").sees("+34 612 34 56 78").says("rosa@example.org")
    patient.presses("No other language").presses("Any day").presses("Mornings").is_at("send")
    patient.sees("North Clinic (example)", "First name: Rosa", "Phone: +34 612 34 56 78")
    assert not patient.happened(LeadRaised)
    patient.presses("Send").sees("K-0001", "Monday, 23 November 2026")
    (raised,) = patient.happened(LeadRaised)
    assert raised.site == "north"  # type: ignore[attr-defined]
    patient.presses("No, thank you").sees("We wish you well").is_at(None)
    assert patient.conversation.life == "done"


def test_not_sending_raises_no_lead(at: At) -> None:
    patient = at(CHECK).presses("All correct, go on").presses("Yes, contact me").says("Suzhou").presses("Wuxi")
    patient.says("Rosa").says("Example").presses("Write to me here").presses("I have no email")
    patient.presses("No other language").presses("Any day").presses("Any time").presses("Do not send")
    assert not patient.happened(LeadRaised)


def test_a_person_can_be_asked_for_before_the_end(at: At) -> None:
    patient = (
        at("mri")
        .presses("A person, please")
        .sees("Monday-Friday", "time in Wuxi", "+86 510")
        .presses("Yes, contact me")
    )
    patient.is_at("town").says("Qingdao").presses("Qingdao").says("Rosa").says("Example")
    patient.presses("Write to me here").presses("I have no email").presses("No other language")
    patient.presses("Any day").presses("Any time").is_at("send_person").sees("Your health answers stay here")
    patient.presses("Send").is_at("mri").sees("K-0001", "Do you have any of these")
    (raised,) = patient.happened(LeadRaised)
    assert raised.verdict is None  # type: ignore[attr-defined]


def test_the_language_can_change_at_any_step(at: At) -> None:
    patient = at("walking_aid").replies(Asked("language", "es")).is_at("walking_aid")
    spanish = Languages().patient("es")
    patient.sees(spanish.text("nct06570291.walking_aid", flow_text(patient, "walking_aid")))
    patient.says("english").is_at("walking_aid").sees("Do you use anything to help you walk?")


def flow_text(patient: Patient, step: str) -> str:
    return next(s.text for s in patient.flow.steps if s.id == step)


@pytest.mark.parametrize("step", ["language", "consent", "birth", "mri", "weight", "private", CHECK])
def test_stop_and_delete_work_everywhere(at: At, step: str) -> None:
    patient = at(step).says("stop").sees("Would you like to stop?").presses("Stop for now")
    assert patient.conversation.life == "stopped"
    patient.says("hello").sees("Welcome back").presses("Go on").is_at(step)
    patient.says("delete").sees("cannot be undone").presses("Yes, delete all")
    assert patient.conversation.life == "deleted" and patient.happened(Deleted)


def test_start_in_the_middle_offers_three_ways(at: At) -> None:
    patient = at("mri").replies(Asked("start")).sees("Welcome back").presses("Go on").is_at("mri")
    patient.replies(Asked("start")).presses("Start again")
    assert patient.happened(Ended)[-1].end == "restarted"  # type: ignore[attr-defined]


def test_stopping_at_the_private_card_can_be_taken_back(at: At) -> None:
    patient = at("private").presses("I want to stop here").sees("nothing has been sent")
    assert patient.conversation.life == "stopped" and not patient.happened(Screened)
    patient.says("hello").presses("Go on").is_at("private")


def test_an_old_button_asks_before_it_changes_anything(at: At) -> None:
    patient = (
        at("mri").replies(Gave("right", step="knee")).sees("Left knee", "change it to: Right knee").is_at("mri")
    )  # type: ignore[arg-type]
    patient.presses("No").is_at("mri")
    assert patient.conversation.answers["knee"].value == "left"  # type: ignore[index]
    patient.replies(Gave("right", step="knee")).presses("Yes").is_at("mri")  # type: ignore[arg-type]
    assert patient.conversation.answers["knee"].value == "right"  # type: ignore[index]
    patient.replies(Gave("right", step="knee")).sees("I have that answer already").is_at("mri")  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", ["media", "edited", "stale"])
def test_what_is_no_answer_changes_nothing(at: At, reason: str) -> None:
    patient = at("mri")
    before = patient.conversation
    patient.replies(Garbled(reason)).is_at("mri")  # type: ignore[arg-type]
    assert replace(patient.conversation, echo="") == before
    first = patient.speeches[0].text
    assert patient.replies(Garbled(reason)).speeches[0].text != first  # type: ignore[arg-type]


SAID = {
    "en": {
        "hot_knee": "my knee is hot and swollen and I have a fever",
        "emergency": "I have chest pain since this morning",
        "calf": "my calf is swollen and warm",
        "despair": "I do not want to live any more",
    },
    "es": {
        "hot_knee": "Tengo la rodilla caliente y tengo fiebre",
        "emergency": "me duele el pecho mucho",
        "calf": "tengo la pantorrilla hinchada",
        "despair": "no quiero vivir más",
    },
    "zh_Hans": {
        "hot_knee": "我的膝盖又红又肿，还发烧",
        "emergency": "我胸口痛，喘不上气",
        "calf": "我小腿肿了很痛",
        "despair": "我不想活了",
    },
}


@pytest.mark.parametrize("locale", SAID)
@pytest.mark.parametrize("sign", ["hot_knee", "emergency", "calf", "despair"])
@pytest.mark.parametrize("step", ["consent", "birth", "mri", "weight", CHECK])
def test_safety_comes_first_at_any_step(at: At, locale: str, sign: str, step: str) -> None:
    patient = at(step, locale=locale)
    before = patient.conversation
    patient.says(SAID[locale][sign])
    text = LANGUAGES.patient(locale).text(f"safety.{sign}", patient.flow.safety_by_id[sign].text)
    assert patient.speeches[0].text.startswith(text.split("{")[0].strip())
    assert patient.conversation == before
    assert [event.sign for event in patient.happened(SafetyShown)] == [sign]  # type: ignore[attr-defined]
    patient.replies(Asked("resume")).is_at(step)


@pytest.mark.parametrize("locale", SAID)
def test_no_step_is_deaf_to_danger(flow: Flow, locale: str) -> None:
    words = LANGUAGES.patient(locale)
    for step in flow.steps:
        conversation = Conversation(flow.name, locale, step=step.id)
        for sign, text in SAID[locale].items():
            assert hear(flow, conversation, text, words, NOW) == Signalled(sign), step.id


def test_a_pick_can_call_for_a_safety_message(at: At) -> None:
    patient = at("half_year").says("3").presses("It is not over yet")
    assert patient.speeches[0].text.startswith("A hot, swollen knee")
    patient.is_at("two_months")


def test_i_feel_unwell_has_a_button(at: At) -> None:
    at("mri").presses("Help").presses("I feel unwell").presses("Swollen, sore calf").sees("see a doctor today")


@pytest.mark.parametrize("text", ["I had hepatitis B", "estoy con depresión", "我有乙肝"])
def test_private_words_are_not_kept(at: At, text: str) -> None:
    locale = {"e": "es", "我": "zh_Hans"}.get(text[0], "en")
    patient = at("mri", locale=locale)
    before = patient.conversation
    told = LANGUAGES.patient(locale).text("say.got_private", patient.flow.says["got_private"])
    patient.says(text).sees(told).is_at("mri")
    assert patient.conversation == before


@pytest.mark.parametrize(
    "faq", ["What is a trial?", "Why take part?", "How long is it?", "Do I get paid?", "How safe is it?"]
)
def test_the_five_questions_are_answered_in_any_state(at: At, faq: str) -> None:
    at("mri").says("faq").presses(faq).presses("Go on").is_at("mri")


def test_a_helper_is_asked_about_the_other_person(at: At) -> None:
    patient = at("mri", consent="helper").sees("For the person you help:")
    walk_to(patient, CHECK).sees_not("For the person you help:").presses("All correct, go on")
    patient.sees("For the person you help: Would they like").presses("Yes, contact me")
    patient.sees("For the person you help: In which town do they live?").says("Wuxi").presses("Wuxi")
    patient.sees("What is their first name?").says("Rosa").says("Example")
    patient.sees("What number should the study team call? Yours is fine too.")


def test_sites_are_offered_nearest_first(at: At) -> None:
    patient = at(CHECK).presses("All correct, go on").presses("Yes, contact me").says("青岛")
    assert [button.label for button in patient.buttons][:3] == ["Qingdao", "Wuxi", "None of these"]
    patient = at(CHECK).presses("All correct, go on").presses("Yes, contact me").says("214000")
    assert patient.buttons[0].label == "Wuxi"


def test_changing_an_answer_after_the_send_raises_the_lead_again(at: At) -> None:
    patient = at(CHECK).presses("All correct, go on").presses("Yes, contact me").says("Suzhou").presses("Wuxi")
    patient.says("Rosa").says("Example").presses("Write to me here").presses("I have no email")
    patient.presses("No other language").presses("Any day").presses("Any time").presses("Send")
    patient.presses("No, thank you").presses("Change an answer").presses("Visits").presses("No").is_at(CHECK)
    patient.presses("All correct, go on").is_at("send").presses("Send")
    raised = patient.happened(LeadRaised)
    assert [event.verdict.outcome for event in raised] == ["possible_match", "needs_review"]  # type: ignore[attr-defined]
