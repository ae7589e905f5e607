"""The benchmarks on tiny inputs: they run, read what they are to read, and fill their pages. No time is asserted."""

import importlib
import json
import re
import subprocess
import sys

import pytest

from benchmarks import measure
from benchmarks.__main__ import DOCUMENTS, MARKED, SUBJECTS, write_document
from benchmarks.commands import run as commands
from benchmarks.commands import time_ingest
from benchmarks.fleet import filter_ledgers, index_page
from benchmarks.fleet import run as fleet
from benchmarks.measure import Cost, Result
from benchmarks.parse import logs, memory, time_parse
from benchmarks.parse.logs import KIND_OF, LOGS, OTHERS, write_log
from benchmarks.parse.run import MIN_SPEEDUP


@pytest.mark.parametrize("log", LOGS | OTHERS)
def test_a_log_of_each_kind_is_read_without_a_reject(log, tmp_path):
    path = tmp_path / f"{log}.log"
    size = write_log(log, path, 30_000)
    assert 30_000 <= size == path.stat().st_size
    read = time_parse.ours(KIND_OF.get(log, log), path)
    assert read["rows"] > 5 and read["lines"] == len(path.read_text().splitlines())
    assert log == "top" or KIND_OF.get(log, log) in MIN_SPEEDUP


@pytest.mark.parametrize("log", ["iotop", "general"])
def test_a_long_log_has_the_same_bodies_again_with_other_times(log, tmp_path, monkeypatch):
    path = tmp_path / f"{log}.log"
    write_log(log, path, 60_000)
    text = path.read_text()
    monkeypatch.setattr(logs, "DISTINCT_BYTES", 20_000)
    size = write_log(log, path, 60_000)
    again = path.read_text()
    assert len(again) == size and again[:20_000] == text[:20_000] and again != text
    kept = [line for line in again.splitlines() if not line.startswith(("#T", "261122"))]
    assert len(set(kept)) < len(kept) / 2
    assert time_parse.ours(log, path)["lines"] == len(again.splitlines())


def test_the_peers_read_the_same_rows(tmp_path):
    top, general = tmp_path / "top.log", tmp_path / "general.log"
    write_log("top", top, 100_000)
    write_log("statements", general, 5_000)
    ours = time_parse.ours("top", top)
    assert time_parse.by_jc("top", top) == {key: ours[key] for key in ("main_rows", "cpu_percent")}
    time_parse.finished("top", top)
    assert time_parse.floor("top", top)["main_rows"] == ours["main_rows"]
    rows = time_parse.ours("general", general)["main_rows"]
    assert time_parse.loop("general", general)["main_rows"] == rows > 10


