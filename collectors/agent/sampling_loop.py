"""The loop of a recording: deadlines, tools, signals, the end.

It wakes at absolute deadlines of CLOCK_MONOTONIC (a deadline that has passed by a whole interval
stays a gap), when a tool has printed something, and at a signal. A tool's snapshot gets the time at
which its first line arrived.
"""

import os
import re
import resource
import selectors
import signal
import stat
import time

import block_stats
import delay_accounting
import files
import machine_facts
import procfs
import snapshot_log
import task_counters
import top_iotop

QUIET = 0.05  # s without output after which a tool's snapshot is taken as whole
READY_LIMIT = 60.0  # s to wait for the first snapshot of every log
PATIENCE = 0.35  # s that a snapshot under way is waited for at the end
RESTARTS = 5


class NothingDoneError(Exception):
    """Nothing could be done; the reason is the message."""


def may_ask_taskstats():
    """CAP_NET_ADMIN in effect?"""
    m = re.search(r"^CapEff:\s*([0-9a-f]+)", machine_facts.read("/proc/self/status") or "", re.M)
    return bool(m and int(m.group(1), 16) >> 12 & 1)


class Recording:
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
        self.boot = machine_facts.boot_id()
        self.interval_ns = int(o.interval * 1e9)
        self.space = snapshot_log.Space(self.out, int(o.reserve * (1 << 20)))
        if not self.space.open:
            raise NothingDoneError("%s: less than %g MB free" % (self.out, o.reserve))
        files = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = 65536 if files[1] == resource.RLIM_INFINITY else files[1]
        most = min(most, 65536)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, files[1]))
        except (ValueError, OSError):
            most = files[0]
        self.rotation = snapshot_log.Rotation(o.rotate, self.space.folder) if o.rotate else None
        since, trouble = delay_accounting.switch_on()
        if trouble:
            self.notes.append(trouble)
        accounting = machine_facts.delay_accounting()
        if since:
            self.notes.append(
                "delay accounting was switched on for recording, %.0f s after boot:"
                " tasks that began before have none" % (since / os.sysconf("SC_CLK_TCK"))
            )
        self.only = procfs.Matcher(o.only) if o.only else None
        followed = o.tasks or o.only
        tasks_matcher = None
        if followed:
            same = self.only is not None and followed == o.only
            tasks_matcher = self.only if same else procfs.Matcher(followed)
        self.facts = machine_facts.machine(o.role, o.hostname, o.devices)
        self.facts.update(
            delay_accounting=accounting,
            interval_s=o.interval,
            only=o.only,
            tasks=followed,
            devices=o.devices,
            rotate=o.rotate,
            started_ns=snapshot_log.now_ns()[0],
            ended_ns=None,
            collector_cost=None,
            notes=self.notes,
        )
        self.listing = procfs.Listing()
        self.block = block_stats.Block(o.devices)
        self.tasks = task_counters.Tasks(
            tasks_matcher, accounting is not False, since, max(64, most - 64)
        )
        self.matchers = {m for m in (self.only, tasks_matcher) if m is not None}
        self.block_log = self.new_log("block.log") if self.block.devices() else None
        if self.block_log is None:
            self.notes.append("no block device: no block.log")
        self.tasks_log = self.new_log("tasks.log")
        self.start_tools()
        self.save_facts()

    def new_log(self, name):
        """A log that gets its last line at the end."""
        log = snapshot_log.Log(name, self.boot, self.space, self.rotation)
        self.logs.append(log)
        return log

    def start_tools(self):
        """top and iotop, or what stands in for it."""
        found = top_iotop.find_top(self.o.interval)
        if found is None:
            self.notes.append("top is not there: no top.log")
        else:
            self.start_child("top", found)
        self.reader = None
        if self.o.iotop == "none":
            self.notes.append("iotop was not asked for: no iotop.log")
            return
        found, why = top_iotop.find_iotop(self.o.interval, self.o.iotop)
        if found is not None and os.geteuid() != 0 and not may_ask_taskstats():
            found, why = None, "iotop needs root or CAP_NET_ADMIN"
        elif (
            found is not None and self.o.iotop == "auto" and self.facts["delay_accounting"] is False
        ):
            found, why = None, "delay accounting is off"  # iotop-c prints a false 0.00 % then
        if found is not None:
            self.start_child("iotop", found)
        else:
            self.own_reader(why)

    def own_reader(self, why):
        """iotop.log by ourselves."""
        import iotop_fallback

        self.notes.append("%s: our own reader of /proc writes iotop.log" % why)
        self.facts["tools"]["iotop"] = "queuevisor-iotasks 1"
        self.facts["commands"]["iotop"] = ["iotasks", "-b", "-k", "-o"]
        self.reader = iotop_fallback.Reader(self.only, self.facts["delay_accounting"])
        self.reader_log = self.new_log("iotop.log")

    def start_child(self, name, found):
        """Start a tool and its log."""
        log = self.new_log(name + ".log")
        child = top_iotop.Child(name, found, log, self.only, snapshot_log.now_ns)
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
            files.write_json(os.path.join(self.out, "facts.json"), self.facts)
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
                    self.settle(child)
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
                elif not child.terminal:  # a pipe holds the rest: woken once, not for every buffer
                    self.selector.unregister(key.fd)
            elif not alive:
                self.selector.unregister(key.fd)

    def settle(self, child):
        """A while after a tool's output: take what has come since; if nothing has, it was whole."""
        before = child.received
        if not child.read():
            self.lost(child)
        elif child.received != before:
            child.quiet_at = time.monotonic() + QUIET
        else:
            child.quiet_at = None
            child.flush()
            if not child.terminal:
                self.selector.register(child.fd, selectors.EVENT_READ, (child, child.read))

    def on_tick(self, now):
        """Sample what we read ourselves."""
        interval = self.o.interval
        late = int((now - self.deadline) / interval)
        if late:
            self.missed += late
            read_by_us = [self.block_log, self.tasks_log]
            if self.reader is not None:
                read_by_us.append(self.reader_log)
            for log in read_by_us:
                if log is not None:
                    log.missed_ticks(late)
            self.tick += late
        self.deadline += (late + 1) * interval
        self.space.look()
        if self.rotation is not None:
            self.rotation.packer.look()
        if self.block_log is not None:
            self.block_log.turn()
            sentinel = self.block_log.sentinel(*snapshot_log.now_ns(), seq=self.tick)
            self.block_log.write(sentinel + self.block.sample())
        if self.tasks_log.turn():
            self.tasks.tell_again()
        sentinel = self.tasks_log.sentinel(*snapshot_log.now_ns(), seq=self.tick)
        pids, born = self.listing.look()
        self.tasks_log.write(sentinel + self.tasks.sample(pids, born))
        if self.only is not None and self.tasks.matcher is not self.only:
            self.only.next_tick(pids, born)
        if self.reader is not None:
            self.reader_log.turn()
            sentinel = self.reader_log.sentinel(*snapshot_log.now_ns(), seq=self.tick)
            self.reader_log.write(sentinel + self.reader.sample(pids))
        for pid in self.tasks.ended:
            self.listing.gone(pid)
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
        import iotop_fallback

        self.children.remove(child)
        self.notes.append("our own reader of /proc writes iotop.log")
        self.facts["tools"]["iotop"] = "queuevisor-iotasks 1"
        self.facts["commands"]["iotop"] = ["iotasks", "-b", "-k", "-o"]
        self.reader = iotop_fallback.Reader(self.only, self.facts["delay_accounting"])
        self.reader_log = child.log
        child.log.nothing_lost()
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
                    self.settle(c)
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
        delay_accounting.leave()
        if self.rotation is not None:
            self.rotation.packer.end()
        for log in self.logs:
            log.end(self.reason or "ended")
        for c in self.children:
            c.close()
        self.facts["ended_ns"] = snapshot_log.now_ns()[0]
        self.facts["ended"] = self.reason
        self.facts["collector_cost"] = self.cost()
        self.save_facts()

    def disk_bytes(self):
        """What the folder holds, packed pieces as they are."""
        folder = self.space.folder
        names = [n for n in os.listdir(folder) if ".log" in n]
        return sum(os.stat(n, dir_fd=folder).st_size for n in names)

    def cost(self):
        """What all this has cost, from the kernel's own accounts."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        own_s = own.ru_utime + own.ru_stime
        packing = [] if self.rotation is None else [self.rotation.packer]
        others = [c.usage for c in [*self.children, *packing]]
        cost = {
            "cpu_s": round(own_s + sum(usage[0] for usage in others), 3),
            "peak_rss_bytes": max([own.ru_maxrss * 1024] + [usage[1] for usage in others]),
            "sampler": {"cpu_s": round(own_s, 3), "peak_rss_bytes": own.ru_maxrss * 1024},
            "ticks": self.tick,
            "missed_ticks": self.missed,
            "log_bytes": sum(log.total + log.size for log in self.logs),
            "disk_bytes": self.disk_bytes(),
            "lost_snapshots": sum(log.lost_snapshots for log in self.logs),
        }
        pss = re.search(
            r"^Pss:\s+(\d+) kB", machine_facts.read("/proc/self/smaps_rollup") or "", re.M
        )
        if pss:
            cost["sampler"]["pss_bytes"] = int(pss.group(1)) * 1024
        if packing:
            cost["packing"] = {"cpu_s": round(packing[0].usage[0], 3)}
        for c in self.children:
            cost[c.name] = {
                "cpu_s": round(c.usage[0], 3),
                "peak_rss_bytes": c.usage[1],
                "starts": c.starts,
            }
        return cost
