#!/usr/bin/env python3
"""record_experiment.py - record one experiment from the client, as a raw run.

PURPOSE   Starts the collectors on the host and in each guest (over ssh, or on this machine),
          measures the clocks' offsets, waits for the idle baseline, runs the load generators,
          stops everything and fetches the logs. The format of the result: docs/reference/raw-run.md.
USAGE     record_experiment.py PLAN.json --out data/raw/STUDY/SERVER/RUN [--dry-run]
          --help explains the plan; an example is plan.example.json in this folder.
NEEDS     Python >= 3.6 and ssh here; Python >= 3.6, tar and sh on each machine; ssh without a
          password; the load generators of the plan. Logs are compressed by zstd where it is
          installed, else by gzip.
OVERHEAD  While a load runs: one waiting thread per load and one wake-up per second. The clocks are
          measured and the logs fetched and compressed before and after it.
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
sys.path.insert(1, AGENT)  # files.py and redact.py are used by both

import experiment_plan
import files
import redact
import texts
from clock_offset import now_ns
from experiment_plan import ExperimentError, require
from load_generators import LoadGenerator, read_tool_version
from remote import Machine, run_on_all

VERSION = "queuevisor-record 0.2.0"
LOG_STEMS = ("top", "iotop", "block", "tasks")
MAX_TAIL_BYTES = 1 << 20  # read of a log to find its last line
MAX_FACTS_BYTES = 1 << 20
MAX_FACT_CHARACTERS = 256  # of a machine's own texts in run.json
MAX_FACT_ENTRIES = 64
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Progress:
    """Messages on standard error: a status line that is rewritten on a terminal, plain lines elsewhere."""

    def __init__(self):
        self.is_terminal = sys.stderr.isatty()
        self.has_status = False
        self.printed_at = 0.0

    def print_line(self, text):
        """Print a line that stays."""
        if self.has_status:
            self._write("\n")
        self.has_status = False
        # a machine's text may hold control characters, or lines that look like this command's own
        text = "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)
        self._write(re.sub(r"\n(?=\S)", "\n  ", text) + "\n")

    def print_status(self, text, interval_s=10.0):
        """Print a line that the next one replaces; without a terminal, one per `interval_s`."""
        if self.is_terminal:
            self._write("\r" + text.ljust(78)[:78])
            self.has_status = True
        elif time.monotonic() - self.printed_at >= interval_s:
            self.printed_at = time.monotonic()
            self._write(text + "\n")

    @staticmethod
    def _write(text):
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            pass


def compress_log(path):
    """Replace FILE.log by FILE.log.zst (or .gz)."""
    if shutil.which("zstd"):
        subprocess.run(
            ["nice", "zstd", "-q", "-19", "--rm", "-f", path], check=True, stdin=subprocess.DEVNULL
        )
    else:
        with open(path, "rb") as f, os.fdopen(files.create_file(path + ".gz"), "wb") as raw:
            with gzip.GzipFile("", "wb", 9, raw, mtime=0) as g:
                shutil.copyfileobj(f, g)
        os.unlink(path)


def wait(seconds, phase, progress):
    """Wait, with a status line that names the phase."""
    end = time.monotonic() + seconds
    while True:
        remaining_s = end - time.monotonic()
        if remaining_s <= 0:
            return
        progress.print_status(texts.TIME_LEFT % (phase, remaining_s))
        time.sleep(min(1.0, remaining_s))


def best_offset(clock):
    """The (offset, uncertainty) with the smallest uncertainty."""
    return min(clock.values(), key=lambda c: c[1])


def sanitize(value, max_depth=3):
    """A value of a machine's facts as run.json may hold it: limited in size; None for other types."""
    if isinstance(value, dict) and max_depth:
        items = list(value.items())[:MAX_FACT_ENTRIES]
        return {sanitize(key): sanitize(item, max_depth - 1) for key, item in items}
    if isinstance(value, str):
        return value[:MAX_FACT_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
    is_number = isinstance(value, (int, float)) and abs(value) < 1 << 63  # no NaN, no infinity
    return value if is_number else None


def role_entry(facts, clock):
    """A role's part of run.json."""
    offset, uncertainty = best_offset(clock)
    return {
        "hostname": sanitize(facts.get("hostname")),
        "boot_id": sanitize(facts.get("boot_id")),
        "clock_offset_ns": offset,
        "clock_uncertainty_ns": uncertainty,
        "time_zone": sanitize(facts.get("time_zone")),
        "tools": sanitize(facts.get("tools")) or {},
        "collector_cost": sanitize(facts.get("collector_cost")),
        "clock": {
            when: {"offset_ns": c[0], "uncertainty_ns": c[1]} for when, c in sorted(clock.items())
        },
    }


def read_facts(folder):
    """A role's facts.json; {} if there is none that can be read."""
    try:
        return files.read_json(os.path.join(folder, "facts.json"), MAX_FACTS_BYTES)
    except (OSError, ValueError):
        return {}


def fetch_logs(machine, folder):
    """Fetch a machine's logs into a new folder; the problems, as a list. Logs fetched in part are kept."""
    problems = []
    if machine.is_lost:
        os.makedirs(folder, files.PRIVATE_FOLDER_MODE)
    else:
        try:
            problems.extend(machine.fetch(folder))
        except (ExperimentError, OSError, subprocess.SubprocessError) as e:
            problem = texts.LOGS_INCOMPLETE % e
            problems.append(texts.MACHINE_PROBLEM % (machine.name, problem))
    names = os.listdir(folder)
    for stem in LOG_STEMS:
        segments = [n for n in names if re.match(r"%s(\.\d{5,})?\.log(\.zst|\.gz)?$" % stem, n)]
        if not segments:
            problems.append(texts.NO_LOG % (machine.name, stem))
            continue
        last = max(segments, key=lambda n: (len(n.split(".log")[0]), n))
        if last.endswith(".log"):
            problem = mark_truncated_log(os.path.join(folder, last))
            if problem:
                problems.append(texts.LOG_PROBLEM % (machine.name, last, problem))
    return problems


def mark_truncated_log(path):
    """Append a `#GAP` line to a log without `#END`, whose collector died; its text, None if not needed.

    A last line without its end may have lost digits: it is removed, and the `#GAP` line says so.
    """
    with open(path, "r+b") as f:
        size = f.seek(0, 2)
        f.seek(max(0, size - MAX_TAIL_BYTES))
        tail = f.read()
        end = tail.rfind(b"\n") + 1
        if tail[tail.rfind(b"\n", 0, max(0, end - 1)) + 1 :].startswith(b"#END "):
            return None
        removed_bytes = len(tail) - end
        text = texts.GAP_COLLECTOR_DIED
        if removed_bytes:
            text += texts.GAP_LINE_REMOVED % removed_bytes
        f.truncate(size - removed_bytes)
        f.seek(size - removed_bytes)
        f.write(b"#GAP " + text.encode("ascii") + b"\n")
    return text


def collect_client_facts(plan, loads):
    """facts.json of the client, with the load generators' versions."""
    argv = [sys.executable, "-B", os.path.join(AGENT, "machine_facts.py"), "--role", "client"]
    if plan.get("client", {}).get("hostname"):
        argv += ["--hostname", plan["client"]["hostname"]]
    facts = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout.decode())
    for load in loads:
        program = load.command[0]
        facts["tools"][os.path.basename(program)] = read_tool_version(program)
        facts["commands"][load.name] = redact.redact_argv(load.argv)
    return facts


