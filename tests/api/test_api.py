"""The Python API: every name resolves, also from ``pipeline``; a light name imports no heavy package."""

import subprocess
import sys

import polars as pl
import pytest

import pipeline as qv
from pipeline import api, files
from pipeline.tables import LEDGER, polars_schema


@pytest.mark.parametrize("name", api.__all__)
def test_every_name_is_found_in_both_places(name):
    assert getattr(api, name) is getattr(qv, name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        qv.no_such_name  # noqa: B018
    with pytest.raises(AttributeError, match="no_such_name"):
        api.no_such_name  # noqa: B018


def test_reading_a_log_imports_no_scipy():
    code = "import sys, pipeline as qv; qv.parse_file; print('scipy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=files.ROOT
    )
    assert done.stdout == "False\n"


def test_the_package_and_its_error_import_no_frame_library():
    code = "import sys, pipeline as qv; qv.Error; print({'numpy', 'polars', 'altair'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=files.ROOT
    )
    assert done.stdout == "set()\n"


def test_runs_are_listed_with_their_loads():
    runs = qv.list_runs(files.ROOT / "data/raw")
    assert runs.filter(pl.col("run").str.starts_with("kvm-case-study/")).height == 160
    row = runs.row(by_predicate=pl.col("run") == "kvm-case-study/first/db-16-a", named=True)
    assert (row["load"], row["logs"], row["problems"]) == ("db 16 threads", 15, 0)


def test_an_opened_run_gives_its_tables_ledger_and_checks(known):
    run = qv.open_run(
        "known", "first", known.run.run,
        raw=known.run.path.parents[2], processed=known.processed,
    )  # fmt: skip
    role = run.loaded[0].role
    assert run.table("top_processes", role=role).height > 0
    assert run.table("top_processes", role="nobody").height == 0
    assert run.ledger.columns == list(polars_schema(LEDGER))
    assert set(run.checks["result"]) <= {"passed", "failed", "inconclusive", "not evaluated"}
    assert run.model_results.height == 1


def test_an_unknown_run_is_an_error_of_ours_that_names_the_nearest():
    with pytest.raises(qv.Error, match="web-005-a"):
        qv.open_run("kvm-case-study", "first", "web-005-aa")
