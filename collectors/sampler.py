#!/usr/bin/env python3
"""sampler.py - the one process behind `collect`: samples, and runs top and iotop beside itself.

PURPOSE   Records what a run needs from one machine; `collect --help` for an operator,
          docs/reference/raw-run.md for what is written.
USAGE     By `collect start|run`. Modules beside it: logs, proc, tools, delays, facts.
NEEDS     Linux, Python >= 3.6 standard library.
OVERHEAD  CPU seconds a minute at one sample a second, measured on one 2-core virtual machine:
                                    138 tasks   629 tasks
            this process, all tasks      0.23        0.61     11 MB (PSS)
            this process, --only         0.20        0.37     10 MB
            top                          0.16        0.81
            iotop-py -o                  0.34        1.01     (without -o: 0.80 and 2.78)
            all together                 0.70        2.38     (--only: 2.13)
          tasks.log grows by 7 MB a minute if 629 tasks are followed: name the ones you need.
          Inside an emulated guest all of this is about ten times dearer: with 90 tasks some
          5 to 10 % of its CPU, which the before-state shows. Each record says what it cost
          itself (facts.json, collector_cost).

One loop: it wakes at absolute deadlines of CLOCK_MONOTONIC (a deadline that has passed by a whole
interval stays a gap), when a tool has printed something, and at a signal. A tool's snapshot gets
the time at which its first line arrived.
"""

import argparse
import fcntl
import os
import re
import resource
import selectors
import signal
import stat
import sys
import time

import delays
import facts
import logs
import proc
import tools

QUIET = 0.05  # s without output after which a tool's snapshot is taken as whole
READY_LIMIT = 60.0  # s to wait for the first snapshot of every log
PATIENCE = 0.35  # s that a snapshot under way is waited for at the end
RESTARTS = 5


