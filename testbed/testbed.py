#!/usr/bin/env python3
"""The testbed: two virtual servers on this machine, and the paper's case study recorded on them.

A virtual web server (Apache) and a virtual database server (MariaDB) are built from Debian
packages and run by QEMU on a "server": an envelope of this machine's CPU, memory and disk
(envelopes.json). httperf and sysbench drive them over loopback while collectors/ records. Each
run becomes a folder of data/raw (docs/reference/raw-run.md).

  doctor    what this machine lacks, and one line that mends it
  build     build the guests' images (once; about 2 minutes; kept in /var/lib/queuevisor)
  up        put one server up and leave it up
  down      take everything down that up, run or study left
  run       record one run of the plan on a server
  study     record every run of the plan that is not there yet (about 7 hours)
  plan      list the runs of the plan, with what is there and what is held out
            (study_plan.json; run, study and plan take another with --plan)
  smoke     boot the web guest, record 10 seconds, take it down (for CI; at most 10 minutes)

Everything needs root. The commands end what they started, after an error or Ctrl-C too. An
example, from nothing to one recorded run:

  sudo python3 testbed/testbed.py build
  sudo python3 testbed/testbed.py run first web-005-a --raw /tmp/raw
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from qvtestbed import doctor, image_build, paths, plan, server_lifecycle, study
from qvtestbed.console import say
from qvtestbed.paths import GUESTS, RAW, STUDY_PLAN, TestbedError


def arguments() -> argparse.ArgumentParser:
    """What may be said on the command line."""
    parser = argparse.ArgumentParser(
        prog="testbed.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text)

    def accelerator(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--accelerator",
            choices=("auto", "kvm", "tcg"),
            default="auto",
            help="auto: kvm where a guest really runs on it, else emulation",
        )

    def raw(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--raw",
            "--out",
            type=Path,
            default=RAW,
            metavar="DIR",
            help="where studies lie (default: data/raw)",
        )

    def planned(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--plan",
            type=Path,
            default=STUDY_PLAN,
            metavar="FILE",
            help="which study: its loads, lengths and held-out runs (default: study_plan.json)",
        )

    command("doctor", "What this machine lacks, and one line that mends it.")
    sub = command("build", "Build the guests' images.")
    sub.add_argument("guests", nargs="*", metavar="GUEST", help="web, db (default: both)")
    sub.add_argument("--force", action="store_true", help="build anew what is there already")
    sub = command("up", "Put one server up and leave it up.")
    sub.add_argument("server", help="a name from envelopes.json: first, second")
    sub.add_argument("--guest", action="append", choices=GUESTS, help="only this guest")
    accelerator(sub)
    command("down", "Take down whatever the testbed has put up.")
    sub = command("run", "Record one run of the plan.")
    sub.add_argument("server")
    sub.add_argument("run", help="a name from `testbed.py plan`")
    planned(sub)
    raw(sub)
    accelerator(sub)
    sub = command("study", "Record every run of the plan that is not there yet.")
    sub.add_argument("--only", metavar="REGEX", help="only runs whose server/run matches wholly")
    sub.add_argument("--small", action="store_true", help="only one run of each kind a server")
    sub.add_argument(
        "--resume",
        action="store_true",
        help="go on with a study that was begun (runs that are there are never "
        "recorded again, with or without this)",
    )
    sub.add_argument(
        "--quiet",
        action="store_true",
        help="begin a run only while memory and the idle guests are quick enough (quiet_ns and "
        "quiet_idle_cpus of the plan); else wait",
    )
    planned(sub)
    raw(sub)
    accelerator(sub)
    sub = command("plan", "List the runs of the plan.")
    planned(sub)
    raw(sub)
    sub = command("smoke", "Boot the web guest, record 10 seconds under 5 requests a second.")
    raw(sub)
    accelerator(sub)
    return parser


def interrupted(*_: object) -> None:
    """A signal ends everything in good order, as Ctrl-C does."""
    raise KeyboardInterrupt


def main(words: list[str] | None = None) -> int:
    """The command."""
    options = arguments().parse_args(words)
    if options.command == "doctor":
        return doctor.show()
    if options.command != "plan" and os.geteuid() != 0:
        print(
            "testbed.py: must be root (loop devices, control groups, mmdebstrap)", file=sys.stderr
        )
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        if options.command == "plan":  # it needs nothing that could be lacking
            return study.show(plan.load(options.plan), options.raw)
        lacking = doctor.lacking()
        if lacking and options.command != "down":
            raise TestbedError(
                f"this machine lacks {', '.join(lacking)}; {doctor.install_line(lacking)}"
            )
        with server_lifecycle.Lock():
            return act(options)
    except TestbedError as error:
        say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        say("interrupted; everything that was started is taken down")
        return 130


def act(options: argparse.Namespace) -> int:
    """Do what was asked, with the lock held."""
    if options.command == "build":
        unknown = set(options.guests) - set(GUESTS)
        if unknown:
            raise TestbedError(
                f"no guest {', '.join(sorted(unknown))}; there are: {', '.join(GUESTS)}"
            )
        image_build.build(tuple(options.guests) or GUESTS, options.force)
        return 0
    if options.command == "up":
        guests = tuple(options.guest or GUESTS)
        image_build.build(guests)
        server_lifecycle.up(options.server, guests, wanted=options.accelerator)
        for guest in guests:
            say("  " + " ".join(server_lifecycle.ssh_command(guest)))
        return 0
    if options.command == "down":
        return 1 if server_lifecycle.down() else 0
    if options.command == "run":
        paths.envelope(options.server)
        return study.record_some(
            plan.load(options.plan),
            options.raw,
            f"{options.server}/{options.run}",
            wanted=options.accelerator,
            exactly=True,
        )
    if options.command == "smoke":
        return study.smoke(options.raw, wanted=options.accelerator)
    planned, pattern = plan.load(options.plan), options.only
    if options.small:
        if "small" not in planned:
            raise TestbedError(f"{options.plan}: lacks 'small', the runs of a study with --small")
        pattern = ".*/(" + "|".join(planned["small"]) + ")"
    return study.record_some(
        planned, options.raw, pattern, wanted=options.accelerator, quiet=options.quiet
    )


if __name__ == "__main__":
    sys.exit(main())
