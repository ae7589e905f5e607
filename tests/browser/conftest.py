"""A browser without a network, and pages to open in it."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import rendering
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Page as Tab
from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
OUTSIDE = ("http:", "https:", "ws:", "wss:", "ftp:")

SCRIPTS_ENDED = "() => !document.querySelector('figure.chart:not([data-interactive])')"
"""Whether the page's scripts have looked at every figure: each is interactive or stays a picture."""

CUT = """() => {
  const screen = document.documentElement.clientWidth;
  const scrolls = (e) => !matchMedia("print").matches && ["auto", "scroll"].includes(getComputedStyle(e).overflowX);
  const inside = (e) => e.parentElement && (scrolls(e.parentElement) || inside(e.parentElement));
  const name = (e) => e.tagName.toLowerCase() + [...e.classList].map((c) => "." + c).join("")
    + ` ${Math.round(e.getBoundingClientRect().right)}: ` + e.textContent.trim().slice(0, 40);
  const cut = [];
  for (const e of document.body.querySelectorAll(":not(svg *, math *, script, template)")) {
    const box = e.getBoundingClientRect();
    if (!e.checkVisibility({visibilityProperty: true}) || box.width <= 1 || box.right <= 0 || inside(e)) continue;
    const clips = getComputedStyle(e).overflowX !== "visible" && !scrolls(e);
    if (box.right > screen + 0.5 || (clips && e.scrollWidth > e.clientWidth + 1)) cut.push(name(e));
  }
  return cut;
}"""
"""Elements whose right end cannot be seen: not on the screen, nor by scrolling a box. Paper does not scroll."""

THIN_OUT = """() => {
  for (const body of document.querySelectorAll("tbody")) {
    const seen = {};
    for (const row of [...body.rows]) {
      const kind = [row, ...row.querySelectorAll("*")].map((e) => e.tagName + e.getAttribute("class")).join();
      seen[kind] = (seen[kind] || 0) + 1;
      if (seen[kind] > 2) row.remove();
    }
  }
}"""
"""Take rows out of tables until no more than two of a kind are left: axe looks at each cell, and long at each."""


@dataclass
class Opened:
    """A page in the browser, its scripts run."""

    tab: Tab
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """Addresses that the page asked for over a network."""

    @property
    def dom(self) -> str:
        """The page as it is now."""
        return self.tab.content()

    @property
    def console(self) -> str:
        """What the page's scripts and the browser said of it."""
        return "\n".join(self.messages)

    def count(self, selector: str) -> int:
        """Number of elements that a CSS selector matches."""
        return self.tab.locator(selector).count()

    def wait(self) -> None:
        """Wait for the page's scripts to have made its visible figures interactive."""
        self.tab.wait_for_function(SCRIPTS_ENDED)

    def unfold(self) -> None:
        """Open every folded part."""
        self.tab.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
        self.wait()

    def cut(self) -> list[str]:
        """What a reader cannot see because it is too wide."""
        return self.tab.evaluate(CUT)

    def violations(self, *rules: str) -> list[str]:
        """What axe reports as serious or critical, by all of its rules or by those named; needs ``bypass_csp``."""
        self.tab.evaluate(THIN_OUT)
        if not self.tab.evaluate("'axe' in window"):
            self.tab.add_script_tag(path=AXE_FILE_PATH)
        options = {"resultTypes": ["violations"], "iframes": False}
        if rules:
            options["runOnly"] = {"type": "rule", "values": list(rules)}
        report = self.tab.evaluate("(options) => axe.run(document, options)", options)
        return [
            f"{rule['id']}: {node['html'][:160]} {node['failureSummary']}"
            for rule in report["violations"]
            for node in rule["nodes"]
            if node["impact"] in ("serious", "critical")
        ]


class Browser:
    """Headless Chromium; each page in a profile of its own, without a network."""

    def __init__(self, program):
        self.program, self.contexts = program, []

    def open(self, page: Path, *, width=1280, height=900, query="", **options) -> Opened:
        """Open a page and let its scripts run; ``options`` are those of Playwright's ``new_context``."""
        context = self.program.new_context(
            viewport={"width": width, "height": height}, offline=True, **options
        )
        self.contexts.append(context)
        opened = Opened(context.new_page())
        tab = opened.tab
        tab.set_default_timeout(60_000)
        tab.on("console", lambda message: opened.messages.append(message.text))
        tab.on("pageerror", lambda error: opened.messages.append(f"Uncaught {error}"))
        for event in ("request", "websocket"):
            tab.on(
                event,
                lambda asked: asked.url.startswith(OUTSIDE) and opened.requests.append(asked.url),
            )
        tab.goto(page.as_uri() + query)
        if options.get("java_script_enabled", True):
            opened.wait()
        return opened

    def close(self) -> None:
        """Close every page."""
        while self.contexts:
            self.contexts.pop().close()


@pytest.fixture(scope="package")
def chromium():
    """Chromium, or a skip that says what is missing. Ends with the package: its event loop would disturb others'."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        reason = "no Chromium here (apt install chromium): pages are not opened in a browser"
        if os.environ.get("QUEUEVISOR_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=FLAGS, chromium_sandbox=False
        )
        yield browser
        browser.close()


@pytest.fixture
def browser(chromium):
    """Headless Chromium; what a test opens in it is closed after the test."""
    browser = Browser(chromium)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def rendered():
    """The rendered small study."""
    return rendering.rendered()
