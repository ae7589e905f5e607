"""The testbed's pure parts; no guest is booted here (`testbed.py smoke` does that in CI)."""

import io
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "testbed"))

from qvtestbed import (  # noqa: E402
    apt_settings,
    cgroups,
    cleanup,
    delay_accounting,
    doctor,
    experiment,
    listen_backlog,
    paced_disk,
    paths,
    plan,
    qemu,
    server_lifecycle,
    study,
)

FOUND = {
    "server": "first",
    "accelerator": "tcg",
    "guests": {
        "web": {"device": "/dev/loop3", "disk_pid": 1, "port": 28080, "qemu_pid": 2},
        "db": {"device": "/dev/loop4", "disk_pid": 3, "port": 23306, "qemu_pid": 4},
    },
}


# -- the plan


@pytest.fixture
def planned():
    content = plan.load()
    return content, plan.runs(content, list(paths.envelopes()))


def test_plan_covers_what_the_study_promises(planned):
    content, runs = planned
    for server in ("first", "second"):
        mine = {run.name: run for run in runs if run.server == server}
        for name in (
            "web-005-a",
            "web-005-b",
            "db-16-a",
            "db-16-b",
            "both-005-16-a",
            "both-005-16-b",
        ):
            assert mine[name].seconds >= 120
        threads = [run.loads["db"].threads for run in mine.values() if run.name.endswith("-sweep")]
        assert threads == [1, 2, 4, 8, 16, 32]
        rates = {
            spacing: {
                run.loads["web"].rate
                for run in mine.values()
                if run.purpose == "load-sweep"
                and "web" in run.loads
                and run.loads["web"].arrivals == spacing
            }
            for spacing in ("even", "poisson")
        }
        assert rates["even"] == rates["poisson"]
        assert len(rates["even"]) >= 5
        assert all(run.seconds >= 60 for run in mine.values())
    assert content["before_s"] >= 30
    assert len({run.path for run in runs}) == len(runs)


def test_held_out_runs_are_planned_and_leave_enough_to_fit(planned):
    content, runs = planned
    out = set(plan.held_out(content, list(paths.envelopes())))
    assert out <= {run.path for run in runs}
    for server in ("first", "second"):
        left = [run for run in runs if run.server == server and run.path not in out]
        assert {run.loads["db"].threads for run in left if run.name.startswith("db-")} >= {1, 4, 16}
        assert len({run.loads["web"].rate for run in left if run.name.startswith("web-")}) >= 3


def test_a_held_out_run_that_is_not_planned_is_refused():
    content = plan.load()
    content["held_out"]["db_threads"] = [3]
    with pytest.raises(paths.TestbedError, match="first/db-03-sweep"):
        plan.held_out(content, ["first"])


def test_seeds_differ_between_runs_and_stay(planned):
    _, runs = planned
    assert len({run.seed for run in runs}) == len(runs)
    again = plan.runs(plan.load(), list(paths.envelopes()))
    assert [run.seed for run in again] == [run.seed for run in runs]


def test_study_json_lists_only_what_is_there(planned):
    content, runs = planned
    text = plan.study_json(content, paths.envelopes(), "tcg", runs[:1], "2026-01-02")
    assert text["format"] == "queuevisor-study/1"
    assert list(text["runs"]["first"]) == ["web-005-a"]
    assert text["runs"]["second"] == {}
    assert text["servers"]["second"]["envelope"]["cpu_quota"] == 0.5
    assert text["case_study"]["web"] == "web-005-a"
    json.dumps(text)


def test_study_file_keeps_its_first_day(planned, tmp_path):
    content, runs = planned
    folder = tmp_path / content["study"]
    folder.mkdir()
    (folder / "study.json").write_text('{"recorded": "2020-02-20"}')
    study.write_study(tmp_path, content, paths.envelopes(), runs, "tcg")
    assert json.loads((folder / "study.json").read_text())["recorded"] == "2020-02-20"


# -- loads


def test_httperf_is_spaced_evenly_or_exponentially():
    even = experiment.httperf(plan.WebLoad(20, "even"), 60, Path("/u"))
    assert even[even.index("--rate") + 1] == "20"
    assert even[even.index("--num-conns") + 1] == "1200"
    assert even[even.index("--num-calls") + 1] == "1"
    poisson = experiment.httperf(plan.WebLoad(20, "poisson"), 60, Path("/u"))
    assert "--period=e0.05" in poisson
    assert "--rate" not in poisson


