"""Printed tables: their errors are findings, what is right in them is not."""

import pytest

from pipeline.audit import audit_table

FOLDER = "data/raw/published"


def test_the_closed_network_that_breaks_littles_law(root):
    audit = audit_table(root / FOLDER / "touloupas_closed.csv")
    (row,) = audit.findings.to_dicts()
    assert row["formula"] == "N = X (R + Z)"
    assert (row["left_side"], row["right_side"]) == (261, pytest.approx(518.96, abs=0.01))
    assert "response_ms = 16.34 ms" in row["reconciled_by"]
    assert "population = 519" in row["reconciled_by"]


def test_the_jobs_in_queue_of_the_mmm_models(root):
    path = root / FOLDER / "touloupas_mmm.csv"
    audit = audit_table(path)
    assert audit.findings.select("line", "formula").rows() == [
        (line, "E_n = E_nq + m U") for line in (2, 3, 4)
    ]
    audit = audit_table(path, constants={"model": "M/M/m"})
    by_model = audit.findings.filter(check="M/M/m")
    assert by_model["left_side"].to_list() == [0.106, 0.069, 0.046]
    assert by_model["right_side"].to_list() == pytest.approx([1.542, 0.555, 0.331], abs=6e-4)
    assert "mean_jobs_queue = 1.542" in by_model["reconciled_by"][0]
    assert set(audit.findings["check"]) == {"M/M/m", "jobs in system"}


def test_the_right_jobs_in_queue_pass(root, tmp_path):
    text = (root / FOLDER / "touloupas_mmm.csv").read_text()
    for wrong, right in (("0.106", "1.542"), ("0.069", "0.555"), ("0.046", "0.331")):
        assert wrong in text
        text = text.replace(f",{wrong},", f",{right},")
    path = tmp_path / "mended.csv"
    path.write_text(text)
    audit = audit_table(path, constants={"model": "M/M/m"})
    assert audit.count == 0
    assert audit.checks.filter(check="M/M/m").height == 4


def test_the_mm1_model_passes_as_printed(root):
    audit = audit_table(root / FOLDER / "touloupas_mm1.csv", constants={"model": "M/M/1"})
    assert audit.count == 0
    checked = set(audit.checks["formula"])
    assert {"E_n = M/M/1(lambda, mu)", "R = E_w + 1 / mu", "E_n = lambda R"} <= checked


def test_jobs_squared_are_more_than_are_in_the_system(broken):
    assert broken("E_n,E_nq\n2.69,1.961\n2.69,7.236\n") == [(3, "E_nq <= E_n")]


def test_the_papers_own_tables_break_littles_law(root):
    audit = audit_table(root / FOLDER / "tables.csv", join_with=root / FOLDER / "workloads.csv")
    law = audit.findings.filter(check="Little's law")
    assert law["label"].to_list() == ["I first db", "II second db"]
    assert law["ratio"].to_list() == pytest.approx([13.15, 4.62], abs=0.01)
    others = audit.findings.filter(check="guest's disk contains the host's")
    assert others["label"].to_list() == ["II second db"]
    assert audit.count == 3


@pytest.mark.parametrize(("tolerance", "count"), [(0.0035, 0), (0.003, 1)])
def test_measured_tables_hold_within_their_edge_effects(root, tolerance, count):
    audit = audit_table(root / FOLDER / "felter_mysql.csv", tolerance=tolerance)
    assert audit.count == count
    assert audit.checks.filter(check="Little's law")["rows"].item() == 30
