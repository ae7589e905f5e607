"""tasks.log: the kernel's own counters of CPUs, processes and threads.

One record a line, fields separated by one blank; the last field of p, t, c and v is text with
backslash, newline, return and tab escaped, and takes the rest of the line:

    cpu ... / cpuN ...   the cpu lines of /proc/stat as they are
    p pid starttime ppid state num_threads utime stime cutime cstime guest_time blkio_delay rss_pages comm
    i pid starttime rchar wchar syscr syscw read_bytes write_bytes cancelled_write_bytes
    t pid tid starttime state processor utime stime guest_time blkio_delay comm
    c pid starttime command line      when the process is first seen (and when its name changes: exec)
    v pid tid starttime role id found-by virtual-server      when found and when it changes: qemu_threads.py
    x pid starttime reason            gone, denied, renamed

Times are clock ticks. A value that the kernel does not give is `-`, never 0: blkio_delay is 0 in
/proc for a task that began before delay accounting was switched on, so it is `-` here.

OVERHEAD: a task that sleeps costs one pread(2) of its schedstat, by far the cheapest of its files:
it tells whether the task has run at all since the last tick. If none of a process's threads has,
none of its counters has moved, and its lines are written as they were. What can change of a task
that does not run (resident pages, parent, and S where it woke but has not got a CPU yet) is looked
at every 60 ticks. A process that ran costs three pread(2) more; its threads are listed only when
their number is another one or one of them has ended. Files are kept open, so a task that ended
answers ESRCH even if its number was used again.
"""

import os

import procfs
import qemu_threads

PF_KTHREAD = 0x00200000
REFRESH = 60  # ticks after which a process that sleeps is read anew
NO_PULSE = b"0 0 0\n"  # a kernel that does not count in schedstat


class Task:
    """One thread: open files, and the last texts with the line made of them."""

    __slots__ = ("born", "line", "name", "pulse", "pulse_seen", "seen", "stat")

    def __init__(self, stat, pulse):
        self.stat = stat
        self.pulse = pulse
        self.pulse_seen = self.seen = self.line = self.born = self.name = None


class Process:
    """What is kept of a process: open files, and the last texts with the lines made of them."""

    __slots__ = (
        "block",
        "born",
        "denied",
        "io",
        "io_line",
        "io_seen",
        "line",
        "name",
        "pid",
        "pulses",
        "seen",
        "stat",
        "tasks",
        "threads",
        "vm",
    )

    def __init__(self, pid, stat):
        self.pid = pid
        self.stat = stat
        self.born = self.name = self.io = self.vm = None
        self.denied = False
        self.threads = 0  # by its stat
        self.tasks = {}
        self.pulses = None  # [(file, text)] of all threads where they tell, else None
        self.block = b""
        self.seen = self.line = self.io_seen = self.io_line = None


