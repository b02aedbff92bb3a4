"""The drawings of the trials: what is checked of their files, and that the ones we have are fresh, small and safe."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot import pictures
from bot.library import TRIALS, load, survey
from flows.author.pictures import FOLDER, MADE, PNG_BYTES, README, SVG_BYTES, check_files, fingerprint
from tests.definitions.loading import flow_of

FLOW = flow_of("pictures")
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3"><title>A face</title><desc>It smiles.</desc>'
    b'<circle cx="2" cy="1" r="1"/></svg>'
)
OURS = [(flow.trial.slug, picture) for flow in load().flows.values() for picture in flow.pictures]


def made(**svgs: bytes) -> dict[str, bytes]:
    """A folder in which nothing is wrong, with other drawings in the place of some."""
    drawn = {name: svgs.get(name, SVG) for name in ("sore", "fine")}
    files = {f"{name}.svg": svg for name, svg in drawn.items()} | {f"{name}.png": b"png" for name in drawn}
    prints = ", ".join(f'"{name}": {fingerprint(svg, b"png")}' for name, svg in drawn.items()).replace("'", '"')
    table = "| file | whose work | licence |\n|---|---|---|\n"
    table += "".join(f"| {name}.svg | our own | CC0-1.0 |\n" for name in drawn)
    return {**files, MADE: f"{{{prints}}}".encode(), README: table.encode()}


def wrong(files: Mapping[str, bytes]) -> list[str]:
    found = list(check_files([FLOW], files))
    assert all(problem.remedy for problem in found)
    return [f"{problem.file}: {problem.place}: {problem.what}" for problem in found]


def without(*names: str) -> dict[str, bytes]:
    return {name: content for name, content in made().items() if name not in names}


def test_a_folder_that_is_whole_has_no_problem() -> None:
    assert wrong(made()) == []


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (without("fine.svg", "fine.png"), "pictures/v1.toml: pictures.fine: There is no drawing pictures/fine.svg."),
        (without("fine.png"), "pictures/pictures/fine.svg: file: Its PNG is missing, or was made from another drawing."),
        (without(MADE) | {"sore.svg": b"x"}, "fine.svg: file: Its PNG is missing"),
        (made() | {MADE: b"[1"}, "fine.svg: file: Its PNG is missing"),
        (made() | {"fine.svg": SVG.replace(b"smiles", b"laughs")}, "fine.svg: file: Its PNG is missing"),
        (made() | {"fine.png": b"painted over"}, "fine.svg: file: Its PNG is missing"),
        (made() | {"old.svg": SVG}, "pictures/pictures/old.svg: file: No trial names this picture."),
        (made() | {"old.png": b"png"}, "pictures/pictures/old.png: file: No trial names this picture."),
        (without(README), "fine.svg: file: Its licence is not recorded."),
        (made() | {README: b"| sore.svg | ours | CC0 |\n| fine.svg | ours | |"}, "fine.svg: file: Its licence is not recorded."),
        (made(fine=b"<svg"), "fine.svg: file: This is not SVG: "),
        (made(fine=b"<html></html>"), "fine.svg: file: This is not SVG with a viewBox."),
        (made(fine=SVG.replace(b"<title>A face</title>", b"")), "fine.svg: file: It has no <title>."),
        (made(fine=SVG.replace(b"It smiles.", b" ")), "fine.svg: file: It has no <desc>."),
        (made(fine=SVG.replace(b"<circle", b"<script>1</script><circle")), "fine.svg: file: It holds more than shapes: script."),
        (made(fine=SVG.replace(b"<circle", b"<circle onclick='1'")), "fine.svg: file: It holds more than shapes: onclick."),
        (made(fine=SVG.replace(b"</svg>", b"<image href='x'/></svg>")), "It holds more than shapes: image, href."),
        (made(fine=SVG + b" " * SVG_BYTES), "fine.svg: file: It has over 6 KB."),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_drawing_is_named(files: dict[str, bytes], problem: str) -> None:
    assert any(problem in line for line in wrong(files)), wrong(files)


def test_a_png_that_is_too_large_is_named() -> None:
    files, large = made(), b"x" * (PNG_BYTES + 1)
    prints = f'{{"fine": {fingerprint(SVG, large)}, "sore": {fingerprint(SVG, b"png")}}}'.replace("'", '"')
    assert wrong(files | {"fine.png": large, MADE: prints.encode()}) == [
        "pictures/pictures/fine.svg: file: Its PNG has over 40 KB."
    ]


def test_check_looks_at_the_files(tmp_path: Path) -> None:
    """The same by the verb: a copy of our trials, with one drawing gone and one changed."""
    folder = tmp_path / "trials"
    shutil.copytree(TRIALS, folder)
    assert survey(folder)[1] == []
    drawn = folder / "nct06570291" / FOLDER
    (drawn / "knee.svg").unlink()
    (drawn / "shot.svg").write_text((drawn / "shot.svg").read_text().replace("Shot", "A shot"))
    found = [str(problem) for problem in survey(folder)[1]]
    assert any("pictures.knee: There is no drawing pictures/knee.svg. Draw it" in line for line in found)
    assert any("shot.svg: file: Its PNG is missing" in line and "make pictures" in line for line in found)


@pytest.mark.parametrize(("slug", "picture"), OURS)
def test_each_picture_is_there_for_pages_and_for_messengers(slug: str, picture: str) -> None:
    svg, png = pictures.svg(f"{slug}/{picture}"), pictures.png(f"{slug}/{picture}")
    assert svg is not None and b'viewBox="0 0 400 300"' in svg  # all of one shape
    assert png is not None and png.startswith(b"\x89PNG")
    assert struct.unpack(">II", png[16:24]) == (800, 600)


@pytest.mark.parametrize("name", ["", "knee", "nct06570291/..", "../nct06570291/knee", "nct06570291/knee.svg", "a/b/c",
                                  "nct06570291/knee\n", "nct06570291/README", "nct06570291\\knee", "nct06570291/nothing"])  # fmt: skip
def test_no_other_file_can_be_asked_for(name: str) -> None:
    assert pictures.svg(name) is None and pictures.png(name) is None
