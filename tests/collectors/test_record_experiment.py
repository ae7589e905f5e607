# ruff: noqa: E501, PTH103, PTH110, PTH118, PTH208, UP022
"""record_experiment.py: a whole run, what it refuses, and what it leaves behind."""

import contextlib
import copy
import gzip
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
import record_experiment
from conftest import CLIENT, command_of, descendants, needs_top, wait_for

PROGRAM = os.path.join(CLIENT, "record_experiment.py")
LOAD = ["sysbench", "cpu", "--time=1", "run"] if shutil.which("sysbench") else ["sleep", "1"]


def plan_for(folder, load=None):
    (folder / "access.log").write_text("before\n")
    return {
        "study": "s", "server": "first", "run": "r1", "accelerator": "tcg", "before_s": 1, "after_s": 1,
        "interval_s": 0.5,
        "roles": {
            "host": {"via": "local", "only": "^qv-nobody$", "hostname": "first"},
            "web": {"via": "local", "only": "^qv-nobody$", "logs": {"access.log": str(folder / "access.log")}},
        },
        "virtual_servers": {
            "web": {"role": "web", "workload": {"kind": "closed", "population": 1, "think_time_s": 0.0, "request": "event"},
                    "server_processes": "^x$", "qemu_process": "guest=web[, ]", "virtual_disk": "vda", "host_disk": "loop1"},
            "db": {"role": "web", "workload": {"kind": "open", "rate_per_s": 1.0}, "server_processes": "^y$"},
        },
        "loads": {"web": {"command": load or LOAD, "log": "sysbench.log"}},
        "client": {"hostname": "client"}, "notes": ["a test"],
    }  # fmt: skip


def record(folder, plan, *words, out="r1", **more):
    path = folder / "plan.json"
    path.write_text(json.dumps(plan))
    argv = [sys.executable, "-B", PROGRAM, str(path), "--out", str(folder / "first" / out), *words]
    return subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=90, **more
    )


def read_log(path):
    found = [
        p
        for p in path.parent.iterdir()
        if p.name in (path.name, path.name + ".gz", path.name + ".zst")
    ]
    assert len(found) == 1, f"{path}: {found}"
    if found[0].suffix == ".gz":
        return gzip.decompress(found[0].read_bytes()).decode()
    if found[0].suffix == ".zst":
        return subprocess.run(
            ["zstd", "-qdc", str(found[0])], stdout=subprocess.PIPE, check=True
        ).stdout.decode()
    return found[0].read_text()


@needs_top
def test_a_whole_run(folder):
    server = f"printf 'GET / 1\\nGET / 2\\n' >>{folder}/access.log; exec sleep 1"
    load = ["sh", "-c", server]
    p = record(folder, plan_for(folder, load))
    assert p.returncode == 0, p.stderr
    out = folder / "first" / "r1"
    run = json.loads((out / "run.json").read_text())
    assert (run["format"], run["study"], run["server"], run["run"]) == (
        "queuevisor-run/1",
        "s",
        "first",
        "r1",
    )
    assert set(run["roles"]) == {"client", "host", "web"}
    assert (
        run["roles"]["host"]["hostname"] == "first"
        and run["roles"]["client"]["hostname"] == "client"
    )
    for role in run["roles"].values():
        assert role["boot_id"] and role["time_zone"] and role["clock_offset_ns"] == 0
    assert (
        run["before"]["start_ns"]
        < run["before"]["end_ns"]
        <= run["window"]["start_ns"]
        < run["window"]["end_ns"]
    )
    assert run["before"]["end_ns"] - run["before"]["start_ns"] > 0.99e9
    web = run["virtual_servers"]["web"]["workload"]
    assert run["window"]["start_ns"] <= web["start_ns"] < web["end_ns"] <= run["window"]["end_ns"]
    assert web["log"] == "client/sysbench.log" and (out / web["log"]).exists()
    assert "workload" not in run["virtual_servers"]["db"], "it stood idle"
    assert run["commands"] == {"web": load} and run["notes"] == ["a test"]
    for role in ("host", "web"):
        for log in ("top.log", "iotop.log", "tasks.log"):
            text = read_log(out / role / log)
            assert text.endswith("#END SIGTERM\n")
            times = [int(x.split()[1]) for x in text.splitlines() if x.startswith("#T ")]
            assert times[0] < run["before"]["start_ns"] and times[-1] > run["window"]["end_ns"]
        assert json.loads((out / role / "facts.json").read_text())["collector_cost"]["cpu_s"] > 0
    assert read_log(out / "web" / "access.log") == "GET / 1\nGET / 2\n"
    assert json.loads((out / "client" / "facts.json").read_text())["role"] == "client"
    assert os.listdir(folder / "first") == ["r1"], "nothing temporary stays"
    again = record(folder, plan_for(folder))
    assert again.returncode == 2 and "exists already" in again.stderr


