"""How long hearing takes: every phrase of the corpus in every language, and hostile messages of 4,096 characters.

python -m benchmarks.hearing [--rounds 5]
"""

from __future__ import annotations

import argparse
import random
import time
from collections import defaultdict
from statistics import median, quantiles

from bot.library import load
from flows import hear
from tests.hear.phrases import Listener, phrases

LETTERS = "0123456789 .,-/'ft年月日号左右是的अआइकखगमहनانتبمсортandyesno"
HOSTILE = (
    "no " * 1366, "not sure " * 456, "1 " * 2048, "(" * 4096, "a" * 4096, "٣" * 4096, "क्" * 2048, "年月日" * 1366,
    "14 nov 2 weeks ago or " * 187, "one hundred and " * 256, "pacemkaer " * 410,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    flow = load().newest("nct06570291")
    listener, rng = Listener(flow), random.Random(6570291)
    corpus = [(one.locale, one.at, one.types) for one in phrases()]
    languages = sorted({locale for locale, _, _ in corpus})
    steps = ("mri", "birth", "shot_date", "weight", "diagnosis", "town")
    texts = [*HOSTILE, *("".join(rng.choices(LETTERS, k=4096)) for _ in range(20))]
    hostile = [(locale, at, text) for locale in languages for at in steps for text in texts]
    for locale, at, _ in {(locale, at, "") for locale, at, _ in corpus + hostile}:
        patient = listener.at(locale, at)
        hear(flow, patient.conversation, "hello", patient.words, patient.now)  # what is made of a language once
    print(f"{'what':24} {'messages':>9} {'median ms':>10} {'p99 ms':>8} {'most ms':>8}")
    for name, said in (("the corpus", corpus), ("4,096 hostile characters", hostile)):
        spent: dict[str, list[float]] = defaultdict(list)
        for _ in range(rounds):
            for locale, at, text in said:
                patient = listener.at(locale, at)
                began = time.perf_counter()
                hear(flow, patient.conversation, text, patient.words, patient.now)
                spent[locale].append((time.perf_counter() - began) * 1000)
        everything = [one for times in spent.values() for one in times]
        print(
            f"{name:24} {len(everything):9} {median(everything):10.3f} "
            f"{_p99(everything):8.2f} {max(everything):8.2f}"
        )
        for locale in languages:
            times = spent[locale]
            print(f"  {locale:22} {len(times):9} {median(times):10.3f} {_p99(times):8.2f} {max(times):8.2f}")


def _p99(times: list[float]) -> float:
    return quantiles(times, n=100)[98]


if __name__ == "__main__":
    main()
