#!/usr/bin/env python3
"""daemon.py - the process behind `collect`: samples, and runs top and iotop as its children.

PURPOSE   Records what a run needs from one machine; see `collect --help`, and
          docs/reference/raw-run.md for the format of what is written.
USAGE     By `collect start|run`. The loop itself is in sampling_loop.py.
NEEDS     Linux, Python >= 3.6 standard library.
OVERHEAD  CPU seconds per minute at one sample per second, 600 processes, on a virtual machine with
          2 cores (docs/benchmarks/collectors.md):
            this process     0.34 (every process followed), 0.18 (--only); 11 MB (PSS)
            top              0.82
            iotop-py -o      1.07
          tasks.log grows by 5 MB per minute then: select processes by --only, or use --rotate.
          Inside an emulated guest it takes about ten times as much CPU time: 5 to 10 % of the CPU
          with 90 tasks, which the idle baseline shows. Each recording has its own cost in
          facts.json (collector_cost).

This file: the options, one collector per folder, the background process, its messages.
"""

import argparse
import fcntl
import os
import re
import signal
import sys
import time

import delay_accounting
import files
import machine_check
import snapshot_log
from sampling_loop import END_OF_TIME, NotStartedError, Recording

PID_FILE = "collector.pid"
ERROR_FILE = "collector.err"
MAX_FACTS_BYTES = 1 << 20
PROGRESS_INTERVAL_S = 10  # between two lines of `run` without a terminal

# messages
ERROR = "collect: %s\n"
RECORDING = "recording %s into %s, every %g s"
LOGS = "  logs: %s"
NOTE = "  note: %s"
MISSING = "  missing: %s has no snapshot yet"
COST = "cost: %.2f CPU seconds in %.0f s (%s), %.1f MB on the disk\n"
DIED_AT_START = "the collector died at its start\n"
STATUS = "\r%4.0f s recorded, %4.0f s left "
STATUS_LINE = "%.0f s recorded\n"
ENDED = "%s: %s\n"
NOT_OWN_FOLDER = "collect: %s: only its owner can see the status or stop the collector\n"
UNSAFE_FOLDER = (
    "collect: %s: another user could change the recording;"
    " choose a folder of your own, for example one made by mktemp -d\n"
)
FILE_ERROR = "collect: %s: %s\n"
ALREADY_RECORDING = "collect: another collector is recording into %s\n"
ALREADY_RECORDED = "collect: %s contains a recording already (%s); choose another folder\n"
NO_MATCH = (
    "collect: no process matches --%s %r; list those that do with collect check --only REGEX,"
    " or give --allow-none where they start later\n"
)
NEEDS_SECONDS = "run needs --seconds N"
NOT_A_REGEX = "not a regular expression: %s"
NOT_POSITIVE = "not a number above 0: %r"
NOT_A_NAME = "use letters, digits, . _ - only: %r"


