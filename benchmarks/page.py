"""What the first load of the web chat weighs, and when its first question can be read, on a slowed line.

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

FIRST = "1.6 Mbit/s, 150 ms"
LINES = {FIRST: (1_600, 150), "400 kbit/s, 150 ms": (400, 150), "400 kbit/s, 400 ms": (400, 400)}
"""Kilobits a second, and milliseconds there and back: Lighthouse's slow 4G, an edge of a cell, slow 3G."""
PAGES = {"/chat": "button[value=en]", "/": "#start", "/?lang=ar": "#start"}
"""What somebody waits to see there. In the chat, it is the first question."""
WEIGHT, SOON = 150_000, 1_000
"""Must: bytes in all, and milliseconds on the first line."""


@dataclass
class Load:
    weight: int
    requests: int
    blocking: int
    painted: float
    """Milliseconds until words are on the screen. The style comes before, so that all of them are."""
    press: float
    """Milliseconds from a press to the next question; 0 where nothing was pressed."""
    later: int
    """Bytes in all until then, with the script."""


def load(browser: Browser, url: str, wanted: str, line: tuple[int, int]) -> Load:
    """One load in a new browser."""
    page = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    wire, (kilobits, latency), sizes = page.context.new_cdp_session(page), line, list[int]()
    rate = kilobits * 1000 // 8
    slow = {"offline": False, "latency": latency, "downloadThroughput": rate, "uploadThroughput": rate}
    wire.send("Network.enable")
    wire.send("Network.emulateNetworkConditions", slow)
    wire.on("Network.loadingFinished", lambda done: sizes.append(int(done["encodedDataLength"])))
    page.goto(url)
    page.locator(wanted).wait_for()
    page.wait_for_timeout(1_000)  # the icon
    painted = float(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
    blocking = page.locator("script:not([defer]):not([async])").count()
    weight, requests, press = sum(sizes), len(sizes), 0.0
    if wanted.startswith("button"):
        page.locator(wanted).click()
        page.locator("#log").wait_for()
        page.wait_for_load_state("load")
        blocking += page.locator("script:not([defer]):not([async])").count()
        begun = time.perf_counter()
        page.locator("#open button", has_text="Yes, for me").click()
        page.locator(".msg", has_text="What year were you born").wait_for()
        press = time.perf_counter() - begun
    page.context.close()
    return Load(weight, requests, blocking, painted, 1000 * press, sum(sizes))


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    fine = True
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        process = Process(Path(folder))
        process.start()
        address = f"http://127.0.0.1:{process.port}"
        browser = playwright.chromium.launch(executable_path=path(), args=ARGUMENTS)
        load(browser, address, "#start", (10_000, 0))  # both wake up
        print("| line | page | KB | requests | blocking scripts | on the screen | at most | a press | KB by then |")
        print("|---|---|---|---|---|---|---|---|---|")
        for name, line in LINES.items():
            for where, wanted in PAGES.items():
                loads = [load(browser, address + where, wanted, line) for _ in range(rounds)]
                weight, later = max(one.weight for one in loads), max(one.later for one in loads)
                blocking, slowest = max(one.blocking for one in loads), max(one.painted for one in loads)
                painted, press = median(one.painted for one in loads), median(one.press for one in loads)
                pressed = f"{press:.0f} ms | {later / 1000:.1f}" if press else "|"
                print(
                    f"| {name} | `{where}` | {weight / 1000:.1f} | {loads[0].requests} | {blocking} "
                    f"| {painted:.0f} ms | {slowest:.0f} ms | {pressed} |"
                )
                fine &= later < WEIGHT and blocking == 0 and (name != FIRST or slowest < SOON)
        browser.close()
        process.stop()
    print(f"\nmust: under 150 KB, no blocking script, under 1,000 ms at {FIRST}:", "met" if fine else "NOT MET")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
