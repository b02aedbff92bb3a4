"""Plain text through the shell: it is stored with the conversation, and a new beginning keeps it."""

from __future__ import annotations

from tests.shell.conftest import Desk, Somebody


def test_plain_text_stays_and_outlives_a_new_beginning(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("knee").says("/plain")
    said = "1. Left knee\n2. Right knee\n3. Both knees\n4. Neither\nOr type:\nNot sure\nShow pictures\nWhy do you ask?\n"
    assert said in desk.sent()[-1].text
    rosa.says("3").says("start again")
    assert rosa.step == "language" and "\n\n1. English\n2. Español\n" in desk.sent()[-1].text


def test_each_tick_is_a_message_of_its_own(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("mri").says("/plain").presses("Heart device")
    assert not desk.sent()[-1].again and "Picked so far: Heart device." in desk.sent()[-1].text
    rosa.presses("Narrow spaces")
    assert "Picked so far: Heart device and Narrow spaces." in desk.sent()[-1].text
    rosa.says("done")
    assert rosa.step == "mri_heart_device"
