"""tasks.log: the kernel's own counters of CPUs, processes and threads.

One record per line, fields separated by one blank; the last field of p, t, c, v and k is text with
backslash, newline, return and tab escaped, and takes the rest of the line:

    cpu ... / cpuN ...   the cpu lines of /proc/stat as they are
    p pid starttime ppid state num_threads utime stime cutime cstime guest_time blkio_delay rss_pages comm
    i pid starttime rchar wchar syscr syscw read_bytes write_bytes cancelled_write_bytes
    t pid tid starttime state processor utime stime guest_time blkio_delay comm
    c pid starttime command line      when the process is first seen (and when its name changes: exec)
    v pid tid starttime role id found-by virtual-server      first and after a change: qemu_threads.py
    k source name value subject       pressure, CPU quotas, halt polling: kernel_counters.py
    x pid starttime reason            gone, denied, renamed

Times are clock ticks. A value that the kernel does not provide is `-`, never 0: blkio_delay is 0 in
/proc for a task that started before delay accounting was switched on, so it is `-` here.

OVERHEAD: a task that sleeps costs one pread(2) of its schedstat, by far the cheapest of its files,
which shows whether the task has run since the last tick. If none of a process's threads has run,
none of its counters has changed, and its lines are written as they were. What can change without
running (resident pages, parent, and S of a task that woke but has no CPU yet) is read every 60
ticks. A process that ran costs three more pread(2); its threads are listed only when their number
has changed or one of them has ended. Files are kept open, so a task that ended returns ESRCH even if
its pid was used again.
"""

import os

import procfs
import qemu_threads

PF_KTHREAD = 0x00200000
REFRESH_TICKS = 60  # after which a process that sleeps is read again
NO_SCHEDSTAT = b"0 0 0\n"  # of a kernel that does not count in schedstat


class Thread:
    """One thread: its open files, the last texts read from them, and its line."""

    __slots__ = ("line", "name", "schedstat", "schedstat_text", "start", "stat", "stat_text")

    def __init__(self, stat, schedstat):
        self.stat = stat
        self.schedstat = schedstat
        self.schedstat_text = self.stat_text = self.line = self.start = self.name = None


class Process:
    """One process: its open files, the last texts read from them, and its lines."""

    __slots__ = (
        "io",
        "io_line",
        "io_text",
        "is_io_denied",
        "line",
        "lines",
        "name",
        "num_threads",
        "pid",
        "schedstats",
        "server",
        "start",
        "stat",
        "stat_text",
        "threads",
    )

    def __init__(self, pid, stat):
        self.pid = pid
        self.stat = stat
        self.start = self.name = self.io = None
        self.server = None  # qemu_threads.QemuProcess or VhostThread
        self.is_io_denied = False
        self.num_threads = 0  # by its stat
        self.threads = {}
        self.schedstats = None  # [(file, text)] of all threads; None where not all have one
        self.lines = b""  # all of the last snapshot
        self.stat_text = self.line = self.io_text = self.io_line = None


