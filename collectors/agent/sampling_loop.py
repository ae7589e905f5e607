"""The loop of a recording: deadlines, top and iotop, signals, the end.

It wakes at absolute deadlines of CLOCK_MONOTONIC (a deadline that is passed by a whole interval
remains a gap), when a tool has printed something, and at a signal. A tool's snapshot gets the time at
which its first line arrived.
"""

import os
import selectors
import signal
import stat
import time

import block_stats
import delay_accounting
import files
import kernel_counters
import machine_facts
import process_limits
import procfs
import recording_cost
import snapshot_log
import task_counters
import top_iotop

QUIET_S = 0.05  # without output, after which a tool's snapshot is complete
READY_TIMEOUT_S = 60.0  # for the first snapshot of every log
LAST_SNAPSHOT_TIMEOUT_S = 0.35  # for a snapshot under way at the end
EXIT_TIMEOUT_S = 0.25  # for a tool, after SIGTERM
MAX_RESTARTS = 5  # of a tool that ends by itself
OTHER_FILES = 64  # that are open besides those of the task counters
FALLBACK_VERSION = "queuevisor-iotasks 1"  # in facts.json
FALLBACK_COMMAND = ("iotasks", "-b", "-k", "-o")

# notes of facts.json
NOT_ENOUGH_SPACE = (
    "%s: less than %g MB free; free some space, choose another --out, or lower --reserve"
)
SWITCHED_ON = (
    "delay accounting was switched on for this recording, %.0f s after boot:"
    " tasks that started before have no delays"
)
NO_BLOCK_DEVICE = "no block device: no block.log"
NO_TOP = "top is not installed: no top.log"
NO_IOTOP = "--iotop none: no iotop.log"
NO_RIGHTS = "iotop needs root or CAP_NET_ADMIN"
DELAYS_OFF = "delay accounting is off"
FALLBACK = "iotop.log is read from /proc"
FALLBACK_BECAUSE = "%s: " + FALLBACK
NOT_STARTED = "%s cannot be started: %s"
NOT_WRITTEN = "facts.json could not be written: %s"

# texts in logs, part of the recorded format
GAP_NOT_STARTED = "%s cannot be started"
GAP_ENDED = "%s ended%s"
GAP_INCOMPLETE = "the last snapshot was not whole"
END_OF_TIME = "%g seconds are over"
END_WITHOUT_FOLDER = "its folder was removed"
END_OF_PIPE = "closed pipe"
END_WITHOUT_REASON = "ended"


class NotStartedError(Exception):
    """Nothing can be recorded; the message says why."""


