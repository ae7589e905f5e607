"""``queuevisor report``: which pages, what is printed, exit codes, signals."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def test_a_page_that_is_not_there_is_exit_code_2_and_names_those_that_are(one_run):
    done = one_run.queuevisor("report", "--only", "nonsense")
    assert done.returncode == 2
    assert "run_report/first/web-005-a" in done.stderr
    assert "compare_servers" not in done.stderr, "one server is compared with nothing"
    done = one_run.queuevisor("report", "no-such-study")
    assert done.returncode == 2
    assert "kvm-case-study" in done.stderr
    for name in ("kvm-case-study/third", "kvm-case-study/first/web-005-b", "kvm-case-study/a/b/c"):
        done = one_run.queuevisor("report", name)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


def test_a_page_that_does_not_apply_says_what_it_needs(one_run):
    done = one_run.queuevisor("report", "--only", "compare_servers")
    assert (done.returncode, done.stderr) == (2, "queuevisor: compare_servers needs two servers\n")


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_computed(own_run, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "reports", "/proc/reports"):
        done = own_run.queuevisor("report", "-o", out)
        assert done.returncode == 2
        assert done.stderr.startswith(f"queuevisor: {out}: cannot be written: ")
        assert len(done.stderr.splitlines()) == 1
    assert not own_run.processed.exists()


def test_the_second_time_nothing_is_rendered(own_run, tmp_path):
    command = ("report", "kvm-case-study/first/web-005-a", "-o", tmp_path / "reports")
    first = own_run.queuevisor(*command)
    assert first.returncode == 0, first.stderr
    assert "report 1/1 run_report/first/web-005-a done in" in first.stderr
    page = tmp_path / "reports" / "kvm-case-study" / "run_report-first-web-005-a.html"
    written = page.stat().st_mtime_ns
    second = own_run.queuevisor(*command)
    assert second.stderr.splitlines() == [
        "ingest: 1 run unchanged",
        "report: 1 page unchanged",
        "report: 1 page, all complete",
    ]
    assert second.returncode == 0 and page.stat().st_mtime_ns == written
    # a damaged log: another page, marked as damaged; the sentence and the exit code say the same
    own_run.cut("host/top.log.zst")
    third = own_run.queuevisor(*command)
    assert third.returncode == 1
    assert third.stderr.splitlines()[-1] == "report: 1 page: 1 with input problems, 0 complete"


def children(pid: int) -> set[int]:
    """Process ids of all descendants."""
    pids = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            pids |= {int(path.parent.name)} | children(int(path.parent.name))
    return pids


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_nothing_behind_and_the_same_command_goes_on(own_run, tmp_path, number):
    temporary, out = tmp_path / "temporary", tmp_path / "reports"
    temporary.mkdir()
    folders = ["--raw", str(own_run.raw), "--processed", str(own_run.processed)]
    own_run.queuevisor("ingest")
    report = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", *folders, "report", "kvm-case-study/first/web-005-a",
         "-o", str(out)],
        env=os.environ | {"TMPDIR": str(temporary)}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    started: set[int] = set()
    while not started and report.poll() is None:
        if list(temporary.glob("qv-*/k*")):  # sockets of the kernel
            started = children(report.pid)
        time.sleep(0.05)
    report.send_signal(number)
    _, errors = report.communicate(timeout=60)
    assert report.returncode == 128 + number, errors
    assert "Traceback" not in errors and "interrupted" in errors
    assert started and not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert list(temporary.iterdir()) == []
    assert [path for path in out.rglob("*") if path.name.startswith(".")] == []
    assert not (out / "kvm-case-study").exists(), "no page is written before it is complete"
    done = own_run.queuevisor("report", "kvm-case-study/first/web-005-a", "-o", out)
    assert done.returncode == 0, done.stderr
