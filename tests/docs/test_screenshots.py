"""The README's pictures of the report: small, of one size, and of the page as it is."""

import re
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline import report


@pytest.fixture(scope="module")
def screenshots(script):
    return script("print_screenshots")


def test_the_readme_shows_every_picture(screenshots, root):
    shown = re.findall(r"!\[[^]]+\]\(docs/images/([\w-]+)\.png\)", (root / "README.md").read_text())
    assert sorted(shown) == sorted(screenshots.PAGES)
    for name in shown:
        png = (screenshots.IMAGES / f"{name}.png").read_bytes()
        assert len(png) <= 250_000
        assert struct.unpack(">II", png[16:24]) == tuple(screenshots.SCREEN.values())
        assert len(screenshots.description(png).split()) > 30


def test_a_picture_keeps_its_text(screenshots):
    png = (screenshots.IMAGES / "run.png").read_bytes()
    assert screenshots.description(screenshots.with_description(png, "R ≤ 1 ms")) == "R ≤ 1 ms"


@pytest.mark.browser
@pytest.mark.report
def test_the_picture_of_a_run_is_of_the_page_as_it_is(screenshots, root, tmp_path):
    if screenshots.shutil.which("chromium") is None:
        pytest.skip("no Chromium here (apt install chromium): pages are not opened in a browser")
    page = screenshots.PAGES["run"]
    places = {"processed": tmp_path / "processed", "out": tmp_path / "report"}
    made = report.render(screenshots.STUDY, only=page, **places)
    pictures = {"run": made["pages"][0]["path"]}
    with (
        ThreadPoolExecutor() as pool
    ):  # the browser of other tests has the event loop of this thread
        (png,) = pool.submit(lambda: list(screenshots.photograph(pictures))).result()
    kept = (screenshots.IMAGES / "run.png").read_bytes()
    assert screenshots.description(kept) == screenshots.description(png), "run `make docs`"
