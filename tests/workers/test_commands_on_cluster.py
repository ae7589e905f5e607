"""ingest, ledger and report with --scheduler: the same bytes as alone; workers that see other files."""

import shutil
from pathlib import Path

import pytest
import small_study
from notebook_files import notebook, write

from pipeline import ingest, report
from pipeline.ingest import parallel
from pipeline.raw import find_runs
from pipeline.workers import ClusterError, same

pytestmark = pytest.mark.xdist_group("cluster")


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    raw = tmp_path_factory.mktemp("cluster") / "raw"
    small_study.write(raw)
    shutil.rmtree(raw / small_study.STUDY / "second")
    shutil.rmtree(raw / small_study.STUDY / "first" / "web-005-h")
    return raw


def tree(folder):
    """The files and their bytes, without the status of files in this file system."""
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "file_status.json"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_ledgers_of_a_cluster_are_those_of_one_process(raw, tmp_path, scheduler, call):
    done = {}
    for name, options in {"alone": [], "cluster": ["--scheduler", scheduler]}.items():
        folders = ["--raw", raw, "--processed", tmp_path / name]
        done[name] = call(*folders, "ledger", "--format", "csv", *options)
        assert done[name][0] in (0, 1), done[name][2]
    assert done["alone"][1].count("\n") > 200
    assert done["alone"][:2] == done["cluster"][:2]
    alone = tree(tmp_path / "alone")
    assert len([name for name in alone if name.startswith("ledger/")]) == 2
    assert alone == tree(tmp_path / "cluster")


PARAMETERS = """study: str = ""
server: str = ""
run: str = ""
raw: str = ""
processed: str = "" """
CELL = """
from pathlib import Path
print(server, run, [path.name for path in Path(processed, "client").rglob("*.parquet")])
"""


def test_a_page_of_a_cluster_is_that_of_one_process(raw, tmp_path, scheduler):
    """A notebook of one cell, which reads the run's tables."""
    write(tmp_path / "books/run_report.ipynb", notebook(CELL, parameters=PARAMETERS))
    pages = {}
    for name, address in {"alone": None, "cluster": scheduler}.items():
        rows = report.render(
            small_study.STUDY, raw=raw, processed=tmp_path / "processed", out=tmp_path / name,
            only="first/web-005-a", notebooks=tmp_path / "books", scheduler=address,
        )["pages"]  # fmt: skip
        assert [row["error"] for row in rows] == [None]
        pages[name] = tree(tmp_path / name)
        del pages[name]["index.html"]  # has the time
    page = f"{small_study.STUDY}/run_report-first-web-005-a"
    assert b"web-005-a [" in pages["alone"][f"{page}.html"] and f"{page}.json" in pages["alone"]
    assert pages["alone"] == pages["cluster"]


def test_no_scheduler_is_exit_code_2(raw, tmp_path, call, monkeypatch):
    monkeypatch.setattr("pipeline.workers.cluster.CONNECT_TIMEOUT_S", 0.3)
    for command in ("ingest", "ledger", "report"):
        folders = ["--raw", raw, "--processed", tmp_path / "processed"]
        code, out, err = call(*folders, command, "--scheduler", "tcp://127.0.0.1:9")
        assert (code, out) == (2, ""), err
        assert "no dask scheduler at tcp://127.0.0.1:9" in err


def test_workers_that_see_another_folder(raw, tmp_path, scheduler, monkeypatch):
    """The client's view is changed, not the workers': as if its folder were another one of the same name."""
    runs = find_runs(raw)
    processed = tmp_path / "processed"
    real = same.location_digest
    monkeypatch.setattr(
        same,
        "location_digest",
        lambda path: "0" if path.endswith("study.json") else real(path),
    )
    with pytest.raises(ClusterError, match=r"study.json: other content"):
        ingest.ingest(runs, processed, scheduler=scheduler)
    monkeypatch.undo()
    sizes = parallel._files_of
    monkeypatch.setattr(parallel, "_files_of", lambda run: sizes(run) | {"host/top.log": 7})
    with pytest.raises(
        ClusterError, match=r"host/top.log: [\d,]+ bytes .* 7 bytes on this machine"
    ):
        ingest.ingest(runs, processed, scheduler=scheduler)
    monkeypatch.undo()

    class Elsewhere:
        """The token lies in another folder than the one that workers see."""

        def __init__(self, location):
            self.digests = {f"{location}/.token": "0"}

        def __enter__(self):
            return self.digests

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(same, "shared_token", Elsewhere)
    with pytest.raises(ClusterError, match=r"processed/.token: no such file on the worker"):
        ingest.ingest(runs, processed, scheduler=scheduler)
    assert list(processed.iterdir()) == []