class Recording:
    """The loop, its logs and its tools."""

    def __init__(self, options):
        """`options`: the arguments of `collect start` and `collect run`."""
        self.options = options
        self.out = options.out
        self.end_reason = None
        self.notes = []
        self.tools = []
        self.logs = []
        self.missed_ticks = 0
        self.has_failed_tool = False  # top is missing, or a tool has ended by itself

    # -- the beginning -----------------------------------------------------------------------
    def prepare(self):
        """Open everything, start the tools, write the first facts.json."""
        options = self.options
        self.folder = os.open(self.out, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.boot_id = machine_facts.read_boot_id()
        self.space = snapshot_log.DiskSpace(self.out, int(options.reserve * (1 << 20)))
        if not self.space.is_writable:
            raise NotStartedError(NOT_ENOUGH_SPACE % (self.out, options.reserve))
        max_files = process_limits.raise_file_limit()
        self.rotation = None
        if options.rotate:
            self.rotation = snapshot_log.Rotation(options.rotate, self.space.folder)
        delays_since_ticks, problem = delay_accounting.switch_on()
        if problem:
            self.notes.append(problem)
        has_delays = machine_facts.is_delay_accounting_on()
        if delays_since_ticks:
            since_s = delays_since_ticks / os.sysconf("SC_CLK_TCK")
            self.notes.append(SWITCHED_ON % since_s)
        self.only = procfs.Matcher(options.only) if options.only else None
        tasks_pattern = options.tasks or options.only
        tasks_matcher = None
        if tasks_pattern:
            is_same = self.only is not None and tasks_pattern == options.only
            tasks_matcher = self.only if is_same else procfs.Matcher(tasks_pattern)
        self.facts = machine_facts.collect_facts(options.role, options.hostname, options.devices)
        self.facts.update(
            delay_accounting=has_delays,
            delay_accounting_since_ticks=delays_since_ticks if has_delays else None,
            interval_s=options.interval,
            only=options.only,
            tasks=tasks_pattern,
            devices=options.devices,
            rotate=options.rotate,
            started_ns=snapshot_log.now_ns()[0],
            ended_ns=None,
            collector_cost=None,
            notes=self.notes,
        )
        self.process_list = procfs.ProcessList()
        self.block_stats = block_stats.BlockStats(options.devices)
        self.task_counters = task_counters.TaskCounters(
            tasks_matcher,
            has_delays is not False,
            delays_since_ticks,
            max(64, max_files - OTHER_FILES),
        )
        self.kernel_counters = kernel_counters.KernelCounters()
        self.facts["kernel_counters"] = self.kernel_counters.facts()
        self.matchers = {m for m in (self.only, tasks_matcher) if m is not None}
        self.block_log = self.new_log("block.log") if self.block_stats.list_devices() else None
        if self.block_log is None:
            self.notes.append(NO_BLOCK_DEVICE)
        self.tasks_log = self.new_log("tasks.log")
        self.start_tools()
        self.write_facts()

    def new_log(self, name):
        """A new log, closed at the end of the recording."""
        log = snapshot_log.Log(name, self.boot_id, self.space, self.rotation)
        self.logs.append(log)
        return log

    def start_tools(self):
        """Start top and iotop, or the fallback in iotop's place."""
        settings = top_iotop.find_top(self.options.interval)
        if settings is None:
            self.notes.append(NO_TOP)
            self.has_failed_tool = True
        else:
            self.start_tool("top", settings)
        self.fallback = None
        if self.options.iotop == "none":
            self.notes.append(NO_IOTOP)
            return
        settings, reason = top_iotop.find_iotop(self.options.interval, self.options.iotop)
        if settings is not None and os.geteuid() != 0 and not process_limits.has_net_admin():
            settings, reason = None, NO_RIGHTS
        elif (
            settings is not None
            and self.options.iotop == "auto"
            and self.facts["delay_accounting"] is False
        ):
            settings, reason = None, DELAYS_OFF  # iotop-c prints a false 0.00 % then
        if settings is not None:
            self.start_tool("iotop", settings)
        else:
            self.start_fallback(FALLBACK_BECAUSE % reason, self.new_log("iotop.log"))

    def start_fallback(self, note, log):
        """Write iotop.log from /proc."""
        import iotop_fallback

        self.notes.append(note)
        self.facts["tools"]["iotop"] = FALLBACK_VERSION
        self.facts["commands"]["iotop"] = list(FALLBACK_COMMAND)
        self.fallback = iotop_fallback.Reader(self.only)
        self.fallback_log = log

    def start_tool(self, name, settings):
        """Start a tool and its log; `settings` are those of top_iotop.find_top and find_iotop."""
        log = self.new_log(name + ".log")
        tool = top_iotop.Tool(name, settings, log, self.only, snapshot_log.now_ns)
        argv = settings["argv"]
        self.facts["tools"][name] = settings["version"]
        self.facts["commands"][name] = [os.path.basename(argv[0]), *argv[1:]]
        self.notes.extend(settings["notes"])
        tool.restart_at = None
        tool.quiet_at = None
        try:
            tool.start()
        except OSError as e:
            self.notes.append(NOT_STARTED % (name, e.strerror))
            log.add_gap(GAP_NOT_STARTED % name)
            return
        self.tools.append(tool)
        self.exclude_own_processes()

    def exclude_own_processes(self):
        """Our own processes are not recorded as the operator's."""
        pids = {tool.process.pid for tool in self.tools if tool.process is not None}
        pids.add(os.getpid())
        for m in self.matchers:
            m.excluded_pids = pids
        self.task_counters.excluded_pids = pids

    def write_facts(self):
        """Write facts.json; a full disk must not end the recording."""
        try:
            files.write_json(os.path.join(self.out, "facts.json"), self.facts)
        except OSError as e:
            self.notes.append(NOT_WRITTEN % e.strerror)

    # -- the loop ----------------------------------------------------------------------------
    def watch(self, tool):
        """Wait for a tool's output, too."""
        self.selector.register(tool.fd, selectors.EVENT_READ, (tool, tool.read))
        self.selector.register(tool.stderr, selectors.EVENT_READ, (tool, tool.read_stderr))

    def unwatch(self, tool):
        """No longer wait for a tool's output."""
        for fd in (tool.fd, tool.stderr):
            try:
                self.selector.unregister(fd)
            except (KeyError, ValueError):
                pass

    def on_signal(self, number, _frame=None):
        """End in the next pass of the loop."""
        if self.end_reason is None:
            self.end_reason = signal.Signals(number).name

    def catch_signals(self):
        """A signal wakes the loop and becomes the reason of the end."""
        self.wake_fd, wake_write_fd = os.pipe()
        os.set_blocking(self.wake_fd, False)
        os.set_blocking(wake_write_fd, False)
        signal.set_wakeup_fd(wake_write_fd)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.on_signal)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    def run(self, ready=None, seconds=None, progress=None):
        """Sample until a signal or for `seconds`.

        `ready(names of logs without a snapshot)` is called once the first snapshots are written;
        `progress(elapsed seconds)` at every tick, and ends the loop if it returns False.
        """
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.wake_fd, selectors.EVENT_READ, None)
        if progress is not None and stat.S_ISFIFO(os.fstat(1).st_mode):
            # a pipe becomes "readable" for its writer when the reader has closed it
            self.selector.register(1, selectors.EVENT_READ, "pipe")
        for tool in self.tools:
            self.watch(tool)
        start = self.deadline = time.monotonic()
        self.tick = 0
        until = None if seconds is None else start + seconds
        while self.end_reason is None:
            now = time.monotonic()
            if now >= self.deadline:
                self.on_tick(now)
                if until is not None and now >= until:
                    self.end_reason = END_OF_TIME % seconds
                if progress is not None and not progress(now - start):
                    self.end_reason = END_OF_PIPE
            for tool in self.tools:
                if tool.quiet_at is not None and now >= tool.quiet_at:
                    self.finish_snapshot(tool)
                if tool.restart_at is not None and now >= tool.restart_at:
                    self.restart(tool)
            if ready is not None:
                missing = [log.name for log in self.logs if not log.snapshots]
                if not missing or now - start > READY_TIMEOUT_S:
                    ready(missing)
                    ready = None
            if self.end_reason is not None:
                break
            wake_at = self.deadline if until is None else min(self.deadline, max(until, now))
            for tool in self.tools:
                for at in (tool.quiet_at, tool.restart_at):
                    if at is not None and at < wake_at:
                        wake_at = at
            self.wait(max(0.0, wake_at - time.monotonic()))

    def wait(self, timeout_s):
        """Sleep until output, a signal or the time-out."""
        for key, _ in self.selector.select(timeout_s):
            if key.data == "pipe":
                self.end_reason = self.end_reason or END_OF_PIPE
                self.selector.unregister(key.fd)
                continue
            if key.data is None:
                try:
                    os.read(key.fd, 64)
                except BlockingIOError:
                    pass
                continue
            tool, read = key.data
            is_open = read()
            if key.fd == tool.fd:
                tool.quiet_at = time.monotonic() + QUIET_S
                if not is_open:
                    self.on_exit(tool)
                elif not tool.uses_pty:  # the pipe holds the rest: one wake-up per snapshot
                    self.selector.unregister(key.fd)
            elif not is_open:
                self.selector.unregister(key.fd)

    def finish_snapshot(self, tool):
        """Some time after a tool's output: read what has arrived since; if nothing, it is complete."""
        before = tool.received_bytes
        if not tool.read():
            self.on_exit(tool)
        elif tool.received_bytes != before:
            tool.quiet_at = time.monotonic() + QUIET_S
        else:
            tool.quiet_at = None
            tool.flush()
            if not tool.uses_pty:
                self.selector.register(tool.fd, selectors.EVENT_READ, (tool, tool.read))

    def on_tick(self, now):
        """Sample what is read from /proc and /sys."""
        interval_s = self.options.interval
        missed = int((now - self.deadline) / interval_s)
        if missed:
            self.missed_ticks += missed
            sampled_logs = [self.block_log, self.tasks_log]
            if self.fallback is not None:
                sampled_logs.append(self.fallback_log)
            for log in sampled_logs:
                if log is not None:
                    log.add_missed_ticks(missed)
            self.tick += missed
        self.deadline += (missed + 1) * interval_s
        self.space.check()
        if not self.has_folder():
            self.end_reason = self.end_reason or END_WITHOUT_FOLDER
        if self.rotation is not None:
            self.rotation.compressor.poll()
        if self.block_log is not None:
            self.block_log.rotate_if_due()
            sentinel = self.block_log.sentinel(*snapshot_log.now_ns(), seq=self.tick)
            self.block_log.write(sentinel + self.block_stats.sample())
        is_new_segment = self.tasks_log.rotate_if_due()
        if is_new_segment:
            self.task_counters.write_all_again()
        sentinel = self.tasks_log.sentinel(*snapshot_log.now_ns(), seq=self.tick)
        pids, new_pids = self.process_list.update()
        tasks = self.task_counters.sample(pids, new_pids)
        followed = self.task_counters.followed.values()
        counters = self.kernel_counters.sample(followed, is_new_segment)
        self.tasks_log.write(sentinel + tasks + counters)
        if self.only is not None and self.task_counters.matcher is not self.only:
            self.only.start_tick(pids, new_pids)
        if self.fallback is not None:
            self.fallback_log.rotate_if_due()
            sentinel = self.fallback_log.sentinel(*snapshot_log.now_ns(), seq=self.tick)
            self.fallback_log.write(sentinel + self.fallback.sample(pids))
        for pid in self.task_counters.ended_pids:
            self.process_list.remove(pid)
        self.tick += 1

    def has_folder(self):
        """Whether the folder exists, under any name: without it, nobody can read the logs."""
        return os.fstat(self.folder).st_nlink > 0

    # -- a tool that ends by itself ------------------------------------------------------------
    def on_exit(self, tool):
        """A tool has ended: note it in its log, start it again a few times."""
        self.unwatch(tool)
        tool.flush()
        tool.quiet_at = None
        tool.signal(signal.SIGKILL)
        tool.reap(0)
        tool.read_stderr()
        tool.close()
        messages = tool.stderr_tail.decode("ascii", "replace").strip().splitlines()
        text = GAP_ENDED % (tool.name, ": " + messages[-1][:200] if messages else "")
        tool.log.add_gap(text)
        self.has_failed_tool = True
        if text not in self.notes:
            self.notes.append(text)
            self.write_facts()
        if tool.starts <= MAX_RESTARTS:
            pause_s = 0.5 if tool.log.snapshots else 0.1
            tool.restart_at = time.monotonic() + pause_s * tool.starts**2
        elif tool.name == "iotop" and not tool.log.snapshots:  # iotop cannot be used here
            self.tools.remove(tool)
            self.start_fallback(FALLBACK, tool.log)
            tool.log.clear_gap()
            self.write_facts()

    def restart(self, tool):
        """Start a tool again with the same log."""
        tool.restart_at = None
        try:
            tool.start()
        except OSError:
            return
        self.exclude_own_processes()
        self.watch(tool)

    # -- the end -------------------------------------------------------------------------------
    def finish(self):
        """Wait for snapshots under way, end the tools, write the last lines and facts.json."""
        deadline = time.monotonic() + LAST_SNAPSHOT_TIMEOUT_S
        while any(tool.quiet_at is not None for tool in self.tools):
            now = time.monotonic()
            for tool in self.tools:
                if tool.quiet_at is not None and now >= tool.quiet_at:
                    self.finish_snapshot(tool)
            if now >= deadline:
                break
            self.wait(0.02)
        for tool in self.tools:
            self.unwatch(tool)
            if tool.quiet_at is not None:
                tool.log.add_gap(GAP_INCOMPLETE)
            tool.signal(signal.SIGTERM)
        deadline = time.monotonic() + EXIT_TIMEOUT_S
        running = [tool for tool in self.tools if not tool.reap()]
        while running and time.monotonic() < deadline:
            time.sleep(0.01)
            running = [tool for tool in running if not tool.reap()]
        for tool in running:
            tool.signal(signal.SIGKILL)
            tool.reap(0)
        delay_accounting.leave()
        if self.rotation is not None:
            self.rotation.compressor.abort()
        for log in self.logs:
            log.close(self.end_reason or END_WITHOUT_REASON)
        for tool in self.tools:
            tool.close()
        self.facts["ended_ns"] = snapshot_log.now_ns()[0]
        self.facts["ended"] = self.end_reason
        self.facts["collector_cost"] = recording_cost.measure_cost(self)
        self.write_facts()
