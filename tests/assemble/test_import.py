"""``queuevisor import``: what is inferred from logs recorded by hand, what is refused, what is written."""

import json
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from typer.testing import CliRunner

from pipeline.assemble.plan import Choices, Question
from pipeline.assemble.processes import Program, programs, propose_servers
from pipeline.cli import import_logs
from pipeline.cli.app import app
from pipeline.errors import Error
from pipeline.raw import find_run, find_studies

GIVEN = ("--date", "2026-11-22", "--tz", "UTC", "--cpus", "1")
START_NS = 1_795_389_761_500_000_000
"""Start of the load in the example's recording, to a second."""


@pytest.fixture
def example(root):
    return root / "tests/assemble/example"


@pytest.fixture
def run_import(example, tmp_path):
    """Run the command on the example; options replace or follow those of the example."""

    def call(
        *more, out="old/srv/r1", host="host-*", guest="guest-*", client="httperf.txt", given=GIVEN
    ):
        args = ["--raw", str(tmp_path / "raw"), "import", out]
        for option, files in (("--host", host), ("--guest", guest), ("--client", client)):
            if files:
                paths = files if isinstance(files, list) else sorted(example.glob(files))
                args += [option, *(["web"] if option == "--guest" else []), *map(str, paths)]
        result = CliRunner().invoke(app, [*args, *given, *map(str, more)])
        if isinstance(result.exception, Error):
            raise result.exception
        return result

    return call


def manifest(tmp_path, out="old/srv/r1"):
    return json.loads((tmp_path / "raw" / out / "run.json").read_text())


def test_the_example_becomes_a_run(run_import, example, tmp_path):
    done = run_import()
    assert done.exit_code == 0, done.output
    run = find_run(tmp_path / "raw", "old", "srv", "r1")
    assert run.problems() == []
    assert run.has_inferred_times
    assert run.has_inferred_window
    server = run.virtual_servers["web"]
    assert (server.server_processes, server.virtual_disk, server.host_disk) == (
        "^apache2$",
        "vda",
        "loop0",
    )
    assert re.search(server.qemu_process, "qemu-system-x86_64 -name guest=web,debug-threads=on")
    work = server.workload
    assert (work.kind, work.rate_per_s, work.arrivals) == ("open", 20.0, "even")
    assert work.window.start_ns == pytest.approx(START_NS, abs=2e9)
    assert work.window.duration_s == pytest.approx(59.958)
    assert run.facts("host")["cpus"] == 1
    # the files as they are
    for name, source in {
        "host/top.log": "host-top.txt", "host/block.00001.log": "host-stat.before",
        "host/block.00002.log": "host-stat.after", "client/httperf.log": "httperf.txt",
    }.items():  # fmt: skip
        assert (run.path / name).read_bytes() == (example / source).read_bytes()
    assert [p.name for p in run.path.parent.iterdir()] == ["r1"]
    study = json.loads((tmp_path / "raw/old/study.json").read_text())
    assert set(study["servers"]) == {"srv"}
    assert set(study["virtual_servers"]) == {"web"}
    assert done.output.strip().splitlines()[-1].startswith("next: queuevisor --raw ")


def test_nothing_is_written_over_or_in_part(run_import, tmp_path):
    assert run_import("--dry-run").exit_code == 0
    assert not (tmp_path / "raw").exists()
    assert run_import().exit_code == 0
    again = run_import()
    assert again.exit_code == 2
    assert "exists" in again.stderr
    assert list((tmp_path / "raw/old/srv").iterdir()) == [tmp_path / "raw/old/srv/r1"]


def test_a_study_that_a_person_wrote_must_have_the_names(run_import, tmp_path):
    study = tmp_path / "raw/old/study.json"
    study.parent.mkdir(parents=True)
    study.write_text(json.dumps({"format": "queuevisor-study/1", "study": "old", "servers": {"srv": {}},
                                 "virtual_servers": {"db": {}}}))  # fmt: skip
    text = study.read_bytes()
    refused = run_import()
    assert refused.exit_code == 2
    assert "virtual_servers.web" in refused.stderr
    assert study.read_bytes() == text
    assert not (tmp_path / "raw/old/srv").exists()


def test_a_second_run_extends_the_study_that_the_command_wrote(run_import, tmp_path):
    assert run_import().exit_code == 0
    assert run_import(out="old/other/r2").exit_code == 0
    study = json.loads((tmp_path / "raw/old/study.json").read_text())
    assert set(study["servers"]) == {"srv", "other"}


