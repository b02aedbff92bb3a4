"""Reads the trial files into flows, and keeps every version that a conversation may be pinned to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import flows.trials
from bot.desk.hours import ODD_ZONE, BadHours, Hours, has_holidays
from flows.author import pictures
from flows.author.check import check
from flows.flow import Flow
from flows.parse import Problem, Source, parse

TRIALS = Path(flows.trials.__path__[0])


class BadTrials(Exception):
    """The trial files have problems; nothing is served until they are mended."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} problems in the trial files")
        self.problems = problems


class Library:
    """Every version of every trial, by name (``nct06570291/v1``)."""

    def __init__(self, flows: Mapping[str, Flow]) -> None:
        self.flows = flows

    def flow(self, name: str) -> Flow:
        return self.flows[name]

    def newest(self, slug: str) -> Flow:
        """The version that new conversations start with."""
        versions = [flow for flow in self.flows.values() if flow.trial.slug == slug]
        return max(versions, key=lambda flow: int(flow.trial.version.lstrip("v")))

    @property
    def slugs(self) -> list[str]:
        return sorted({flow.trial.slug for flow in self.flows.values()})


def load(folder: Path = TRIALS) -> Library:
    """All trials of a folder. Raises BadTrials with every problem in every file."""
    found, problems = survey(folder)
    if problems:
        raise BadTrials(problems)
    return Library(found)


def survey(folder: Path = TRIALS) -> tuple[dict[str, Flow], list[Problem]]:
    """The trials of a folder whose shape is right, and every problem in every file."""
    problems: list[Problem] = []
    found: dict[str, Flow] = {}
    frame = folder / "_frame.toml"
    for path in files(folder):
        flow = read(path, frame, folder)
        if isinstance(flow, list):
            problems += flow
            continue
        file, name = f"{path.parent.name}/{path.name}", f"{path.parent.name}/{path.stem}"
        problems += [*check(flow, file), *_hours(flow, file)]
        if flow.name != name:
            what = f"The file says {flow.name}, and stands at {name}."
            problems.append(Problem(file, "trial.version", what, "Make slug and version agree with its place."))
        found[name] = flow
    problems += _drawings(folder, found.values())
    if not found and not problems:
        problems.append(Problem(str(folder.name), "folder", "There is no trial here.", "Add <slug>/v1.toml."))
    return found, list(dict.fromkeys(problems))


def _hours(flow: Flow, file: str) -> list[Problem]:
    """Hours that cannot be read: who sends would be promised a call at no time at all."""
    found = []
    for site in flow.sites:
        try:
            Hours.of(site.hours, site.timezone, site.country if has_holidays(site.country) else "")
        except BadHours as error:
            if error.line == ODD_ZONE:  # that has been told
                continue
            found.append(Problem(file, f"site.{site.id}.hours", str(error), "Mend it in the trial file."))
    return found


def _drawings(folder: Path, flows: Collection[Flow]) -> list[Problem]:
    """What is wrong with the drawings beside the trial files, which all versions of a trial share."""
    found: list[Problem] = []
    for slug in dict.fromkeys(flow.trial.slug for flow in flows):
        beside = sorted((folder / slug / pictures.FOLDER).glob("*"))
        shown = [flow for flow in flows if flow.trial.slug == slug]
        found += pictures.check_files(shown, {path.name: path.read_bytes() for path in beside if path.is_file()})
    return found


def files(folder: Path = TRIALS) -> list[Path]:
    """Every version of every trial."""
    return sorted(folder.glob("*/v*.toml"))


def read(path: Path, frame: Path, folder: Path) -> Flow | list[Problem]:
    sources = []
    for file in (path, frame):
        name = str(file.relative_to(folder))
        try:
            sources.append(Source(name, file.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            return [Problem(name, "file", f"It cannot be read: {type(error).__name__}.", "Save it as UTF-8.")]
    return parse(*sources)