@needs_top
def test_a_load_that_fails_is_kept_and_said(folder):
    plan = plan_for(folder, ["sh", "-c", "echo broken; exit 3"])
    plan["before_s"] = plan["after_s"] = 0
    p = record(folder, plan)
    assert p.returncode == 1 and "ended with code 3" in p.stderr
    run = json.loads((folder / "first" / "r1" / "run.json").read_text())
    assert run["virtual_servers"]["web"]["workload"]["exit_code"] == 3
    assert any("code 3" in note for note in run["notes"])
    assert (folder / "first" / "r1" / "client" / "sysbench.log").read_text() == "broken\n"


@needs_top
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interruption_stops_everything(folder, name):
    plan = plan_for(folder, ["sleep", "77.7"])
    plan["before_s"] = 0
    (folder / "plan.json").write_text(json.dumps(plan))
    p = subprocess.Popen([sys.executable, "-B", PROGRAM, str(folder / "plan.json"), "--out", str(folder / "first" / "r1")],
                         stderr=subprocess.PIPE, text=True)  # fmt: skip
    load = wait_for(
        lambda: [c for c in descendants(p.pid) if b"77.7" in command_of(c)],
        60,
    )
    assert load
    p.send_signal(getattr(signal, name))
    _, said = p.communicate(timeout=60)
    assert p.returncode == 130 and "interrupted" in said
    assert os.listdir(folder / "first") == []
    assert not os.path.exists(f"/proc/{load[0]}")
    assert not running_with(str(p.pid))


def running_with(mark):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            line = command_of(name).decode("utf-8", "replace")
            if "daemon.py" in line and f"-{mark}-" in line:
                found.append(line)
    return found


def test_a_machine_that_cannot_be_reached(folder):
    if not shutil.which("ssh"):
        pytest.skip("ssh is not there (apt install openssh-client)")
    plan = plan_for(folder)
    plan["roles"]["web"] = {"destination": "root@127.0.0.1", "ssh_options": ["-p", "1"]}
    p = record(folder, plan)
    assert p.returncode == 2 and "web: root@127.0.0.1 cannot be reached" in p.stderr
    assert os.listdir(folder / "first") == []


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        (("study",), "../up", "study"), (("accelerator",), "xen", "accelerator"), (("roles",), {}, "no roles"),
        (("roles", "host", "only"), "(", "regular expression"), (("roles", "web", "logs"), {"../x.log": "/x"}, "log"),
        (("roles", "web", "typo"), 1, "typo"), (("before_s",), "long", "before_s"), (("run",), "other", "other"),
        (("loads", "web", "command"), [], "command"), (("loads", "mail"), {"command": ["true"]}, "mail"),
        (("virtual_servers", "web", "role"), "nobody", "nobody"), (("roles", "web", "via"), "ssh", "destination"),
    ],
)  # fmt: skip
def test_a_wrong_plan_is_refused_before_anything_starts(folder, path, value, word):
    plan = copy.deepcopy(plan_for(folder))
    at = plan
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    p = record(folder, plan, "--dry-run")
    assert p.returncode == 2 and word in p.stderr
    assert not (folder / "first").exists()


