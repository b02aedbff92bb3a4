"""How long the engine takes for a turn of the real trial, and `import flows`, beside a floor in the same run.

    make bench

Medians over whole dialogues of a fully eligible person and of one with every follow-up, who types each answer
that was not tapped. The floor for a turn is
one trigger of a bare two-state `transitions` machine; the floor for the import is Python starting up.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from transitions import Machine

from bot.library import load
from flows import advance, hear, speak, start
from flows.conversation import Conversation
from flows.flow import Flow
from flows.reply import Confirmed, Gave
from tests.conftest import walk_to
from tests.patient import EXTRA, LANGUAGES, NOW, Patient

DIALOGUES = 200


def turns(flow: Flow, **other: object) -> dict[str, list[float]]:
    """Seconds of each `hear`, `advance` and `speak` over many dialogues. Whatever is tapped is typed as well."""
    patient = Patient(flow)
    walk_to(patient, "check", **other)
    answers, words = patient.conversation.answers, LANGUAGES.patient("en")
    taken: dict[str, list[float]] = {"hear": [], "advance": [], "speak": []}
    for _ in range(DIALOGUES):
        turn = start(flow, "en", NOW)
        while turn.conversation.step != "check":
            step = turn.conversation.step
            assert step is not None
            pending = turn.conversation.pending
            reply = Confirmed(True) if pending else Gave(answers[step].value, answers[step].said, step=step)
            option = flow.step_by_id[step].option(str(answers[step].value))
            typed = "yes" if pending else answers[step].said or (option.label if option else "not sure")
            times = [time.perf_counter()]
            hear(flow, turn.conversation, typed, words, NOW)
            times.append(time.perf_counter())
            turn = advance(flow, turn.conversation, reply, NOW)
            times.append(time.perf_counter())
            speak(flow, turn.conversation, turn.says, words, EXTRA)
            times.append(time.perf_counter())
            for name, began, ended in zip(taken, times, times[1:], strict=False):
                taken[name].append(ended - began)
    return taken


def floor() -> float:
    machine = Machine(model=None, states=["a", "b"], initial="a", auto_transitions=False)
    machine.add_transition("go", "a", "b")
    machine.add_transition("go", "b", "a")

    class Cursor:
        state = "a"

    cursor = Cursor()
    return _median(lambda: machine.events["go"].trigger(cursor), 2000)


def _median(call: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def process(code: str) -> float:
    """Median seconds of a whole Python process that runs ``code``."""
    return _median(lambda: subprocess.run([sys.executable, "-c", code], check=True), 7)


def main() -> None:
    flow = load().newest("nct06570291")
    dates = dict.fromkeys(("operation_date", "shot_date", "infection_end", "study_end"))
    everything = {"half_year": ("operation", "shot", "infection", "study"), "shot_kind": "gel", **dates}
    one = floor()
    bare = process("pass")
    plain, long = turns(flow), turns(flow, **everything)
    state = advance(flow, start(flow, "en", NOW).conversation, Gave("en", step=flow.steps[0].id), NOW).conversation
    stored = _median(lambda: Conversation.from_json(json.loads(json.dumps(state.to_json()))), 2000)
    flows_import = process("import flows")
    for name, taken in (("fully eligible", plain), ("every follow-up", long)):
        for part, seconds in taken.items():
            middle, tail = statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]
            print(f"{part + ',':<8} {name:<16} median {middle * 1e3:.3f} ms, p99 {tail * 1e3:.3f} ms, "
                  f"{middle / one:.1f} x one bare trigger ({one * 1e6:.1f} us)")  # fmt: skip
    print(f"conversation to JSON and back  median {stored * 1e3:.3f} ms")
    print(f"import flows             {flows_import - bare:.3f} s over a bare start ({flows_import / bare:.1f} x)")


if __name__ == "__main__":
    main()
