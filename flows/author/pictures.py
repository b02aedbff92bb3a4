"""What is wrong with the drawings of a trial: named and not there, there and not named, without words or licence.

Pure: the caller reads the files. A drawing is ``pictures/<id>.svg``, with ``<id>.png`` made from it for messengers
that take no SVG, a fingerprint of both in ``made.json``, and a line in ``README.md`` that says whose it is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from xml.etree import ElementTree

from flows.flow import Flow
from flows.parse import Problem

FOLDER, MADE, README = "pictures", "made.json", "README.md"
SVG_BYTES, PNG_BYTES = 6 * 1024, 40 * 1024
WORDS_LENGTH = 200
SHAPES = ("svg", "title", "desc", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon")
"""What a drawing is made of: nothing in it runs, loads anything, or needs a font."""
_SVG = "{http://www.w3.org/2000/svg}"

Found = Iterator[tuple[str, str, str]]


def check(flow: Flow) -> Found:
    """The names and the words, which stand in the trial's file."""
    shown = set()
    for step in flow.steps:
        place = f"step.{step.family or step.id}"
        named = [(place, step.picture), *((f"{place}.options.{o.id}", o.picture) for o in step.options)]
        for at, picture in named:
            if picture and picture not in flow.pictures:
                yield f"{at}.picture", f"There is no picture {picture!r}.", "Say under [pictures] what it shows."
            shown.add(picture)
    for picture, text in flow.pictures.items():
        place = f"pictures.{picture}"
        if not re.fullmatch("[a-z0-9_]{1,40}", picture):
            yield place, "This id cannot be used.", "Use a-z, 0-9 and _, at most 40."
        if not text.strip():
            yield place, "There are no words.", "Say what the picture shows, for who cannot see it."
        if len(text) > WORDS_LENGTH:
            yield place, f"The words are over {WORDS_LENGTH} characters.", "Say only what the picture shows."
        if picture not in shown:
            yield place, "No question shows this picture.", "Name it at a step or an option, or remove it."


def check_files(flows: Sequence[Flow], files: Mapping[str, bytes]) -> Iterator[Problem]:
    """The files beside one trial, by their names. ``flows`` are its versions, which share them."""
    for flow in flows:
        for picture in flow.pictures:
            if f"{picture}.svg" not in files:
                what = f"There is no drawing {FOLDER}/{picture}.svg."
                yield Problem(
                    f"{flow.name}.toml", f"pictures.{picture}", what, "Draw it, or remove the line."
                )  # fmt: skip
    known = {picture for flow in flows for picture in flow.pictures}
    made = _made(files.get(MADE, b"{}"))
    lines = files.get(README, b"").decode("utf-8", "replace").splitlines()
    for name, content in files.items():
        stem, _, ending = name.rpartition(".")
        place = f"{flows[0].trial.slug}/{FOLDER}/{name}"
        if ending in ("svg", "png") and stem not in known:
            yield Problem(place, "file", "No trial names this picture.", "Name it under [pictures], or remove it.")
        elif ending == "svg":
            found = [*_drawing(content), *_licence(name, lines), *_raster(stem, files, made)]
            yield from (Problem(place, "file", what, remedy) for what, remedy in found)


def fingerprint(svg: bytes, png: bytes) -> dict[str, str]:
    """What ``made.json`` keeps of a drawing and of the PNG that was made from it."""
    return {"svg": hashlib.sha256(svg).hexdigest(), "png": hashlib.sha256(png).hexdigest()}


def _made(content: bytes) -> Mapping[str, object]:
    try:
        made = json.loads(content)
    except ValueError:
        return {}
    return made if isinstance(made, dict) else {}


def _drawing(content: bytes) -> Iterator[tuple[str, str]]:
    if len(content) > SVG_BYTES:
        yield f"It has over {SVG_BYTES // 1024} KB.", "Draw it with fewer shapes."
    try:  # a file of the package, as trusted as its code
        root = ElementTree.fromstring(content)  # noqa: S314 # nosec B314
    except ElementTree.ParseError as error:
        yield f"This is not SVG: {error}.", "Mend the line it names."
        return
    inside = list(root.iter())
    if root.tag != f"{_SVG}svg" or not root.get("viewBox"):
        yield "This is not SVG with a viewBox.", "Begin it with <svg> and a viewBox."
    for tag in ("title", "desc"):
        if not (root.findtext(f"{_SVG}{tag}") or "").strip():
            yield f"It has no <{tag}>.", "Say in it what the drawing shows."
    strange = sorted({str(part.tag).rpartition("}")[2] for part in inside} - set(SHAPES))
    risky = [name for part in inside for name in part.attrib if name.startswith("on") or "href" in name]
    if strange or risky:
        yield f"It holds more than shapes: {', '.join([*strange, *risky])}.", f"Use {', '.join(SHAPES[1:])}."


def _licence(name: str, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """A row of the table: file, whose work, licence."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    if not any(row[0] == name and len(row) == 3 and row[1] and row[2] for row in rows):
        yield "Its licence is not recorded.", f"Add a row to {FOLDER}/{README}: file, whose work, licence."


def _raster(stem: str, files: Mapping[str, bytes], made: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    png = files.get(f"{stem}.png")
    if png is None or made.get(stem) != fingerprint(files[f"{stem}.svg"], png):
        yield "Its PNG is missing, or was made from another drawing.", "Run: make pictures"
    elif len(png) > PNG_BYTES:
        yield f"Its PNG has over {PNG_BYTES // 1024} KB.", "Draw it with fewer shapes."
