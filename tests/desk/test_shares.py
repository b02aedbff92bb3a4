"""A shared link: short-lived, behind a passcode, blind to who the person is, and never opened without a trace."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta

import pytest

from bot.desk import shares
from bot.desk.actions import NotThere, Refused
from bot.store import audit, leads
from bot.store import shares as kept
from tests.desk.acting import CONTACT, FLAG, acts, has_lead, looks, member, sends
from tests.shell.conftest import Desk, Somebody

pytestmark = pytest.mark.slow

FRESH = shares.fresh()  # one hash for all tests: it takes long on purpose


def shared(desk: Desk, lead: int, hours: int = 24) -> None:
    cora = member(desk, "Cora", sites=["north"])
    acts(desk, cora, lambda acting: shares.make(acting, lead, hours, FRESH))


def opens(desk: Desk, passcode: str = FRESH.passcode, token: str = FRESH.token) -> shares.Redacted | None:
    door = looks(desk, lambda db: shares.knock(db, token, desk.now))
    fit = shares.fits(door, passcode)
    return looks(desk, lambda db: shares.enter(db, door, fit, desk.now)) if door is not None else None


def told(desk: Desk) -> list[str]:
    return [row["what"] for row in reversed(looks(desk, lambda db: audit.page(db, what="share")))]


def test_secrets_are_long_and_only_their_hashes_are_kept(desk: Desk) -> None:
    shared(desk, has_lead(desk))
    assert len(FRESH.token) >= 22 and len(FRESH.passcode) == 8  # 22 letters of base64 are 132 bits
    stored = json.dumps([list(map(str, row)) for row in desk.rows("SELECT * FROM share")])
    assert FRESH.token not in stored and FRESH.passcode not in stored and "$argon2id$" in stored


def test_a_link_opens_redacted_and_every_opening_is_told(desk: Desk) -> None:
    lead = has_lead(desk, source="c7kp2")
    shared(desk, lead)
    seen = opens(desk, f" {FRESH.passcode[:4].lower()}-{FRESH.passcode[4:]} ")
    assert seen is not None and seen.reference == "K-0001"
    assert seen.points == ({"criterion": "E18", "status": "REVIEW", "until": None, "because": ("mri.fragments",)},)
    text = json.dumps(asdict(seen), default=str)
    for secret in (*map(str, CONTACT.values()), *FLAG["said"], "c7kp2", "501"):
        assert secret not in text
    assert opens(desk) is not None
    assert told(desk) == ["share.made", "share.opened", "share.opened"]
    history = [row["what"] for row in looks(desk, lambda db: leads.history(db, lead))]
    assert history == ["raised", "share_made", "share_opened", "share_opened"]
    row = looks(desk, lambda db: kept.of(db, lead))[0]
    assert (row["opened"], row["tries"], row["name"]) == (2, 0, "Cora")


def test_five_wrong_passcodes_end_a_link_also_for_the_right_one(desk: Desk) -> None:
    shared(desk, has_lead(desk))
    for _ in range(4):
        assert opens(desk, "WRONG") is None
    assert opens(desk) is not None  # a right one forgives
    for _ in range(5):
        assert opens(desk, "WRONG") is None
    assert opens(desk) is None
    assert told(desk)[-2:] == ["share.refused", "share.revoked"]


def test_guesses_made_at_once_are_no_more_than_five(desk: Desk) -> None:
    shared(desk, has_lead(desk))
    doors = [looks(desk, lambda db: shares.knock(db, FRESH.token, desk.now)) for _ in range(8)]
    assert [door is not None for door in doors] == [True] * 5 + [False] * 3


def test_a_link_ends_in_time_when_revoked_and_when_the_person_withdraws(desk: Desk) -> None:
    cora = member(desk, "Cora", sites=["north"])
    lead = has_lead(desk)
    shared(desk, lead, hours=1)
    desk.waits(minutes=59)
    assert opens(desk) is not None
    desk.waits(minutes=1)
    assert opens(desk) is None
    desk.waits(hours=-1)
    number = desk.one("SELECT max(id) FROM share")
    acts(desk, cora, lambda acting: shares.revoke(acting, number))
    assert opens(desk) is None
    assert told(desk)[-1] == "share.revoked"


def test_a_link_dies_with_the_answers(desk: Desk) -> None:
    shared(desk, sends(desk, "501"))
    assert opens(desk) is not None
    Somebody(desk).says("/delete").presses("Yes, delete all")
    assert opens(desk) is None and desk.one("SELECT count(*) FROM share") == 0


def test_a_link_revoked_between_knock_and_answer_stays_shut(desk: Desk) -> None:
    shared(desk, has_lead(desk))
    door = looks(desk, lambda db: shares.knock(db, FRESH.token, desk.now))
    assert door is not None
    acts(desk, member(desk, "Ada", "admin"), lambda acting: shares.revoke(acting, door.share_id))
    assert looks(desk, lambda db: shares.enter(db, door, True, desk.now)) is None


def test_only_who_sees_the_lead_shares_it_or_revokes(desk: Desk) -> None:
    lead = has_lead(desk)
    shared(desk, lead)
    number = desk.one("SELECT max(id) FROM share")
    for other in (member(desk, "Hana", sites=["harbour"]), member(desk, "Sam", "sponsor")):
        for act in (
            lambda acting: shares.make(acting, lead, 1, FRESH),
            lambda acting: shares.revoke(acting, number),
            lambda acting: shares.listed(acting, lead),
        ):
            with pytest.raises(NotThere):
                acts(desk, other, act)
    with pytest.raises(NotThere):
        acts(desk, member(desk, "Ada", "admin"), lambda acting: shares.revoke(acting, 999))


@pytest.mark.parametrize("hours", [-1, 0, 73, 10**9])
def test_a_link_is_good_for_hours_not_for_ever(desk: Desk, hours: int) -> None:
    with pytest.raises(Refused):
        shared(desk, has_lead(desk), hours)


@pytest.mark.parametrize("token", ["", "x", "\x00", "\ud800", "a" * 10_000])
def test_a_link_that_never_was_answers_like_any_other(desk: Desk, token: str) -> None:
    assert opens(desk, token=token) is None


def test_tokens_and_passcodes_differ() -> None:
    assert timedelta(hours=shares.LONGEST) == timedelta(days=3)
    other = shares.fresh()
    assert (other.token, other.passcode) != (FRESH.token, FRESH.passcode)