class TaskCounters:
    """The counters of the followed processes; `sample` returns one snapshot."""

    def __init__(
        self, matcher, has_delays=True, delays_since_ticks=0, max_open_files=4096, servers=None
    ):
        """`matcher` selects the processes (procfs.Matcher); None: all except kernel threads.

        has_delays: is delay accounting on; delays_since_ticks: since how many clock ticks after
        boot, 0 for always; servers: qemu_threads.VirtualServers.
        """
        self.matcher = matcher
        self.has_delays = has_delays
        self.delays_since_ticks = delays_since_ticks
        self.followed = {}  # {pid: Process}
        self.kernel_pids = set()
        self.open_files = 0
        self.max_open_files = max_open_files
        self.proc_stat = os.open("/proc/stat", os.O_RDONLY | os.O_CLOEXEC)
        self.excluded_pids = set()
        self.servers = qemu_threads.VirtualServers() if servers is None else servers
        self.ticks = 0
        self.is_write_all = False
        self.ended_pids = []  # processes that ended before this snapshot

    def write_all_again(self):
        """A new segment of the log begins: lines written once are repeated in the next snapshot."""
        self.is_write_all = True
        self.servers.write_all_again()

    # Files are kept open up to a limit; above it, a path takes the place of the descriptor.
    def _open(self, path):
        if self.open_files >= self.max_open_files:
            return path
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.open_files += 1
        return fd

    def _read(self, file):
        if isinstance(file, int):
            return os.pread(file, 2048, 0)
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(fd, 2048)
        finally:
            os.close(fd)

    def _close(self, file):
        if isinstance(file, int):
            os.close(file)
            self.open_files -= 1

    def _close_thread(self, thread):
        self._close(thread.stat)
        self._close(thread.schedstat)

    def _close_process(self, process):
        self._close(process.stat)
        self._close(process.io)
        for thread in process.threads.values():
            self._close_thread(thread)
        if process.server is not None:
            self.servers.forget(process.pid)

    def _write_end(self, process, out):
        out.append(b"x %d %s gone\n" % (process.pid, process.start))
        self._close_process(process)
        self.ended_pids.append(process.pid)
        if self.matcher is not None:
            self.matcher.forget(process.pid)

    def _delay_field(self, ticks, start):
        if not self.has_delays or int(start) < self.delays_since_ticks:
            return b"-"
        return ticks

    def _open_stat(self, pid):
        """The stat file of a new process, None if it is not to be followed."""
        if self.matcher is not None and not self.matcher.matches_pid(pid):
            return None
        try:
            file = self._open("/proc/%d/stat" % pid)
        except OSError:
            return None
        if self.matcher is None:
            try:
                text = self._read(file)
            except OSError:
                self._close(file)
                return None
            right = text.rfind(b")")
            is_kernel = int(text[right + 2 :].split(None, 7)[6]) & PF_KTHREAD
            if is_kernel and not qemu_threads.VHOST.match(text[text.find(b"(") + 1 : right]):
                self._close(file)
                self.kernel_pids.add(pid)
                return None
        return file

    def sample(self, pids=None, new_pids=()):
        """All records of one snapshot; `pids` (sorted) and `new_pids` if they were listed already."""
        if pids is None:
            pids = sorted(procfs.list_pids())
        if self.matcher is not None:
            self.matcher.start_tick(pids, new_pids)
        elif self.kernel_pids:
            self.kernel_pids.intersection_update(pids)
            self.kernel_pids.difference_update(new_pids)
        self.ended_pids = []
        self.servers.update()
        self.ticks += 1
        text = os.pread(self.proc_stat, 262144, 0)
        out = [text[: text.find(b"\nintr") + 1]]
        followed, append, pread = self.followed, out.append, os.pread
        skipped = self.kernel_pids if self.matcher is None else self.matcher.unmatched
        for pid in followed.keys() - set(pids):
            self._write_end(followed.pop(pid), out)
        for pid in pids:
            process = followed.get(pid)
            if process is None:
                if pid not in skipped and pid not in self.excluded_pids:
                    self._follow(pid, out)
                continue
            is_due = (self.ticks + pid) % REFRESH_TICKS == 0
            if process.schedstats is not None and not is_due and not self.is_write_all:
                try:
                    for file, seen in process.schedstats:
                        if pread(file, 64, 0) != seen:
                            break
                    else:
                        append(process.lines)
                        continue
                except OSError:
                    pass  # a thread has ended: found below
            self._update(process, out)
        self.is_write_all = False
        return b"".join(out)

    def _follow(self, pid, out):
        """Append the lines of a process that is seen for the first time, if it is to be followed."""
        file = self._open_stat(pid)
        if file is None:
            return
        process = Process(pid, file)
        try:
            if self._write_process(process, out):
                self.followed[pid] = process
            else:
                self._close_process(process)
        except OSError:
            self._close_process(process)

    def _update(self, process, out):
        """Append the lines of a followed process, which may have ended (and its pid be used again)."""
        pid = process.pid
        if (self.ticks + pid) % REFRESH_TICKS == 0:
            for thread in process.threads.values():
                thread.schedstat_text = None
        try:
            if not self._write_process(process, out):
                self._close_process(self.followed.pop(pid))
        except OSError:
            self._write_end(self.followed.pop(pid), out)
            if pid not in self.excluded_pids:
                self._follow(pid, out)
            if pid in self.followed:  # the pid is another process's already
                self.ended_pids.remove(pid)

    def _write_process(self, process, out):
        """Append a process's lines; False if it no longer matches, OSError if it has ended."""
        pid = process.pid
        lines = self._thread_lines(process, list(process.threads)) if process.threads else None
        # read after the threads' schedstat: what happens in between shows in the next schedstat
        text = self._read(process.stat)
        if text != process.stat_text or self.is_write_all:
            if not self._parse_stat(process, text, out):
                return False
        if lines is None or process.num_threads != len(process.threads):
            lines = self._list_threads(process)
        process_lines = [process.line]
        if not process.is_io_denied:
            try:
                if process.io is None:
                    process.io = self._open("/proc/%d/io" % pid)
                io = self._read(process.io)
                if io != process.io_text:
                    process.io_text = io
                    counters = b" ".join(io.split()[1::2])
                    process.io_line = b"i %d %s %s\n" % (pid, process.start, counters)
                process_lines.append(process.io_line)
            except PermissionError:
                process.is_io_denied = True
            except OSError:
                process.schedstats = None  # it has just ended: found at the next tick
            if process.is_io_denied:
                out.append(b"x %d %s denied\n" % (pid, process.start))
        elif self.is_write_all:
            out.append(b"x %d %s denied\n" % (pid, process.start))
        if process.server is not None:
            process.schedstats = None  # its threads' roles may change without running
            threads = {tid: (thread.start, thread.name) for tid, thread in process.threads.items()}
            out.extend(self.servers.new_lines(process.server, threads))
        process.lines = b"".join(process_lines + lines)
        out.append(process.lines)
        return True

    def _parse_stat(self, process, text, out):
        """Make the `p` line from /proc/PID/stat; False if the process no longer matches."""
        pid = process.pid
        left, right = text.find(b"("), text.rfind(b")")
        f = text[right + 2 :].split()
        start = f[19]
        if process.start is not None and start != process.start:  # only where stat is not kept open
            out.append(b"x %d %s gone\n" % (pid, process.start))
            process.name = process.io_text = None
        name = text[left + 1 : right]
        process.start = start
        if name != process.name or self.is_write_all:
            is_renamed = process.name is not None and name != process.name
            if is_renamed and self.matcher is not None:
                self.matcher.forget(pid)
                if not self.matcher.matches_pid(pid):
                    out.append(b"x %d %s renamed\n" % (pid, start))
                    return False
            command_line = procfs.command_line(pid)
            # not for kernel workers without a command line, which are renamed all the time
            if process.name is None or command_line or self.is_write_all:
                out.append(b"c %d %s %s\n" % (pid, start, procfs.redacted_command_line(pid)))
            if name != process.name:
                process.server = self.servers.classify(pid, name, command_line)
                process.name = name
        fields = (
            start, f[1], f[0], f[17], f[11], f[12], f[13], f[14], f[40],
            self._delay_field(f[39], start), f[21], procfs.escape(name),
        )  # fmt: skip
        process.line = b"p %d %s\n" % (pid, b" ".join(fields))
        process.num_threads = int(f[17])
        process.stat_text = text
        return True

    def _list_threads(self, process):
        """The lines of a process's threads, listed anew."""
        try:
            tids = sorted([int(t) for t in os.listdir("/proc/%d/task" % process.pid)])
        except OSError:
            return []
        for tid in process.threads.keys() - set(tids):
            self._close_thread(process.threads.pop(tid))
        lines = self._thread_lines(process, tids)
        process.schedstats = None  # read after the process's stat: all is read at the next tick
        return lines

    def _thread_lines(self, process, tids):
        """The lines of those threads that have not ended; sets `schedstats` if all have one."""
        pid, threads = process.pid, process.threads
        lines, schedstats, has_ended = [], [], False
        for tid in tids:
            thread = threads.get(tid)
            try:
                if thread is None:
                    folder = "/proc/%d/task/%d/" % (pid, tid)
                    thread = threads[tid] = Thread(self._open(folder + "stat"), None)
                    try:
                        thread.schedstat = self._open(folder + "schedstat")
                    except OSError:
                        pass
                self._read_thread(pid, tid, thread)
            except OSError:
                if thread is not None:
                    self._close_thread(threads.pop(tid))
                has_ended = True
                continue
            lines.append(thread.line)
            if thread.schedstat_text is None or not isinstance(thread.schedstat, int):
                schedstats = None
            elif schedstats is not None:
                schedstats.append((thread.schedstat, thread.schedstat_text))
        process.schedstats = schedstats if schedstats and not has_ended else None
        return lines

    def _read_thread(self, pid, tid, thread):
        """Read one thread, unless it has not run since it was last read."""
        if thread.schedstat is not None:
            # read before its counters: what happens in between shows at the next tick
            schedstat_text = self._read(thread.schedstat)
            if schedstat_text == NO_SCHEDSTAT:
                schedstat_text = None
            elif schedstat_text == thread.schedstat_text:
                return
            thread.schedstat_text = schedstat_text
        text = self._read(thread.stat)
        if text == thread.stat_text:
            return
        left, right = text.find(b"("), text.rfind(b")")
        f = text[right + 2 :].split()
        thread.start = f[19]
        thread.name = text[left + 1 : right]
        fields = (
            f[19], f[0], f[36], f[11], f[12], f[40], self._delay_field(f[39], f[19]),
            procfs.escape(thread.name),
        )  # fmt: skip
        thread.stat_text = text
        thread.line = b"t %d %d %s\n" % (pid, tid, b" ".join(fields))
