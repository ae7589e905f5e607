#!/usr/bin/env python3
"""Build two virtual servers on this machine and record the paper's case study on them."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from qvtestbed import TestbedError, doctor, image_build, plan, server_lifecycle, servers, study
from qvtestbed.console import print_status
from qvtestbed.guests import GUESTS
from qvtestbed.paths import RAW, STUDY_PLAN

DESCRIPTION = """\
Build two virtual servers on this machine and record the paper's case study on them.

The guests are a web server (Apache) and a database server (MariaDB), built from
Debian packages and run by QEMU on one of two servers. A server is a part of this
machine's CPU, memory and disk, defined in servers.json. httperf and sysbench send
the requests; the collectors record each run as a folder of data/raw (format:
docs/reference/raw-run.md).

All commands but doctor and plan need root. A command that fails or is interrupted
takes down what it has started.
"""
EXAMPLES = """\
examples:
  python3 testbed/testbed.py doctor
  sudo python3 testbed/testbed.py run first web-005-a --raw /tmp/raw
  sudo python3 testbed/testbed.py study --raw /tmp/raw
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="testbed.py", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=layout
    )
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", required=True
    )

    def add_command(
        name: str, summary: str, *examples: str, detail: str = ""
    ) -> argparse.ArgumentParser:
        lines = "".join(f"  {example}\n" for example in examples)
        return commands.add_parser(
            name,
            help=summary[0].lower() + summary[1:],
            description=f"{summary}.\n{detail}",
            epilog=f"{'examples' if len(examples) > 1 else 'example'}:\n{lines}",
            formatter_class=layout,
        )

    def add_accelerator(command: argparse.ArgumentParser) -> None:
        command.add_argument(
            "--accelerator",
            choices=("auto", "kvm", "tcg"),
            default="auto",
            help="auto (default): KVM if a guest boots on it, else emulation (TCG)",
        )

    def add_raw(command: argparse.ArgumentParser) -> None:
        command.add_argument(
            "--raw",
            "--out",
            type=Path,
            default=RAW,
            metavar="DIR",
            help="folder of the recorded studies (default: data/raw)",
        )

    def add_plan(command: argparse.ArgumentParser) -> None:
        command.add_argument(
            "--plan",
            type=Path,
            default=STUDY_PLAN,
            metavar="FILE",
            help="study plan: loads, durations, held-out runs (default: testbed/study_plan.json)",
        )

    add_command(
        "doctor",
        "Check what this machine lacks for the testbed",
        "python3 testbed/testbed.py doctor",
        detail="Prints each requirement and one line with the fix. Exit code 1 if something is missing.\n",
    )
    command = add_command(
        "build",
        "Build the images of the guests",
        "sudo python3 testbed/testbed.py build",
        "sudo python3 testbed/testbed.py build web --force",
        detail="Takes about 2 minutes. The images are kept in /var/lib/queuevisor/testbed.\n",
    )
    command.add_argument(
        "guests", nargs="*", metavar="GUEST", help=f"{' or '.join(GUESTS)} (default: both)"
    )
    command.add_argument("--force", action="store_true", help="rebuild images that are up to date")
    command = add_command(
        "up",
        "Start a server and keep it running",
        "sudo python3 testbed/testbed.py up first",
        "sudo python3 testbed/testbed.py up second --guest db --accelerator tcg",
        detail="Prints the ssh command of each guest. Stop the server with `testbed.py down`.\n",
    )
    command.add_argument("server", metavar="SERVER", help="server of servers.json: first or second")
    command.add_argument(
        "--guest", action="append", choices=GUESTS, help="start only this guest (default: both)"
    )
    add_accelerator(command)
    add_command(
        "down",
        "Stop the running server and remove what earlier commands left",
        "sudo python3 testbed/testbed.py down",
        detail="Ends QEMU and the paced disks; removes mounts, loop devices and control groups.\n",
    )
    command = add_command(
        "run",
        "Record one run of the plan",
        "sudo python3 testbed/testbed.py run first web-005-a --raw /tmp/raw",
        detail="Builds the images if necessary and starts the server. Takes about 4 minutes.\n",
    )
    command.add_argument("server", metavar="SERVER", help="server of servers.json: first or second")
    command.add_argument("run", metavar="RUN", help="name of the run, as in `testbed.py plan`")
    add_plan(command)
    add_raw(command)
    add_accelerator(command)
    command = add_command(
        "study",
        "Record all runs of the plan that are not recorded yet",
        "sudo python3 testbed/testbed.py study --raw /tmp/raw",
        "sudo python3 testbed/testbed.py study --raw /tmp/raw --only 'second/db-.*'",
        "sudo python3 testbed/testbed.py study --raw /tmp/raw --small --wait-until-idle",
        detail="The whole study takes about 7 hours. Recorded runs are skipped, so that an\n"
        "interrupted study is continued by the same command.\n",
    )
    command.add_argument(
        "--only",
        metavar="REGEX",
        help="record only runs whose SERVER/RUN matches this regular expression as a whole",
    )
    command.add_argument(
        "--small", action="store_true", help="record only one run of each kind per server"
    )
    command.add_argument(
        "--wait-until-idle",
        action="store_true",
        help="start a run only while the memory latency and the idle guests' CPU use are below "
        "max_memory_latency_ns and max_idle_cpus of the plan",
    )
    add_plan(command)
    add_raw(command)
    add_accelerator(command)
    command = add_command(
        "plan",
        "List the runs of the plan",
        "python3 testbed/testbed.py plan",
        "python3 testbed/testbed.py plan --plan my_plan.json --raw /tmp/raw",
        detail="Shows purpose, duration, whether a run is recorded, and whether it is held out.\n",
    )
    add_plan(command)
    add_raw(command)
    command = add_command(
        "smoke",
        "Boot the web guest, record 10 s of load, stop it",
        "sudo python3 testbed/testbed.py smoke --raw /tmp/smoke",
        detail="Tests the whole chain on this machine, e.g. in CI. Takes at most 10 minutes.\n",
    )
    add_raw(command)
    add_accelerator(command)
    return parser


