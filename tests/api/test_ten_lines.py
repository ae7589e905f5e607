"""The ten lines of Python that the design promises, on the study that comes with the project."""

import altair as alt
import polars as pl
import pytest

from pipeline import files
from pipeline.evaluate.server_ratio import SERVER_RATIO
from pipeline.files import project_path
from pipeline.tables import LEDGER, polars_schema


@pytest.mark.report
@pytest.mark.xdist_group("examples")
def test_ten_lines_of_python(monkeypatch):
    monkeypatch.chdir(files.ROOT)

    import pipeline as qv

    study = qv.open_study("kvm-case-study")
    runs = study.runs
    run = study["first/db-16-a"]
    top = run.table("top_processes", role="db")
    ledger = run.ledger
    demands = run.demands
    checks = run.checks
    model = study.fit("first", "db")
    predicted = model.predict(qv.closed(16))
    chart = run.plot.utilization()
    ratio = study.compare("first", "second")

    assert runs.height == 160 and runs["held_out"].sum() > 0
    assert runs.filter(run="db-16-a", server="first").row(0, named=True)["level"] == 16
    assert qv.open_run(project_path("data/raw/kvm-case-study/first/db-16-a")).run == run.run
    assert top.to_pandas().shape == (8501, top.width)
    assert ledger.columns == list(polars_schema(LEDGER))
    host = demands.row(by_predicate=pl.col("station") == "host_cpu", named=True)
    assert host["value_ms"] == pytest.approx(57.66, abs=0.01)
    assert host["low_ms"] < host["value_ms"] < host["high_ms"]
    assert host["background_ms"] == pytest.approx(5.34, abs=0.01)
    assert checks["result"][0] == "failed" and checks["result"][-1] == "passed"
    assert predicted.response_ms == pytest.approx(898, abs=1)
    assert predicted.throughput_per_s == pytest.approx(17.8, abs=0.05)
    measured_ms = 1e3 * qv.value_of(ledger, "db", "R_client")
    assert predicted.response_low_ms < measured_ms < predicted.response_high_ms
    assert isinstance(chart, alt.TopLevelMixin)
    assert ratio.schema == SERVER_RATIO and ratio["ratio"].null_count() < ratio.height