def start_collectors(machines, progress):
    """Copy and start the collectors on all machines; the problems, as a list."""
    problems = []
    run_on_all(Machine.copy_agent, machines)
    for m in machines:
        m.measure_clock("before")
        if not m.is_local:
            offset, uncertainty = m.clock["before"]
            progress.print_line(texts.CLOCK_OFFSET % (m.name, offset / 1e6, uncertainty / 1e6))
    run_on_all(Machine.mark_logs, machines)
    for name, (output, code) in run_on_all(Machine.start, machines).items():
        progress.print_line(texts.MACHINE_PROBLEM % (name, output.strip()))
        if code:
            lines = output.strip().splitlines() or [texts.INCOMPLETE_START]
            problems.append(texts.MACHINE_PROBLEM % (name, lines[-1].strip()))
    return problems


def run_loads(loads, progress):
    """Run the load generators; (start, end of the window in ns, problems)."""
    start_ns = now_ns()
    for load in loads:
        load.start()
    while any(load.is_running() for load in loads):
        elapsed_s = (now_ns() - start_ns) / 1e9
        names = ", ".join(load.name for load in loads if load.is_running())
        progress.print_status(texts.LOAD_RUNNING % (names, elapsed_s))
        wait_s = min(1.0, 0.05 + elapsed_s / 10)
        for load in loads:
            if load.is_running():
                load.thread.join(wait_s)
                break
    end_ns = now_ns()
    problems = [
        texts.LOAD_FAILED % (load.name, load.problem, load.log) for load in loads if load.problem
    ]
    for problem in problems:
        progress.print_line(problem)
    return start_ns, end_ns, problems


