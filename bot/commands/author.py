"""check, coverage, walk, screen, draw and steps: for the people who write trials."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from bot import catalogues, reading
from bot.library import Library, files, load, survey
from flows.author import coverage, draw, walk
from flows.author.people import BadAnswers, screen_person
from flows.engine import today_of
from flows.flow import Flow

PROBLEM, USAGE = 1, 2


def add_to(verbs: Any) -> None:
    check = verbs.add_parser("check", help="every problem in the trial files and catalogues at once")
    check.add_argument("folder", nargs="?", type=Path, help="a folder of trials (default: the built-in one)")
    _common(check, _check, trial=False)
    _common(verbs.add_parser("coverage", help="how each criterion is handled"), _coverage)
    walking = _common(verbs.add_parser("walk", help="every distinct path: outcomes, lengths, taps"), _walk)
    walking.add_argument("--on", type=_day, help="the day of the walk, like 2026-11-22 (default: today)")
    screen = _common(verbs.add_parser("screen", help="a file of answers to outcomes and reasons"), _screen)
    screen.add_argument("file", help="JSON: one person, or a list; - for standard input")
    drawing = _common(verbs.add_parser("draw", help="the flow as a Mermaid diagram"), _draw, json=False)
    drawing.add_argument("--part", help="one part only")
    _common(verbs.add_parser("steps", help="every step with its kind, options and criteria"), _steps)


def _common(parser: Any, run: Any, *, trial: bool = True, json: bool = True) -> Any:
    if trial:
        parser.add_argument("--trial", default="nct06570291", help="default: nct06570291")
    if json:
        parser.add_argument("--json", action="store_true", help="for a machine")
    parser.set_defaults(run=run)
    return parser


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day like 2026-11-22") from None


def _flow(options: argparse.Namespace) -> Flow | None:
    library: Library = load()
    if options.trial not in library.slugs:
        print(f"There is no trial {options.trial}. Known: {', '.join(library.slugs)}.", file=sys.stderr)
        return None
    return library.newest(options.trial)


def _check(options: argparse.Namespace) -> int:
    flows, problems = survey(options.folder) if options.folder else survey()
    if options.folder is None and len(flows) == len(files()):  # or else every word of the rest seems stale
        problems += [*catalogues.check(flows.values()), *reading.check(flows.values())]
    if options.json:
        print(json.dumps([_problem(p) for p in problems], ensure_ascii=False, indent=2))
    else:
        for problem in problems:
            print(problem)
        print(_counted(len(problems)))
    return PROBLEM if problems else 0


def _counted(problems: int) -> str:
    return "Nothing is wrong." if not problems else f"{problems} problem{'s' * (problems > 1)}."


def _problem(problem: Any) -> dict[str, str]:
    return {"file": problem.file, "place": problem.place, "what": problem.what, "remedy": problem.remedy}


def _coverage(options: argparse.Namespace) -> int:
    flow = _flow(options)
    if flow is None:
        return USAGE
    rows = coverage.coverage(flow)
    if options.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        print(coverage.as_text(flow, rows))
    return 0


def _walk(options: argparse.Namespace) -> int:
    flow = _flow(options)
    if flow is None:
        return USAGE
    try:
        report = walk.walk(flow, options.on or today_of(flow, datetime.now(UTC)))
    except ValueError as error:  # a probe that was still to come on that day
        print(f"On that day it cannot be walked: {error}.", file=sys.stderr)
        return USAGE
    print(json.dumps(report, ensure_ascii=False, indent=2) if options.json else walk.as_text(report))
    return PROBLEM if report["never_reached"] else 0


def _screen(options: argparse.Namespace) -> int:
    flow = _flow(options)
    if flow is None:
        return USAGE
    try:
        text = sys.stdin.read() if options.file == "-" else Path(options.file).read_text(encoding="utf-8")
        people = json.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        print(f"The file of answers cannot be read: {type(error).__name__}.", file=sys.stderr)
        return USAGE
    results, bad = [], False
    for number, person in enumerate(people if isinstance(people, list) else [people], 1):
        try:
            results.append(screen_person(flow, person))
        except BadAnswers as error:
            name = person.get("id") if isinstance(person, dict) else None
            results.append({"id": name, "person": number, "problems": error.problems})
            bad = True
    print(json.dumps(results if isinstance(people, list) else results[0], ensure_ascii=False, indent=2))
    return PROBLEM if bad else 0


def _draw(options: argparse.Namespace) -> int:
    flow = _flow(options)
    if flow is None:
        return USAGE
    if options.part and options.part not in flow.part_by_id:
        print(f"There is no part {options.part}. Known: {', '.join(flow.part_by_id)}.", file=sys.stderr)
        return USAGE
    print(draw.draw(flow, options.part))
    return 0


def _steps(options: argparse.Namespace) -> int:
    flow = _flow(options)
    if flow is None:
        return USAGE
    rows = coverage.steps(flow)
    if options.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return 0
    for row in rows:
        options_text = ", ".join(row["options"])
        print(f"{row['id']:<24} {row['kind']:<10} {','.join(row['criteria']):<24} {options_text}")
    return 0
