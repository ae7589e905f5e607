#!/usr/bin/env python3
"""record_experiment.py - record one experiment from the client, as a raw run.

PURPOSE   Checks that everything the plan names exists, starts the collectors on the host and in each
          guest (over ssh, or on this machine), waits for the idle baseline, runs the load generators,
          stops everything and fetches the logs. The format of the result: docs/reference/raw-run.md.
USAGE     record_experiment.py PLAN.json --out data/raw/STUDY/SERVER/RUN [--check | --dry-run]
          record_experiment.py --recover --out data/raw/STUDY/SERVER/RUN
          --help explains the plan; examples are plan.example.json and plan.local.json in this folder.
NEEDS     Python >= 3.6 and ssh here; Python >= 3.6, tar and sh on each machine; ssh without a
          password; the load generators of the plan. Logs are compressed by zstd where it is
          installed, else by gzip.
OVERHEAD  While a load runs: one waiting thread per load and one wake-up per second. The clocks are
          measured and the logs fetched and compressed before and after it.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
AGENT = os.path.join(os.path.dirname(HERE), "agent")
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAM = os.path.join(".venv", "bin", "queuevisor")  # as `make doctor` installs it
sys.path.insert(1, AGENT)  # some modules are used by both

import check_table
import experiment_plan
import preflight
import preflight_machines
import raw_run
import redact
import texts
from experiment import Experiment, recover
from experiment_plan import ExperimentError, require
from interruption import Interruption
from remote import Machine

RECORDED, WITH_PROBLEMS, NOT_RECORDED, INTERRUPTED = 0, 1, 2, 130  # exit codes


class PreflightError(ExperimentError):
    """The checks have found a problem, which has been printed."""


def printable(text):
    """A text for the terminal: a machine's own may hold control characters."""
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


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
        self._write(re.sub(r"\n(?=\S)", "\n  ", printable(redact.redact_line(text))) + "\n")

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


def record(plan, out, checks, progress, interruption, is_discarding):
    """Record the experiment into the folder `out`; (the Experiment, whether it was interrupted)."""
    experiment = Experiment(plan, out, progress)
    is_interrupted = False
    try:
        experiment.check(checks)
        print_checks(checks, progress)
        experiment.make_folder()
        try:
            experiment.start_collectors()
            experiment.record_baseline()
            experiment.run_loads()
            experiment.wait(plan["after_s"], texts.AFTER_LOAD)
        except KeyboardInterrupt:
            if is_discarding or not experiment.has_load_started():
                raise
            is_interrupted = True
            experiment.end_interrupted()
        if not is_discarding:
            interruption.hold()
        experiment.finish()
        return experiment, is_interrupted
    finally:
        interruption.hold()
        experiment.clean_up()


def print_checks(checks, progress):
    """Print notes and problems before a recording; PreflightError if there is a problem."""
    for line in checks.lines((check_table.NOTE, check_table.PROBLEM)):
        progress.print_line(line)
    progress.print_line(checks.summary())
    if checks.has_problem():
        raise PreflightError(texts.NOT_RECORDED)


def print_table(checks):
    """Print all checks; the exit code."""
    for line in checks.lines():
        print(printable(line))
    print(checks.summary())
    return NOT_RECORDED if checks.has_problem() else RECORDED


def check_only(plan, out, checks, progress):
    """Ask the machines, record nothing, print the table; the exit code."""
    experiment = Experiment(plan, out, progress)
    try:
        experiment.check(checks)
    finally:
        experiment.clean_up()
    return print_table(checks)


def dry_run(plan, out, checks, progress):
    """Print what would run and what was checked on this machine; the exit code."""
    experiment = Experiment(plan, out, progress)
    try:
        experiment.machines = [m for m in experiment.machines if m.is_local]
        preflight_machines.check_machines(experiment.machines, plan, out, checks)
    finally:
        experiment.clean_up()
    print_dry_run(plan, out)
    return print_table(checks)