def virtual_server_entries(plan, loads):
    """`virtual_servers` of run.json: the plan's, with the load generators' logs and times."""
    loads = {load.name: load for load in loads}
    entries = {}
    for name, server in plan["virtual_servers"].items():
        entry = dict(server)
        workload = entry.pop("workload", None)
        if name in loads:
            load = loads[name]
            entry["workload"] = dict(
                workload,
                log="client/" + load.log,
                start_ns=load.start_ns,
                end_ns=load.end_ns,
                exit_code=load.exit_code,
            )
        entries[name] = entry
    return entries


def record(plan, out, progress):
    """Record the experiment into the folder `out`; the problems, as a list."""
    out = os.path.abspath(out)
    require(not os.path.exists(out), texts.OUT_EXISTS, out)
    os.makedirs(os.path.dirname(out), exist_ok=True)
    folder = tempfile.mkdtemp(prefix=".%s." % os.path.basename(out), dir=os.path.dirname(out))
    scratch = tempfile.mkdtemp(prefix="qv-")
    machines = [Machine(name, role, plan, scratch) for name, role in plan["roles"].items()]
    loads = []
    try:
        client = os.path.join(folder, "client")
        os.makedirs(client, files.PRIVATE_FOLDER_MODE)
        loads = [
            LoadGenerator(name, load, plan["load_prefix"], client)
            for name, load in plan["loads"].items()
        ]
        client_facts = collect_client_facts(plan, loads)
        problems = start_collectors(machines, progress)

        baseline_start_ns = now_ns()
        wait(plan["before_s"], texts.IDLE_BASELINE, progress)
        baseline_end_ns = now_ns()
        window_start_ns, window_end_ns, load_problems = run_loads(loads, progress)
        client_facts["started_ns"] = window_start_ns
        client_facts["ended_ns"] = window_end_ns
        problems.extend(load_problems)
        wait(plan["after_s"], texts.AFTER_LOAD, progress)

        progress.print_line(texts.FETCHING)
        problems_at_end = run_on_all(lambda m: m.finish(plan["reach_s"]), machines)
        for m in machines:
            problems.extend(problems_at_end[m.name])
            problems.extend(fetch_logs(m, os.path.join(folder, m.name)))

        roles = {"client": role_entry(client_facts, {"client": (0, 0)})}
        del roles["client"]["clock"], roles["client"]["collector_cost"]
        for m in machines:
            role_folder = os.path.join(folder, m.name)
            facts = read_facts(role_folder) or {"hostname": m.role.get("hostname")}
            roles[m.name] = role_entry(facts, m.clock)
            for name in sorted(os.listdir(role_folder)):
                if name.endswith(".log"):
                    compress_log(os.path.join(role_folder, name))
        files.write_json(os.path.join(client, "facts.json"), client_facts)

        run = {
            "format": "queuevisor-run/1",
            "study": plan["study"],
            "server": plan["server"],
            "run": plan["run"],
            "window": {"start_ns": window_start_ns, "end_ns": window_end_ns},
            "before": {"start_ns": baseline_start_ns, "end_ns": baseline_end_ns},
            "accelerator": plan["accelerator"],
            "roles": roles,
            "virtual_servers": virtual_server_entries(plan, loads),
            "commands": {load.name: redact.redact_argv(load.argv) for load in loads},
            "recorded_by": VERSION,
            "notes": plan["notes"] + problems,
        }
        files.write_json(os.path.join(folder, "run.json"), run)
        require(not os.path.exists(out), texts.OUT_APPEARED, out)
        os.rename(folder, out)
        folder = None
        return problems
    finally:
        for load in loads:
            if load.process is not None and load.is_running():
                load.terminate()
                load.thread.join(5)
        for m in machines:
            try:
                m.stop()
            except Exception as e:
                progress.print_line(texts.NOT_STOPPED % (m.name, e))
            try:
                m.remove_files()
            except Exception as e:
                progress.print_line(texts.NOT_CLEANED % (m.name, e))
        shutil.rmtree(scratch, ignore_errors=True)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def quote(argv):
    """A command as a shell would read it, without its secrets."""
    return " ".join(shlex.quote(word) for word in redact.redact_argv(argv))


