"""A browser without a network, and pages to open in it."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import rendering

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr",
    "--log-level=0",
)


@dataclass(frozen=True)
class Opened:
    """What a page became in the browser."""

    dom: str
    console: str
    requests: list[str]
    """Addresses that the page asked for over a network."""


class Browser:
    """Headless Chromium; each page in a profile of its own."""

    def __init__(self, program: str, folder: Path):
        self.program, self.folder = program, folder

    def run(
        self, page: Path, *options: str, width: int = 1200, height: int = 2000
    ) -> tuple[str, str, Path]:
        """Standard output, standard error and the network log of opening ``page``."""
        home = self.folder / f"profile-{len(list(self.folder.iterdir()))}"
        home.mkdir()
        log = home / "net.json"
        done = subprocess.run(
            [
                self.program,
                *FLAGS,
                f"--user-data-dir={home / 'data'}",
                f"--log-net-log={log}",
                f"--window-size={width},{height}",
                "--virtual-time-budget=15000",
                *options,
                page.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        return done.stdout, done.stderr, log

    def open(self, page: Path, **size: int) -> Opened:
        """Open a page, let its scripts run, and give its DOM, its console and what it asked the network for."""
        dom, errors, log = self.run(page, "--dump-dom", **size)
        console = "\n".join(line for line in errors.splitlines() if "CONSOLE" in line)
        return Opened(dom, console, _requests(log))

    def width_of(self, page: Path, width: int) -> int:
        """How wide the page's content is in a window of that width."""
        probe = page.with_name(f".probe-{page.name}")
        script = "<script>document.title = 'W' + document.documentElement.scrollWidth</script>"
        text = page.read_text(encoding="utf-8")
        start = (
            text.index('<meta content="default-src') if '<meta content="default-src' in text else -1
        )
        if start < 0:
            start = text.index('<meta http-equiv="Content-Security-Policy"')
        text = text[:start] + text[text.index(">", start) + 1 :]
        probe.write_text(text.replace("</body>", script + "</body>"), encoding="utf-8")
        try:
            dom, _, _ = self.run(probe, "--dump-dom", width=width)
        finally:
            probe.unlink()
        return int(dom.split("<title>W", 1)[1].split("<", 1)[0])


def _requests(log: Path) -> list[str]:
    """Addresses of http, https, ws and wss that a page asked for, whatever became of them.

    The browser asks for things of its own, which have no page as their initiator ("not an origin").
    """
    if not log.exists():
        raise AssertionError("the browser wrote no network log")
    text = log.read_text(encoding="utf-8")
    try:
        events = json.loads(text)["events"]
    except ValueError:  # the browser is killed at times before it has ended the list
        events = json.loads(text.rstrip().rstrip(",") + "]}")["events"]
    found = []
    for event in events:
        params = event.get("params") or {}
        url, initiator = params.get("url", ""), params.get("initiator", "not an origin")
        outside = str(url).split(":", 1)[0] in ("http", "https", "ws", "wss", "ftp")
        if outside and initiator != "not an origin":
            found.append(url)
    return found


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Browser:
    """Headless Chromium, or a skip that says what is missing."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        reason = "no Chromium here (apt install chromium): pages are not opened in a browser"
        if os.environ.get("QUEUEVISOR_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return Browser(program, tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="session")
def rendered():
    """The rendered small study."""
    return rendering.rendered()