class Sampler:
    """The loop, its logs and its tools."""

    def __init__(self, options):
        self.o = options
        self.out = options.out
        self.reason = None
        self.notes = []
        self.children = []
        self.logs = []
        self.missed = 0

    # -- beginning ---------------------------------------------------------------------------
    def prepare(self):
        """Open everything, start the tools, write the first facts.json."""
        o = self.o
        self.boot = facts.boot_id()
        self.interval_ns = int(o.interval * 1e9)
        self.space = logs.Space(self.out, int(o.reserve * (1 << 20)))
        if not self.space.open:
            raise NothingDoneError("%s: less than %g MB free" % (self.out, o.reserve))
        files = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = 65536 if files[1] == resource.RLIM_INFINITY else files[1]
        most = min(most, 65536)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, files[1]))
        except (ValueError, OSError):
            most = files[0]
        since, trouble = delays.switch_on()
        if trouble:
            self.notes.append(trouble)
        accounting = facts.delay_accounting()
        if since:
            self.notes.append(
                "delay accounting was switched on for recording, %.0f s after boot:"
                " tasks that began before have none" % (since / os.sysconf("SC_CLK_TCK"))
            )
        self.only = proc.Matcher(o.only) if o.only else None
        followed = o.tasks or o.only
        tasks_matcher = None
        if followed:
            same = self.only is not None and followed == o.only
            tasks_matcher = self.only if same else proc.Matcher(followed)
        self.facts = facts.machine(o.role, o.hostname, o.devices)
        self.facts.update(
            delay_accounting=accounting,
            interval_s=o.interval,
            only=o.only,
            tasks=followed,
            devices=o.devices,
            started_ns=logs.now_ns()[0],
            ended_ns=None,
            collector_cost=None,
            notes=self.notes,
        )
        self.block = proc.Block(o.devices)
        self.tasks = proc.Tasks(tasks_matcher, accounting is not False, since, max(64, most - 64))
        self.matchers = {m for m in (self.only, tasks_matcher) if m is not None}
        self.block_log = self.new_log("block.log") if self.block.devices() else None
        if self.block_log is None:
            self.notes.append("no block device: no block.log")
        self.tasks_log = self.new_log("tasks.log")
        self.start_tools()
        self.save_facts()

    def new_log(self, name):
        """A log that gets its last line at the end."""
        log = logs.Log(self.out, name, self.boot, self.space)
        self.logs.append(log)
        return log

    def start_tools(self):
        """top and iotop, or what stands in for it."""
        found = tools.find_top(self.o.interval)
        if found is None:
            self.notes.append("top is not there: no top.log")
        else:
            self.start_child("top", found)
        self.reader = None
        if self.o.iotop == "none":
            self.notes.append("iotop was not asked for: no iotop.log")
            return
        found, why = tools.find_iotop(self.o.interval, self.o.iotop)
        if found is not None and os.geteuid() != 0 and not may_ask_taskstats():
            found, why = None, "iotop needs root or CAP_NET_ADMIN"
        if found is not None:
            self.start_child("iotop", found)
        else:
            self.own_reader(why)

    def own_reader(self, why):
        """iotop.log by ourselves."""
        import iotasks

        self.notes.append("%s: our own reader of /proc writes iotop.log" % why)
        self.facts["tools"]["iotop"] = "queuevisor-iotasks 1"
        self.facts["commands"]["iotop"] = ["iotasks", "-b", "-k", "-o"]
        self.reader = iotasks.Reader(self.only, self.facts["delay_accounting"])
        self.reader_log = self.new_log("iotop.log")

    def start_child(self, name, found):
        """Start a tool and its log."""
        log = self.new_log(name + ".log")
        child = tools.Child(name, found, log, self.only, logs.now_ns)
        self.facts["tools"][name] = found["version"]
        self.facts["commands"][name] = [os.path.basename(found["argv"][0]), *found["argv"][1:]]
        self.notes.extend(found["notes"])
        child.restart_at = None
        child.quiet_at = None
        try:
            child.start()
        except OSError as e:
            self.notes.append("%s cannot be started: %s" % (name, e.strerror))
            log.gap("%s cannot be started" % name)
            return
        self.children.append(child)
        self.ours()

    def ours(self):
        """Our own processes are followed by nobody."""
        pids = {c.process.pid for c in self.children if c.process is not None}
        pids.add(os.getpid())
        for m in self.matchers:
            m.not_ours = pids
        self.tasks.not_ours = pids

    def save_facts(self):
        """Write facts.json; a full disk must not end the recording."""
        try:
            facts.write(os.path.join(self.out, "facts.json"), self.facts)
        except OSError as e:
            self.notes.append("facts.json could not be written: %s" % e.strerror)

    # -- the loop ----------------------------------------------------------------------------
    def watch(self, child):
        """Wait for a tool's output too."""
        self.selector.register(child.fd, selectors.EVENT_READ, (child, child.read))
        self.selector.register(child.err, selectors.EVENT_READ, (child, child.read_complaints))

    def unwatch(self, child):
        """No longer."""
        for fd in (child.fd, child.err):
            try:
                self.selector.unregister(fd)
            except (KeyError, ValueError):
                pass

    def stop_for(self, number, _frame=None):
        """A signal: end at the next turn of the loop."""
        if self.reason is None:
            self.reason = signal.Signals(number).name

    def catch_signals(self):
        """A signal wakes the loop and names the reason of the end."""
        self.wake, wake_write = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.stop_for)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    def run(self, ready=None, seconds=None, progress=None):
        """Sample until a signal or `seconds`; `ready(missing)` once the first snapshots are there."""
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.wake, selectors.EVENT_READ, None)
        if progress is not None and stat.S_ISFIFO(os.fstat(1).st_mode):
            self.selector.register(
                1, selectors.EVENT_READ, "pipe"
            )  # "readable" when nobody reads it
        for child in self.children:
            self.watch(child)
        start = self.deadline = time.monotonic()
        self.tick = 0
        until = None if seconds is None else start + seconds
        while self.reason is None:
            now = time.monotonic()
            if now >= self.deadline:
                self.on_tick(now)
                if until is not None and now >= until:
                    self.reason = "%g seconds are over" % seconds
                if progress is not None and not progress(now - start):
                    self.reason = "closed pipe"
            for child in self.children:
                if child.quiet_at is not None and now >= child.quiet_at:
                    child.quiet_at = None
                    child.flush()
                if child.restart_at is not None and now >= child.restart_at:
                    self.restart(child)
            if ready is not None:
                missing = [log.name for log in self.logs if not log.snapshots]
                if not missing or now - start > READY_LIMIT:
                    ready(missing)
                    ready = None
            if self.reason is not None:
                break
            next_at = self.deadline if until is None else min(self.deadline, max(until, now))
            for child in self.children:
                for at in (child.quiet_at, child.restart_at):
                    if at is not None and at < next_at:
                        next_at = at
            self.wait(max(0.0, next_at - time.monotonic()))

    def wait(self, timeout):
        """Sleep until output, a signal or the time-out."""
        for key, _ in self.selector.select(timeout):
            if key.data == "pipe":
                self.reason = self.reason or "closed pipe"
                self.selector.unregister(key.fd)
                continue
            if key.data is None:
                try:
                    os.read(key.fd, 64)
                except BlockingIOError:
                    pass
                continue
            child, read = key.data
            alive = read()
            if key.fd == child.fd:
                child.quiet_at = time.monotonic() + QUIET
                if not alive:
                    self.lost(child)
            elif not alive:
                self.selector.unregister(key.fd)

    def on_tick(self, now):
        """Sample what we read ourselves."""
        interval = self.o.interval
        late = int((now - self.deadline) / interval)
        if late:
            self.missed += late
            for log in (self.block_log, self.tasks_log):
                if log is not None:
                    log.gap("missed %d tick%s" % (late, "s" if late > 1 else ""))
            self.tick += late
        self.deadline += (late + 1) * interval
        self.space.look()
        if self.block_log is not None:
            sentinel = self.block_log.sentinel(*logs.now_ns(), seq=self.tick)
            self.block_log.write(sentinel + self.block.sample())
        sentinel = self.tasks_log.sentinel(*logs.now_ns(), seq=self.tick)
        pids = proc.running_pids()
        self.tasks_log.write(sentinel + self.tasks.sample(pids))
        if self.only is not None and self.tasks.matcher is not self.only:
            self.only.forget_all_but(pids)
        if self.reader is not None:
            sentinel = self.reader_log.sentinel(*logs.now_ns(), seq=self.tick)
            self.reader_log.write(sentinel + self.reader.sample(pids))
        self.tick += 1

    # -- a tool that ends by itself ------------------------------------------------------------
    def lost(self, child):
        """A tool has ended: say so in its log, start it again a few times."""
        self.unwatch(child)
        child.flush()
        child.quiet_at = None
        child.signal(signal.SIGKILL)
        child.reap(0)
        child.read_complaints()
        child.close()
        why = child.complaint.decode("ascii", "replace").strip().splitlines()
        text = "%s ended%s" % (child.name, ": " + why[-1][:200] if why else "")
        child.log.gap(text)
        if text not in self.notes:
            self.notes.append(text)
            self.save_facts()
        if child.starts <= RESTARTS:
            child.restart_at = (
                time.monotonic() + (0.5 if child.log.snapshots else 0.1) * child.starts**2
            )
        elif child.name == "iotop" and not child.log.snapshots:
            self.fall_back(child)

    def fall_back(self, child):
        """iotop cannot do it here: our own reader takes over, in the same log."""
        import iotasks

        self.children.remove(child)
        self.notes.append("our own reader of /proc writes iotop.log")
        self.facts["tools"]["iotop"] = "queuevisor-iotasks 1"
        self.facts["commands"]["iotop"] = ["iotasks", "-b", "-k", "-o"]
        self.reader = iotasks.Reader(self.only, self.facts["delay_accounting"])
        self.reader_log = child.log
        child.log.lost = None
        self.save_facts()

    def restart(self, child):
        """Start a tool again in the same log."""
        child.restart_at = None
        try:
            child.start()
        except OSError:
            return
        self.ours()
        self.watch(child)

    # -- the end -------------------------------------------------------------------------------
    def finish(self):
        """Let snapshots under way end, end the tools, write the last lines."""
        limit = time.monotonic() + PATIENCE
        while any(c.quiet_at is not None for c in self.children):
            now = time.monotonic()
            for c in self.children:
                if c.quiet_at is not None and now >= c.quiet_at:
                    c.quiet_at = None
                    c.flush()
            if now >= limit:
                break
            self.wait(0.02)
        for c in self.children:
            self.unwatch(c)
            if c.quiet_at is not None:
                c.log.gap("the last snapshot was not whole")
            c.signal(signal.SIGTERM)
        limit = time.monotonic() + 0.25
        waiting = [c for c in self.children if not c.reap()]
        while waiting and time.monotonic() < limit:
            time.sleep(0.01)
            waiting = [c for c in waiting if not c.reap()]
        for c in waiting:
            c.signal(signal.SIGKILL)
            c.reap(0)
        delays.leave()
        for log in self.logs:
            log.end(self.reason or "ended")
        for c in self.children:
            c.close()
        self.facts["ended_ns"] = logs.now_ns()[0]
        self.facts["ended"] = self.reason
        self.facts["collector_cost"] = self.cost()
        self.save_facts()

    def cost(self):
        """What all this has cost, from the kernel's own accounts."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        own_s = own.ru_utime + own.ru_stime
        cost = {
            "cpu_s": round(own_s + sum(c.usage[0] for c in self.children), 3),
            "peak_rss_bytes": max([own.ru_maxrss * 1024] + [c.usage[1] for c in self.children]),
            "sampler": {"cpu_s": round(own_s, 3), "peak_rss_bytes": own.ru_maxrss * 1024},
            "ticks": self.tick,
            "missed_ticks": self.missed,
            "log_bytes": sum(log.size for log in self.logs),
            "lost_snapshots": sum(log.lost_snapshots for log in self.logs),
        }
        pss = re.search(r"^Pss:\s+(\d+) kB", facts.read("/proc/self/smaps_rollup") or "", re.M)
        if pss:
            cost["sampler"]["pss_bytes"] = int(pss.group(1)) * 1024
        for c in self.children:
            cost[c.name] = {
                "cpu_s": round(c.usage[0], 3),
                "peak_rss_bytes": c.usage[1],
                "starts": c.starts,
            }
        return cost


class NothingDoneError(Exception):
    """Nothing could be done; the reason is the message."""


def may_ask_taskstats():
    """CAP_NET_ADMIN in effect?"""
    m = re.search(r"^CapEff:\s*([0-9a-f]+)", facts.read("/proc/self/status") or "", re.M)
    return bool(m and int(m.group(1), 16) >> 12 & 1)


def lock(out):
    """The pid file, locked as long as we live; None if another collector has it."""
    fd = os.open(os.path.join(out, "collector.pid"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def write_pid(fd):
    """Who we are, so that a number used again is not taken for us."""
    os.ftruncate(fd, 0)
    os.pwrite(fd, ("%d %s\n" % (os.getpid(), delays.start_time(os.getpid()))).encode(), 0)


def mend(out):
    """After a kill -9: put the sysctl back, take the pid file away."""
    path = os.path.join(out, "collector.pid")
    try:
        with open(path) as f:
            pid = int((f.read().split() or ["0"])[0])
    except (OSError, ValueError):
        pid = 0
    delays.leave(pid or None)
    try:
        os.unlink(path)
    except OSError:
        pass


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
    s = Sampler(options)
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
            delays.leave()
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
            with open(os.path.join(options.out, "collector.err"), "w") as f:
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
    p.add_argument("command", choices=("start", "run", "mend"))
    p.add_argument("--out", metavar="DIR", required=True)
    p.add_argument("--interval", type=positive, default=1.0, metavar="S")
    p.add_argument("--seconds", type=positive, metavar="N")
    p.add_argument("--role", type=plain, default="host")
    p.add_argument("--hostname", type=plain, metavar="ALIAS")
    p.add_argument("--only", type=regex, metavar="REGEX")
    p.add_argument("--tasks", type=regex, metavar="REGEX")
    p.add_argument("--devices", type=regex, metavar="REGEX")
    p.add_argument("--iotop", choices=("auto", "py", "c", "proc", "none"), default="auto")
    p.add_argument("--reserve", type=positive, default=64.0, metavar="MB")
    o = p.parse_args(argv)
    o.out = os.path.abspath(o.out)
    if o.command == "mend":
        mend(o.out)
        return 0
    if o.command == "run" and o.seconds is None:
        p.error("run needs --seconds N")
    try:
        os.makedirs(o.out, exist_ok=True)
        pid_file = lock(o.out)
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
