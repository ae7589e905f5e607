#!/usr/bin/env python3
"""daemon.py - the one process behind `collect`: samples, and runs top and iotop beside itself.

PURPOSE   Records what a run needs from one machine; `collect --help` for an operator,
          docs/reference/raw-run.md for what is written.
USAGE     By `collect start|run`. The loop itself is sampling_loop.py.
NEEDS     Linux, Python >= 3.6 standard library.
OVERHEAD  CPU seconds a minute at one sample a second, 600 processes, on one 2-core virtual machine
          (docs/benchmarks/collectors.md):
            this process     0.34 (every process followed), 0.18 (--only); 11 MB (PSS)
            top              0.82
            iotop-py -o      1.07
          tasks.log grows by 5 MB a minute then: name the processes you need, or --rotate.
          Inside an emulated guest all of this is about ten times dearer: with 90 tasks some
          5 to 10 % of its CPU, which the before-state shows. Each record says what it cost
          itself (facts.json, collector_cost).

Here: the call, one collector a folder, the background, and what is said.
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
import snapshot_log
from sampling_loop import NothingDoneError, Recording


def lock(out):
    """The pid file, locked as long as we live; None if another collector has it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(os.path.join(out, "collector.pid"), flags, files.PRIVATE_FILE)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def write_pid(fd):
    """Who we are, so that a number used again is not taken for us."""
    os.ftruncate(fd, 0)
    os.pwrite(fd, ("%d %s\n" % (os.getpid(), delay_accounting.start_time(os.getpid()))).encode(), 0)


def mend(out):
    """After a kill -9: put the sysctl back, take away the pid file and a piece that was half packed."""
    path = os.path.join(out, "collector.pid")
    try:
        with os.fdopen(files.open_regular(path)) as f:
            pid = int((f.read(64).split() or ["0"])[0])
    except (OSError, ValueError):
        pid = 0
    delay_accounting.leave(pid or None)
    left = [os.path.join(out, n) for n in os.listdir(out) if n.endswith(".partial")]
    for file in [path, *left]:
        try:
            os.unlink(file)
        except OSError:
            pass