class Tasks:
    """The counters of the processes that matter, one snapshot a call."""

    def __init__(self, matcher, delays=True, delays_since=0, most_files=4096, servers=None):
        """delays: is delay accounting on; delays_since: in ticks after boot, 0 for always."""
        self.matcher = matcher
        self.delays = delays
        self.delays_since = delays_since
        self.known = {}
        self.ignored = set()
        self.files = 0
        self.most_files = most_files
        self.cpu = os.open("/proc/stat", os.O_RDONLY | os.O_CLOEXEC)
        self.not_ours = set()
        self.servers = qemu_threads.Map() if servers is None else servers
        self.ticks = 0
        self.again = False
        self.ended = []  # the processes that this snapshot found gone

    def tell_again(self):
        """A new piece of the log begins: what is told once is told once more in the next snapshot."""
        self.again = True
        self.servers.tell_again()

    # Files are kept open up to a limit; above it, a path stands in place of the number.
    def _open(self, path):
        if self.files >= self.most_files:
            return path
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.files += 1
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
            self.files -= 1

    def _drop_task(self, task):
        self._close(task.stat)
        self._close(task.pulse)

    def _drop(self, process):
        self._close(process.stat)
        self._close(process.io)
        for task in process.tasks.values():
            self._drop_task(task)
        if process.vm is not None:
            self.servers.forget(process.pid)

    def _gone(self, process, out):
        out.append(b"x %d %s gone\n" % (process.pid, process.born))
        self._drop(process)
        self.ended.append(process.pid)
        if self.matcher is not None:
            self.matcher.forget(process.pid)

    def _delay(self, ticks, born):
        if not self.delays or int(born) < self.delays_since:
            return b"-"
        return ticks

    def _wanted(self, pid):
        """The stat file of a new process that is to be followed, else None."""
        if self.matcher is not None and not self.matcher.process(pid):
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
                self.ignored.add(pid)
                return None
        return file

    def sample(self, pids=None, born=()):
        """All records of one snapshot; `pids` and those `born` since if they were listed already."""
        if pids is None:
            pids = sorted(procfs.running_pids())
        if self.matcher is not None:
            self.matcher.next_tick(pids, born)
        elif self.ignored:
            self.ignored.intersection_update(pids)
            self.ignored.difference_update(born)
        self.ended = []
        self.servers.look()
        self.ticks += 1
        text = os.pread(self.cpu, 262144, 0)
        out = [text[: text.find(b"\nintr") + 1]]
        known, append, pread = self.known, out.append, os.pread
        passed = self.ignored if self.matcher is None else self.matcher.no
        for gone in known.keys() - set(pids):
            self._gone(known.pop(gone), out)
        for pid in pids:
            process = known.get(pid)
            if process is None:
                if pid not in passed and pid not in self.not_ours:
                    self._begin(pid, out)
                continue
            if process.pulses is not None and (self.ticks + pid) % REFRESH and not self.again:
                try:
                    for file, seen in process.pulses:
                        if pread(file, 64, 0) != seen:
                            break
                    else:
                        append(process.block)
                        continue
                except OSError:
                    pass  # the look below tells what has ended
            self._look_again(process, out)
        self.again = False
        return b"".join(out)

    def _begin(self, pid, out):
        """A process that is seen for the first time."""
        file = self._wanted(pid)
        if file is None:
            return
        process = Process(pid, file)
        try:
            if self._process(process, out):
                self.known[pid] = process
            else:
                self._drop(process)
        except OSError:
            self._drop(process)

    def _look_again(self, process, out):
        """A process that is known and may have changed, ended, or left its number to another one."""
        pid = process.pid
        if (self.ticks + pid) % REFRESH == 0:
            for task in process.tasks.values():
                task.pulse_seen = None
        try:
            if not self._process(process, out):
                self._drop(self.known.pop(pid))
        except OSError:
            self._gone(self.known.pop(pid), out)
            if pid not in self.not_ours:
                self._begin(pid, out)
            if pid in self.known:  # the number is another process's already
                self.ended.remove(pid)

    def _process(self, process, out):
        """Append one process's lines; False if it is no longer wanted, OSError if it has ended."""
        pid = process.pid
        threads = self._tasks(process, list(process.tasks)) if process.tasks else None
        text = self._read(
            process.stat
        )  # after the threads' schedstat: what comes later shows there
        if text != process.seen or self.again:
            if not self._changed(process, text, out):
                return False
        if threads is None or process.threads != len(process.tasks):
            threads = self._all_tasks(process)
        lines = [process.line]
        if not process.denied:
            try:
                if process.io is None:
                    process.io = self._open("/proc/%d/io" % pid)
                io = self._read(process.io)
                if io != process.io_seen:
                    process.io_seen = io
                    counters = b" ".join(io.split()[1::2])
                    process.io_line = b"i %d %s %s\n" % (pid, process.born, counters)
                lines.append(process.io_line)
            except PermissionError:
                process.denied = True
            except OSError:
                process.pulses = None  # ended this moment: the next tick says so
            if process.denied:
                out.append(b"x %d %s denied\n" % (pid, process.born))
        elif self.again:
            out.append(b"x %d %s denied\n" % (pid, process.born))
        if process.vm is not None:
            process.pulses = None  # news of its threads may come from elsewhere
            tasks = {tid: (task.born, task.name) for tid, task in process.tasks.items()}
            out.extend(self.servers.lines(process.vm, tasks))
        process.block = b"".join(lines + threads)
        out.append(process.block)
        return True

    def _changed(self, process, text, out):
        """Make the line of /proc/PID/stat anew; False if the process is no longer wanted."""
        pid = process.pid
        left, right = text.find(b"("), text.rfind(b")")
        f = text[right + 2 :].split()
        born = f[19]
        if process.born is not None and born != process.born:  # only without a kept file
            out.append(b"x %d %s gone\n" % (pid, process.born))
            process.name = process.io_seen = None
        name = text[left + 1 : right]
        process.born = born
        if name != process.name or self.again:
            renamed = process.name is not None and name != process.name
            if renamed and self.matcher is not None:
                self.matcher.forget(pid)
                if not self.matcher.process(pid):
                    out.append(b"x %d %s renamed\n" % (pid, born))
                    return False
            line = procfs.command_line(pid)
            if (
                process.name is None or line or self.again
            ):  # kernel workers are renamed all the time
                out.append(b"c %d %s %s\n" % (pid, born, procfs.written_command_line(pid)))
            if name != process.name:
                process.vm = self.servers.begin(pid, name, line)
                process.name = name
        fields = (
            born, f[1], f[0], f[17], f[11], f[12], f[13], f[14], f[40],
            self._delay(f[39], born), f[21], procfs.escape(name),
        )  # fmt: skip
        process.line = b"p %d %s\n" % (pid, b" ".join(fields))
        process.threads = int(f[17])
        process.seen = text
        return True

    def _all_tasks(self, process):
        """The lines of its threads, listed anew."""
        try:
            tids = sorted([int(t) for t in os.listdir("/proc/%d/task" % process.pid)])
        except OSError:
            return []
        for tid in process.tasks.keys() - set(tids):
            self._drop_task(process.tasks.pop(tid))
        lines = self._tasks(process, tids)
        process.pulses = None  # they were read after the process itself: next time all is read
        return lines

    def _tasks(self, process, tids):
        """The lines of those of these threads that live; `pulses` are set where all of them tell."""
        pid, tasks = process.pid, process.tasks
        lines, pulses, ended = [], [], False
        for tid in tids:
            task = tasks.get(tid)
            try:
                if task is None:
                    folder = "/proc/%d/task/%d/" % (pid, tid)
                    task = tasks[tid] = Task(self._open(folder + "stat"), None)
                    try:
                        task.pulse = self._open(folder + "schedstat")
                    except OSError:
                        pass
                self._task(pid, tid, task)
            except OSError:
                if task is not None:
                    self._drop_task(tasks.pop(tid))
                ended = True
                continue
            lines.append(task.line)
            if task.pulse_seen is None or not isinstance(task.pulse, int):
                pulses = None
            elif pulses is not None:
                pulses.append((task.pulse, task.pulse_seen))
        process.pulses = pulses if pulses and not ended else None
        return lines

    def _task(self, pid, tid, task):
        """Read one thread, unless it has not run since it was last read."""
        if task.pulse is not None:
            pulse = self._read(
                task.pulse
            )  # before its counters: what comes after is the next tick's
            if pulse == NO_PULSE:
                pulse = None
            elif pulse == task.pulse_seen:
                return
            task.pulse_seen = pulse
        text = self._read(task.stat)
        if text == task.seen:
            return
        left, right = text.find(b"("), text.rfind(b")")
        f = text[right + 2 :].split()
        task.born = f[19]
        task.name = text[left + 1 : right]
        fields = (
            f[19], f[0], f[36], f[11], f[12], f[40], self._delay(f[39], f[19]), procfs.escape(task.name),
        )  # fmt: skip
        task.seen = text
        task.line = b"t %d %d %s\n" % (pid, tid, b" ".join(fields))
