"""Tasks on a dask cluster of two worker processes over TCP: results, workers that end, clusters that do not answer."""

import os
import re
import signal
import socket

import pytest
import worker_tasks

from pipeline.workers import ClusterError, cluster, run_tasks

pytestmark = pytest.mark.xdist_group("cluster")


def lost(number, reason):
    return f"{number}: {reason}"


def test_results_come_with_the_numbers_of_their_tasks(scheduler):
    tasks = [(number,) for number in range(5)]
    done = dict(run_tasks(worker_tasks.square, tasks, scheduler=scheduler, if_lost=lost))
    assert done == {0: 0, 1: 1, 2: 4, 3: 9, 4: 16}
    assert list(run_tasks(worker_tasks.square, [], scheduler=scheduler, if_lost=lost)) == []


def test_a_worker_killed_from_outside_costs_a_retry(scheduler, tmp_path):
    done = {}
    tasks = [(str(tmp_path), number) for number in range(6)]
    for number, result in run_tasks(worker_tasks.slow, tasks, scheduler=scheduler, if_lost=lost):
        done[number] = result
        if len(done) == 1:
            running = [p for p in tmp_path.glob("pid-*") if int(p.name[4:]) not in done]
            os.kill(int(running[0].read_text()), signal.SIGKILL)
    assert done == {number: number for number in range(6)}


def test_a_task_that_ends_each_of_its_workers_is_lost_and_no_other(scheduler):
    done = dict(
        run_tasks(worker_tasks.killed_always, [(0,), (1,)], scheduler=scheduler, if_lost=lost)
    )
    assert done[0] == 0
    assert done[1].startswith("1: its worker was ended 4 times") and "192.0.2.1" in done[1]


def test_an_exception_of_the_function_is_raised(scheduler):
    with pytest.raises(TypeError):
        list(run_tasks(worker_tasks.square, [("a",)], scheduler=scheduler, if_lost=lost))


def test_no_scheduler(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_TIMEOUT_S", 0.5)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    for wrong in (address, "nowhere", "file:///tmp"):
        with pytest.raises(ClusterError, match="no dask scheduler at"):
            list(run_tasks(worker_tasks.square, [(1,)], scheduler=wrong, if_lost=lost))


def test_a_scheduler_without_workers(monkeypatch, no_workers):
    monkeypatch.setattr(cluster, "WORKERS_TIMEOUT_S", 0.5)
    with pytest.raises(ClusterError, match=r"no worker of .* within 0.5 s"):
        list(run_tasks(worker_tasks.square, [(1,)], scheduler=no_workers, if_lost=lost))


def test_workers_with_other_code_or_other_files(scheduler, monkeypatch):
    own = cluster.versions()
    other = own | {"polars": "0.1", "Queuevisor's code": "000000000000"}
    monkeypatch.setattr(cluster, "versions", lambda: other)
    with pytest.raises(ClusterError) as error:
        list(run_tasks(worker_tasks.square, [(1,)], scheduler=scheduler, if_lost=lost))
    assert f"polars {own['polars']} instead of 0.1" in str(error.value)
    assert "tcp://127.0.0.1:" in str(error.value)  # the worker is named
    assert own["Queuevisor's code"] in str(error.value)
    monkeypatch.setattr(cluster, "versions", lambda: own)
    checks = [worker_tasks.other_folder]
    with pytest.raises(ClusterError, match="/data: other content"):
        list(
            run_tasks(worker_tasks.square, [(1,)], scheduler=scheduler, if_lost=lost, checks=checks)
        )


def test_dask_and_fsspec_are_imported_where_they_are_used(root):
    """They are an extra, and take half a second."""
    at_import = re.compile(r"^(?:import|from) (?:dask|distributed|fsspec)", re.M)
    modules = list((root / "pipeline").rglob("*.py"))
    assert len(modules) > 100 and not [p for p in modules if at_import.search(p.read_text())]