def print_dry_run(plan, out):
    """Print what would run, and where."""
    print(texts.DRY_RUN % plan, "->", out)
    for name, role in plan["roles"].items():
        m = Machine(name, role, plan, "SCRATCH")
        place = texts.DRY_LOCAL
        if not m.is_local:
            place = texts.DRY_SSH % role["destination"]
            if role["ssh_options"]:
                place += texts.DRY_SSH_OPTIONS % quote(role["ssh_options"])
        print(texts.DRY_ROLE % (name, place))
        print("  " + quote(m.start_command()))
        for log, path in role["logs"].items():
            print(texts.DRY_LOG % (log, path))
    print(texts.DRY_BASELINE % plan["before_s"])
    for name, load in plan["loads"].items():
        print(texts.DRY_LOAD % (name, quote(plan["load_prefix"] + load["command"]), load["log"]))
    print(texts.DRY_AFTER % plan["after_s"])


def main(argv=None):
    """Read the plan, record, print what happened; the exit code."""
    p = argparse.ArgumentParser(
        prog="record_experiment.py",
        description=texts.DESCRIPTION,
        epilog=texts.PLAN_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    p.add_argument("plan", metavar="PLAN.json")
    p.add_argument("--out", required=True, metavar="DIR", help=texts.OUT_HELP)
    p.add_argument("--dry-run", action="store_true", help=texts.DRY_RUN_HELP)
    options = p.parse_args(argv)

    def interrupt(_number, _frame):
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # a second signal must not interrupt the clean-up
        raise KeyboardInterrupt

    progress = Progress()
    try:
        plan = experiment_plan.read_plan(options.plan)
        plan = experiment_plan.check_plan(plan, options.out)
        if options.dry_run:
            print_dry_run(plan, options.out)
            return 0
        for number in SIGNALS:
            signal.signal(number, interrupt)
        problems = record(plan, options.out, progress)
    except ExperimentError as e:
        progress.print_line(texts.ERROR % e)
        return 2
    except (OSError, ValueError, subprocess.SubprocessError) as e:
        progress.print_line(texts.NOTHING_KEPT % (e.__class__.__name__, e))
        return 2
    except KeyboardInterrupt:
        progress.print_line(texts.INTERRUPTED)
        return 130
    for problem in problems:
        progress.print_line(texts.NOTE % problem)
    progress.print_line(texts.RECORDED % options.out)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
