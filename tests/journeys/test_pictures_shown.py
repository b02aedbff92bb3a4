"""Show pictures, with the real bot process and a Bot API server: photos with their words, then the question."""

from __future__ import annotations

import pytest

from bot import pictures
from tests.journeys.conftest import House
from tests.patient import LANGUAGES

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("locale", LANGUAGES.names)
def test_pictures_come_as_photos_and_the_question_again(house: House, locale: str) -> None:
    rosa = house.chat("Rosa", locale).starts().walks_to("half_year")
    house.quiet()
    rosa.taps("pictures")
    rosa.asked("half_year")
    keyhole, shot, question = rosa.person.chat.messages[-3:]
    sent = house.server.calls_of("sendPhoto")
    for name, message, call in zip(("keyhole", "shot"), (keyhole, shot), sent, strict=True):
        words = rosa.text(f"nct06570291.picture.{name}", house.flow.pictures[name])
        assert message.text == call.params["caption"] == words
        assert call.params["photo"].content == pictures.png(f"nct06570291/{name}")
    assert question.buttons and house.server.problems == []
    house.server.fail("sendPhoto", times=2, code=400)
    rosa.taps("pictures")
    rosa.asked("half_year")
    assert [m.text for m in rosa.person.chat.messages[-3:-1]] == [keyhole.text, shot.text]
