"""Pictures on their way to the messenger: in the outbox by name, in the transcript as words."""

from __future__ import annotations

from bot.messages import Envelope
from tests.shell.conftest import Desk, Somebody


def test_pictures_go_out_before_the_question_and_are_kept_as_words(desk: Desk, rosa: Somebody) -> None:
    rosa.starts().walks_to("half_year")
    before = len(desk.sent())
    rosa.presses("Show pictures")
    shown = desk.sent()[before:]
    assert [envelope.picture for envelope in shown] == ["nct06570291/keyhole", "nct06570291/shot", ""]
    assert shown[0].rows == () and "keyhole operation" in shown[0].text
    assert any("Knee operation" in label for row in shown[2].rows for label, _ in row)
    assert rosa.step == "half_year"
    said = [row[0] for row in desk.rows("SELECT text FROM message WHERE outgoing ORDER BY id")]
    assert said[-3:-1] == [shown[0].text, shown[1].text]


def test_an_envelope_keeps_its_picture_and_one_without_is_as_before() -> None:
    knees = Envelope("Your own knees.", picture="nct06570291/knee")
    assert Envelope.from_json(knees.to_json()) == knees
    assert "picture" not in Envelope("Which knee?").to_json()