def lock_pid_file(out):
    """Descriptor of the pid file, locked as long as we live; None if another collector has it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(os.path.join(out, PID_FILE), flags, files.PRIVATE_FILE_MODE)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def write_pid(fd):
    """Write our pid and start time: a pid that is used again is not taken for us."""
    os.ftruncate(fd, 0)
    os.pwrite(fd, ("%d %s\n" % (os.getpid(), delay_accounting.start_time(os.getpid()))).encode(), 0)


def clean_up(out):
    """After kill -9: restore the sysctl, remove the pid file and incomplete compressed segments."""
    path = os.path.join(out, PID_FILE)
    try:
        with os.fdopen(files.open_regular(path)) as f:
            pid = int((f.read(64).split() or ["0"])[0])
    except (OSError, ValueError):
        pid = 0
    delay_accounting.leave(pid or None)
    partial = [os.path.join(out, n) for n in os.listdir(out) if n.endswith(".partial")]
    for file in [path, *partial]:
        try:
            os.unlink(file)
        except OSError:
            pass


def cost_text(out):
    """The cost of a finished recording in one line; "" if its facts.json has none."""
    try:
        facts = files.read_json(os.path.join(out, "facts.json"), MAX_FACTS_BYTES)
        cost = facts["collector_cost"]
        span_s = (facts["ended_ns"] - facts["started_ns"]) / 1e9
        parts = [
            "%s %.2f" % (name, cost[name]["cpu_s"])
            for name in ("sampler", "top", "iotop", "packing")
            if name in cost
        ]
        return COST % (cost["cpu_s"], span_s, ", ".join(parts), cost["disk_bytes"] / 1e6)
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def print_text(stream, text):
    """Print; False if the reader has closed the stream."""
    try:
        stream.write(text)
        stream.flush()
        return True
    except (OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)  # for what is still in the buffer
        os.dup2(null, stream.fileno())
        os.close(null)
        return False


def record(options, pid_file, ready=None, progress=None):
    """Record until the end; the Recording. `ready(recording, logs without a snapshot)` is called once."""
    recording = Recording(options)
    try:
        recording.catch_signals()
        write_pid(pid_file)
        recording.prepare()
        recording.run(
            ready=(lambda missing: ready(recording, missing)) if ready else None,
            seconds=options.seconds,
            progress=progress,
        )
    except BaseException as e:
        recording.end_reason = recording.end_reason or "error: %s" % (e.__class__.__name__)
        raise
    finally:
        if hasattr(recording, "selector"):
            recording.finish()
        else:
            delay_accounting.leave()
            for tool in recording.tools:
                tool.signal(signal.SIGKILL)
                tool.reap(0)
        try:
            os.unlink(os.path.join(options.out, PID_FILE))
        except OSError:
            pass
    return recording


def start_text(recording, missing):
    """What a start prints; `missing`: names of the logs without a snapshot."""
    options = recording.options
    names = sorted(log.name for log in recording.logs if log.name not in missing)
    lines = [RECORDING % (options.role, options.out, options.interval), LOGS % " ".join(names)]
    lines.extend(NOTE % note for note in recording.notes)
    lines.extend(MISSING % name for name in missing)
    return "\n".join(lines) + "\n"


def start(options, pid_file):
    """Record in the background; return once the first snapshots are written."""
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    if os.fork():
        os.close(write_end)
        data = b""
        while True:
            chunk = os.read(read_end, 65536)
            if not chunk:
                break
            data += chunk
        code = data[-1:] or b"2"
        text = data[:-1].decode("utf-8", "replace")
        print_text(sys.stdout if code in b"01" else sys.stderr, text or DIED_AT_START)
        return int(code)
    os.close(read_end)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    code = 0

    def ready(recording, missing):
        text = start_text(recording, missing)
        code = b"1" if missing or recording.has_failed_tool else b"0"
        os.write(write_end, text.encode() + code)
        os.close(write_end)
        ready.is_done = True

    ready.is_done = False
    try:
        record(options, pid_file, ready)
    except BaseException as e:
        import traceback

        code = 1
        text = str(e) if isinstance(e, NotStartedError) else traceback.format_exc()
        if not ready.is_done:
            os.write(write_end, (ERROR % text).encode() + b"2")
        else:
            with os.fdopen(files.create_file(os.path.join(options.out, ERROR_FILE)), "w") as f:
                f.write(text)
    os._exit(code)


def run(options, pid_file):
    """Record in the foreground; the exit code."""
    end = time.monotonic() + options.seconds
    is_terminal = sys.stdout.isatty()
    printed_at = [0.0]

    def progress(elapsed_s):
        if is_terminal:
            remaining_s = max(0, end - time.monotonic())
            return print_text(sys.stdout, STATUS % (elapsed_s, remaining_s))
        if elapsed_s - printed_at[0] >= PROGRESS_INTERVAL_S:
            printed_at[0] = elapsed_s
            return print_text(sys.stdout, STATUS_LINE % elapsed_s)
        return True

    def ready(recording, missing):
        print_text(sys.stdout, start_text(recording, missing))

    recording = record(options, pid_file, ready, progress)
    if is_terminal:
        print_text(sys.stdout, "\n")
    print_text(sys.stdout, ENDED % (options.out, recording.end_reason))
    print_text(sys.stdout, cost_text(options.out))
    return 0 if recording.end_reason == END_OF_TIME % options.seconds else 1


def regex(text):
    """An argument that must be a regular expression."""
    try:
        re.compile(text)
    except re.error as e:
        raise argparse.ArgumentTypeError(NOT_A_REGEX % e) from None
    return text


def positive_number(text):
    """An argument that must be a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(NOT_POSITIVE % text)
    return value