@pytest.mark.parametrize(
    "command",
    [
        experiment.httperf(plan.WebLoad(5, "even"), 10, Path("/u")),
        experiment.sysbench(plan.DatabaseLoad(16), 10, 1),
    ],
)
def test_loads_reach_nothing_but_loopback(command):
    hosts = [word.split("=")[1] for word in command if word.startswith("--mysql-host=")]
    if "--server" in command:
        hosts.append(command[command.index("--server") + 1])
    assert hosts == ["127.0.0.1"]


def test_recorder_accepts_the_plan(planned, tmp_path, monkeypatch):
    """The recorder's own check, by its dry run."""
    monkeypatch.setattr(experiment, "STATE", tmp_path)
    _, runs = planned
    both = next(run for run in runs if run.name == "both-005-16-a")
    text = experiment.recorder_plan("s", both, FOUND, 30, 3, [])
    assert text["virtual_servers"]["db"]["workload"]["population"] == 16
    assert text["virtual_servers"]["web"]["host_disk"] == "loop3"
    idle = next(run for run in runs if run.name == "web-005-a")
    assert (
        "workload"
        not in experiment.recorder_plan("s", idle, FOUND, 30, 3, [])["virtual_servers"]["db"]
    )
    recorder = paths.COLLECTORS / "client" / "record_experiment.py"
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(text))
    done = subprocess.run(
        [sys.executable, str(recorder), str(path), "--out", str(tmp_path / both.name), "--dry-run"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_every_document_that_is_asked_for_exists(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "STATE", tmp_path)
    run = plan.Run("first", "r", "p", 10, {})
    uris = experiment.uri_list(run, 500).read_bytes().split(b"\0")
    assert uris.pop() == b""
    assert len(uris) == 500
    numbers = [re.fullmatch(rb"/d(\d{3})/f(\d{6})\.bin", uri).groups() for uri in uris]
    assert all(int(number) % 200 == int(folder) for folder, number in numbers)
    assert max(int(number) for _, number in numbers) < paths.DOCUMENTS


def test_other_processes_lines_are_left_out():
    ours = re.compile("guest=(web|db)[, ]")
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
    clean, dropped = experiment.drop_foreign_lines(text, ours)
    assert dropped == 3
    assert clean.splitlines()[-2].endswith("[worker]")
    assert "secret" not in clean
    assert experiment.drop_foreign_lines(clean, ours) == (clean, 0)


# -- envelopes


def test_servers_differ_and_a_server_leaves_a_cpu_for_the_loads():
    servers = paths.envelopes()
    assert list(servers) == ["first", "second"]
    first, second = servers["first"], servers["second"]
    assert second["cpu_quota"] < first["cpu_quota"]
    assert second["cpu_period_us"] <= 5000
    assert all(second["memory_bytes"][name] < first["memory_bytes"][name] for name in paths.GUESTS)
    for server in servers.values():
        assert server["cpus"] == [0]
        assert server["memory_bytes"]["web"] < paths.DOCUMENTS * paths.DOCUMENT_BYTES


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cpu_quota": 0}, "cpu_quota"),
        ({"cpu_quota": 2}, "cpu_quota"),
        ({"memory_bytes": {"web": 1}}, "memory_bytes"),
    ],
)
def test_wrong_envelope_names_file_and_entry(tmp_path, change, message):
    path = tmp_path / "envelopes.json"
    server = {**paths.envelopes()["first"], **change}
    path.write_text(json.dumps({"servers": {"odd": server}}))
    with pytest.raises(paths.TestbedError, match=message) as error:
        paths.envelopes(path)
    assert str(path) in str(error.value)
    assert "odd" in str(error.value)


def test_unknown_server_is_named_with_those_there_are():
    with pytest.raises(paths.TestbedError, match=r"third.*first, second"):
        paths.envelope("third")


# -- QEMU


def command(accelerator="tcg"):
    return qemu.command(
        "web",
        memory_bytes=512 << 20,
        accelerator=accelerator,
        disk="/dev/loop3",
        folder=Path("/state"),
        kernel=Path("/k"),
        initrd=Path("/i"),
    )


