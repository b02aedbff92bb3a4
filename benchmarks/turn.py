"""How long `advance` takes on the real trial, and how long `import flows`, each beside a floor in the same run.

    make bench

Medians over whole dialogues of a fully eligible person and of one with every follow-up. The floor for a turn is
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
from flows import advance, start
from flows.conversation import Conversation
from flows.flow import Flow
from flows.reply import Confirmed, Gave
from tests.conftest import walk_to
from tests.patient import NOW, Patient

DIALOGUES = 200


def turns(flow: Flow, **other: object) -> list[float]:
    """Seconds of each `advance` over many dialogues, the replies heard beforehand."""
    patient = Patient(flow)
    walk_to(patient, "check", **other)
    answers = patient.conversation.answers
    taken = []
    for _ in range(DIALOGUES):
        turn = start(flow, "en", NOW)
        while turn.conversation.step != "check":
            step = turn.conversation.step
            assert step is not None
            pending = turn.conversation.pending
            reply = Confirmed(True) if pending else Gave(answers[step].value, answers[step].said, step=step)
            began = time.perf_counter()
            turn = advance(flow, turn.conversation, reply, NOW)
            taken.append(time.perf_counter() - began)
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
    for name, seconds in (("fully eligible", plain), ("every follow-up", long)):
        middle, tail = statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]
        print(f"advance, {name:<16} median {middle * 1e3:.3f} ms, p99 {tail * 1e3:.3f} ms, "
              f"{middle / one:.0f} x one bare trigger ({one * 1e6:.1f} us)")  # fmt: skip
    print(f"conversation to JSON and back  median {stored * 1e3:.3f} ms")
    print(f"import flows             {flows_import - bare:.3f} s over a bare start ({flows_import / bare:.1f} x)")


if __name__ == "__main__":
    main()