def test_dry_run_and_the_example(folder):
    example = pathlib.Path(CLIENT) / "plan.example.json"
    p = subprocess.run([sys.executable, "-B", PROGRAM, str(example), "--out", str(folder / "both-even-a"), "--dry-run"],
                       stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert p.returncode == 0
    assert "collect start" in p.stdout and "httperf" in p.stdout
    assert not (folder / "both-even-a").exists()
    help_text = subprocess.run(
        [sys.executable, "-B", PROGRAM, "--help"], stdout=subprocess.PIPE, text=True
    ).stdout
    plan = json.loads(example.read_text())
    for key in [*plan, *(k for role in plan["roles"].values() for k in role)]:
        assert key in help_text, f"--help does not tell {key}"


# -- over ssh --------------------------------------------------------------------------------------


class Sshd:
    """An ssh server of the test's own on a free port of the loopback."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("hostkey", "key"):
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name]
            subprocess.run(words, check=True)
        shutil.copy(folder / "key.pub", folder / "authorized")
        os.makedirs("/run/sshd", exist_ok=True)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        (folder / "sshd.conf").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/hostkey\nPidFile {folder}/sshd.pid\n"
            f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        )
        self.server = None
        self.start()

    def start(self):
        """Begin to listen."""
        words = ["/usr/sbin/sshd", "-D", "-f", self.folder / "sshd.conf"]
        self.server = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        assert wait_for(lambda: (self.folder / "sshd.pid").exists(), 5)

    def die(self):
        """It and every connection, as if the machine had gone."""
        connections = descendants(self.server.pid)
        connections += [c for p in connections for c in descendants(p) if b"sshd" in command_of(c)]
        self.server.kill()
        self.server.wait()
        for pid in connections:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        (self.folder / "sshd.pid").unlink(missing_ok=True)

    def role(self):
        """A role's entries in the plan."""
        options = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": self.folder / "known",
            "LogLevel": "ERROR",
        }
        words = [w for k, v in options.items() for w in ("-o", f"{k}={v}")]
        return {
            "via": "ssh", "destination": "root@127.0.0.1", "remote_dir": str(self.folder / "remote"),
            "ssh_options": ["-p", str(self.port), "-i", str(self.folder / "key"), *words],
        }  # fmt: skip


@pytest.fixture
def sshd(folder):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if not os.path.exists("/usr/sbin/sshd") or not shutil.which("ssh-keygen"):
        pytest.skip("sshd is not there (apt install openssh-server)")
    server = Sshd(folder)
    yield server
    server.die()


@needs_top
def test_over_ssh(folder, sshd):
    plan = plan_for(folder)
    plan["roles"]["web"].update(sshd.role())
    p = record(folder, plan)
    assert p.returncode == 0, p.stderr
    run = json.loads((folder / "first" / "r1" / "run.json").read_text())
    web = run["roles"]["web"]
    assert abs(web["clock_offset_ns"]) <= web["clock_uncertainty_ns"] < 1e8, (
        "the same clock, seen over ssh"
    )
    assert set(web["clock"]) == {"before", "after"}
    assert web["collector_cost"]["cpu_s"] > 0, "what the collectors cost themselves"
    assert read_log(folder / "first" / "r1" / "web" / "tasks.log").endswith("#END SIGTERM\n")
    assert not (folder / "remote").exists(), "what was copied is taken away"


# -- a machine that is lost ------------------------------------------------------------------------


@contextlib.contextmanager
def under_way(folder, plan):
    """The recorder while its load runs; what it said is in `said` afterwards."""
    (folder / "plan.json").write_text(json.dumps(plan))
    words = [
        sys.executable,
        "-B",
        PROGRAM,
        str(folder / "plan.json"),
        "--out",
        str(folder / "first" / "r1"),
    ]
    env = dict(os.environ, TMPDIR=str(folder))
    p = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=env)
    load = plan["loads"]["web"]["command"][-1].encode()
    assert wait_for(lambda: [c for c in descendants(p.pid) if load in command_of(c)], 60)
    time.sleep(2)
    yield p
    _, p.said = p.communicate(timeout=90)


def samplers(folder, role):
    """The samplers that run for a role of this test: every path of theirs is below its folder."""
    found = [int(n) for n in os.listdir("/proc") if n.isdigit()]
    words = {pid: command_of(pid).split(b"\0") for pid in found}
    ours = [
        pid
        for pid, w in words.items()
        if role.encode() in w and str(folder).encode() in b" ".join(w)
    ]
    return [pid for pid in ours if any(w.endswith(b"daemon.py") for w in words[pid])]


