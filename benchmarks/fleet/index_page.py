"""The index page of a report with made-up pages: write it, and open it in Chromium; prints JSON.

``index_page.py write FOLDER RUNS`` writes FOLDER/index.html; ``index_page.py open PAGE …`` opens each page three times
in turns, without a network.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import time
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ("--disable-quic", "--disable-dev-shm-usage")
RUNS_PER_PICTURE = 20
"""Every so many runs a page with a picture on the index page."""
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="700" height="300"><path d="M0 0L700 300"/>{}</svg>'
NAVIGATION = """() => {
  const entry = performance.getEntriesByType("navigation")[0];
  return { interactive: entry.domInteractive, load: entry.loadEventEnd };
}"""


def write_pages(folder: Path, runs: int) -> None:
    """The records of pages of ``runs`` runs, as ``queuevisor report`` leaves them."""
    study = folder / "fleet"
    study.mkdir(parents=True)
    for number in range(runs):
        server, run = f"host-{number % 10}", f"web-{number:04d}"
        row = {
            "server": server, "run": run, "virtual_server": "web", "load": "20/s Poisson", "load_level": 20.0,
            "date": "2026-11-22T22:41:53Z", "result": ("passed", "passed with warnings", "failed")[number % 3],
            "R_client_ms": 10 + number / 100, "R_model_ms": 10.5, "error_R": 0.05, "is_beyond_tolerance": False,
            "X_client_per_s": 20.0, "busiest": "host CPU", "utilization": 0.4, "warnings": number % 5,
        }  # fmt: skip
        _write_page(study, "run_report", server, run, summary=[row])
        if number % RUNS_PER_PICTURE == 0:
            name = _write_page(
                study, "what_if", server, run, key_figures={"N*": "4"}, thumbnail=True
            )
            (study / f"{name}.svg").write_text(PICTURE.format("<!-- a chart -->" * 1000))


def _write_page(study: Path, notebook: str, server: str, run: str, **more: object) -> str:
    name = f"{notebook}-{server}-{run}"
    entry = {
        "page": f"{notebook}/{server}/{run}", "notebook": notebook, "study": study.name,
        "parameters": {"server": server, "run": run}, "virtual_servers": ["web"], "title": f"{server} / {run}",
        "key_figures": {}, "summary": [], "error": None, "problems": [],
    }  # fmt: skip
    more["thumbnail"] = f"{name}.svg" if more.get("thumbnail") else None
    (study / f"{name}.json").write_text(json.dumps(entry | more))
    (study / f"{name}.html").write_text("<!doctype html>")
    return name


def write(folder: Path, runs: int) -> dict[str, float]:
    """Write the index page with its scripts: CPU seconds and sizes."""
    from pipeline.report import index
    from pipeline.report import page as pages

    write_pages(folder, runs)
    raw = folder / "raw"
    raw.mkdir()
    index.write_index(folder, raw)  # imports and templates
    began = time.process_time()
    path = index.write_index(folder, raw)
    cpu_s = time.process_time() - began
    for name, text in pages.scripts().items():
        (folder / index.ASSETS / name).write_text(text)
    listed = folder / index.ASSETS / "pages.js"
    return {"cpu_s": cpu_s, "bytes": path.stat().st_size, "pages_js_bytes": listed.stat().st_size}


def open_pages(paths: list[Path]) -> dict[str, dict[str, float]] | None:
    """Milliseconds until each page is interactive and loaded, and CPU seconds of its process; None without Chromium."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        return None
    from playwright.sync_api import sync_playwright

    times: dict[str, list[dict[str, float]]] = {str(path): [] for path in paths}
    with sync_playwright() as playwright:
        for _ in range(3):
            for path in paths:
                browser = playwright.chromium.launch(
                    executable_path=program, args=FLAGS, chromium_sandbox=False
                )
                context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
                tab = context.new_page()
                tab.goto(path.as_uri())
                tab.wait_for_function("document.querySelector('output').textContent !== ''")
                session = context.new_cdp_session(tab)
                session.send("Performance.enable")
                metrics = session.send("Performance.getMetrics")["metrics"]
                cpu_s = next(each["value"] for each in metrics if each["name"] == "ProcessTime")
                times[str(path)].append(tab.evaluate(NAVIGATION) | {"cpu_s": cpu_s})
                browser.close()
    return {
        path: {name: statistics.median(row[name] for row in rows) for name in rows[0]}
        for path, rows in times.items()
    }


if __name__ == "__main__":
    if sys.argv[1] == "write":
        print(json.dumps(write(Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        print(json.dumps(open_pages([Path(name).resolve() for name in sys.argv[2:]])))
