"""Values of run.json and facts.json that the logs of a simulated run contradict."""

import copy
import json
import shutil
from dataclasses import replace

import polars as pl
import polars.selectors as cs
import pytest

from pipeline import ingest, tables
from pipeline.ingest.consistency import find_contradictions


@pytest.fixture(scope="module")
def frames(known):
    names = (known.run.study, known.run.server, known.run.run)
    frames = {name: ingest.load(name, known.processed, *names) for name in tables.STORED}
    return {name: frame.lazy() for name, frame in frames.items() if frame.height}


def with_value(run, path, value):
    manifest = copy.deepcopy(run.manifest)
    *parents, key = path.split(".")
    parent = manifest
    for step in parents:
        parent = parent[step]
    parent[key] = value(parent[key]) if callable(value) else value
    return replace(run, manifest=manifest)


WEB, DB = "virtual_servers.web", "virtual_servers.db"
YEAR_NS, S_NS = 365 * 86_400 * 10**9, 10**9
RUN_CASES = [
    ("web", "window.end_ns", lambda ns: ns + YEAR_NS // 20, "run.json: window "),
    ("web", "window.start_ns", lambda ns: ns - 60 * S_NS, "run.json: window is covered to"),
    ("web", "before", lambda w: {k: ns - YEAR_NS for k, ns in w.items()}, "run.json: before has no snapshot of host"),
    ("web", f"{WEB}.workload.end_ns", lambda ns: ns - 39 * S_NS, f"run.json: {WEB}.workload: the window is"),
    ("web", f"{WEB}.workload.rate_per_s", 1, f"run.json: {WEB}.workload.rate_per_s is 1, but"),
    ("web", f"{WEB}.workload.rate_per_s", 1e6, f"run.json: {WEB}.workload.rate_per_s is 1e+06, but"),
    ("web", "roles.web.clock_offset_ns", 10 * S_NS, "run.json: roles.web.clock_offset_ns is 10 s"),
    ("web", "roles.web.clock_offset_ns", 10 * S_NS, "web/access.log: "),
    ("web", "roles.web.boot_id", "another", "web/top.log: boot id "),
    ("web", f"{WEB}.host_disk", "loop9", f"run.json: {WEB}.host_disk is loop9, but host/block.log has"),
    ("web", f"{WEB}.virtual_disk", "vdb", f"run.json: {WEB}.virtual_disk is vdb, but web/block.log has"),
    ("web", f"{WEB}.server_processes", "^nginx$", f"run.json: {WEB}.server_processes matches no process of web"),
    ("web", f"{WEB}.server_processes", ".", f"run.json: {WEB}.server_processes matches all"),
    ("web", f"{WEB}.qemu_process", "guest=x[, ]", f"run.json: {WEB}.qemu_process matches no process of host"),
    ("web", f"{WEB}.qemu_process", "guest=", "run.json: virtual_servers.db.qemu_process matches the process of web"),
    ("db", f"{DB}.workload.population", 99_999, f"run.json: {DB}.workload.population is 99999, but"),
    ("db", f"{DB}.workload.think_time_s", 3, f"run.json: {DB}.workload.think_time_s is 3, but"),
    ("db", f"{DB}.role", "web", "run.json: "),
]  # fmt: skip


def test_the_logs_of_an_unchanged_run_contradict_nothing(known, frames):
    assert find_contradictions(known.run, frames) == []


def test_a_value_of_run_json_that_the_logs_contradict(known, frames):
    for name, path, value, sentence in RUN_CASES:
        if name == known.run.run:
            lines = find_contradictions(with_value(known.run, path, value), frames)
            assert [line for line in lines if line.startswith(sentence)], (path, lines)


FACTS_CASES = [
    ("interval_s", 10, "web/facts.json: interval_s is 10, but"),
    ("interval_s", 0.1, "web/facts.json: interval_s is 0.1, but"),
    ("memory_bytes", 10**12, "web/facts.json: memory_bytes is 1,000,000,000,000, but"),
    ("cpus", 7, "web/facts.json: cpus is 7, but"),
    ("clock_ticks_per_s", 1000, "web/facts.json: clock_ticks_per_s is 1000, but"),
    ("clock_ticks_per_s", 150, "web/facts.json: clock_ticks_per_s is 150, but"),
]


def test_a_fact_that_the_logs_contradict(known, frames, tmp_path):
    run = replace(known.run, path=tmp_path / "run")
    shutil.copytree(known.run.path, run.path)
    path = run.path / "web/facts.json"
    facts = json.loads(path.read_text())
    for key, value, sentence in FACTS_CASES:
        path.write_text(json.dumps({**facts, key: value}))
        (line,) = find_contradictions(replace(run), frames)
        assert line.startswith(sentence)


def test_a_guest_that_lost_most_of_its_clock_ticks_contradicts_nothing(known, frames):
    """A virtual CPU that gets little of the host's misses ticks; the host's own counters may not."""

    def with_share_of_ticks(role: str, share: float) -> pl.LazyFrame:
        ticks = cs.ends_with("_ticks")
        is_role = pl.col("role") == role
        return frames["cpus"].with_columns(
            pl.when(is_role).then((ticks * share).cast(pl.Int64)).otherwise(ticks)
        )

    few = {**frames, "cpus": with_share_of_ticks("web", 0.3)}
    assert find_contradictions(known.run, few) == []
    for role, share in (("host", 0.3), ("web", 2.0)):
        (line,) = find_contradictions(
            known.run, {**frames, "cpus": with_share_of_ticks(role, share)}
        )
        assert line.startswith(f"{role}/facts.json: clock_ticks_per_s is 100, but")


LOG_CASES = [
    ("block", pl.col("snapshot") < 30, "/block.log: its snapshots cover"),
    ("client", pl.col("kind") != "summary", "client/"),
    ("requests", pl.col("line") < 60, "/"),
]


def test_a_log_that_ends_early_or_lacks_its_result(known, frames):
    for table, kept, part in LOG_CASES:
        lines = find_contradictions(known.run, {**frames, table: frames[table].filter(kept)})
        assert lines and all(part in line for line in lines), (table, lines)


def test_a_log_of_another_boot_is_named(known, frames):
    other = frames["iotop_totals"].with_columns(boot_id=pl.lit("another"))
    lines = find_contradictions(known.run, {**frames, "iotop_totals": other})
    assert {line.partition(":")[0] for line in lines} == {
        f"{role}/iotop.log" for role in ("host", "web", "db")
    }
