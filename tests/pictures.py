"""Makes the PNG of every drawing anew, for messengers that take no SVG: ``make pictures``."""

from __future__ import annotations

import base64
import json
import struct
import sys
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

from bot.library import TRIALS
from flows.author.pictures import FOLDER, MADE, fingerprint

CHROMIUM = "/usr/bin/chromium"
WIDTH, HEIGHT = 800, 600
COLOURS = 128
"""Few flat colours and their edges: a palette makes the file a quarter as large."""
Colour = tuple[int, ...]

DRAWN = """
async ([svg, width, height]) => {
  const image = new Image(width, height)
  image.src = "data:image/svg+xml;base64," + svg
  await image.decode()
  const canvas = Object.assign(document.createElement("canvas"), {width, height}).getContext("2d")
  canvas.fillStyle = "#fff"  // a photo has nothing to see through
  canvas.fillRect(0, 0, width, height)
  canvas.drawImage(image, 0, 0, width, height)
  const bytes = canvas.getImageData(0, 0, width, height).data
  let text = ""
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768))
  return btoa(text)
}
"""


def render(svgs: Sequence[Path]) -> Iterator[tuple[Path, bytes]]:
    """Each drawing as a PNG, as a browser draws it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page()
        for svg in svgs:
            text = base64.b64encode(svg.read_bytes()).decode()
            yield svg, png(base64.b64decode(page.evaluate(DRAWN, [text, WIDTH, HEIGHT])))
        browser.close()


def png(rgba: bytes) -> bytes:
    """A picture of a few colours: the usual ones as they are, of the others the nearest of these."""
    pixels = list(zip(rgba[0::4], rgba[1::4], rgba[2::4], strict=True))
    counted = Counter(pixels)
    kept: list[Colour] = [colour for colour, _ in counted.most_common(COLOURS)]
    number = {colour: nearest(colour, kept) for colour in counted}
    flat = bytes(number[pixel] for pixel in pixels)
    rows = b"".join(b"\0" + flat[at : at + WIDTH] for at in range(0, len(flat), WIDTH))
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 3, 0, 0, 0)
    parts = [(b"IHDR", head), (b"PLTE", bytes(part for colour in kept for part in colour))]
    parts += [(b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, content) for name, content in parts)


def nearest(colour: Colour, among: Sequence[Colour]) -> int:
    return min(range(len(among)), key=lambda at: sum((a - b) ** 2 for a, b in zip(colour, among[at], strict=True)))


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def main() -> int:
    for folder in sorted(TRIALS.glob(f"*/{FOLDER}")):
        known = {}
        for svg, made in render(sorted(folder.glob("*.svg"))):
            svg.with_suffix(".png").write_bytes(made)
            known[svg.stem] = fingerprint(svg.read_bytes(), made)
        (folder / MADE).write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
        print(f"{folder.parent.name}: {len(known)} pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