def select_loads(plan, names):
    """Leave only the named loads in the plan."""
    for name in names:
        require(name in plan["loads"], texts.NO_SUCH_LOAD, name, ", ".join(plan["loads"]))
    if names:
        plan["loads"] = {name: load for name, load in plan["loads"].items() if name in names}


def next_command(out):
    """The command that makes the page of a run; a raw folder that is not ./data/raw is named."""
    raw, study, server, run = split_run(out)
    installed = os.path.join(ROOT, PROGRAM)
    argv = [os.path.relpath(installed) if os.path.isfile(installed) else "queuevisor"]
    if os.path.realpath(raw) != os.path.realpath(os.path.join("data", "raw")):
        argv += ["--raw", raw]
    return quote([*argv, "report", "%s/%s/%s" % (study, server, run)])


def split_run(out):
    """(raw folder, study, server, run) of a run's folder."""
    server_folder, run = os.path.split(os.path.abspath(out))
    study_folder, server = os.path.split(server_folder)
    raw, study = os.path.split(study_folder)
    return raw, study, server, run


def print_result(experiment, progress, is_interrupted=False):
    """Print the problems, the study, and the command that comes next; the exit code."""
    for problem in experiment.problems:
        progress.print_line(texts.NOTE % problem)
    study, misfits = raw_run.write_study(experiment.plan, experiment.out)
    if study:
        progress.print_line(texts.STUDY_WRITTEN % study)
    for misfit in misfits:
        progress.print_line(texts.NOTE % misfit)
    text = texts.RECORDED_WITH_ERRORS if experiment.problems else texts.RECORDED
    progress.print_line(text % experiment.out)
    progress.print_line(texts.NEXT % next_command(experiment.out))
    if is_interrupted:
        return INTERRUPTED
    return WITH_PROBLEMS if experiment.problems else RECORDED


def argument_parser():
    """The options."""
    p = argparse.ArgumentParser(
        prog="record_experiment.py",
        description=texts.DESCRIPTION,
        epilog=texts.PLAN_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    p.add_argument("plan", metavar="PLAN.json", nargs="?", help=texts.PLAN_ARGUMENT_HELP)
    p.add_argument("--out", required=True, metavar="DIR", help=texts.OUT_HELP)
    what = p.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help=texts.CHECK_HELP)
    what.add_argument("--dry-run", action="store_true", help=texts.DRY_RUN_HELP)
    what.add_argument("--recover", action="store_true", help=texts.RECOVER_HELP)
    p.add_argument("--load", action="append", default=[], metavar="NAME", help=texts.LOAD_HELP)
    p.add_argument("--discard", action="store_true", help=texts.DISCARD_HELP)
    return p


def main(argv=None):
    """Read the plan, check it, record, print what happened; the exit code."""
    parser = argument_parser()
    options = parser.parse_args(argv)
    if options.plan is None and not options.recover:
        parser.error(texts.NO_PLAN)
    progress = Progress()
    interruption = Interruption()
    try:
        if options.recover:
            return max(WITH_PROBLEMS, print_result(recover(options.out, progress), progress))
        plan = experiment_plan.read_plan(options.plan)
        plan = experiment_plan.check_plan(plan, options.out)
        select_loads(plan, options.load)
        checks = check_table.Checks(plan["accept"])
        preflight.check_client(plan, options.out, checks)
        interruption.catch()
        if options.check:
            return check_only(plan, options.out, checks, progress)
        if options.dry_run:
            return dry_run(plan, options.out, checks, progress)
        experiment, is_interrupted = record(
            plan, options.out, checks, progress, interruption, options.discard
        )
    except ExperimentError as e:
        progress.print_line(texts.ERROR % e)
        return NOT_RECORDED
    except (OSError, ValueError, subprocess.SubprocessError) as e:
        progress.print_line(texts.NOTHING_KEPT % (e.__class__.__name__, e))
        return NOT_RECORDED
    except KeyboardInterrupt:
        progress.print_line(texts.INTERRUPTED)
        return INTERRUPTED
    return print_result(experiment, progress, is_interrupted)


if __name__ == "__main__":
    sys.exit(main())