def test_a_run_needs_no_study_json(run_import, tmp_path):
    run_import()
    (tmp_path / "raw/old/study.json").unlink()
    (study,) = find_studies(tmp_path / "raw")
    assert study.problems() == []
    listed = CliRunner().invoke(app, ["--raw", str(tmp_path / "raw"), "runs"])
    assert listed.exit_code == 0, listed.stderr
    assert "old/srv/r1: times of the logs and window inferred" in listed.output


@pytest.mark.parametrize(
    ("given", "option"),
    [
        (("--tz", "UTC", "--cpus", "1"), "--date"),
        (("--date", "2026-11-22", "--cpus", "1"), "--tz"),
        (("--date", "2026-11-22", "--tz", "UTC"), "--cpus"),
    ],
)
def test_what_the_logs_do_not_say_is_an_error_that_names_the_option(run_import, given, option):
    refused = run_import(given=given)
    assert refused.exit_code == 2
    assert f"the logs do not say: {option} " in refused.stderr


def test_yes_takes_what_is_proposed(run_import, tmp_path):
    assert run_import("--yes", given=("--cpus", "2", "--date", "2026-11-22")).exit_code == 0
    assert manifest(tmp_path)["roles"]["web"]["time_zone"] == "UTC"
    assert manifest(tmp_path)["roles"]["host"]["cpus"] == 2


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"host": "httperf.txt"}, "belongs to --client"),
        ({"client": "host-top.txt"}, "belongs to --host or --guest"),
        ({"guest": None}, "--guest"),
        ({"out": "r1"}, "STUDY/SERVER/RUN"),
        ({"out": "old/srv/.r1"}, "STUDY/SERVER/RUN"),
    ],
)
def test_files_and_folders_that_do_not_fit_are_refused(run_import, options, reason):
    refused = run_import(**options)
    assert refused.exit_code == 2
    assert reason in refused.stderr
    assert "Traceback" not in refused.output


@pytest.mark.parametrize(
    "option",
    [
        ("--server-processes", "web=nginx"), ("--server-processes", "web=("), ("--qemu", "web=guest=nosuch,"),
        ("--disk", "web=vdb:loop0"), ("--disk", "web=vda"), ("--workload", "web=fast"), ("--cpus", "0"),
        ("--tz", "Mars"), ("--date", "22.11.2026"), ("--start", "12:00:00"), ("--start", "noon"),
        ("--qemu", "db=x"), ("--iotop", "web=x/y"), ("--accelerator", "xen"),
        ("--iotop", "host=25:99:00/1"), ("--iotop", "host=12:00:00/0"), ("--server-processes", r"web=^apache2\Z"),
        ("--qemu", "web=x{"), ("--server-processes", "web=a*"),
    ],
)  # fmt: skip
def test_a_choice_that_the_logs_contradict_is_refused(run_import, option):
    refused = run_import(*option)
    assert refused.exit_code == 2, refused.output
    assert refused.stderr.count("queuevisor: ") == 1
    if option[0] in ("--server-processes", "--qemu", "--iotop"):
        assert refused.stderr.count("\n") == 1 and "str.contains" not in refused.stderr


def test_a_file_given_twice_is_refused(run_import, example):
    refused = run_import(host=[example / "host-top.txt", example / "host-top.txt"])
    assert (refused.exit_code, "given twice" in refused.stderr) == (2, True)


def test_choices_replace_what_is_inferred(run_import, tmp_path):
    done = run_import("--start", "23:22:43", "--end", "2026-11-22T23:23:40+00:00", "--workload",
                      "web=closed:3", "--accelerator", "tcg", "--iotop", "web=23:22:36/1.05")  # fmt: skip
    assert done.exit_code == 0, done.output
    written = manifest(tmp_path)
    assert written["window"] == {"start_ns": 1795389763000000000, "end_ns": 1795389820000000000,
                                 "times": "recorded"}  # fmt: skip
    assert written["virtual_servers"]["web"]["workload"]["population"] == 3
    assert written["accelerator"] == "tcg"
    assert written["logs"]["web/iotop.log"]["start_ns"] == 1795389756000000000


# -- the server and its load generator on one machine ----------------------------------------------------------