def cost_text(out):
    """What a recording that has ended has cost, in one line; "" if it does not say."""
    try:
        facts = files.read_json(os.path.join(out, "facts.json"), 1 << 20)
        cost = facts["collector_cost"]
        seconds = (facts["ended_ns"] - facts["started_ns"]) / 1e9
        parts = [
            "%s %.2f" % (name, cost[name]["cpu_s"])
            for name in ("sampler", "top", "iotop", "packing")
            if name in cost
        ]
        return "it cost %.2f CPU seconds in %.0f s (%s), %.1f MB on the disk\n" % (
            cost["cpu_s"], seconds, ", ".join(parts), cost["disk_bytes"] / 1e6,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def tell(stream, text):
    """Print; False if nobody reads it any more."""
    try:
        stream.write(text)
        stream.flush()
        return True
    except (OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)  # what is still in the buffer has to go somewhere
        os.dup2(null, stream.fileno())
        os.close(null)
        return False


def work(options, pid_file, ready=None, seconds=None, progress=None):
    """Record until the end; the exit code."""
    s = Recording(options)
    try:
        s.catch_signals()
        write_pid(pid_file)
        s.prepare()
        s.run(
            ready=(lambda missing: ready(s, missing)) if ready else None,
            seconds=seconds,
            progress=progress,
        )
    except BaseException as e:
        s.reason = s.reason or "error: %s" % (e.__class__.__name__)
        raise
    finally:
        if hasattr(s, "selector"):
            s.finish()
        else:
            delay_accounting.leave()
            for c in s.children:
                c.signal(signal.SIGKILL)
                c.reap(0)
        try:
            os.unlink(os.path.join(options.out, "collector.pid"))
        except OSError:
            pass
    return s


def summary(s, missing):
    """What a start says."""
    lines = ["recording %s into %s, every %g s" % (s.o.role, s.out, s.o.interval)]
    there = [log.name for log in s.logs if log.name not in missing]
    lines.append("  logs: " + " ".join(sorted(there)))
    lines.extend("  note: " + n for n in s.notes)
    lines.extend("  missing: %s has no snapshot yet" % name for name in missing)
    return "\n".join(lines) + "\n"


def start(options, pid_file):
    """Go into the background; return once the first snapshots are there."""
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    if os.fork():
        os.close(write_end)
        data = b""
        while True:
            more = os.read(read_end, 65536)
            if not more:
                break
            data += more
        code = data[-1:] or b"2"
        text = data[:-1].decode("utf-8", "replace")
        tell(
            sys.stdout if code in b"01" else sys.stderr, text or "the collector died at its start\n"
        )
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

    def ready(s, missing):
        text = summary(s, missing)
        code = b"1" if missing or any("no top.log" in n or "ended" in n for n in s.notes) else b"0"
        os.write(write_end, text.encode() + code)
        os.close(write_end)
        ready.done = True

    ready.done = False
    try:
        work(options, pid_file, ready, options.seconds)
    except BaseException as e:
        code = 1
        text = str(e) if isinstance(e, NothingDoneError) else trace()
        if not ready.done:
            os.write(write_end, ("collect: %s\n" % text).encode() + b"2")
        else:
            with os.fdopen(files.create(os.path.join(options.out, "collector.err")), "w") as f:
                f.write(text)
    os._exit(code)


def trace():
    """The exception being handled, as text."""
    import traceback

    return traceback.format_exc()


def run(options, pid_file):
    """In the foreground."""
    ending = time.monotonic() + options.seconds
    terminal = sys.stdout.isatty()
    said = [0.0]

    def progress(elapsed):
        if terminal:
            left = max(0, ending - time.monotonic())
            return tell(sys.stdout, "\r%4.0f s recorded, %4.0f s to go " % (elapsed, left))
        if elapsed - said[0] >= 10:
            said[0] = elapsed
            return tell(sys.stdout, "%.0f s recorded\n" % elapsed)
        return True

    def ready(s, missing):
        tell(sys.stdout, summary(s, missing))

    s = work(options, pid_file, ready, options.seconds, progress)
    tell(sys.stdout, "%s%s: %s\n" % ("\n" if terminal else "", options.out, s.reason))
    tell(sys.stdout, cost_text(options.out))
    return 0 if "seconds" in s.reason else 1


def regex(text):
    """An argument that must compile."""
    try:
        re.compile(text)
    except re.error as e:
        raise argparse.ArgumentTypeError("not a regular expression: %s" % e) from None
    return text


def positive(text):
    """An argument that must be a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError("not a number above 0: %r" % text)
    return value


def rotation(text):
    """An argument that must be a size, a time or both."""
    try:
        snapshot_log.Rotation(text, None)
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e)) from None
    return text


def plain(text):
    """An argument that must be a plain name."""
    if not re.match(r"^[A-Za-z0-9._-]+$", text) or text.startswith("."):
        raise argparse.ArgumentTypeError("letters, digits, . _ - only: %r" % text)
    return text


def main(argv=None):
    """Read the call, refuse what cannot be done, record; the exit code."""
    p = argparse.ArgumentParser(
        prog="collect", description="See collect --help.", allow_abbrev=False
    )
    p.add_argument("command", choices=("start", "run", "trust", "mend", "cost"))
    p.add_argument("--out", metavar="DIR", required=True)
    p.add_argument("--interval", type=positive, default=1.0, metavar="S")
    p.add_argument("--seconds", type=positive, metavar="N")
    p.add_argument("--role", type=plain, default="host")
    p.add_argument("--hostname", type=plain, metavar="ALIAS")
    p.add_argument("--only", type=regex, metavar="REGEX")
    p.add_argument("--tasks", type=regex, metavar="REGEX")
    p.add_argument("--devices", type=regex, metavar="REGEX")
    p.add_argument("--iotop", choices=("auto", "py", "c", "proc", "none"), default="auto")
    p.add_argument("--rotate", type=rotation, metavar="SIZE|TIME")
    p.add_argument("--reserve", type=positive, default=64.0, metavar="MB")
    o = p.parse_args(argv)
    o.out = os.path.abspath(o.out)
    if o.command in ("trust", "mend"):
        trouble = files.trouble_of(o.out)
        if trouble:
            tell(sys.stderr, "collect: %s: only who records there can look or stop\n" % trouble)
            return 2
        if o.command == "mend":
            mend(o.out)
        return 0
    if o.command == "cost":
        sys.stdout.write(cost_text(o.out))
        return 0
    if o.command == "run" and o.seconds is None:
        p.error("run needs --seconds N")
    try:
        files.make_folder(o.out)
        pid_file = lock(o.out)
    except ValueError as e:
        tell(
            sys.stderr,
            "collect: %s: somebody else could change what is recorded there;"
            " take a folder of your own, as made by mktemp -d\n" % e,
        )
        return 2
    except OSError as e:
        tell(sys.stderr, "collect: %s: %s\n" % (o.out, e.strerror))
        return 2
    if pid_file is None:
        tell(sys.stderr, "collect: another collector is recording into %s\n" % o.out)
        return 2
    there = sorted(
        n for n in os.listdir(o.out) if n.endswith((".log", ".gz", ".zst")) or n == "facts.json"
    )
    if there:
        os.unlink(os.path.join(o.out, "collector.pid"))
        tell(
            sys.stderr,
            "collect: %s holds a recording already (%s); take another folder\n" % (o.out, there[0]),
        )
        return 2
    if o.command == "start":
        return start(o, pid_file)
    try:
        return run(o, pid_file)
    except NothingDoneError as e:
        tell(sys.stderr, "collect: %s\n" % e)
        return 2


if __name__ == "__main__":
    sys.exit(main())
