"""A study that waits for a quiet machine: by the walk before a run, by the guests' idle pace before its load."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "testbed"))

from qvtestbed import experiment, idle_cpu, memory_latency, plan, study

RECORDER = "db: started\nbefore-state: 30 s to go\nbefore-state: 20 s to go\nbefore-state: 10 s to go\nload db: 60 s\n"


def test_a_run_waits_for_a_quiet_machine(monkeypatch, capsys):
    walks, slept = iter([312.0, 250.0, 140.0]), []
    monkeypatch.setattr(memory_latency, "now_ns", lambda: next(walks))
    monkeypatch.setattr(study.time, "sleep", slept.append)
    study.wait_until_quiet(200)
    assert slept == [study.QUIET_EVERY_S] * 2
    said = "".join(capsys.readouterr())
    assert said.count("waiting for a quiet machine: 312 ns") == 1
    assert "quiet: 140 ns" in said


def test_a_quiet_machine_is_not_talked_about(monkeypatch, capsys):
    monkeypatch.setattr(memory_latency, "now_ns", lambda: 80.0)
    study.wait_until_quiet(200)
    assert "".join(capsys.readouterr()) == ""


# -- the before-state ------------------------------------------------------------------------------


def heard(monkeypatch, used_s, text: str = RECORDER, most_cpus: float = 0.2):
    """The recorder's words, ten seconds apart, with what the guests have used at each before-state line."""
    at, used, ended = iter([0.0, 10.0, 20.0]), iter(used_s), []
    monkeypatch.setattr(idle_cpu.time, "monotonic", lambda: next(at))
    monkeypatch.setattr(idle_cpu, "cpu_s", lambda pids: next(used))
    before = idle_cpu.BeforeState([1, 2], most_cpus)
    experiment.relay(io.StringIO(text), before.heard, lambda: ended.append(True))
    return before, ended


def test_guests_that_are_quick_are_let_go_on(monkeypatch):
    before, ended = heard(monkeypatch, [100.0, 104.0, 103.4])
    assert before.found_cpus == pytest.approx(0.17) and not before.too_slow and ended == []


def test_guests_that_are_slow_end_the_recording_before_its_load(monkeypatch):
    before, ended = heard(monkeypatch, [100.0, 101.0, 106.0])
    assert before.found_cpus == pytest.approx(0.3) and before.too_slow
    assert ended == [True], "once, though more lines follow"


def test_a_short_before_state_says_nothing(monkeypatch):
    before, ended = heard(monkeypatch, [100.0], "before-state: 5 s to go\nload web: 0 s\n")
    assert before.found_cpus is None and ended == []


def test_a_guest_that_has_ended_is_no_matter_of_the_pace():
    ended = subprocess.Popen(["true"])
    ended.wait()
    before = idle_cpu.BeforeState([ended.pid], 0.2)
    assert not before.heard("before-state: 30 s to go\n") and before.found_cpus is None


def test_cpu_time_is_that_of_all_processes():
    busy = (
        "import time\nwhile time.process_time()<0.3: pass\n"
        "while True: print(time.process_time(), flush=True); input()"
    )
    some = [
        subprocess.Popen(
            [sys.executable, "-c", busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        before = sum(float(process.stdout.readline()) for process in some)
        found = idle_cpu.cpu_s([process.pid for process in some])
        for process in some:
            process.stdin.write("\n")
            process.stdin.flush()
        after = sum(float(process.stdout.readline()) for process in some)
        jiffies = 2 * len(some) / os.sysconf("SC_CLK_TCK")  # user and system, each cut off
        assert before >= 0.6 and before - jiffies <= found <= after + jiffies
    finally:
        for process in some:
            process.kill()
            process.communicate()
    with pytest.raises(OSError):
        idle_cpu.cpu_s([some[0].pid])


def test_a_recorder_that_is_ended_by_a_watcher_ends(monkeypatch):
    monkeypatch.setattr(experiment.server_lifecycle, "entering", lambda group, command: command)
    script = "import sys,time\nsys.stderr.write('before-state: 30 s to go\\n')\nsys.stderr.flush()\ntime.sleep(60)"
    code = experiment.in_loads_group(
        [sys.executable, "-c", script],
        timeout=30,
        watch=lambda line: line.startswith("before-state"),
    )
    assert code == -signal.SIGTERM


def test_a_run_is_put_off_until_the_machine_is_quick_enough(monkeypatch, capsys, tmp_path):
    """Putting off is no failed attempt: two of those end the run, any number of these does not."""
    slept, asked = [], []
    answers = [experiment.NotQuietError("idle, the guests take 0.31 CPUs")] * 3 + [True]

    def record(*_, most_idle_cpus, **__):
        asked.append(most_idle_cpus)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(experiment, "record", record)
    monkeypatch.setattr(memory_latency, "now_ns", lambda: 80.0)
    monkeypatch.setattr(study.time, "sleep", slept.append)
    known = plan.load()
    run = plan.runs(known, ["first"])[0]
    assert study.record_twice(tmp_path, known, run, {}, quiet=True)
    assert slept == [study.QUIET_EVERY_S] * 3 and set(asked) == {known["quiet_idle_cpus"]}
    assert "".join(capsys.readouterr()).count("put off: idle, the guests take 0.31 CPUs") == 3
    answers = [True]
    assert study.record_twice(tmp_path, known, run, {}) and asked[-1] is None
