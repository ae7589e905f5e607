"""Load commands, the recorder's plan, the filter of iotop.log, and the reactions to the recorder's progress lines."""

import io
import re
import signal
import sys
from pathlib import Path

import experiment_plan
import load_command
import pytest
from qvtestbed import experiment, runs
from qvtestbed.guests import DOCUMENTS
from qvtestbed.idle_cpu import BASELINE_LINE
from qvtestbed.paths import COLLECTORS


def test_httperf_arrivals_are_evenly_spaced_or_exponential():
    even = experiment.build_httperf_command(runs.WebLoad(20, "even"), "web", 60, Path("/u"))
    assert even[even.index("--rate") + 1] == "20"
    assert even[even.index("--num-conns") + 1] == "1200"
    assert even[even.index("--num-calls") + 1] == "1"
    poisson = experiment.build_httperf_command(runs.WebLoad(20, "poisson"), "web", 60, Path("/u"))
    assert "--period=e0.05" in poisson
    assert "--rate" not in poisson


@pytest.mark.parametrize(
    "command",
    [
        experiment.build_httperf_command(runs.WebLoad(5, "even"), "web", 10, Path("/u")),
        experiment.build_sysbench_command(runs.DatabaseLoad(16), "db", 10, 1),
    ],
)
def test_loads_connect_only_to_loopback(command):
    hosts = [word.split("=")[1] for word in command if word.startswith("--mysql-host=")]
    if "--server" in command:
        hosts.append(command[command.index("--server") + 1])
    assert hosts == ["127.0.0.1"]


def test_recorder_accepts_the_plan(planned, running, tmp_path, monkeypatch):
    """And the load commands agree with the workloads."""
    monkeypatch.setattr(experiment, "STATE", tmp_path)
    both = next(run for run in planned if run.name == "both-005-16-a")
    recorder_plan = experiment.build_recorder_plan("s", both, running, 30, 3)
    assert recorder_plan["virtual_servers"]["db"]["workload"]["population"] == 16
    assert recorder_plan["virtual_servers"]["web"]["host_disk"] == "loop3"
    assert recorder_plan["virtual_servers"]["db"]["virtual_disk"] == "sda"
    web = next(run for run in planned if run.name == "web-005-a")
    web_plan = experiment.build_recorder_plan("s", web, running, 30, 3)
    assert "workload" not in web_plan["virtual_servers"]["db"]
    out = tmp_path / "s" / both.server / both.name
    checked = experiment_plan.check_plan(recorder_plan, str(out))
    for name, load in checked["loads"].items():
        workload = checked["virtual_servers"][name]["workload"]
        command = load_command.read_command(load["command"])
        assert command.kind == workload["kind"]
        assert load_command.compare(workload, command) == []


def test_all_requested_documents_exist(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "STATE", tmp_path)
    run = runs.Run("first", "r", "p", 10, {})
    uris = experiment.write_uri_list(run, "web", 500).read_bytes().split(b"\0")
    assert uris.pop() == b""
    assert len(uris) == 500
    numbers = [re.fullmatch(rb"/d(\d{3})/f(\d{6})\.bin", uri).groups() for uri in uris]
    assert all(int(number) % 200 == int(folder) for folder, number in numbers)
    assert max(int(number) for _, number in numbers) < DOCUMENTS


def test_guests_of_one_image_have_ports_seeds_and_logs_of_their_own(running, tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "STATE", tmp_path)
    guests = [f"web{number}" for number in range(1, 5)]
    running["guests"] = dict.fromkeys(guests, running["guests"]["web"])
    run = runs.Run("first", "web-4", "p", 10, dict.fromkeys(guests, runs.WebLoad(10, "even")))
    recorder_plan = experiment.build_recorder_plan("s", run, running, 5, 1)
    checked = experiment_plan.check_plan(recorder_plan, str(tmp_path / "s" / "first" / "web-4"))
    commands = [load["command"] for load in checked["loads"].values()]
    ports = [command[command.index("--port") + 1] for command in commands]
    assert ports == ["28090", "28100", "28110", "28120"]
    assert len({Path(command[-1].split(",")[1]).read_bytes() for command in commands}) == 4
    logs = [load["log"] for load in checked["loads"].values()]
    assert logs == [f"httperf-{name}.log" for name in guests]
    for name in guests:
        assert recorder_plan["virtual_servers"][name]["qemu_process"] == f"guest={name}[, ]"
        assert recorder_plan["roles"][name]["tasks"] == "^apache2$"
        assert experiment.GUEST_PROCESS.search(f"-name guest={name},debug-threads=on")
    assert run.compute_seed("web") == runs.Run("first", "web-4", "x", 1, {}).compute_seed("db")


def test_lines_of_other_processes_are_dropped():
    text = (
        "#T 1 2 0 b\n"
        "Total DISK READ: 0.00 K/s | Total DISK WRITE: 0.00 K/s\n"
        "Current DISK READ: 0.00 K/s | Current DISK WRITE: 0.00 K/s\n"
        "  TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND\n"
        "import sys\n"
        "   17 be/4 root 0.00 K/s 1.00 K/s qemu -name guest=db,debug-threads=on [worker]\n"
        "   18 be/4 root 0.00 K/s 1.00 K/s python3 -c import os\n"
        "print('secret')\n"
        "#END SIGTERM\n"
    )
    kept, dropped = experiment.drop_other_processes(text)
    assert dropped == 3
    assert kept.splitlines()[-2].endswith("[worker]")
    assert "secret" not in kept
    assert experiment.drop_other_processes(kept) == (kept, 0)


# -- the recorder's progress lines


def test_limits_are_on_during_the_measurement_only(monkeypatch, capfd, running):
    switched = []
    monkeypatch.setattr(
        experiment.server_lifecycle,
        "switch_limits",
        lambda running, on: switched.append((running["server"], on)),
    )
    output = "db: started\nidle baseline: 20 s to go\nidle baseline: 10 s to go\n" + (
        "load db: 30 s\nafter the load: 3 s to go\nfetching the logs\nrecorded\n"
    )
    switch_limits = experiment.make_limits_switch(running)
    experiment.relay_lines(io.StringIO(output), switch_limits, pytest.fail)
    assert switched == [("first", True), ("first", False)]
    assert capfd.readouterr().err == output


def test_recorder_prints_the_lines_that_switch_the_limits():
    source = "".join(path.read_text() for path in COLLECTORS.rglob("*.py"))
    assert f'"{BASELINE_LINE}"' in source
    assert f'"{experiment.COPY_LINE}"' in source


def test_on_line_can_end_the_command(monkeypatch):
    monkeypatch.setattr(
        experiment.server_lifecycle, "wrap_in_group", lambda group, command: command
    )
    script = (
        f"import sys,time\nsys.stderr.write('{BASELINE_LINE}: 30 s to go\\n')\n"
        "sys.stderr.flush()\ntime.sleep(60)"
    )
    code = experiment.run_in_loads_group(
        [sys.executable, "-c", script],
        timeout=30,
        on_line=lambda line: line.startswith(BASELINE_LINE),
    )
    assert code == -signal.SIGTERM