def test_qemu_command_line():
    words = command()
    line = " ".join(words)
    assert re.search("guest=web[, ]", line)
    assert "debug-threads=on" in line
    assert words[words.index("-m") + 1] == "512M"
    assert "cache=none" in line
    assert "iothread=iothread0" in line
    assert "restrict=on" in line
    forwards = re.findall(r"hostfwd=tcp:([^:]*):", line)
    assert forwards == ["127.0.0.1", "127.0.0.1"]
    assert str(ROOT) not in line
    assert "throttl" not in line


def test_accelerators():
    assert "tcg,thread=multi" in command("tcg")
    assert "kvm" in command("kvm")


def test_kvm_needs_its_device(tmp_path):
    works, why = qemu.kvm_runs_a_guest(Path("/k"), Path("/i"), device=str(tmp_path / "kvm"))
    assert not works
    assert "there is no" in why


@pytest.mark.parametrize(
    ("script", "works", "reason"),
    [
        ("echo '[ 1.0] Run /init as init process' > \"$console\"; sleep 30", True, "first program"),
        ("sleep 30", False, "did not start its first program in"),
        ("echo 'no such msr' >&2; exit 1", False, "QEMU ended: no such msr"),
    ],
)
def test_kvm_is_tried_with_a_time_limit(tmp_path, monkeypatch, script, works, reason):
    fake = tmp_path / "qemu"
    fake.write_text(
        "#!/bin/sh\nfor w; do case $w in file:*) console=${w#file:};; esac; done\n" + script
    )
    fake.chmod(0o755)
    monkeypatch.setattr(qemu, "PROGRAM", str(fake))
    answer = qemu.kvm_runs_a_guest(Path("/k"), Path("/i"), limit_s=2, device=str(fake))
    assert answer[0] is works
    assert reason in answer[1]


# -- the paced disk

DISK = {
    "seek_min_ms": 1.0,
    "seek_max_ms": 3.0,
    "revolution_ms": 4.0,
    "bytes_per_s": 1e6,
    "flush_ms": 2.0,
    "seed": 1,
}


def test_sequential_access_only_transfers():
    disk = paced_disk.Mechanism(DISK, 1 << 20)
    disk.head = 4096
    assert disk.access_s(4096, 10_000) == pytest.approx(0.01)
    assert disk.access_s(14_096, 500) == pytest.approx(0.0005)


def test_random_access_positions_within_its_bounds():
    disk = paced_disk.Mechanism(DISK, 1 << 20)
    times = []
    for number in range(400):
        disk.head = 1 << 19
        times.append(disk.access_s((number * 2467) % (1 << 19), 0))
    assert min(times) >= 0.001
    assert max(times) <= 0.003 + 0.004
    assert 0.003 < sum(times) / len(times) < 0.006


def test_the_same_seed_gives_the_same_disk():
    first, second = (paced_disk.Mechanism(DISK, 1 << 20) for _ in range(2))
    offsets = [4096 * number * 7 % (1 << 20) for number in range(50)]
    assert [first.access_s(o, 4096) for o in offsets] == [second.access_s(o, 4096) for o in offsets]


class Pipe:
    """A PacedFile whose answers go into a pipe."""

    def __init__(self, tmp_path):
        path = tmp_path / "backing"
        path.write_bytes(bytes(range(256)) * 256)
        self.read_end, write_end = os.pipe()
        backing = os.open(path, os.O_RDWR)
        self.file = paced_disk.PacedFile(
            write_end, backing, paced_disk.Mechanism(DISK, path.stat().st_size)
        )
        self.path = path

    def ask(self, opcode, body=b""):
        head = paced_disk.IN_HEADER.pack(40 + len(body), opcode, 77, 1, 0, 0, 0, 0, 0)
        self.file.answer(head + body)
        answer = os.read(self.read_end, 1 << 16)
        length, error, unique = paced_disk.OUT_HEADER.unpack_from(answer)
        assert (length, unique) == (len(answer), 77)
        return error, answer[16:]


