"""Photograph screens of three pages of the recorded study's report into ``docs/images/``, for the README.

Run by ``make docs``, which needs Chromium for it. The report is made below ``build/report``, where pages that have not
changed are kept. Each picture keeps the text of its screen in the chunk ``Description`` of the PNG file; a test
compares that with the page as the code renders it now.
"""

from __future__ import annotations

import shutil
import struct
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from playwright.sync_api import Page as Tab
from playwright.sync_api import sync_playwright

from pipeline import report

ROOT = Path(__file__).parent.parent
IMAGES = Path(__file__).parent / "images"
REPORT = ROOT / "build" / "report"
STUDY = "kvm-case-study"
SCREEN = {"width": 1280, "height": 900}
PAGES = {
    "index": "index",
    "run": "run_report/first/db-16-a",
    "what-if": "what_if/first/db",
}
"""Picture → page."""
TOPS = {"index": "#runs", "what-if": "form.controls"}
"""Picture → what is at the top of the screen, where that is not the top of the page."""
SIGNATURE = b"\x89PNG\r\n\x1a\n"

DRAWN = "() => !document.querySelector('figure.chart:not([data-interactive])')"
WORDS = """() => {
  const words = [];
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    const box = range.getBoundingClientRect();
    const isShown = walker.currentNode.parentElement.checkVisibility({visibilityProperty: true});
    if (isShown && box.width > 1 && box.height > 0 && box.top >= 0 && box.bottom <= innerHeight) {
      words.push(walker.currentNode.textContent);
    }
  }
  return words.join(" ").split(/\\s+/).filter(Boolean).join(" ");
}"""
"""The text of the screen."""


def photograph(pages: Mapping[str, Path]) -> Iterator[bytes]:
    """A screen of each page, by the name of its picture, as a PNG file with its text."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), chromium_sandbox=False
        )
        for name, page in pages.items():
            tab = browser.new_page(viewport=SCREEN)
            tab.goto(page.as_uri())
            tab.wait_for_function(DRAWN)
            tab.locator(TOPS.get(name, "body")).evaluate("(e) => e.scrollIntoView()")
            yield with_description(tab.screenshot(), screen_text(tab))
        browser.close()


def screen_text(tab: Tab) -> str:
    """The text that the screen shows."""
    return tab.evaluate(WORDS)


def with_description(png: bytes, text: str) -> bytes:
    """``png`` with a text, compressed, in the chunk ``iTXt`` with the keyword ``Description``."""
    body = b"iTXtDescription\0\1\0\0\0" + zlib.compress(text.encode(), 9)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    header_end = len(SIGNATURE) + 25
    return png[:header_end] + chunk + png[header_end:]


def description(png: bytes) -> str:
    """The text that ``with_description`` put into a PNG file."""
    body = png.split(b"iTXtDescription\0\1\0\0\0", 1)[1]
    return zlib.decompressobj().decompress(body).decode()


def main() -> None:
    """Render what has changed, and photograph it."""
    manifest = report.render(STUDY, out=REPORT, workers=2)
    paths = {row["page"]: row["path"] for row in manifest["pages"]} | {"index": manifest["index"]}
    pages = {name: paths[page] for name, page in PAGES.items()}
    for name, png in zip(pages, photograph(pages), strict=True):
        (IMAGES / f"{name}.png").write_bytes(png)


if __name__ == "__main__":
    sys.exit(main())
