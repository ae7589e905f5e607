"""One experiment: its phases, the state that survives the recorder, and how a dead one is recovered.

Everything is written into a hidden folder beside the run's, `.RUN.xxxxxxxx`, which is renamed at the
end. Its state.json holds what is needed to stop and fetch everything from another process; it is there
before anything is started.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time

import delay_accounting
import files
import machine_check
import preflight
import preflight_machines
import raw_run
import redact
import texts
from clock_offset import now_ns
from experiment_plan import ExperimentError, require
from load_generators import LoadGenerator
from remote import Machine, run_on_all

STATE_FORMAT = "queuevisor-recording/1"
MAX_STATE_BYTES = 1 << 24


class Experiment:
    """The machines and loads of a plan, and the folder into which they are recorded."""

    def __init__(self, plan, out, progress):
        """Nothing is started or created yet, except a temporary folder."""
        self.plan = plan
        self.out = os.path.abspath(out)
        self.progress = progress
        self.folder = None
        self.scratch = tempfile.mkdtemp(prefix="qv-")
        self.machines = [
            Machine(name, role, plan, self.scratch) for name, role in plan["roles"].items()
        ]
        self.loads = []
        self.problems = []
        self.baseline = None
        self.window_start_ns = None
        self.is_unfinished = False

    # -- the folder and its state ------------------------------------------------------------
    def make_folder(self):
        """Create the hidden folder, with the state."""
        require(not os.path.lexists(self.out), texts.OUT_EXISTS, self.out)
        parent = os.path.dirname(self.out)
        os.makedirs(parent, exist_ok=True)
        prefix = ".%s." % os.path.basename(self.out)
        self.folder = tempfile.mkdtemp(prefix=prefix, dir=parent)
        client = os.path.join(self.folder, "client")
        os.makedirs(client, files.PRIVATE_FOLDER_MODE)
        self.make_loads()
        self.client_facts = raw_run.collect_client_facts(self.plan, self.loads)
        self.save()

    def make_loads(self):
        """The load generators of the plan, not started."""
        client = os.path.join(self.folder, "client")
        self.loads = [
            LoadGenerator(name, load, self.plan["load_prefix"], client)
            for name, load in self.plan["loads"].items()
        ]

    def save(self):
        """Write state.json, which holds no secret of a load's command."""
        loads = {
            name: dict(load, command=redact.redact_argv(load["command"]))
            for name, load in self.plan["loads"].items()
        }
        state = {
            "format": STATE_FORMAT,
            "pid": os.getpid(),
            "start_time": delay_accounting.start_time(os.getpid()),
            "boot_id": machine_check.machine_facts.read_boot_id(),
            "scratch": self.scratch,
            "plan": dict(
                self.plan, loads=loads, load_prefix=redact.redact_argv(self.plan["load_prefix"])
            ),
            "client_facts": self.client_facts,
            "problems": self.problems,
            "baseline": self.baseline,
            "window_start_ns": self.window_start_ns,
            "machines": {m.name: m.save() for m in self.machines},
            "loads": {load.name: load.save() for load in self.loads},
        }
        files.write_json(os.path.join(self.folder, preflight.STATE_FILE), state)

    # -- the phases --------------------------------------------------------------------------
    def check(self, checks):
        """Ask the machines about what the plan names."""
        preflight_machines.check_machines(self.machines, self.plan, self.out, checks)

    def start_collectors(self):
        """Start the collectors on all machines."""
        for m in self.machines:
            if not m.is_local:
                offset, uncertainty = m.clock["before"]
                text = texts.CLOCK_OFFSET % (m.name, offset / 1e6, uncertainty / 1e6)
                self.progress.print_line(text)
        run_on_all(Machine.mark_logs, self.machines)
        for m in self.machines:
            m.is_started = True
        self.save()
        for name, (output, code) in run_on_all(Machine.start, self.machines).items():
            self.progress.print_line(texts.MACHINE_PROBLEM % (name, output.strip()))
            if code:
                lines = output.strip().splitlines() or [texts.INCOMPLETE_START]
                self.problems.append(texts.MACHINE_PROBLEM % (name, lines[-1].strip()))

    def record_baseline(self):
        """Wait for the time before the load."""
        start_ns = now_ns()
        self.wait(self.plan["before_s"], texts.IDLE_BASELINE)
        self.baseline = [start_ns, now_ns()]

    def run_loads(self):
        """Run the load generators until the last one has ended."""
        self.window_start_ns = now_ns()
        run_on_all(LoadGenerator.start, self.loads)  # an interruption waits until they are started
        self.save()
        while any(load.is_running() for load in self.loads):
            elapsed_s = (now_ns() - self.window_start_ns) / 1e9
            names = ", ".join(load.name for load in self.loads if load.is_running())
            self.progress.print_status(texts.LOAD_RUNNING % (names, elapsed_s))
            wait_s = min(1.0, 0.05 + elapsed_s / 10)
            for load in self.loads:
                if load.is_running():
                    load.thread.join(wait_s)
                    break
        self.window_end_ns = now_ns()
        self.save()
        for load in self.loads:
            self.add_load_problems(load)

    def add_load_problems(self, load):
        """A load that failed, and the errors in its report."""
        problems = [load.problem] if load.problem else []
        if load.problem is None or load.exit_code:
            problems += load.find_errors(self.plan["virtual_servers"][load.name]["workload"])
        for problem in problems:
            text = texts.LOAD_FAILED % (load.name, problem, load.log)
            self.problems.append(text)
            self.progress.print_line(text)

    def wait(self, seconds, phase):
        """Wait, with a status line that names the phase."""
        end = time.monotonic() + seconds
        while True:
            remaining_s = end - time.monotonic()
            if remaining_s <= 0:
                return
            self.progress.print_status(texts.TIME_LEFT % (phase, remaining_s))
            time.sleep(min(1.0, remaining_s))

    def has_load_started(self):
        """Is there a load in the recording, so that it is worth keeping?"""
        return any(load.pid is not None for load in self.loads)

    def end_interrupted(self):
        """End the loads after an interruption; what was recorded is kept."""
        for load in self.loads:
            load.interrupt()
        self.window_end_ns = now_ns()
        elapsed_s = (self.window_end_ns - self.window_start_ns) / 1e9
        self.problems.insert(0, texts.INTERRUPTED_NOTE % elapsed_s)
        self.problems += [
            texts.LOAD_FAILED % (load.name, load.problem, load.log)
            for load in self.loads
            if load.problem
        ]

    def finish(self):
        """Stop the collectors, fetch the logs, write run.json, give the folder its name.

        Where a file cannot be written (a full disk), everything is kept for `recover`: ExperimentError.
        """
        problems = list(self.problems)
        try:
            self.collect()
        except (OSError, subprocess.SubprocessError) as e:
            self.is_unfinished = True
            self.problems = problems
            with contextlib.suppress(OSError):  # else the state of the load's end is used
                self.save()
            raise ExperimentError(texts.NOT_FINISHED % (e, self.folder, self.out)) from None

    def collect(self):
        """Make a raw run of the recording; OSError where a file cannot be written."""
        plan = self.plan
        self.progress.print_line(texts.FETCHING)
        for load in self.loads:
            load.redact_log()
        problems_at_end = run_on_all(lambda m: m.finish(plan["reach_s"]), self.machines)
        for m in self.machines:
            self.problems.extend(problems_at_end[m.name])
            folder = os.path.join(self.folder, m.name)
            shutil.rmtree(
                folder, ignore_errors=True
            )  # of a recorder that died while it was fetching
            self.problems.extend(raw_run.fetch_logs(m, folder))

        roles = {"client": raw_run.role_entry(self.client_facts, {"client": (0, 0)})}
        del roles["client"]["clock"], roles["client"]["collector_cost"]
        for m in self.machines:
            folder = os.path.join(self.folder, m.name)
            facts = raw_run.read_facts(folder) or {"hostname": m.role.get("hostname")}
            roles[m.name] = raw_run.role_entry(facts, m.clock)
            self.problems.extend(raw_run.compress_logs(folder))
        self.client_facts["started_ns"] = self.window_start_ns
        self.client_facts["ended_ns"] = self.window_end_ns
        files.write_json(os.path.join(self.folder, "client", "facts.json"), self.client_facts)

        run = {
            "format": "queuevisor-run/1",
            "study": plan["study"],
            "server": plan["server"],
            "run": plan["run"],
            "window": {"start_ns": self.window_start_ns, "end_ns": self.window_end_ns},
            "before": None,
            "accelerator": plan.get("accelerator"),
            "roles": roles,
            "virtual_servers": raw_run.virtual_server_entries(plan, self.loads),
            "commands": {load.name: redact.redact_argv(load.argv) for load in self.loads},
            "recorded_by": raw_run.VERSION,
            "notes": [redact.redact_line(note) for note in plan["notes"] + self.problems],
            "sha256": raw_run.file_checksums(self.folder),
        }
        if self.baseline is not None and self.baseline[1] > self.baseline[0]:
            run["before"] = {"start_ns": self.baseline[0], "end_ns": self.baseline[1]}
        for key in ("before", "accelerator"):
            if run[key] is None:
                del run[key]
        files.write_json(os.path.join(self.folder, "run.json"), run)
        require(not os.path.lexists(self.out), texts.OUT_APPEARED, self.out)
        os.unlink(os.path.join(self.folder, preflight.STATE_FILE))
        os.rename(self.folder, self.out)
        self.folder = None

    def clean_up(self):
        """Stop what still runs, and remove all temporary files; a folder that was not renamed is removed.

        Nothing is removed of an experiment whose `finish` failed: its collectors and loads have ended.
        """
        if self.is_unfinished:
            return
        for load in self.loads:
            load.terminate()
        for m in self.machines:
            try:
                m.stop()
            except Exception as e:
                self.progress.print_line(texts.NOT_STOPPED % (m.name, e))
            try:
                m.remove_files()
            except Exception as e:
                self.progress.print_line(texts.NOT_CLEANED % (m.name, e))
        shutil.rmtree(self.scratch, ignore_errors=True)
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def recover(out, progress):
    """Stop and collect what a dead recorder of this run has left; the Experiment, which is finished.

    ExperimentError where there is nothing to recover: no state, a recorder that is still alive, or one
    that died before the load (everything is stopped and removed then).
    """
    out = os.path.abspath(out)
    folders = preflight.list_abandoned(out)
    require(folders, texts.NOTHING_TO_RECOVER, out)
    folder = folders[-1]
    path = os.path.join(folder, preflight.STATE_FILE)
    try:
        state = files.read_json(path, MAX_STATE_BYTES)
        require(state.get("format") == STATE_FORMAT, texts.FILE_ERROR, path, texts.NOT_A_STATE)
    except (OSError, ValueError) as e:
        raise ExperimentError(texts.FILE_ERROR % (path, e)) from None
    is_same_boot = state["boot_id"] == machine_check.machine_facts.read_boot_id()
    is_alive = is_same_boot and delay_accounting.start_time(state["pid"]) == state["start_time"]
    require(not is_alive, texts.STILL_RECORDING, out, state["pid"])
    experiment = Experiment(state["plan"], out, progress)
    experiment.folder = folder
    experiment.client_facts = state["client_facts"]
    experiment.problems = [texts.RECOVERED_NOTE, *state["problems"]]
    experiment.baseline = state["baseline"]
    experiment.window_start_ns = state["window_start_ns"]
    for m in experiment.machines:
        m.restore(state["machines"][m.name])
    experiment.make_loads()
    try:
        for load in experiment.loads:
            saved = state["loads"][load.name]
            if not is_same_boot:
                saved = dict(saved, start_time="-")  # its pid is another process's now
            load.restore(saved)
            if load.start_ns is not None:
                experiment.add_load_problems(load)
        require(experiment.has_load_started(), texts.DIED_BEFORE_LOAD, out)
        experiment.window_end_ns = max(load.end_ns for load in experiment.loads if load.end_ns)
        experiment.finish()
    finally:
        if experiment.folder is None or not experiment.has_load_started():
            experiment.clean_up()
            if os.path.basename(state["scratch"]).startswith("qv-"):
                shutil.rmtree(state["scratch"], ignore_errors=True)
        else:
            shutil.rmtree(experiment.scratch, ignore_errors=True)
    return experiment