def raise_interrupt(*_: object) -> None:
    """Handle a signal like Ctrl-C, so that all that was started is taken down."""
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = build_parser().parse_args(arguments)
    if options.command == "doctor":
        return doctor.print_report()
    if options.command != "plan" and os.geteuid() != 0:
        print(
            f"testbed.py: {options.command} needs root (for loop devices and control groups); "
            "run it with sudo",
            file=sys.stderr,
        )
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, raise_interrupt)
    try:
        if options.command == "plan":  # needs no other program
            return study.print_plan(plan.read_plan(options.plan), options.raw)
        packages, kernel_features = doctor.list_missing()
        if (packages or kernel_features) and options.command != "down":
            raise TestbedError(
                f"this machine lacks {', '.join([*packages, *kernel_features])}; "
                f"{doctor.format_fix(packages, kernel_features)}"
            )
        with server_lifecycle.TestbedLock():
            return run_command(options)
    except TestbedError as error:
        print_status(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        print_status("interrupted; all that was started has been taken down")
        return 130


def run_command(options: argparse.Namespace) -> int:
    """Run a command while the lock is held; return the exit code."""
    if options.command == "build":
        unknown = sorted(set(options.guests) - set(GUESTS))
        if unknown:
            raise TestbedError(
                f"unknown guest {', '.join(unknown)}; choose from {', '.join(GUESTS)}"
            )
        image_build.build_images(tuple(options.guests) or GUESTS, options.force)
        return 0
    if options.command == "up":
        resources = servers.read_server(options.server)
        guests = tuple(options.guest or GUESTS)
        image_build.build_images(guests)
        hardware = servers.list_hardware(resources)
        server_lifecycle.start_server(
            options.server,
            resources,
            {guest: hardware[guest] for guest in guests},
            accelerator=options.accelerator,
        )
        for guest in guests:
            print_status("  " + " ".join(server_lifecycle.build_ssh_command(guest)))
        return 0
    if options.command == "down":
        return 1 if server_lifecycle.stop_server() else 0
    if options.command == "smoke":
        return study.record_smoke_run(options.raw, accelerator=options.accelerator)
    study_plan = plan.read_plan(options.plan)
    if options.command == "run":
        servers.select_server(options.server, plan.list_resources(study_plan))
        path = f"{options.server}/{options.run}"
        return study.record_single_run(
            study_plan, options.raw, path, accelerator=options.accelerator
        )
    pattern = options.only
    if options.small:
        if "small" not in study_plan:
            raise TestbedError(
                f"{options.plan}: key 'small' is missing: the names of the runs for --small"
            )
        pattern = ".*/(" + "|".join(study_plan["small"]) + ")"
    return study.record_missing_runs(
        study_plan,
        options.raw,
        pattern,
        accelerator=options.accelerator,
        wait_until_idle=options.wait_until_idle,
    )


if __name__ == "__main__":
    sys.exit(main())