@pytest.mark.parametrize(
    ("growth", "expected"),
    [
        ({"httperf": 19.5, "apache2": 0.8}, ["apache2"]),
        ({"backup": 30.0, "nginx": 0.4}, ["nginx"]),
        ({"sysbench": 9.0, "mariadbd": 5.0, "apache2": 0.02}, ["mariadbd"]),
        ({"wrk": 9.0, "api-server": 2.0, "top": 3.0}, ["api-server"]),
        ({"python3.11": 9.0, "iotop-py": 3.0, "memtier_benchma": 2.0, "apache2": 0.0}, []),
        ({"ab": 5.0, "abacus": 1.0}, ["abacus"]),
    ],
)
def test_known_servers_go_first_and_load_generators_never(growth, expected):
    ordered = sorted(
        (Program(name, cpu_s, 1) for name, cpu_s in growth.items()), key=lambda p: -p.cpu_s
    )
    assert [each.name for each in propose_servers(ordered)] == expected


def test_a_java_program_is_jmeter_by_its_command_line():
    commands = ["java -jar /opt/bin/ApacheJMeter.jar -n", "/usr/bin/java -jar shop.jar"]
    rows = pl.DataFrame(
        {"snapshot": [0, 0, 1, 1], "pid": [1, 2] * 2, "is_thread": False,
         "command": commands * 2, "cpu_time_s": [0.0, 0.0, 9.0, 1.0]},
    )  # fmt: skip
    measured = programs(rows)
    assert [(each.name, each.cpu_s) for each in measured] == [("jmeter", 9.0), ("java", 1.0)]
    assert [each.name for each in propose_servers(measured)] == ["java"]


def test_more_cpu_time_per_request_than_the_client_waits_is_noted(run_import, example, tmp_path):
    assert "per request" not in run_import("--dry-run").stderr
    # a tenth of the requests: 7 s of CPU time for 120 requests, which took 9.3 ms each
    report = changed(example, tmp_path / "logs", "httperf.txt",
                     lambda text: text.replace("requests 1200 replies 1200", "requests 120 replies 120"))  # fmt: skip
    noted = run_import("--dry-run", client=[report])
    assert noted.exit_code == 0
    cpu_ms, response_ms = map(float, re.findall(r"([0-9.]+) ms", noted.stderr))
    assert cpu_ms == pytest.approx(58.6, rel=0.03)
    assert response_ms == pytest.approx(9.3)


