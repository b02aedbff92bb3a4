"""``prescreen qr``: links that a camera reads as they are printed, and odd wishes refused kindly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.commands.conftest import Prescreen

WEB = {"PUBLIC_URL": "https://study.example.org"}
TELEGRAM = {"TELEGRAM_NAME": "@example_bot"}


def test_a_poster_leads_to_the_page_with_its_source(prescreen: Prescreen, tmp_path: Path) -> None:
    ran = prescreen("qr", "c7kp2", "--site", "north", "--out", "poster.svg", **WEB)
    assert (ran.code, ran.err) == (0, "")
    assert "https://study.example.org/?s=c7kp2-north" in ran.out
    drawn = (tmp_path / "poster.svg").read_text(encoding="utf-8")
    assert drawn.startswith("<?xml") and "<title>c7kp2-north</title>" in drawn


def test_another_one_leads_into_telegram(prescreen: Prescreen) -> None:
    ran = prescreen("qr", "c7kp2", "--telegram", **TELEGRAM)
    assert "https://t.me/example_bot?start=c7kp2" in ran.out


def test_a_new_code_is_made_where_none_is_given(prescreen: Prescreen) -> None:
    codes = {re.findall(r"source (\w{5})\n", prescreen("qr", **WEB).out)[0] for _ in range(5)}
    assert len(codes) == 5 and not re.search("[01ilo]", "".join(codes))


@pytest.mark.parametrize(
    ("words", "settings", "told"),
    [
        (("c7 kp2",), WEB, "1 to 40 letters"),
        (("c7kp2", "--site", "moon"), WEB, "Known: north, harbour"),
        (("c7kp2",), {}, "PUBLIC_URL is missing"),
        (("c7kp2", "--telegram"), {}, "TELEGRAM_NAME is missing"),
    ],
)
def test_what_cannot_be_is_said(
    prescreen: Prescreen, words: tuple[str, ...], settings: dict[str, str], told: str
) -> None:
    ran = prescreen("qr", *words, **settings)
    assert ran.code == 2 and told in ran.err


def test_a_folder_that_is_not_there(prescreen: Prescreen) -> None:
    ran = prescreen("qr", "c7kp2", "--out", "nowhere/poster.svg", **WEB)
    assert ran.code == 1 and "cannot be written" in ran.err