def test_paced_file_reads_and_writes_the_backing_file(tmp_path):
    pipe = Pipe(tmp_path)
    read = struct.pack("<QQIIQII", 1, 256, 16, 0, 0, 0, 0)
    assert pipe.ask(paced_disk.READ, read) == (0, bytes(range(16)))
    write = struct.pack("<QQIIQII", 1, 512, 3, 0, 0, 0, 0) + b"abc"
    error, answer = pipe.ask(paced_disk.WRITE, write)
    assert (error, struct.unpack("<II", answer)) == (0, (3, 0))
    assert pipe.path.read_bytes()[512:515] == b"abc"
    assert pipe.path.stat().st_size == 65536
    assert pipe.ask(99)[0] < 0  # an operation that a disk has not


def test_paced_file_takes_its_time_only_when_paced(tmp_path, monkeypatch):
    """60,000 bytes at 1 MB/s, from where the head is; the clock stands still."""
    slept = []
    monkeypatch.setattr(paced_disk.time, "monotonic", lambda: 100.0)
    monkeypatch.setattr(paced_disk.time, "sleep", slept.append)
    pipe = Pipe(tmp_path)
    read = struct.pack("<QQIIQII", 1, 0, 60_000, 0, 0, 0, 0)
    pipe.ask(paced_disk.READ, read)
    assert slept == []
    pipe.file.paced = True
    pipe.file.mechanism.head = 0
    pipe.ask(paced_disk.READ, read)
    assert slept == [pytest.approx(0.06)]
    pipe.file.mechanism.head = 0
    pipe.file.queued = True  # it waited while the mechanism was at the one before
    pipe.ask(paced_disk.READ, read)
    assert slept[1:] == [pytest.approx(0.12)]


# -- control groups


def fake_tree(folder):
    for controller in ("cpu", "cpuset", "blkio"):
        (folder / controller).mkdir()
    for file in ("cpuset.cpus", "cpuset.mems"):
        (folder / "cpuset" / file).write_text("0-1")
    return {name: folder / name for name in ("cpu", "cpuset", "blkio")}


def test_settings_for_both_versions(tmp_path):
    one = cgroups.Groups(one=fake_tree(tmp_path))
    whole, half = one.settings([0], 1.0, 5000), one.settings([0], 0.5, 5000)
    assert whole["cpu.cfs_quota_us"] == "-1"
    assert (half["cpu.cfs_quota_us"], half["cpu.cfs_period_us"]) == ("2500", "5000")
    two = cgroups.Groups(one={}, two=tmp_path)
    assert two.settings([0, 1], 0.5, 5000)["cpu.max"] == "2500 5000"
    assert two.settings([0, 1], 2, 5000)["cpu.max"] == "max 5000"
    assert two.settings([0, 1], 2, 5000)["cpuset.cpus"] == "0,1"


def test_mounts_of_both_versions(tmp_path):
    table = tmp_path / "mounts"
    table.write_text(
        "cgroup /c/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n"
        "cgroup /c/blkio cgroup rw,blkio 0 0\n"
        "cgroup2 /c/unified cgroup2 rw 0 0\n/dev/vda / ext4 rw 0 0\n"
    )
    one, two = cgroups.mounts(str(table))
    assert one == {"cpu": Path("/c/cpu,cpuacct"), "blkio": Path("/c/blkio")}
    assert two == Path("/c/unified")


def test_disk_limits_name_the_device(tmp_path):
    groups = cgroups.Groups(one=fake_tree(tmp_path))
    folder = tmp_path / "blkio/queuevisor/servers"
    folder.mkdir(parents=True)
    groups.limit_disk("servers", "254:0", {"read_iops": 50})
    assert (folder / "blkio.throttle.read_iops_device").read_text() == "254:0 50"


# -- what was started is taken down, and nothing else


def sleeper():
    return subprocess.Popen(["sleep", "60"], start_new_session=True)


def test_take_down_goes_backwards(tmp_path, monkeypatch):
    undone = []
    monkeypatch.setattr(cleanup, "undo", lambda item: undone.append(item["name"]))
    things = cleanup.Owned(tmp_path / "running.json")
    for name in ("cgroups", "disk", "mount", "loop", "qemu"):
        things.add("thing", name=name)
    assert cleanup.Owned(tmp_path / "running.json").take_down() == []
    assert undone == ["qemu", "loop", "mount", "disk", "cgroups"]
    assert cleanup.Owned(tmp_path / "running.json").items == []


