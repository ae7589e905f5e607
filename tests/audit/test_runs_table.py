"""The recorded study's own table, one row per run and virtual server: nothing in it breaks a law."""

import polars as pl

from pipeline.api.export import to_csv
from pipeline.audit import audit_table


def test_no_finding_in_the_recorded_study(root, tmp_path):
    frame = pl.read_parquet(root / "data/course/runs.parquet")
    path = tmp_path / "runs.csv"
    path.write_text(to_csv(frame) + "\n")
    audit = audit_table(path)
    assert audit.findings.rows() == []
    rows = dict(audit.checks.select("formula", "rows").rows())
    assert rows["N = X_client (R_client + Z)"] > 50
    assert rows["R_sum = R_cpu + R_vdisk + R_disk"] == frame["R_sum_s"].count()

    wrong = frame.with_columns(pl.col("R_sum_s") * 1.001, pl.col("R_client_s") * 1.2)
    path.write_text(to_csv(wrong) + "\n")
    broken = audit_table(path).checks.filter(pl.col("findings") > 0)
    assert set(broken["check"]) == {"Little's law", "response is the sum of its parts"}
