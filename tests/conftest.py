"""What every test shares."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest

# The same examples in every run, so that a run's colour tells of the change and not of the dice;
# `HYPOTHESIS_PROFILE=explore` throws them anew, and what that finds is kept as a case. No deadline: no test
# asserts how long something takes (benchmarks/ measures that).
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", derandomize=False, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

# Before anything imports Polars: tests read small tables, and the workers of pytest share the processors.
os.environ.setdefault("POLARS_MAX_THREADS", "1")

from pipeline import ingest, jsonschema_import  # noqa: E402, F401
from pipeline.raw import Run, find_run  # noqa: E402
from pipeline.raw import VirtualServer as RecordedServer  # noqa: E402
from pipeline.synthetic.event_history import GuestHistory, RunHistory  # noqa: E402
from pipeline.synthetic.host import simulate_run  # noqa: E402
from pipeline.synthetic.plan import Background, Load, Monitoring, Plan, VirtualServer  # noqa: E402
from pipeline.synthetic.study import study_manifest, write_run  # noqa: E402

ROOT = Path(__file__).parents[1]

SLOW = (
    "tests/api/",
    "tests/browser/",
    "tests/by_hand/",
    "tests/charts/test_what_if.py::",
    "tests/cli/test_course.py::",
    "tests/cli/test_help.py::",
    "tests/cli/test_ingest.py::",
    "tests/cli/test_ledger.py::",
    "tests/cli/test_parse.py::",
    "tests/cli/test_report.py::",
    "tests/cli/test_runs.py::",
    "tests/assemble/",
    "::test_numbers_are_the_same_with_any_number_of_threads",
    "tests/collectors/",
    "::test_the_number_of_workers_changes_nothing",
    "::test_on_random_hosts_right_answers_are_right_and_slips_get_their_hints",
    "tests/course/test_runs.py::",
    "tests/consistency/",
    "tests/evaluate/test_parametric_bootstrap.py::",
    "::test_a_fault_leaves_numbers_the_same_or_marked",
    "tests/ground_truth/test_coverage.py::",
    "tests/model/test_observation.py::",
    "tests/notebooks/",
    "tests/ingest/test_grown_logs.py::",
    "tests/parse/test_damage.py::",
    "tests/parse/test_grown.py::",
    "::test_damaged_logs_are_named",
    "tests/report/test_build.py::",
    "tests/report/test_execute.py::",
    "tests/report/test_page.py::",
    "tests/synthetic/test_host.py::",
    "tests/testbed/",
    "tests/workers/test_commands_on_cluster.py::",
    "tests/course/test_grade.py::",
    "tests/course/test_lesson_notebooks.py::",
    "tests/docs/test_teaching.py::",
    "::test_a_kill_in_the_middle_leaves_nothing_partial",
    "::test_a_line_dropped_or_doubled",
    "::test_a_recorded_run_has_no_finding",
    "::test_a_wrong_number_is_found_and_a_rounded_one_is_not",
    "::test_a_changed_value_is_found",
    "::test_a_column_per_quantity_has_no_finding",
    "::test_a_ledger_has_its_own_names",
    "::test_rows_that_only_a_missing_column_distinguishes",
    "::test_a_worker_that_is_killed_fails_its_own_run_only",
    "::test_cut_at_every_byte",
    "::test_mixed_is_product_form",
    "::test_more_cpu_time_per_request_than_the_client_waits_is_noted",
    "::test_the_same_bytes_with_one_worker_and_with_two",
)
"""Parts of the names of tests that `make check` leaves out: they get the marker `slow`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that ``SLOW`` names."""
    for item in items:
        if any(part in item.nodeid for part in SLOW):
            item.add_marker("slow")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture
def call(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """The program in this process: exit code, standard output, standard error."""

    from pipeline.cli import main

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["queuevisor", *map(str, words)])
        try:
            code = main()
        except SystemExit as exit_:
            code = exit_.code
        done = capsys.readouterr()
        return code or 0, done.out, done.err

    return call


@pytest.fixture(scope="session")
def scheduler() -> Iterator[str]:
    """Address of a dask scheduler with two worker processes; its tests are in the group ``cluster``."""
    from small_cluster import small_cluster

    with small_cluster(2) as address:
        yield address


@pytest.fixture
def no_workers() -> Iterator[str]:
    """Address of a dask scheduler without workers."""
    from small_cluster import small_cluster

    with small_cluster(0) as address:
        yield address


# -- two runs of a simulated host, as they happened and as they were read ----------------------------------

SOME = Background(0.01, 0.03, 0.5, 1.0, 0.7)
PLAN = Plan(
    {
        "web": VirtualServer(
            "web", "open", cpu_s=0.006, cpu_after_reply_s=0.003, disk_operations=1.5,
            requests_per_process=100, background=SOME,
        ),
        "db": VirtualServer(
            "db", "closed", cpu_s=0.02, disk_operations=3.0, disk_s=0.004, host_disk="loop1", background=SOME
        ),
    },
    {"web": {"web": Load(rate_per_s=40)}, "db": {"db": Load(threads=5)}},
    seconds=40.0,
    before_seconds=20.0,
    monitoring=Monitoring(disk_counter="exact", clock_offset_s=0.3),
)  # fmt: skip


@dataclass(frozen=True)
class Known:
    """A simulated run: what happened, the raw run, and where its tables are."""

    history: RunHistory
    run: Run
    processed: Path

    @property
    def guest(self) -> GuestHistory:
        """The virtual server with the load."""
        return self.history.guests[self.run.run]

    @property
    def server(self) -> RecordedServer:
        return self.run.virtual_servers[self.run.run]


@pytest.fixture(scope="session", params=["web", "db"])
def known(request, tmp_path_factory) -> Known:
    history = simulate_run(PLAN, "first", request.param, seed=7)
    folder = tmp_path_factory.mktemp("known")
    write_run(history, "known", folder / "raw" / "known" / "first" / request.param)
    (folder / "raw/known/study.json").write_text(json.dumps(study_manifest([PLAN], "known")))
    run = find_run(folder / "raw", "known", "first", request.param)
    ingest.ensure_ingested([run], folder / "processed")
    return Known(history, run, folder / "processed")