def test_what_fails_stays_on_the_list(tmp_path, monkeypatch):
    monkeypatch.setattr(cleanup, "undo", lambda item: "busy" if item["name"] == "loop" else None)
    things = cleanup.Owned(tmp_path / "running.json")
    for name in ("mount", "loop"):
        things.add("thing", name=name)
    assert things.take_down() == ["busy"]
    assert [item["name"] for item in cleanup.Owned(tmp_path / "running.json").items] == ["loop"]


def test_a_process_is_ended_only_if_it_is_the_one(tmp_path):
    process = sleeper()
    try:
        start = cleanup.start_time(process.pid)
        assert cleanup.end_process(process.pid, start + 1, "another") is None
        assert process.poll() is None
        assert cleanup.end_process(process.pid, start, "ours") is None
        assert cleanup.start_time(process.pid) is None
    finally:
        process.kill()


def test_a_list_of_an_earlier_boot_is_forgotten(tmp_path):
    path = tmp_path / "running.json"
    path.write_text(json.dumps({"boot_id": "another", "items": [{"kind": "process"}]}))
    assert cleanup.Owned(path).items == []


def test_a_loop_device_of_another_file_is_left_alone():
    assert cleanup.detach_loop("/dev/loop-no-such", "/some/file") is None


# -- sources, doctor, backlog


def test_debian_mirror_from_both_kinds_of_sources(tmp_path):
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / "other.sources").write_text(
        "Types: deb\nURIs: http://a.example/\nSuites: nodistro\nComponents: main\n"
    )
    assert apt_settings.debian_sources(tmp_path) == []
    (folder / "debian.sources").write_text(
        "Types: deb\n# a comment\nURIs: http://m.example/debian\n"
        "Suites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k\n"
    )
    assert apt_settings.debian_sources(tmp_path) == ["http://m.example/debian"]
    (tmp_path / "sources.list").write_text(
        "# deb http://no.example bookworm main\n"
        "deb [signed-by=/k arch=amd64] http://one.example/debian bookworm contrib main\n"
    )
    assert apt_settings.debian_sources(tmp_path) == ["http://one.example/debian"]


def test_no_mirror_address_in_the_files():
    for path in (ROOT / "testbed").rglob("*"):
        if path.suffix in (".py", ".json", ".md"):
            assert not re.search(r"https?://[a-z]+\.debian", path.read_text()), path


def test_doctor_gives_one_line(monkeypatch):
    monkeypatch.setattr(
        doctor, "program_path", lambda name: None if name in ("httperf", "mke2fs") else "/x"
    )
    monkeypatch.setattr(doctor, "FILES", {})
    assert doctor.install_line(doctor.lacking()) == "mend it: apt install e2fsprogs httperf"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_backlog_of_another_process_is_widened():
    code = (
        "import socket,sys;s=socket.socket();s.bind(('127.0.0.1',0));s.listen(1);"
        "print(s.getsockname()[1],flush=True);sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    links = []
    try:
        port = int(process.stdout.readline())
        assert listen_backlog.widen(process.pid, {port}) == {port}
        for _ in range(20):  # nobody accepts them
            links.append(socket.create_connection(("127.0.0.1", port), 2))
    finally:
        for link in links:
            link.close()
        process.stdin.close()
        process.wait(10)


# -- the command


def command_line(*words):
    return subprocess.run(
        [sys.executable, str(ROOT / "testbed/testbed.py"), *words], capture_output=True, text=True
    )


def test_help_teaches():
    text = command_line("--help").stdout
    for word in ("doctor", "build", "up", "down", "run", "study", "smoke", "plan"):
        assert re.search(rf"^  {word} ", text, re.M), word
        assert command_line(word, "--help").returncode == 0


def test_plan_is_listed(tmp_path):
    done = command_line("plan", "--raw", str(tmp_path))
    assert done.returncode == 0
    assert "first/web-005-a" in done.stdout
    assert re.search(r"second/db-08-sweep .* held out", done.stdout)


def test_another_study_has_a_plan_of_its_own(tmp_path):
    content = plan.load() | {"study": "mine"}
    content["sweep"] = content["sweep"] | {"web_rates": {"first": [3], "second": [2]}}
    content["held_out"] = {"db_threads": [], "web_rates": {"first": [3], "second": []}, "both": []}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(content))
    done = command_line("plan", "--plan", str(path), "--raw", str(tmp_path))
    assert done.returncode == 0
    assert re.search(r"first/web-003-even .* held out", done.stdout)
    assert "first/web-020-even" not in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "Expecting property name"), ("{}", "lacks 'study'"), (None, "No such file")],
)
def test_a_plan_that_cannot_be_read_is_named(tmp_path, text, said):
    path = tmp_path / "mine.json"
    if text is not None:
        path.write_text(text)
    done = command_line("plan", "--plan", str(path))
    assert done.returncode == 2
    assert f"error: {path}: " in done.stderr and said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.skipif(
    shutil.which("qemu-system-x86_64") is None,
    reason="qemu-system-x86_64 is not there (apt install qemu-system-x86)",
)
def test_a_run_that_is_not_planned_is_refused(tmp_path):
    done = command_line("run", "first", "no-such-run", "--raw", str(tmp_path))
    assert done.returncode == 2
    assert (
        "no planned run" in done.stderr
        or "another testbed" in done.stderr
        or "lacks" in done.stderr
    )


