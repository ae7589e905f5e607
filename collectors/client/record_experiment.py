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
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
AGENT = os.path.join(os.path.dirname(HERE), "agent")
sys.path.insert(1, AGENT)  # the agent's files and redact are used here too

import experiment_plan as plans
import files
import redact
from clock_offset import now_ns
from experiment_plan import RefusedError, need
from load_generators import Load, tool_version
from remote import Machine, together

VERSION = "queuevisor-record 0.2.0"


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
        # what a machine says may hold a terminal's control characters, or lines that look like ours
        text = "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)
        self._put(re.sub(r"\n(?=\S)", "\n  ", text) + "\n")

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


def compress(path):
    """FILE.log → FILE.log.zst (or .gz), the original taken away."""
    if shutil.which("zstd"):
        subprocess.run(
            ["nice", "zstd", "-q", "-19", "--rm", "-f", path], check=True, stdin=subprocess.DEVNULL
        )
    else:
        with open(path, "rb") as f, os.fdopen(files.create(path + ".gz"), "wb") as raw:
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


def kept(value, depth=3):
    """What a machine says of itself as run.json can hold it; None for what it cannot."""
    if isinstance(value, dict) and depth:
        return {kept(key): kept(v, depth - 1) for key, v in list(value.items())[:64]}
    if isinstance(value, str):
        return value[:256].encode("utf-8", "replace").decode("utf-8")
    is_number = isinstance(value, (int, float)) and abs(value) < 1 << 63  # no NaN, no infinity
    return value if is_number else None


def role_entry(facts, clock):
    """A role's part of run.json."""
    offset, uncertainty = pick(clock)
    return {
        "hostname": kept(facts.get("hostname")),
        "boot_id": kept(facts.get("boot_id")),
        "clock_offset_ns": offset,
        "clock_uncertainty_ns": uncertainty,
        "time_zone": kept(facts.get("time_zone")),
        "tools": kept(facts.get("tools")) or {},
        "collector_cost": kept(facts.get("collector_cost")),
        "clock": {
            when: {"offset_ns": c[0], "uncertainty_ns": c[1]} for when, c in sorted(clock.items())
        },
    }


def read_facts(folder):
    """A role's facts.json; {} if there is none."""
    try:
        return files.read_json(os.path.join(folder, "facts.json"), 1 << 20)
    except (OSError, ValueError):
        return {}


def bring_home(machine, folder):
    """Fetch a machine's logs; what went wrong and what lacks. What there is, is kept."""
    troubles = []
    if machine.lost:
        os.makedirs(folder, files.PRIVATE_FOLDER)
    else:
        try:
            troubles.extend(machine.fetch(folder))
        except (RefusedError, OSError, subprocess.SubprocessError) as e:
            troubles.append("%s: the logs could not be fetched whole: %s" % (machine.name, e))
    there = os.listdir(folder)
    for stem in ("top", "iotop", "block", "tasks"):
        of_stem = [n for n in there if re.match(r"%s(\.\d{5,})?\.log(\.zst|\.gz)?$" % stem, n)]
        if not of_stem:
            troubles.append("%s: no %s.log" % (machine.name, stem))
            continue
        last = max(of_stem, key=lambda n: (len(n.split(".log")[0]), n))
        if last.endswith(".log"):
            troubles.extend(
                "%s/%s: %s" % (machine.name, last, said)
                for said in mark_open_end(os.path.join(folder, last))
            )
    return troubles


def mark_open_end(path):
    """A log whose collector died has no `#END`: say so in it; what was said, as a list.

    A last line without its end may have lost digits, so it is taken away, and told.
    """
    with open(path, "r+b") as f:
        size = f.seek(0, 2)
        f.seek(max(0, size - (1 << 20)))
        tail = f.read()
        whole = tail.rfind(b"\n") + 1
        if tail[tail.rfind(b"\n", 0, max(0, whole - 1)) + 1 :].startswith(b"#END "):
            return []
        cut = len(tail) - whole
        said = "the collector died: nothing was recorded after this"
        if cut:
            said += ", and %d bytes of a line that had no end were left out" % cut
        f.truncate(size - cut)
        f.seek(size - cut)
        f.write(b"#GAP " + said.encode("ascii") + b"\n")
    return [said]


def client_facts(plan, loads):
    """facts.json of the client, with the load generators' versions."""
    words = [sys.executable, "-B", os.path.join(AGENT, "machine_facts.py"), "--role", "client"]
    if plan.get("client", {}).get("hostname"):
        words += ["--hostname", plan["client"]["hostname"]]
    facts = json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout.decode())
    for load in loads:
        program = load.command[0]
        facts["tools"][os.path.basename(program)] = tool_version(program)
        facts["commands"][load.name] = redact.words(load.argv)
    return facts


def record(plan, out, speaker):
    """Record the experiment; the list of what went wrong on the way."""
    out = os.path.abspath(out)
    need(not os.path.exists(out), "%s is there already; a raw run is never changed" % out)
    os.makedirs(os.path.dirname(out), exist_ok=True)
    folder = tempfile.mkdtemp(prefix=".%s." % os.path.basename(out), dir=os.path.dirname(out))
    scratch = tempfile.mkdtemp(prefix="qv-")
    machines = [Machine(name, role, plan, scratch) for name, role in plan["roles"].items()]
    loads = []
    troubles = []
    try:
        client = os.path.join(folder, "client")
        os.makedirs(client, files.PRIVATE_FOLDER)
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
                said = text.strip().splitlines() or ["the collectors began, but something lacks"]
                troubles.append("%s: %s" % (name, said[-1].strip()))

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

        speaker.say("bringing the logs home")
        ends = together(lambda m: m.finish(plan["reach_s"]), machines)
        for m in machines:
            troubles.extend(ends[m.name])
            troubles.extend(bring_home(m, os.path.join(folder, m.name)))

        roles = {"client": role_entry(facts, {"client": (0, 0)})}
        del roles["client"]["clock"], roles["client"]["collector_cost"]
        for m in machines:
            home = os.path.join(folder, m.name)
            found = read_facts(home) or {"hostname": m.role.get("hostname")}
            roles[m.name] = role_entry(found, m.clock)
            for n in sorted(os.listdir(home)):
                if n.endswith(".log"):
                    compress(os.path.join(home, n))
        files.write_json(os.path.join(client, "facts.json"), facts)

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
            "commands": {load.name: redact.words(load.argv) for load in loads},
            "recorded_by": VERSION,
            "notes": plan["notes"] + troubles,
        }
        files.write_json(os.path.join(folder, "run.json"), run)
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
    words = lambda argv: " ".join(shlex.quote(w) for w in redact.words(argv))  # noqa: E731
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
        epilog=plans.HELP,
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
        plan = plans.check_plan(plans.read_plan(a.plan), a.out)
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
