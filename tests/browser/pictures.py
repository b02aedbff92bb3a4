"""Takes a picture of every page and each kind of question, to be looked at, in three languages, colours and widths.

.venv/bin/python -m tests.browser.pictures FOLDER     # one sheet for each language, colours and width
.venv/bin/python -m tests.browser.pictures --update   # the few that the documents show, in docs/pictures
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from bot.library import load
from flows.flow import Flow
from tests.browser.conftest import ARGUMENTS, Site, path
from tests.browser.test_chat_browser import Chat

LOCALES, SCHEMES, WIDTHS = ("en", "zh_Hans", "ar"), ("light", "dark"), (390, 1280)
STEPS = ("consent", "birth", "knee", "mri", "half_year", "shot_kind", "shot_date", "height", "check", "offer_wait",
         "town", "site", "phone", "call_days", "send", "other_trials")  # fmt: skip
ANSWERS: dict[str, Any] = {"half_year": ("shot",), "shot_kind": "gel", "shot_date": timedelta(days=8),
                           "offer_wait": "call"}  # fmt: skip
KEPT = {
    "chat-front": ("en", "light", 390, "front"),
    "chat-list": ("en", "light", 390, "mri"),
    "chat-pictures": ("en", "light", 390, "pictures"),
    "chat-check": ("en", "dark", 390, "check"),
    "chat-zh": ("zh_Hans", "light", 390, "knee"),
    "chat-ar": ("ar", "dark", 390, "height"),
    "chat-wide": ("en", "light", 1280, "knee"),
}
"""What the documents show: language, colours, width, and which picture."""
Took = Callable[[str], None]


def walk(page: Page, site: Site, flow: Flow, locale: str, took: Took) -> None:
    """Every page and kind of question, as somebody meets them; at the end what is rare."""
    rosa = Chat(page, site, flow, locale)
    page.goto(f"{site.url}/?lang={locale}")
    took("front")
    page.locator(".tongues summary").click()
    took("languages")
    page.locator(".tongues summary").click()
    page.locator(".question summary").nth(1).click()
    page.locator(".question summary").nth(1).scroll_into_view_if_needed()
    took("faq")
    page.goto(f"{site.url}/chat?lang={locale}")
    took("first")
    page.locator(f"button[value={locale}]").click()
    page.locator("#log").wait_for()
    for step in STEPS:
        rosa.walks_to(step, **ANSWERS)
        took(step)
        if step == "knee":
            page.locator(".menu summary").click()
            took("menu")
            page.keyboard.press("Escape")
            page.locator(".look summary").click()
            took("look")
            page.keyboard.press("Escape")
        if step == "half_year":
            last = page.get_attribute("#chat", "data-last")
            rosa.button(rosa.line("button_pictures")).click()
            rosa.sees_more_than(last)
            took("pictures")
        if step == "birth":
            last = page.get_attribute("#chat", "data-last")
            rosa.types("1850").sees_more_than(last)
            took("retry")
    rosa.answers()
    took("goodbye")
    page.goto(f"{site.url}/chat/copy")
    took("copy")
    page.goto(f"{site.url}/chat")
    page.locator(".menu summary").click()
    page.locator("form[action^='/chat/carry'] button").click()
    page.locator(".qr").wait_for()
    took("carry")
    page.goto(f"{site.url}/chat/bye?lang={locale}")
    took("bye")
    page.goto(f"{site.url}/nowhere?lang={locale}")
    took("trouble")
    page.goto(f"{site.url}/chat/carry/abc?lang={locale}")
    took("door")


def take(browser: Browser, flow: Flow, folder: Path, locale: str, scheme: Any, width: int) -> dict[str, bytes]:
    """The pictures of one walk, by their names."""
    pictures: dict[str, bytes] = {}
    (folder / f"{locale}-{scheme}-{width}").mkdir()
    site = Site(folder / f"{locale}-{scheme}-{width}")
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, locale=locale.replace("_", "-"),
        reduced_motion="reduce",
    )  # fmt: skip
    page = context.new_page()

    def took(name: str) -> None:
        page.wait_for_load_state("load")
        page.evaluate("() => Promise.all([...document.images].map(it => it.decode()))")
        pictures[name] = page.screenshot(full_page=name in ("front", "copy"))

    try:
        walk(page, site, flow, locale, took)
    finally:
        context.close()
        site.close()
    return pictures


def sheet(browser: Browser, pictures: dict[str, bytes], across: int, width: int) -> bytes:
    """Several pictures on one, with their names."""
    page = browser.new_page(viewport={"width": across * (width + 10), "height": 600})
    drawn = "".join(
        f"<figure><figcaption>{name}</figcaption><img width={width} src='data:image/png;base64,{_text(data)}'></figure>"
        for name, data in pictures.items()
    )
    page.set_content(
        "<style>body{margin:0;display:flex;flex-wrap:wrap;gap:10px;background:#888}figure{margin:0}"
        f"img{{display:block;max-height:{width * 13 // 6}px;object-fit:cover;object-position:top}}</style>{drawn}"
    )
    data = page.screenshot(full_page=True)
    page.close()
    return data


def webp(browser: Browser, png: bytes) -> bytes:
    """The same picture, a fifth as large."""
    page = browser.new_page()
    text = page.evaluate(
        """async (text) => {
          const image = new Image()
          image.src = "data:image/png;base64," + text
          await image.decode()
          const canvas = Object.assign(document.createElement("canvas"), {width: image.width, height: image.height})
          canvas.getContext("2d").drawImage(image, 0, 0)
          return canvas.toDataURL("image/webp", 0.8).split(",")[1]
        }""",
        _text(png),
    )
    page.close()
    return base64.b64decode(text)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def main(words: list[str]) -> int:
    if len(words) != 1:
        print(__doc__)
        return 2
    flow, update = load().newest("nct06570291"), words == ["--update"]
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path(), args=ARGUMENTS)
        for locale in LOCALES:
            for scheme in SCHEMES:
                for width in WIDTHS:
                    wanted = {name: one[3] for name, one in KEPT.items() if one[:3] == (locale, scheme, width)}
                    if update and not wanted:
                        continue
                    pictures = take(browser, flow, Path(folder), locale, scheme, width)
                    for name, which in wanted.items() if update else ():
                        Path("docs/pictures", f"{name}.webp").write_bytes(webp(browser, pictures[which]))
                    named = list(pictures.items())
                    size, across, many = (360, 5, 10) if width == 390 else (720, 3, 9)
                    for at in range(0, 0 if update else len(named), many):
                        made = sheet(browser, dict(named[at : at + many]), across, size)
                        Path(words[0], f"{locale}-{scheme}-{width}-{at // many}.png").write_bytes(made)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