def test_the_quota_holds_while_the_recorder_measures_and_not_else(monkeypatch, capfd):
    """The recorder's own words switch it; each once."""
    switched = []
    monkeypatch.setattr(
        experiment.server_lifecycle,
        "limit_cpu",
        lambda name, limited=True: switched.append((name, limited)),
    )
    said = "db: started\nbefore-state: 20 s to go\nbefore-state: 10 s to go\n" + (
        "load db: 30 s\nafter-state: 3 s to go\nbringing the logs home\nrecorded\n"
    )
    heard = experiment.cpu_by_phase("second")
    experiment.relay(io.StringIO(said), heard, pytest.fail)
    assert switched == [("second", True), ("second", False)]
    assert capfd.readouterr().err == said


def test_the_recorder_says_the_words_that_switch_the_quota():
    """Both ends of the arrangement: a reworded recorder would leave the quota off."""
    words = "".join(path.read_text() for path in paths.COLLECTORS.rglob("*.py"))
    assert '"before-state"' in words
    assert '"bringing the logs home"' in words


# -- delay accounting


@pytest.fixture
def sysctl(tmp_path, monkeypatch):
    path = tmp_path / "task_delayacct"
    path.write_text("0\n")
    monkeypatch.setattr(delay_accounting.delays, "SYSCTL", str(path))
    monkeypatch.setattr(delay_accounting.delays, "REGISTRY", str(tmp_path / "registry"))
    return path


def test_delay_accounting_outlives_the_command_that_switched_it_on(sysctl, tmp_path):
    """`up` ends, the guests stay, recordings come and go; `down`, another process, puts it back."""
    up, guest = (subprocess.Popen(["sleep", "60"]) for _ in range(2))
    try:
        things = cleanup.Owned(tmp_path / "running.json")
        server_lifecycle.switch_on_delay_accounting(things, up.pid)
        assert sysctl.read_text() == "1"
        server_lifecycle.switch_on_delay_accounting(things, guest.pid)
        up.kill()
        up.wait()
        delay_accounting.delays.switch_on()
        delay_accounting.delays.leave()
        assert sysctl.read_text() == "1", "a recording has ended, the guest still needs it"
        assert cleanup.Owned(tmp_path / "running.json").take_down() == []
        assert sysctl.read_text() == "0"
    finally:
        for p in (up, guest):
            p.kill()
            p.wait()


def test_a_testbed_that_was_killed_is_mended_by_the_next_recording(sysctl, tmp_path):
    things = cleanup.Owned(tmp_path / "running.json")
    guest = subprocess.Popen(["sleep", "60"])
    server_lifecycle.switch_on_delay_accounting(things, guest.pid)
    guest.kill()
    guest.wait()
    assert sysctl.read_text() == "1"
    delay_accounting.delays.switch_on()
    delay_accounting.delays.leave()
    assert sysctl.read_text() == "0"
    assert cleanup.Owned(tmp_path / "running.json").take_down() == []