def lost_plan(folder):
    plan = plan_for(folder, ["sleep", "6.66"])
    plan["before_s"] = plan["after_s"] = 0
    return plan


def whole_host(out):
    for log in ("top.log", "iotop.log", "tasks.log"):
        assert read_log(out / "host" / log).endswith("#END SIGTERM\n")


@needs_top
def test_a_collector_that_dies_loses_what_comes_after_it_and_nothing_else(folder):
    with under_way(folder, lost_plan(folder)) as p:
        (pid,) = samplers(folder, "web")
        os.kill(pid, signal.SIGKILL)
    assert p.returncode == 1 and "had died" in p.said
    out = folder / "first" / "r1"
    whole_host(out)
    for log in ("top.log", "iotop.log", "tasks.log"):
        lines = read_log(out / "web" / log).splitlines()
        assert lines[-1] == "#GAP the collector died: nothing was recorded after this"
        assert sum(x.startswith("#T ") for x in lines) >= 2, "what was recorded is kept"
    notes = json.loads((out / "run.json").read_text())["notes"]
    assert "web/tasks.log: the collector died: nothing was recorded after this" in notes
    assert any("had died" in note for note in notes)


@needs_top
def test_a_machine_that_is_gone_at_the_end_does_not_take_the_others_with_it(folder, sshd):
    plan = lost_plan(folder)
    plan["reach_s"] = 1
    plan["roles"]["web"].update(sshd.role())
    with under_way(folder, plan) as p:
        (pid,) = samplers(folder, "web")
        sshd.die()
        os.kill(pid, signal.SIGKILL)  # the machine is gone
    assert p.returncode == 1, p.said
    out = folder / "first" / "r1"
    whole_host(out)
    run = json.loads((out / "run.json").read_text())
    assert "cannot be reached" in " ".join(run["notes"])
    assert {"web: no top.log", "web: no tasks.log"} <= set(run["notes"])
    assert set(run["roles"]["web"]["clock"]) == {"before"}
    assert run["virtual_servers"]["web"]["workload"]["end_ns"] > run["window"]["start_ns"]
    assert os.listdir(out / "web") == []


@needs_top
def test_a_machine_that_comes_back_is_waited_for(folder, sshd):
    plan = lost_plan(folder)
    plan["reach_s"] = 40
    plan["roles"]["web"].update(sshd.role())
    with under_way(folder, plan) as p:
        (pid,) = samplers(folder, "web")
        sshd.die()
        os.kill(pid, signal.SIGKILL)
        time.sleep(4)
        sshd.start()
    assert p.returncode == 1, p.said
    out = folder / "first" / "r1"
    whole_host(out)
    lines = read_log(out / "web" / "tasks.log").splitlines()
    assert lines[-1].startswith("#GAP the collector died")
    assert sum(x.startswith("#T ") for x in lines) >= 2
    assert not (folder / "remote").exists(), "what was copied is taken away"


DIED = "the collector died: nothing was recorded after this"


@pytest.mark.parametrize(
    ("text", "gap"),
    [
        (b"#T 1 1 0 b\na\n#END SIGTERM\n", None),
        (b"#T 1 1 0 b\na\n", DIED),
        (b"", DIED),
        (b"#T 1 1 0 b\na\n#END rotated\n", None),
    ],
)
def test_a_log_without_end_line_gets_a_gap_line(tmp_path, text, gap):
    path = tmp_path / "a.log"
    path.write_bytes(text)
    assert record_experiment.mark_truncated_log(path) == gap
    assert path.read_bytes() == text + (f"#GAP {gap}\n".encode() if gap else b"")


def test_a_last_line_without_its_end_is_removed(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b"#T 1 1 0 b\ncpu0 120 0 80 5000\ncpu1 120 0 80 50")
    gap = f"{DIED}, and 16 bytes of a line that had no end were left out"
    assert record_experiment.mark_truncated_log(path) == gap
    assert path.read_bytes() == f"#T 1 1 0 b\ncpu0 120 0 80 5000\n#GAP {gap}\n".encode()
