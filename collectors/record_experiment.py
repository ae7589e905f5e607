#!/usr/bin/env python3
"""record_experiment.py - record one experiment from the client's side, as a raw run.

PURPOSE   Starts the collectors on the host and in each guest (over ssh, or here), measures the
          clocks, waits for the idle before-state, runs the load generators, stops everything and
          brings the logs home: a folder as docs/reference/raw-run.md tells it.
USAGE     record_experiment.py PLAN.json --out data/raw/STUDY/SERVER/RUN [--dry-run]
          The plan is told by --help; an example is plan.example.json beside this file.
NEEDS     Python >= 3.6 and ssh here, Python >= 3.6, tar and sh on each machine; ssh without a
          password. The load generators of the plan. zstd, if there, packs better than gzip.
OVERHEAD  While a load runs: one waiting thread a load and a wake-up a second. The clocks are
          measured and the logs fetched and packed before and after it.
"""

import argparse
import gzip
import json
import os
import queue
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

VERSION = "queuevisor-record 0.1.0"
HERE = os.path.dirname(os.path.abspath(__file__))
FILES = (
    "collect",
    "sampler.py",
    "logs.py",
    "proc.py",
    "tools.py",
    "delays.py",
    "facts.py",
    "iotasks.py",
    "slice_log.py",
)
PLAIN = re.compile(r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")

PLAN_HELP = """
the plan, a JSON file
  study, server, run   names; letters, digits, . _ - only (run: default is the last part of --out)
  accelerator          "kvm" or "tcg"
  interval_s           seconds between samples (1)
  before_s, after_s    idle before-state (30), and how long to go on after the load (3)
  at_most_s            collectors end by themselves after so long, should the link die (14400)
  load_prefix          words put before each load's command, ["taskset", "-c", "1"]
  roles                {"host": ROLE, "web": ROLE, "db": ROLE}; each has
      via              "ssh" or "local" (default: ssh if there is a destination)
      destination, ssh_options    "root@127.0.0.1", ["-p", "2201", "-i", "key"]
      remote_dir       a folder there that can be made (/var/tmp/queuevisor)
      hostname         written instead of the machine's own name
      only, tasks, devices, iotop   as in collect --help
      interval_s       if not the plan's
      prefix           words put before the collector, ["taskset", "-c", "1"]
      logs             {"access.log": "/var/log/apache2/access.log"}: what the load wrote into them
  virtual_servers      as in run.json, without the times: {"web": {"role": "web", "workload":
                       {"kind": "open", "rate_per_s": 5.0, "arrivals": "even", "request": "..."},
                       "server_processes": REGEX, "qemu_process": REGEX, "virtual_disk": "vda",
                       "host_disk": "loop1"}}; without a load it stands idle and has no workload
  loads                {"web": {"command": ["httperf", ...], "log": "httperf.log", "timeout_s": 300}}
                       all started together, each named for its virtual server
  client               {"hostname": ALIAS}
  notes                ["..."]
Exit codes: 0 done; 1 recorded, but a load failed or something lacks (said so); 2 nothing recorded.
"""


class RefusedError(Exception):
    """Nothing could be done; the message says why."""


def now_ns():
    """UTC, in nanoseconds."""
    if hasattr(time, "time_ns"):
        return time.time_ns()
    return int(time.clock_gettime(time.CLOCK_REALTIME) * 1e9)


class Speaker:
    """Progress: one line rewritten on a terminal, plain lines elsewhere."""

    def __init__(self):
        self.terminal = sys.stderr.isatty()
        self.open_line = False
        self.said = 0.0

    def say(self, text):
        """A line that stays."""
        if self.open_line:
            self._put("\n")
        self.open_line = False
        self._put(text + "\n")

    def count(self, text, every=10.0):
        """A line that the next one takes the place of."""
        if self.terminal:
            self._put("\r" + text.ljust(78)[:78])
            self.open_line = True
        elif time.monotonic() - self.said >= every:
            self.said = time.monotonic()
            self._put(text + "\n")

    @staticmethod
    def _put(text):
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            pass


# -- the plan ------------------------------------------------------------------------------------


def need(condition, text):
    """Refuse the plan unless it holds."""
    if not condition:
        raise RefusedError(text)


def read_plan(path):
    """The plan as it stands in the file."""
    try:
        with open(path, encoding="utf-8") as f:
            plan = json.load(f)
    except OSError as e:
        raise RefusedError("%s: %s" % (path, e.strerror)) from None
    except ValueError as e:
        raise RefusedError("%s: not JSON: %s" % (path, e)) from None
    need(isinstance(plan, dict), "%s: not a plan: a JSON object is needed" % path)
    return plan


def is_words(value):
    """A list of strings?"""
    return isinstance(value, list) and all(isinstance(w, str) for w in value)


def check_plan(plan, out):
    """Every fault of a plan is found before anything is started."""
    plan.setdefault("run", os.path.basename(os.path.normpath(out)))
    known = {
        "study",
        "server",
        "run",
        "accelerator",
        "interval_s",
        "before_s",
        "after_s",
        "at_most_s",
        "load_prefix",
        "roles",
        "virtual_servers",
        "loads",
        "client",
        "notes",
    }
    for key in plan:
        need(key in known, "plan: unknown entry %r" % key)
    for key in ("study", "server", "run"):
        need(
            isinstance(plan.get(key), str) and PLAIN.match(plan[key]),
            "plan: %s: no plain name: %r" % (key, plan.get(key)),
        )
    need(
        os.path.basename(os.path.normpath(out)) == plan["run"],
        "plan: the run is called %r, the folder %r"
        % (plan["run"], os.path.basename(os.path.normpath(out))),
    )
    need(
        plan.get("accelerator") in ("kvm", "tcg"),
        "plan: accelerator: kvm or tcg, not %r" % plan.get("accelerator"),
    )
    for key, default in (("interval_s", 1), ("before_s", 30), ("after_s", 3), ("at_most_s", 14400)):
        value = plan.setdefault(key, default)
        need(
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and 0 <= value < 1e6
            and (value > 0 or key != "interval_s"),
            "plan: %s: not a number of seconds: %r" % (key, value),
        )
    need(is_words(plan.setdefault("load_prefix", [])), "plan: load_prefix: a list of words")
    need(is_words(plan.setdefault("notes", [])), "plan: notes: a list of texts")
    need(isinstance(plan.get("roles"), dict) and plan["roles"], "plan: no roles")
    role_keys = {
        "via",
        "destination",
        "ssh_options",
        "remote_dir",
        "hostname",
        "only",
        "tasks",
        "devices",
        "iotop",
        "interval_s",
        "prefix",
        "logs",
    }
    for name, role in plan["roles"].items():
        need(
            PLAIN.match(name) and name != "client", "plan: roles: %r cannot be a role's name" % name
        )
        need(isinstance(role, dict), "plan: role %s: an object is needed" % name)
        for key in role:
            need(key in role_keys, "plan: role %s: unknown entry %r" % (name, key))
        role.setdefault("via", "ssh" if role.get("destination") else "local")
        need(
            role["via"] in ("ssh", "local"),
            "plan: role %s: via ssh or local, not %r" % (name, role["via"]),
        )
        need(
            role["via"] == "local" or role.get("destination"),
            "plan: role %s: ssh needs a destination" % name,
        )
        need(
            not str(role.get("destination", "")).startswith("-"),
            "plan: role %s: destination" % name,
        )
        for key in ("ssh_options", "prefix"):
            need(
                is_words(role.setdefault(key, [])),
                "plan: role %s: %s: a list of words" % (name, key),
            )
        for key in ("only", "tasks", "devices"):
            try:
                re.compile(role.get(key) or "")
            except (re.error, TypeError) as e:
                raise RefusedError(
                    "plan: role %s: %s: not a regular expression: %s" % (name, key, e)
                ) from None
        need(isinstance(role.setdefault("logs", {}), dict), "plan: role %s: logs" % name)
        for log in role["logs"]:
            need(
                PLAIN.match(log)
                and log.endswith(".log")
                and log not in ("top.log", "iotop.log", "block.log", "tasks.log"),
                "plan: role %s: a log cannot be called %r" % (name, log),
            )
    loads = plan.setdefault("loads", {})
    need(isinstance(loads, dict), "plan: loads: an object is needed")
    used = set()
    for name, load in loads.items():
        need(PLAIN.match(name), "plan: loads: no plain name: %r" % name)
        need(
            isinstance(load, dict) and is_words(load.get("command")) and load["command"],
            "plan: load %s: no command" % name,
        )
        log = load.setdefault("log", name + ".log")
        need(
            isinstance(log, str) and PLAIN.match(log) and log.endswith(".log") and log not in used,
            "plan: load %s: a log cannot be called %r (or it is taken)" % (name, log),
        )
        used.add(log)
    servers = plan.setdefault("virtual_servers", {})
    need(isinstance(servers, dict), "plan: virtual_servers: an object is needed")
    for name, server in servers.items():
        need(PLAIN.match(name) and isinstance(server, dict), "plan: virtual server %r" % name)
        need(
            server.get("role") in plan["roles"],
            "plan: virtual server %s: its role %r is not among the roles"
            % (name, server.get("role")),
        )
        need(
            name not in loads or isinstance(server.get("workload"), dict),
            "plan: virtual server %s has a load, but no workload" % name,
        )
    for name in loads:
        need(name in servers, "plan: load %s: there is no such virtual server" % name)
    return plan


# -- machines ------------------------------------------------------------------------------------

PING = """
import sys, time
for line in sys.stdin:
    now = time.time_ns() if hasattr(time, "time_ns") else int(time.time() * 1e9)
    sys.stdout.write("%d\\n" % now)
    sys.stdout.flush()
"""


class Machine:
    """A role's machine; what was started on it is remembered, and only that is ended."""

    def __init__(self, name, role, plan, scratch):
        self.name = name
        self.role = role
        self.plan = plan
        self.scratch = scratch
        self.local = role["via"] == "local"
        self.started = False
        self.made = self.made_parent = False
        self.marks = {}
        self.clock = {}
        mark = "%s-%d-%d" % (plan["run"], os.getpid(), int(time.time()))
        if self.local:
            self.base = os.path.join(scratch, "local-" + name)
            self.code = HERE
        else:
            self.base = role.get("remote_dir", "/var/tmp/queuevisor").rstrip("/") + "/" + mark
            self.code = self.base + "/collectors"
        self.out = self.base + "/out"
        self.python = ["sh", self.code + "/collect", "python"]
        self.socket = os.path.join(scratch, "ssh-" + name)

    def ssh(self):
        """The ssh call without a command; one connection is kept for all of them."""
        settings = ["BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=15"]
        if len(self.socket) < 80:  # a socket's path may have 108 bytes
            settings += [
                "ControlMaster=auto", "ControlPersist=600", "ControlPath=" + self.socket,
            ]  # fmt: skip
        words = ["ssh"]
        for setting in settings:
            words += ["-o", setting]
        return words + self.role["ssh_options"] + [self.role["destination"]]

    def argv(self, words):
        """A command as this machine runs it: here, or through ssh."""
        if self.local:
            return list(words)
        return [*self.ssh(), " ".join(shlex.quote(w) for w in words)]

    def run(self, words, timeout=120, stdin=None, stdout=subprocess.PIPE):
        """(code, output, complaints); a machine that does not answer is a RefusedError."""
        try:
            p = subprocess.run(
                self.argv(words),
                stdin=stdin if stdin is not None else subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.PIPE,
                timeout=timeout,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            raise RefusedError(
                "%s: no answer within %d s to: %s" % (self.name, timeout, " ".join(words))
            ) from None
        except OSError as e:
            raise RefusedError("%s: %s: %s" % (self.name, words[0], e.strerror)) from None
        complaints = p.stderr.decode("utf-8", "replace").strip()
        if not self.local and p.returncode == 255:
            raise RefusedError(
                "%s: %s cannot be reached: %s"
                % (self.name, self.role["destination"], complaints or "ssh failed")
            )
        return p.returncode, p.stdout, complaints

    def sure(self, words, what, **more):
        """The output of a command that must succeed."""
        code, output, complaints = self.run(words, **more)
        if code:
            raise RefusedError(
                "%s: %s: %s" % (self.name, what, complaints or "exit code %d" % code)
            )
        return output

    def prepare(self):
        """The collectors on the machine, in a folder of their own."""
        self.made = True
        if self.local:
            os.makedirs(self.base)
            return
        self.made_parent = self.run(["test", "-d", os.path.dirname(self.base)])[0] != 0
        self.sure(["mkdir", "-p", "-m", "700", self.code], "no folder can be made")
        pack = subprocess.Popen(
            ["tar", "-C", HERE, "-cf", "-", *list(FILES)], stdout=subprocess.PIPE
        )
        try:
            self.sure(
                ["tar", "-C", self.code, "-xf", "-", "--no-same-owner"],
                "the collectors cannot be copied",
                stdin=pack.stdout,
            )
        finally:
            pack.stdout.close()
            pack.wait()

    def measure_clock(self, when, trips=60):
        """Its clock minus ours: the round trip that took least tells most."""
        if self.local:
            self.clock[when] = (0, 0)
            return
        p = subprocess.Popen(
            self.argv([*self.python, "-u", "-c", PING]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
        answers = queue.Queue()
        reader = threading.Thread(
            target=lambda: [answers.put((line, now_ns())) for line in iter(p.stdout.readline, b"")]
        )
        reader.daemon = True
        reader.start()
        best = None
        try:
            for _ in range(trips):
                sent = now_ns()
                p.stdin.write(b"\n")
                line, received = answers.get(timeout=30)
                rtt = received - sent
                if rtt >= 0 and (best is None or rtt < best[1]):
                    best = (int(line) - (sent + received) // 2, rtt)
        except (queue.Empty, OSError, ValueError):
            pass
        finally:
            try:
                p.stdin.close()
            except OSError:
                pass
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
            reader.join(5)
            p.stdout.close()
        if best is None:
            raise RefusedError("%s: its clock cannot be read" % self.name)
        self.clock[when] = (best[0], (best[1] + 1) // 2)

    def mark_logs(self):
        """Remember where the servers' own logs end now."""
        for log, path in self.role["logs"].items():
            text = (
                self.sure([*self.python, self.code + "/slice_log.py", "mark", path], path)
                .decode()
                .split()
            )
            self.marks[log] = (int(text[0]), int(text[1]))

    def start_words(self):
        """The command that starts the collectors."""
        words = [
            *list(self.role["prefix"]),
            "sh",
            self.code + "/collect",
            "start",
            "--out",
            self.out,
            "--role",
            self.name,
            "--interval",
            "%g" % (self.role.get("interval_s") or self.plan["interval_s"]),
            "--seconds",
            "%g" % self.plan["at_most_s"],
        ]
        for key in ("hostname", "only", "tasks", "devices", "iotop"):
            if self.role.get(key):
                words.append("--%s=%s" % (key, self.role[key]))
        return words

    def start(self):
        """Start the collectors: (what they said, exit code)."""
        self.started = True
        code, output, complaints = self.run(self.start_words(), timeout=180)
        if code == 2 or code > 1:
            raise RefusedError(
                "%s: the collectors did not start: %s"
                % (self.name, complaints or output.decode("utf-8", "replace"))
            )
        return output.decode("utf-8", "replace"), code

    def stop(self):
        """Stop what was started; what went wrong, or None."""
        if not self.started:
            return None
        self.started = False
        code, output, complaints = self.run(
            ["sh", self.code + "/collect", "stop", "--out", self.out], timeout=60
        )
        return (complaints or output.decode("utf-8", "replace")) if code else None

    def fetch(self, folder):
        """Bring its logs into a folder; what could not be brought is listed."""
        troubles = []
        os.makedirs(folder)
        if self.local and not os.path.isdir(self.out):
            raise RefusedError("%s: the folder of its logs is gone: %s" % (self.name, self.out))
        if self.local:
            for name in sorted(os.listdir(self.out)):
                shutil.copy(os.path.join(self.out, name), folder)
        else:
            unpack = subprocess.Popen(
                ["tar", "-C", folder, "-xf", "-", "--no-same-owner"], stdin=subprocess.PIPE
            )
            try:
                self.sure(
                    ["tar", "-C", self.out, "-cf", "-", "."],
                    "the logs cannot be fetched",
                    timeout=600,
                    stdout=unpack.stdin,
                )
            finally:
                unpack.stdin.close()
                unpack.wait()
        for log, path in self.role["logs"].items():
            inode, size = self.marks[log]
            with open(os.path.join(folder, log), "wb") as f:
                code, _, complaints = self.run(
                    [*self.python, self.code + "/slice_log.py", "cut", path, str(inode), str(size)],
                    timeout=600,
                    stdout=f,
                )
            if code:
                troubles.append(
                    "%s: %s: %s" % (self.name, log, complaints or "exit code %d" % code)
                )
        for name in ("collector.pid", "collector.err"):
            path = os.path.join(folder, name)
            if os.path.exists(path):
                if name == "collector.err":
                    with open(path, errors="replace") as f:
                        troubles.append(
                            "%s: the collector failed: %s" % (self.name, f.read().strip()[-300:])
                        )
                os.unlink(path)
        return troubles

    def clean(self):
        """Take away what was copied and made."""
        if self.made and not self.local:
            try:
                self.run(["rm", "-rf", "--", self.base], timeout=60)
                if self.made_parent:
                    self.run(["rmdir", "--", os.path.dirname(self.base)], timeout=60)
            except RefusedError:
                pass
        if not self.local and os.path.exists(self.socket):
            subprocess.run(
                [*self.ssh()[:-1], "-O", "exit", self.role["destination"]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=20,
            )


def together(function, machines):
    """A function on all machines at once; the first failure is raised when all have ended."""
    failures = []
    results = {}

    def one(machine):
        try:
            results[machine.name] = function(machine)
        except Exception as e:  # carried to the caller
            failures.append(e)

    threads = [threading.Thread(target=one, args=(m,)) for m in machines]
    for t in threads:
        t.start()
    interrupted = False
    for t in threads:
        while t.is_alive():
            try:
                t.join()
            except KeyboardInterrupt:  # what is being started has to be known before it is ended
                interrupted = True
    if interrupted:
        raise KeyboardInterrupt
    if failures:
        raise failures[0]
    return results


# -- loads ---------------------------------------------------------------------------------------


class Load:
    """One load generator: its command, its log, its own window."""

    def __init__(self, name, load, prefix, folder):
        self.name = name
        self.command = load["command"]
        self.argv = prefix + load["command"]
        self.log = load["log"]
        self.path = os.path.join(folder, self.log)
        self.timeout = load.get("timeout_s")
        self.process = None
        self.start_ns = self.end_ns = None
        self.code = None
        self.trouble = None

    def start(self):
        """Begin; a command that is not there is a trouble, no end of the experiment."""
        self.file = open(self.path, "wb")
        self.start_ns = now_ns()
        try:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=self.file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as e:
            self.end_ns = now_ns()
            self.trouble = "cannot be started: %s" % e.strerror
            self.file.write(("cannot be started: %s\n" % e.strerror).encode())
            self.file.close()
            return
        self.thread = threading.Thread(target=self.wait)
        self.thread.daemon = True
        self.thread.start()

    def wait(self):
        """In its own thread: note the end the moment it comes."""
        try:
            self.code = self.process.wait(self.timeout)
        except subprocess.TimeoutExpired:
            self.trouble = "took longer than %g s and was ended" % self.timeout
            self.end()
            self.code = self.process.wait()
        self.end_ns = now_ns()
        self.file.close()
        if self.code and not self.trouble:
            self.trouble = "ended with code %d" % self.code

    def running(self):
        """Has it not ended yet?"""
        return self.end_ns is None

    def end(self):
        """It and what it started: they have a process group of their own."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
            except (ProcessLookupError, AttributeError):
                return
            try:
                self.process.wait(3)
                return
            except subprocess.TimeoutExpired:
                pass


def tool_version(program):
    """What a load generator calls itself, None if it does not say."""
    for flag in ("--version", "-V"):
        try:
            p = subprocess.run(
                [program, flag],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=10,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        for line in p.stdout.decode("utf-8", "replace").splitlines():
            m = re.search(
                r"(%s[-\w]*[ :]+(?:version )?v?\d[\w.-]*)" % re.escape(os.path.basename(program)),
                line,
            )
            if m:
                return m.group(1)
    return None


# -- the experiment ------------------------------------------------------------------------------


def compress(path):
    """FILE.log → FILE.log.zst (or .gz), the original taken away."""
    if shutil.which("zstd"):
        subprocess.run(
            ["nice", "zstd", "-q", "-19", "--rm", "-f", path], check=True, stdin=subprocess.DEVNULL
        )
    else:
        with open(path, "rb") as f, open(path + ".gz", "wb") as raw:
            with gzip.GzipFile("", "wb", 9, raw, mtime=0) as g:
                shutil.copyfileobj(f, g)
        os.unlink(path)


def pause(seconds, what, speaker):
    """Wait, and show it."""
    end = time.monotonic() + seconds
    while True:
        left = end - time.monotonic()
        if left <= 0:
            return
        speaker.count("%s: %.0f s to go" % (what, left))
        time.sleep(min(1.0, left))


def pick(clock):
    """The better of the two measurements."""
    return min(clock.values(), key=lambda c: c[1])


def role_entry(facts, clock):
    """A role's part of run.json."""
    offset, uncertainty = pick(clock)
    return {
        "hostname": facts.get("hostname"),
        "boot_id": facts.get("boot_id"),
        "clock_offset_ns": offset,
        "clock_uncertainty_ns": uncertainty,
        "time_zone": facts.get("time_zone"),
        "tools": facts.get("tools", {}),
        "clock": {
            when: {"offset_ns": c[0], "uncertainty_ns": c[1]} for when, c in sorted(clock.items())
        },
    }


def client_facts(plan, loads):
    """facts.json of the client, with the load generators' versions."""
    words = [sys.executable, "-B", os.path.join(HERE, "facts.py"), "--role", "client"]
    if plan.get("client", {}).get("hostname"):
        words += ["--hostname", plan["client"]["hostname"]]
    facts = json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout.decode())
    for load in loads:
        program = load.command[0]
        facts["tools"][os.path.basename(program)] = tool_version(program)
        facts["commands"][load.name] = load.argv
    return facts


def write_json(path, data):
    """Indented, with a last line's end."""
    with open(path, "w", encoding="utf-8") as f:
        json.dump(data, f, indent=1, ensure_ascii=False)
        f.write("\n")


def record(plan, out, speaker):
    """Record the experiment; the list of what went wrong on the way."""
    out = os.path.abspath(out)
    need(not os.path.exists(out), "%s is there already; a raw run is never changed" % out)
    os.makedirs(os.path.dirname(out), exist_ok=True)
    folder = tempfile.mkdtemp(prefix=".%s." % os.path.basename(out), dir=os.path.dirname(out))
    os.chmod(folder, 0o755)
    scratch = tempfile.mkdtemp(prefix="qv-")
    machines = [Machine(name, role, plan, scratch) for name, role in plan["roles"].items()]
    loads = []
    troubles = []
    try:
        client = os.path.join(folder, "client")
        os.makedirs(client)
        loads = [
            Load(name, load, plan["load_prefix"], client) for name, load in plan["loads"].items()
        ]
        facts = client_facts(plan, loads)

        together(Machine.prepare, machines)
        for m in machines:
            m.measure_clock("before")
            if not m.local:
                speaker.say(
                    "%s: clock %+.3f ms of ours, to %.3f ms"
                    % (m.name, m.clock["before"][0] / 1e6, m.clock["before"][1] / 1e6)
                )
        together(Machine.mark_logs, machines)
        for name, (text, code) in together(Machine.start, machines).items():
            speaker.say("%s: %s" % (name, text.strip()))
            if code:
                troubles.append("%s: %s" % (name, text.strip().splitlines()[-1].strip()))

        before = [now_ns()]
        pause(plan["before_s"], "before-state", speaker)
        before.append(now_ns())

        facts["started_ns"] = window_start = now_ns()
        for load in loads:
            load.start()
        while any(load.running() for load in loads):
            elapsed = (now_ns() - window_start) / 1e9
            speaker.count(
                "load %s: %.0f s" % (", ".join(x.name for x in loads if x.running()), elapsed)
            )
            wait = min(1.0, 0.05 + elapsed / 10)
            for load in loads:
                if load.running():
                    load.thread.join(wait)
                    break
        window_end = now_ns()
        facts["ended_ns"] = window_end
        for load in loads:
            if load.trouble:
                troubles.append("load %s %s; see client/%s" % (load.name, load.trouble, load.log))
                speaker.say(troubles[-1])
        pause(plan["after_s"], "after-state", speaker)

        for name, trouble in together(Machine.stop, machines).items():
            if trouble:
                troubles.append("%s: %s" % (name, trouble.strip()))
        for m in machines:
            m.measure_clock("after")
        speaker.say("bringing the logs home")
        for m in machines:
            troubles.extend(m.fetch(os.path.join(folder, m.name)))

        roles = {"client": role_entry(facts, {"client": (0, 0)})}
        del roles["client"]["clock"]
        for m in machines:
            with open(os.path.join(folder, m.name, "facts.json"), encoding="utf-8") as f:
                roles[m.name] = role_entry(json.load(f), m.clock)
            missing = [
                n
                for n in ("top.log", "iotop.log", "block.log", "tasks.log")
                if not os.path.exists(os.path.join(folder, m.name, n))
            ]
            for n in missing:
                troubles.append("%s: no %s" % (m.name, n))
            for n in sorted(os.listdir(os.path.join(folder, m.name))):
                if n.endswith(".log"):
                    compress(os.path.join(folder, m.name, n))
        write_json(os.path.join(client, "facts.json"), facts)

        done = {load.name: load for load in loads}
        servers = {}
        for name, server in plan["virtual_servers"].items():
            server = dict(server)
            workload = server.pop("workload", None)
            if name in done:
                load = done[name]
                workload = dict(
                    workload,
                    log="client/" + load.log,
                    start_ns=load.start_ns,
                    end_ns=load.end_ns,
                    exit_code=load.code,
                )
                server["workload"] = workload
            servers[name] = server
        run = {
            "format": "queuevisor-run/1",
            "study": plan["study"],
            "server": plan["server"],
            "run": plan["run"],
            "window": {"start_ns": window_start, "end_ns": window_end},
            "before": {"start_ns": before[0], "end_ns": before[1]},
            "accelerator": plan["accelerator"],
            "roles": roles,
            "virtual_servers": servers,
            "commands": {load.name: load.argv for load in loads},
            "recorded_by": VERSION,
            "notes": plan["notes"] + troubles,
        }
        write_json(os.path.join(folder, "run.json"), run)
        need(not os.path.exists(out), "%s has appeared meanwhile" % out)
        os.rename(folder, out)
        folder = None
        return troubles
    finally:
        for load in loads:
            if load.process is not None and load.running():
                load.end()
                load.thread.join(5)
        for m in machines:
            try:
                m.stop()
            except Exception as e:
                speaker.say("%s: its collectors could not be stopped: %s" % (m.name, e))
            try:
                m.clean()
            except Exception as e:
                speaker.say("%s: not tidied up: %s" % (m.name, e))
        shutil.rmtree(scratch, ignore_errors=True)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def show(plan, out):
    """--dry-run: what would run, where."""
    words = lambda argv: " ".join(shlex.quote(w) for w in argv)  # noqa: E731
    print("run %(study)s/%(server)s/%(run)s, accelerator %(accelerator)s" % plan, "→", out)
    for name, role in plan["roles"].items():
        m = Machine(name, role, plan, "SCRATCH")
        where = (
            "here" if m.local else "at %s (%s)" % (role["destination"], words(role["ssh_options"]))
        )
        print("%s, %s:" % (name, where))
        print("  " + words(m.start_words()))
        for log, path in role["logs"].items():
            print("  %s: what is written into %s meanwhile" % (log, path))
    print("before-state: %g s" % plan["before_s"])
    for name, load in plan["loads"].items():
        print(
            "load %s: %s > client/%s"
            % (name, words(plan["load_prefix"] + load["command"]), load["log"])
        )
    print("after-state: %g s" % plan["after_s"])


def main(argv=None):
    """Read the plan, record, say what happened; the exit code."""
    p = argparse.ArgumentParser(
        prog="record_experiment.py",
        description="Record one experiment as a raw run.",
        epilog=PLAN_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    p.add_argument("plan", metavar="PLAN.json")
    p.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="the run's folder, data/raw/STUDY/SERVER/RUN; must not exist",
    )
    p.add_argument("--dry-run", action="store_true", help="print what would run, and run nothing")
    a = p.parse_args(argv)

    def interrupted(number, _frame):
        for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(n, signal.SIG_IGN)  # once is enough: tidying up is not cut short
        raise KeyboardInterrupt

    speaker = Speaker()
    try:
        plan = check_plan(read_plan(a.plan), a.out)
        if a.dry_run:
            show(plan, a.out)
            return 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, interrupted)
        troubles = record(plan, a.out, speaker)
    except RefusedError as e:
        speaker.say("record_experiment: %s" % e)
        return 2
    except (OSError, ValueError, subprocess.SubprocessError) as e:
        speaker.say("record_experiment: nothing is kept: %s: %s" % (e.__class__.__name__, e))
        return 2
    except KeyboardInterrupt:
        speaker.say("record_experiment: interrupted; everything was stopped, nothing is kept")
        return 130
    for trouble in troubles:
        speaker.say("note: " + trouble)
    speaker.say("recorded: %s" % a.out)
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
