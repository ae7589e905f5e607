"""The plan of the designed experiment: its columns, its blocks, its runs, and their entries in study.json."""

import json
from collections import Counter
from itertools import combinations, groupby

import pytest
import qvtestbed
from qvtestbed import factor_plan, plan, study

COLUMNS = {
    "web": [
        "cpu_quota",
        "load",
        "iothread",
        "cache",
        "neighbour",
        "vcpus",
        "memory_mib",
        "arrivals",
    ],
    "db": ["cpu_quota", "load", "device", "cache", "neighbour", "vcpus", "memory_mib", "aio"],
}


@pytest.fixture
def factor_runs(factors_plan):
    return plan.list_runs(factors_plan, plan.list_resources(factors_plan))


def compute_columns(factors_plan, runs, guest):
    """The signs of the factors in the runs that measure a guest, and the blocks of these runs."""
    chosen = [run for run in runs if run.details["virtual_server"] == guest]
    levels = {name: entry["levels"] for name, entry in factors_plan["factors"].items()}
    columns = {
        factor: [2 * levels[factor].index(run.details["levels"][factor]) - 1 for run in chosen]
        for factor in COLUMNS[guest]
    }
    return columns, [run.details["block"] for run in chosen]


@pytest.mark.parametrize("guest", ["web", "db"])
def test_main_effects_are_orthogonal_to_each_other_to_interactions_and_to_blocks(
    factors_plan, factor_runs, guest
):
    """Resolution IV: a main effect's estimate contains no other main effect, two-factor interaction or block."""
    columns, blocks = compute_columns(factors_plan, factor_runs, guest)
    assert len(blocks) == 32 and set(Counter(blocks).values()) == {8}
    for factor, column in columns.items():
        for block in set(blocks):
            assert (
                sum(sign for sign, other in zip(column, blocks, strict=True) if other == block) == 0
            )
        for others in [
            *combinations(set(columns) - {factor}, 1),
            *combinations(set(columns) - {factor}, 2),
        ]:
            product = column
            for other in others:
                product = [a * b for a, b in zip(product, columns[other], strict=True)]
            assert sum(product) == 0, (factor, others)


@pytest.mark.parametrize("guest", ["web", "db"])
def test_generators_and_blocks_are_those_of_the_design(factors_plan, factor_runs, guest):
    columns, blocks = compute_columns(factors_plan, factor_runs, guest)
    a, b, c, d, e, f, g, h = (columns[factor] for factor in COLUMNS[guest])
    for i in range(32):
        assert (e[i], f[i]) == (a[i] * b[i] * c[i], a[i] * b[i] * d[i])
        assert (g[i], h[i]) == (a[i] * c[i] * d[i], b[i] * c[i] * d[i])
    signs = {(block, a[i] * b[i] * c[i] * d[i]) for i, block in enumerate(blocks)}
    assert len(signs) == 4  # one sign in each block
    by_block = dict(signs)
    assert by_block[1] == -by_block[2] and by_block[3] == -by_block[4]


def test_cell_has_the_number_of_the_standard_order(factors_plan, factor_runs):
    for run in factor_runs:
        signs = factor_plan.compute_signs(
            factors_plan,
            next(c for b in factors_plan["blocks"] for c in b if c["cell"] == run.details["cell"])[
                "levels"
            ],
        )
        bits = [signs[factor] > 0 for factor in ("cpu_quota", "load", "device", "cache")]
        assert run.details["cell"] == 1 + sum(bit << place for place, bit in enumerate(bits))
        assert signs["iothread"] == signs["device"] and signs["arrivals"] == signs["aio"]


def test_runs_of_a_cell_follow_each_other_on_the_same_guests(factor_runs):
    boots = [
        list(group) for _, group in groupby(factor_runs, key=lambda run: (run.server, run.boot))
    ]
    assert len(boots) == 32
    for web, db in (sorted(runs, key=lambda run: run.name, reverse=True) for runs in boots):
        assert (web.details["virtual_server"], db.details["virtual_server"]) == ("web", "db")
        assert web.hardware == db.hardware
        assert web.details["replicate"] == db.details["replicate"] == int(web.name[-1])
    assert [run.details["order"] for run in factor_runs] == list(range(1, 65))
    assert len({run.path for run in factor_runs}) == 64
    assert {run.name for run in factor_runs} == {
        f"{guest}-{cell:02d}-{replicate}"
        for guest in ("web", "db")
        for cell in range(1, 17)
        for replicate in (1, 2)
    }
    assert 0 < Counter(runs[0].details["virtual_server"] for runs in boots)["web"] < 32


