"""The published numbers, and what equation (10) inverted gives for them."""

from pathlib import Path

import polars as pl
import pytest

from pipeline.evaluate import published

RAW = Path(__file__).resolve().parents[2] / "data" / "raw"

# R_cpu, R_vdisk, R_disk (ms), X, R_req (ms); D (ms) and U (%) of vdisk and of disk; N/X (ms) and its ratio
IMPLIED = {
    ("first", "web"): (0.75, 0.33, 1.6, 5, 2.68, 0.329, 0.16, 1.587, 0.79, None, None),
    ("first", "db"): (3.8, 9.7, 2.2, 77.5, 15.7, 5.537, 42.91, 1.880, 14.57, 206.5, 13.2),
    ("second", "web"): (3.65, 12.3, 3.7, 5, 19.65, 11.587, 5.79, 3.633, 1.82, None, None),
    ("second", "db"): (4.97, 26.3, 32, 54.7, 63.27, 10.785, 58.99, 11.635, 63.64, 292.5, 4.6),
}


@pytest.fixture(scope="module")
def implied() -> pl.DataFrame:
    return published.derive_quantities(published.read_tables(RAW), published.read_workloads(RAW))


@pytest.mark.parametrize("key", IMPLIED, ids="-".join)
def test_equation_10_inverted_gives_the_known_demands_and_utilizations(implied, key):
    server, virtual_server = key
    row = implied.row(
        by_predicate=(pl.col("server") == server) & (pl.col("virtual_server") == virtual_server),
        named=True,
    )
    r_cpu, r_vdisk, r_disk, x, r_req, d_v, u_v, d_d, u_d, little, ratio = IMPLIED[key]
    assert (row["r_cpu_ms"], row["r_vdisk_ms"], row["r_disk_ms"]) == (r_cpu, r_vdisk, r_disk)
    assert row["x_req_per_s"] == x
    assert row["r_req_ms"] == pytest.approx(r_req, abs=0.005)
    assert row["d_vdisk_ms"] == pytest.approx(d_v, abs=0.0005)
    assert row["d_disk_ms"] == pytest.approx(d_d, abs=0.0006)
    assert row["u_vdisk"] * 100 == pytest.approx(u_v, abs=0.006)
    assert row["u_disk"] * 100 == pytest.approx(u_d, abs=0.006)
    if little is None:
        assert row["little_ms"] is None and row["little_ratio"] is None
    else:
        assert row["little_ms"] == pytest.approx(little, abs=0.05)
        assert row["little_ratio"] == pytest.approx(ratio, abs=0.06)


def test_equation_10_of_the_derived_demands_is_published(implied):
    for disk in ("vdisk", "disk"):
        again = implied[f"d_{disk}_ms"] / (1 - implied[f"u_{disk}"])
        assert again.to_list() == pytest.approx(implied[f"r_{disk}_ms"].to_list())


def test_two_of_four_rows_nest(implied):
    nests = implied.filter("nests").select("server", "virtual_server").rows()
    assert nests == [("first", "db"), ("second", "web")]


def test_published_throughput_lies_below_what_its_demands_allow(implied):
    closed = implied.filter(pl.col("kind") == "closed")
    assert (closed["x_req_per_s"] < closed["x_lower_bound_per_s"]).all()
    first = closed.row(by_predicate=pl.col("server") == "first", named=True)
    assert first["x_req_per_s"] < first["x_single_per_s"]


def test_every_published_number_stands_once_in_the_tables():
    rows = published.read_tables(RAW)
    assert rows.height == 4
    assert rows.select("server", "virtual_server").is_unique().all()
    assert set(published.QUANTITIES.values()) == {"R_cpu", "R_vdisk", "R_disk", "X"}
    assert sum(rows.select(*published.QUANTITIES).count().row(0)) == 16


def test_setup_leaves_out_what_the_paper_does_not_say():
    second = published.read_servers(RAW).row(by_predicate=pl.col("server") == "second", named=True)
    assert second["cpu_clock_ghz"] is None and second["model"] is None
    assert (second["cpu_cores"], second["memory_gb"], second["disk_gb"]) == (2, 2, 500)
    kinds = dict(published.read_workloads(RAW).select("virtual_server", "kind").iter_rows())
    assert kinds == {"web": "open", "db": "closed"}
