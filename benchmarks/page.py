"""What the first load of the web chat weighs, and when its first question can be read, on lines that a browser slows.

    .venv/bin/python -m benchmarks.page           # five loads of each, by a Chromium that has nothing cached

The real process serves; Chromium's own throttling (Network.emulateNetworkConditions) makes the line.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import ARGUMENTS, path
from tests.journeys.test_web_process import Process

LINES = {"1.6 Mbit/s, 150 ms": (1_600, 150), "400 kbit/s, 150 ms": (400, 150), "400 kbit/s, 400 ms": (400, 400)}
"""Kilobits a second, and milliseconds there and back: Lighthouse's slow 4G, an edge of a cell, slow 3G."""
PAGES = {"/chat": "button[value=en]", "/": "#start", "/?lang=ar": "#start"}
"""What somebody waits to see there. In the chat, it is the first question."""
WEIGHT, SOON = 150_000, 1_000
"""Must: bytes in all, and milliseconds on the first line."""


@dataclass
class Load:
    bytes: int
    requests: int
    blocking: int
    painted: float
    seen: float
    next: float
    """Milliseconds from a press to the next question; 0 where nothing was pressed."""


def load(browser: Browser, url: str, wanted: str, line: tuple[int, int]) -> Load:
    """One load in a new browser."""
    page = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    wire, (kilobits, latency), sizes = page.context.new_cdp_session(page), line, list[int]()
    wire.send("Network.enable")
    rate = kilobits * 1000 // 8
    slow = {"offline": False, "latency": latency, "downloadThroughput": rate, "uploadThroughput": rate}
    wire.send("Network.emulateNetworkConditions", slow)
    wire.on("Network.loadingFinished", lambda done: sizes.append(int(done["encodedDataLength"])))
    begun = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.locator(wanted).wait_for()
    seen = time.perf_counter() - begun
    page.wait_for_load_state("load")
    page.wait_for_timeout(300)  # the icon
    script = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    painted = float(page.evaluate(script))
    blocking = page.locator("script:not([defer]):not([async])").count()
    bytes_, requests, begun = sum(sizes), len(sizes), time.perf_counter()
    following = 0.0
    if wanted.startswith("button"):
        page.locator(wanted).click(no_wait_after=True)
        page.locator("#log").wait_for()
        page.locator("#open button").first.click(no_wait_after=True)
        begun = time.perf_counter()
        page.locator("#text[type=text]").wait_for()
        page.locator(".msg", has_text="What year").wait_for()
        following = time.perf_counter() - begun
    page.context.close()
    return Load(bytes_, requests, blocking, painted, 1000 * seen, 1000 * following)


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    fine = True
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        process = Process(Path(folder))
        process.start()
        browser = playwright.chromium.launch(executable_path=path(), args=ARGUMENTS)
        load(
            browser, f"http://127.0.0.1:{process.port}/", "#start", (10_000, 0)
        )  # the process and Chromium wake up
        print("| line | page | KB | requests | blocking scripts | painted ms | seen ms | slowest ms | a press ms |")
        print("|---|---|---|---|---|---|---|---|---|")
        for name, line in LINES.items():
            for where, wanted in PAGES.items():
                url = f"http://127.0.0.1:{process.port}{where}"
                loads = [load(browser, url, wanted, line) for _ in range(rounds)]
                heavy, slow = max(one.bytes for one in loads), max(one.seen for one in loads)
                blocking = max(one.blocking for one in loads)
                painted, seen, following = (
                    median(getattr(one, what) for one in loads) for what in ("painted", "seen", "next")
                )
                pressed = f"{following:.0f}" if following else ""
                print(
                    f"| {name} | `{where}` | {heavy / 1000:.1f} | {loads[0].requests} | {blocking} "
                    f"| {painted:.0f} | {seen:.0f} | {slow:.0f} | {pressed} |"
                )
                fine &= heavy < WEIGHT and blocking == 0 and (line != LINES["1.6 Mbit/s, 150 ms"] or seen < SOON)
        browser.close()
        process.stop()
    print(
        "\nmust: under 150 KB, no blocking script, under 1,000 ms on the first line:", "met" if fine else "NOT MET"
    )
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