# -- what a terminal is for ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("option", "role"), [("--devices", "host"), ("--devices web=", "web")])
def test_names_of_devices_are_prompted_for_on_a_terminal(monkeypatch, option, role):
    def propose(choices):
        open_questions = () if role in choices.devices else (Question(option, "names"),)
        return SimpleNamespace(questions=open_questions, choices=choices)

    monkeypatch.setattr(import_logs.sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(import_logs.typer, "prompt", lambda text, default: "loop0,sda, sdb\n")
    plan = import_logs._answered(propose, Choices(), yes=False)
    assert plan.choices.devices == {role: ("loop0", "sda", "sdb")}


def test_the_next_command_can_be_typed_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program = tmp_path / ".venv/bin/queuevisor"
    program.parent.mkdir(parents=True)
    program.touch()
    rest = ["report", "--only", "run_report/srv/r1", "old"]
    for called, typed in (
        (str(program), [".venv/bin/queuevisor"]),
        ("queuevisor", ["queuevisor"]),
        ("/lib/pipeline/cli/__main__.py", [import_logs.sys.executable, "-m", "pipeline.cli"]),
    ):
        monkeypatch.setattr(import_logs.sys, "argv", [called])
        command = import_logs._next_command(Path("data/raw/old/srv/r1"), Path("data/raw"))
        assert shlex.split(command) == [*typed, *rest]
        command = import_logs._next_command(Path("old runs/old/srv/r1"), Path("old runs"))
        assert shlex.split(command) == [*typed, "--raw", "old runs", *rest]


# -- logs in odd states ----------------------------------------------------------------------------------------


def changed(example, folder: Path, name: str, change) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(change((example / name).read_text()))
    return path


def shifted_clock(text: str, by_s: int) -> str:
    def move(match):
        hours, minutes, seconds = (int(part) for part in match[1].split(":"))
        of_day = (hours * 3600 + minutes * 60 + seconds + by_s) % 86_400
        return f"top - {of_day // 3600:02d}:{of_day % 3600 // 60:02d}:{of_day % 60:02d}"

    return re.sub(r"(?m)^top - (\S+)", move, text)


@pytest.mark.parametrize("hours", [8, -14])
def test_a_guest_in_another_zone_is_aligned_over_midnight(run_import, example, tmp_path, hours):
    top = changed(
        example, tmp_path / "logs", "guest-top.txt", lambda text: shifted_clock(text, hours * 3600)
    )
    guest = [top, example / "guest-stat.before", example / "guest-stat.after"]
    assert run_import(guest=guest).exit_code == 0
    offset_s = manifest(tmp_path)["roles"]["web"]["clock_offset_ns"] / 1e9
    assert offset_s == pytest.approx(3600 * (hours if hours == 8 else 10), abs=4)


def test_a_guest_whose_clock_is_ahead_is_aligned_by_its_cpu_time(run_import, example, tmp_path):
    top = changed(
        example, tmp_path / "logs", "guest-top.txt", lambda text: shifted_clock(text, 300)
    )
    guest = [top, example / "guest-stat.before", example / "guest-stat.after"]
    assert run_import(guest=guest).exit_code == 0
    written = manifest(tmp_path)
    assert written["roles"]["web"]["clock_offset_ns"] / 1e9 == pytest.approx(300, abs=4)
    assert written["roles"]["web"]["clock_uncertainty_ns"] / 1e9 < 5
    start_ns = written["virtual_servers"]["web"]["workload"]["start_ns"]
    assert start_ns == pytest.approx(START_NS, abs=5e9)
    times = written["logs"]["web/block.00001.log"]["snapshot_times_ns"]
    start_ns = written["window"]["start_ns"] + written["roles"]["web"]["clock_offset_ns"]
    assert times == pytest.approx([start_ns], abs=1000)


def test_nameless_counters_need_names_where_they_are_several(run_import, example, tmp_path):
    def bare(text):
        return "".join(re.sub(r"^[^:]*:", "", line) for line in text.splitlines(keepends=True))

    host = [example / "host-top.txt", *(changed(example, tmp_path / "logs", f"host-stat.{name}", bare)
                                        for name in ("after", "before"))]  # fmt: skip
    refused = run_import(host=host)
    assert refused.exit_code == 2
    assert "--devices" in refused.stderr
    assert run_import("--devices", "sda,sdb", host=host).exit_code == 0
    written = manifest(tmp_path)
    assert written["logs"]["host/block.00001.log"]["original"] == "host-stat.before"
    assert written["logs"]["host/block.00001.log"]["devices"] == ["sda", "sdb"]
    assert written["virtual_servers"]["web"]["host_disk"] == "sda"


def test_a_load_longer_than_the_report_has_no_place(run_import, example, tmp_path):
    report = changed(example, tmp_path / "logs", "httperf.txt",
                     lambda text: text.replace("test-duration 59.958", "test-duration 19.958"))  # fmt: skip
    refused = run_import(client=[report])
    assert refused.exit_code == 2
    assert "--start" in refused.stderr


def test_an_incomplete_log_is_noted(run_import, example, tmp_path):
    top = changed(example, tmp_path / "logs", "guest-top.txt", lambda text: text[: len(text) // 3])
    guest = [top, example / "guest-stat.before", example / "guest-stat.after"]
    done = run_import(guest=guest)
    assert done.exit_code == 0, done.output
    assert "part of the load only" in done.stderr


def test_without_the_host_or_the_client_the_rest_is_imported(run_import, tmp_path):
    assert run_import(host=None, given=("--date", "2026-11-22", "--tz", "UTC")).exit_code == 0
    assert find_run(tmp_path / "raw", "old", "srv", "r1").problems() == []
    assert run_import(out="old/srv/r2", client=None).exit_code == 0
    assert "workload" not in manifest(tmp_path, "old/srv/r2")["virtual_servers"]["web"]


def test_a_folder_of_the_collectors_keeps_its_exact_times(root, tmp_path):
    recorded = root / "data/raw/kvm-case-study/first/web-020-even"
    args = ["--raw", tmp_path / "raw", "import", "old/srv/r1", "--host", recorded / "host", "--guest", "web",
            recorded / "web", "--client", recorded / "client/httperf.log"]  # fmt: skip
    done = CliRunner().invoke(app, list(map(str, args)))
    assert done.exit_code == 0, done.output
    run = find_run(tmp_path / "raw", "old", "srv", "r1")
    assert (run.has_inferred_times, run.has_inferred_window) == (False, True)
    true = find_run(root / "data/raw", "kvm-case-study", "first", "web-020-even").window
    assert run.window.start_ns == pytest.approx(true.start_ns, abs=1.5e9)
    assert run.idle_before.end_ns <= true.start_ns
    assert (run.path / "host/facts.json").exists()
    assert run.problems() == []
