"""The CPU use of idle guests, sampled at the recorder's progress lines."""

import io
import os
import subprocess
import sys

import pytest
from qvtestbed import experiment, idle_cpu

BASELINE = idle_cpu.BASELINE_LINE
RECORDER_OUTPUT = (
    f"db: started\n{BASELINE}: 30 s to go\n{BASELINE}: 20 s to go\n{BASELINE}: 10 s to go\n"
    "load db: 60 s\n"
)


def monitor_output(monkeypatch, cpu_s, output: str = RECORDER_OUTPUT, max_cpus: float = 0.2):
    """Monitor the recorder's output; its baseline lines are 10 s apart, and ``cpu_s`` is the CPU time at each."""
    times_s, used_s, ended = iter([0.0, 10.0, 20.0]), iter(cpu_s), []
    monkeypatch.setattr(idle_cpu.time, "monotonic", lambda: next(times_s))
    monkeypatch.setattr(idle_cpu, "read_cpu_s", lambda pids: next(used_s))
    monitor = idle_cpu.IdleCpuMonitor([1, 2], max_cpus)
    experiment.relay_lines(io.StringIO(output), monitor.process_line, lambda: ended.append(True))
    return monitor, ended


def test_recording_continues_below_the_limit(monkeypatch):
    monitor, ended = monitor_output(monkeypatch, [100.0, 104.0, 103.4])
    assert monitor.cpus == pytest.approx(0.17) and not monitor.is_too_high and ended == []


def test_recording_ends_once_above_the_limit(monkeypatch):
    monitor, ended = monitor_output(monkeypatch, [100.0, 101.0, 106.0])
    assert monitor.cpus == pytest.approx(0.3) and monitor.is_too_high
    assert ended == [True]


def test_short_baseline_gives_no_value(monkeypatch):
    monitor, ended = monitor_output(monkeypatch, [100.0], f"{BASELINE}: 5 s to go\nload web: 0 s\n")
    assert monitor.cpus is None and ended == []


def test_ended_guest_gives_no_value():
    process = subprocess.Popen(["true"])
    process.wait()
    monitor = idle_cpu.IdleCpuMonitor([process.pid], 0.2)
    assert not monitor.process_line(f"{BASELINE}: 30 s to go\n") and monitor.cpus is None


def test_cpu_time_is_the_sum_over_processes():
    busy = (
        "import time\nwhile time.process_time()<0.3: pass\n"
        "while True: print(time.process_time(), flush=True); input()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        before_s = sum(float(process.stdout.readline()) for process in processes)
        cpu_s = idle_cpu.read_cpu_s([process.pid for process in processes])
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        after_s = sum(float(process.stdout.readline()) for process in processes)
        # user and system time of each process are truncated to ticks
        resolution_s = 2 * len(processes) / os.sysconf("SC_CLK_TCK")
        assert before_s >= 0.6 and before_s - resolution_s <= cpu_s <= after_s + resolution_s
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    with pytest.raises(OSError):
        idle_cpu.read_cpu_s([processes[0].pid])