def test_a_process_is_measured_with_its_output_and_with_what_it_leaves():
    program = "x = bytearray(200_000_000); print(sum(range(10**6)))"
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    orphan = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {busy!r}])"
    # in a small process: the peak of a child includes what its parent had
    script = f"""
import sys
from benchmarks import measure

cost = measure.run([sys.executable, "-c", {program!r}])
print(cost.output.strip(), cost.cpu_s, cost.peak_mb)
print(measure.run([sys.executable, "-c", {orphan!r}]).cpu_s)
try:
    measure.run([sys.executable, "-c", "import sys; sys.exit(3)"])
except measure.BenchmarkError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=measure.ROOT, capture_output=True, text=True, check=True
    )
    first, with_orphan, failure = done.stdout.splitlines()
    output, cpu_s, peak_mb = first.split()
    assert output == str(sum(range(10**6)))
    assert float(cpu_s) > 0 and 200 < float(peak_mb) < 400
    assert float(with_orphan) >= 0.3
    assert "exit code 3" in failure


@pytest.mark.parametrize(
    ("result", "ratio", "is_met"),
    [
        (Result("a", 2.0, "jc", 600.0, at_least=280), 300, True),
        (Result("a", 2.0, "jc", 500.0, at_least=280), 250, False),
        (Result("a", 3.0, "floor", 2.0, at_most=2.5), 1.5, True),
        (Result("a", 6.0, "floor", 2.0, at_most=2.5), 3, False),
        (Result("a", 0.8, "before", 2.0, at_most_value=0.7), 0.4, False),
        (Result("a", 0.8, "before", 2.0), 0.4, None),
    ],
)
def test_a_ratio_is_compared_with_what_is_required(result, ratio, is_met):
    assert (result.ratio, result.is_met) == (pytest.approx(ratio), is_met)
    assert len(result.cells()) == len(measure.HEADINGS)


def test_limits_in_seconds_of_another_machine_are_ratios_to_the_code_before():
    pair = measure.Pair(2.2, 4.0, 0.1)
    row = commands._against_before("ledger", pair, limit="ledger")
    assert (row.ratio, row.is_met) == (0.55, True) and "1.2 s of 2.1 s" in row.cells()[-2]
    assert not commands._against_before(
        "unchanged", measure.Pair(2.3, 4, 0), limit="unchanged"
    ).is_met
    assert commands._against_before("import", pair, at_most_value=0.3).is_met is False


def test_peaks_of_large_logs_are_compared_with_their_limits_and_growth_of_top():
    def of(log, mb, peak, per_mb_ms=40.0, tables=memory.PARQUET):
        return memory.Reading(log, tables, mb, mb, 1.0, per_mb_ms, peak, 1.0)

    top = [of("top", mb, peak) for mb, peak in ((50, 300), (800, 400), (3000, 420), (10_000, 620))]
    results = list(memory.compare([*top, of("tasks", 50, 200), of("tasks", 800, 900, 60)]))
    rows = {(r.what, r.peer): (r.is_met, r.ratio) for r in results}
    assert rows["top, 10,000 MB, tables Parquet: peak memory", "50 MB"] == (False, 620 / 300)
    assert rows["top, 10,000 MB, tables Parquet: peak memory", "800 MB"] == (False, 1.55)
    assert rows["top, 800 MB, tables Parquet: CPU time per MB", "50 MB"] == (True, 1.0)
    assert rows["tasks, 800 MB, tables Parquet: peak memory", "50 MB"] == (True, 4.5)
    assert len(results) == 6


def test_growth_per_run_is_without_the_start_of_the_process():
    def of(runs: int, per_run_s: float) -> fleet.Fleet:
        costs = {
            "ledger": Cost(2 + per_run_s * runs, 0, 0, ""),
            "ledger: one run": Cost(2.5, 0, 0, ""),
        }
        return fleet.Fleet(runs, costs, {})

    last, before = fleet.per_run_ms("ledger", [of(10, 0.5), of(100, 0.5)])
    assert (last, before) == (pytest.approx(500), pytest.approx(500))
    last, before = fleet.per_run_ms("ledger", [of(10, 0.5), of(100, 0.5), of(1000, 0.6)])
    assert last == pytest.approx(550 / 900 * 1000) and before == pytest.approx(500)


def test_an_index_page_and_a_filter_of_a_small_fleet(tmp_path, monkeypatch, capsys):
    written = index_page.write(tmp_path / "report", 40)
    text = (tmp_path / "report/index.html").read_text()
    assert text.count("<tr data-study=") == 40 and text.count('loading="lazy"') == 2
    assert written["bytes"] == len(text.encode())
    monkeypatch.setattr(sys, "argv", ["filter_ledgers.py", str(tmp_path)])
    filter_ledgers.main()
    assert json.loads(capsys.readouterr().out)["rows"] == 0


def test_one_run_is_ingested_several_times(known, tmp_path, monkeypatch, capsys):
    if known.run.run != "web":
        pytest.skip("one run suffices")
    arguments = [known.run.path.parents[2], known.run.id, tmp_path, 1]
    monkeypatch.setattr(sys, "argv", ["time_ingest.py", *map(str, arguments)])
    time_ingest.main()
    assert json.loads(capsys.readouterr().out)["rows"] > 100


def test_every_block_of_a_page_is_one_that_is_measured(root, tmp_path):
    sources = "".join(path.read_text() for path in (root / "benchmarks").rglob("*.py"))
    for page in sorted(DOCUMENTS.glob("*.md")):
        assert page.stem in SUBJECTS
        for name in (match[1] for match in MARKED.finditer(page.read_text())):
            assert f'"{name}"' in sources, f"{page}: nothing measures {name}"
    for module, function in SUBJECTS.values():
        assert callable(getattr(importlib.import_module(module), function))
    page = tmp_path / "parse.md"
    page.write_text((DOCUMENTS / "parse.md").read_text())
    write_document(page, {"memory": "| a |\n| --- |"})
    assert "<!-- memory -->\n\n| a |\n| --- |\n\n<!-- /memory -->" in page.read_text()
    assert re.sub("<!-- memory.*/memory -->", "", page.read_text(), flags=re.S) == re.sub(
        "<!-- memory.*/memory -->", "", (DOCUMENTS / "parse.md").read_text(), flags=re.S
    )