def test_run_has_the_loads_and_hardware_of_its_cell(factor_runs):
    runs = {run.name: run for run in factor_runs}
    web, db = runs["web-16-1"], runs["db-16-1"]  # all factors at their second level
    assert web.server == db.server == "half-cpu" and runs["web-01-1"].server == "whole-cpu"
    assert web.loads["web"].to_json() == {"kind": "open", "rate_per_s": 10.0, "arrivals": "poisson"}
    assert (web.loads["db"].threads, db.loads["db"].threads) == (2, 6)
    assert (db.loads["web"].rate, db.loads["web"].arrivals) == (5, "even")
    assert (runs["web-01-1"].loads["web"].rate, runs["db-01-1"].loads["db"].threads) == (4, 2)
    assert set(runs["web-01-1"].loads) == {"web"} and set(runs["db-01-1"].loads) == {"db"}
    for hardware in web.hardware.values():
        assert (hardware.vcpus, hardware.memory_bytes) == (2, 256 << 20)
        assert hardware.cache == "writeback"
    own = web.hardware["web"]
    assert (own.device, own.aio, own.iothread) == ("virtio-blk", "threads", True)
    own = web.hardware["db"]
    assert (own.device, own.aio, own.iothread) == ("ide", "io_uring", False)
    own = runs["web-01-1"].hardware["web"]
    assert (own.vcpus, own.memory_bytes, own.cache, own.iothread) == (1, 512 << 20, "none", False)


def test_manifest_has_the_factors_and_the_levels_of_each_run(factors_plan, factor_runs):
    resources = plan.list_resources(factors_plan)
    manifest = plan.build_study_manifest(
        factors_plan, resources, "tcg", factor_runs[:3], "2026-12-01"
    )
    assert manifest["factors"] == factors_plan["factors"]
    assert "case_study" not in manifest and manifest["held_out"] == []
    assert manifest["servers"]["half-cpu"]["envelope"]["cpu_quota"] == 0.5
    assert "memory_bytes" not in manifest["servers"]["half-cpu"]["envelope"]
    assert "vcpus" not in manifest["virtual_servers"]["web"]
    entries = {
        f"{server}/{run}": entry
        for server, runs in manifest["runs"].items()
        for run, entry in runs.items()
    }
    assert set(entries) == {run.path for run in factor_runs[:3]}
    for run in factor_runs[:3]:
        entry = entries[run.path]
        assert (entry["purpose"], entry["seconds"], entry["block"]) == ("factors", 45, 1)
        assert list(entry["levels"]) == COLUMNS[entry["virtual_server"]]
        assert entry["virtual_server"] in entry["load"]
    json.dumps(manifest)


def edit(plan_text, block, cell, change):
    """A plan with one cell changed."""
    edited = json.loads(plan_text)
    change(edited["blocks"][block][cell])
    return json.dumps(edited)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda cell: cell["levels"].update(vcpus=3), "'vcpus'"),
        (
            lambda cell: cell["levels"].update(vcpus=3 - cell["levels"]["vcpus"]),
            "vcpus is not the product",
        ),
        (lambda cell: cell.update(first="mail"), "'mail'"),
        (lambda cell: cell["levels"].update(cpu_quota=0.3), "cpu_quota"),
    ],
)
def test_error_in_a_cell_names_file_block_and_cell(tmp_path, factors_plan, change, reason):
    path = tmp_path / "plan.json"
    path.write_text(edit(json.dumps(factors_plan), 1, 0, change))
    with pytest.raises(qvtestbed.TestbedError, match=reason) as error:
        plan.read_plan(path)
    number = factors_plan["blocks"][1][0]["cell"]
    assert f"{path}: block 2, cell {number}" in str(error.value)


def test_only_what_is_missing_is_recorded_with_one_start_per_cell(
    tmp_path, monkeypatch, factors_plan, factor_runs
):
    """A start that fails does not end the study."""
    recorded = factor_runs[2:]
    for run in recorded[:-4]:
        folder = tmp_path / factors_plan["study"] / run.path
        folder.mkdir(parents=True)
        (folder / "run.json").write_text("{}")
    started = []

    def record_on_server(raw, study_plan, all_resources, planned, runs, *_):
        started.append([run.path for run in runs])
        if len(started) == 1:
            raise qvtestbed.TestbedError("a guest did not boot")
        return True

    monkeypatch.setattr(study, "record_on_server", record_on_server)
    monkeypatch.setattr(study.image_build, "build_images", lambda: None)
    assert study.record_missing_runs(factors_plan, tmp_path) == 1
    missing = [run.path for run in [*factor_runs[:2], *factor_runs[-4:]]]
    assert started == [missing[:2], missing[2:4], missing[4:]]


def test_limits_of_an_idle_machine_must_be_in_the_plan(tmp_path, factors_plan):
    with pytest.raises(qvtestbed.TestbedError, match="max_memory_latency_ns"):
        study.record_missing_runs(factors_plan, tmp_path, wait_until_idle=True)