def rotation(text):
    """An argument that must be a size, a time or both."""
    try:
        snapshot_log.Rotation(text, None)
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e)) from None
    return text


def safe_name(text):
    """An argument that must be a name without special characters."""
    if not re.match(r"^[A-Za-z0-9._-]+$", text) or text.startswith("."):
        raise argparse.ArgumentTypeError(NOT_A_NAME % text)
    return text


def argument_parser():
    """The options; `collect --help` explains them."""
    p = argparse.ArgumentParser(
        prog="collect", description="See collect --help.", allow_abbrev=False
    )
    p.add_argument("command", choices=("start", "run", "check-folder", "clean-up", "cost"))
    p.add_argument("--out", metavar="DIR", required=True)
    p.add_argument("--interval", type=positive_number, default=1.0, metavar="S")
    p.add_argument("--seconds", type=positive_number, metavar="N")
    p.add_argument("--role", type=safe_name, default="host")
    p.add_argument("--hostname", type=safe_name, metavar="ALIAS")
    p.add_argument("--only", type=regex, metavar="REGEX")
    p.add_argument("--tasks", type=regex, metavar="REGEX")
    p.add_argument("--allow-none", action="store_true")
    p.add_argument("--devices", type=regex, metavar="REGEX")
    p.add_argument("--iotop", choices=("auto", "py", "c", "proc", "none"), default="auto")
    p.add_argument("--rotate", type=rotation, metavar="SIZE|TIME")
    p.add_argument("--reserve", type=positive_number, default=64.0, metavar="MB")
    return p


def has_match(pattern):
    """Does any process match by name or command line?"""
    return bool(machine_check.find_matches(machine_check.list_processes(), "either", pattern))


def main(argv=None):
    """Read the options, refuse what cannot be done, record; the exit code."""
    p = argument_parser()
    options = p.parse_args(argv)
    options.out = os.path.abspath(options.out)
    if options.command in ("check-folder", "clean-up"):
        reason = files.unsafe_reason(options.out)
        if reason:
            print_text(sys.stderr, NOT_OWN_FOLDER % reason)
            return 2
        if options.command == "clean-up":
            clean_up(options.out)
        return 0
    if options.command == "cost":
        sys.stdout.write(cost_text(options.out))
        return 0
    if options.command == "run" and options.seconds is None:
        p.error(NEEDS_SECONDS)
    for key, pattern in (("only", options.only), ("tasks", options.tasks)):
        if pattern and not options.allow_none and not has_match(pattern):
            print_text(sys.stderr, NO_MATCH % (key, pattern))
            return 2
    try:
        files.make_folder(options.out)
        pid_file = lock_pid_file(options.out)
    except ValueError as e:
        print_text(sys.stderr, UNSAFE_FOLDER % e)
        return 2
    except OSError as e:
        print_text(sys.stderr, FILE_ERROR % (options.out, e.strerror))
        return 2
    if pid_file is None:
        print_text(sys.stderr, ALREADY_RECORDING % options.out)
        return 2
    recorded = sorted(
        name
        for name in os.listdir(options.out)
        if name.endswith((".log", ".gz", ".zst")) or name == "facts.json"
    )
    if recorded:
        os.unlink(os.path.join(options.out, PID_FILE))
        print_text(sys.stderr, ALREADY_RECORDED % (options.out, recorded[0]))
        return 2
    if options.command == "start":
        return start(options, pid_file)
    try:
        return run(options, pid_file)
    except NotStartedError as e:
        print_text(sys.stderr, ERROR % e)
        return 2


if __name__ == "__main__":
    sys.exit(main())
