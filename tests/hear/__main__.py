"""Prints, per language and kind, how much is understood; ``--all`` also names what is not."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict

from bot.library import load
from tests.hear.phrases import Listener, phrases, verdict


def main() -> int:
    flow = load().newest("nct06570291")
    listener = Listener(flow)
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for phrase in phrases():
        heard = listener.hears(phrase)
        found = verdict(phrase, heard)
        for kind in (flow.step_by_id[phrase.at].kind, "all"):  # type: ignore[index]
            counts[phrase.locale, kind][found] += 1
        if "--all" in sys.argv and found != "right":
            print(f"{found:7} {phrase.locale} {phrase.at}: {phrase.types!r} means {phrase.means}, heard {heard}")
    print(f"{'language':10} {'kind':10} {'phrases':>8} {'right':>6} {'asked back':>11} {'off':>4} {'wrong':>6}")
    for (locale, kind), count in sorted(counts.items()):
        print(
            f"{locale:10} {kind:10} {count.total():8} {count['right']:6} {count['honest']:11} "
            f"{count['off']:4} {count['wrong']:6}"
        )
    return 1 if any(count["wrong"] for count in counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
