"""What the kernel itself counts: /sys/block/*/stat and the counters of tasks.

tasks.log, one record a line, fields separated by one blank; the last field of p, t and c is text
with backslash, newline, return and tab escaped, and takes the rest of the line:

    cpu ... / cpuN ...   the cpu lines of /proc/stat as they are
    p pid starttime ppid state num_threads utime stime cutime cstime guest_time blkio_delay rss_pages comm
    i pid starttime rchar wchar syscr syscw read_bytes write_bytes cancelled_write_bytes
    t pid tid starttime state processor utime stime guest_time blkio_delay comm
    c pid starttime command line      when the process is first seen (and when its name changes: exec)
    x pid starttime reason            gone, denied

Times are clock ticks. A value that the kernel does not give is `-`, never 0: blkio_delay is 0 in
/proc for a task that began before delay accounting was switched on, so it is `-` here.

OVERHEAD: two to three pread(2) a process and one a further thread and tick; files are kept open, so
a task that ended answers ESRCH even if its number was used again. A text that did not change since
the last tick is not taken apart again.
"""

import os
import re

PF_KTHREAD = 0x00200000
ESCAPES = ((b"\\", b"\\\\"), (b"\n", b"\\n"), (b"\r", b"\\r"), (b"\t", b"\\t"))
NEEDS_ESCAPE = re.compile(rb"[\\\n\r\t]")


def escape(text):
    """Backslash, newline, return and tab as two characters."""
    if NEEDS_ESCAPE.search(text):
        for a, b in ESCAPES:
            text = text.replace(a, b)
    return text


def slurp(path, size=4096):
    """The beginning of a small file, None if it cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, size)
    except OSError:
        return None
    finally:
        os.close(fd)


def command_line(pid):
    """Words joined by one blank, b"" for a kernel thread or one that is gone."""
    raw = slurp("/proc/%s/cmdline" % pid, 131072)
    if not raw:
        return b""
    return raw.rstrip(b"\0").replace(b"\0", b" ")


def running_pids():
    """All processes, in no order."""
    return [int(n) for n in os.listdir("/proc") if n[0] in "123456789" and n.isdigit()]


class Matcher:
    """Which processes an operator asked for, by name or command line; answers are kept by pid.

    A process can be seen between fork and exec, so a "no" is looked at again: in its first
    few ticks, then every 64th time. What carries our own options in its arguments is never asked for.
    """

    def __init__(self, pattern):
        self.pattern = re.compile(os.fsencode(pattern))
        self.answers = {}
        self.not_ours = {os.getpid()}
        self.tasks = {}
        self.ticks = 0

    def forget_all_but(self, pids):
        """Once a tick: drop what has ended."""
        if len(self.answers) > len(pids) or self.ticks % 16 == 0:
            alive = set(pids)
            self.answers = {p: a for p, a in self.answers.items() if p in alive}
        self.ticks += 1
        if self.ticks % 32 == 0:
            self.tasks.clear()

    def text(self, name, line):
        """Do a name or a command line match?"""
        if b"--only" in line or b"--tasks" in line:
            return False
        return bool(self.pattern.search(name) or (line and self.pattern.search(line)))

    def process(self, pid, name=None):
        """True, False, or None if it has gone before it could be looked at."""
        known = self.answers.get(pid)
        if known is not None:
            if known[0]:
                return True
            known[1] += 1
            if known[1] > 6 and known[1] % 64:
                return False
        if pid in self.not_ours:
            return False
        if name is None:
            name = slurp("/proc/%d/comm" % pid)
            if name is None:
                return None
            name = name[:-1]
        answer = self.text(name, command_line(pid))
        if not answer and name.startswith(b"vhost-") and name[6:].isdigit():
            owner = int(name[6:])
            answer = owner != pid and bool(self.process(owner))
        if known is None:
            self.answers[pid] = [answer, 0]
        else:
            known[0] = answer
        return answer

    def renamed(self, pid, name):
        """Ask anew: the process has another name now."""
        self.answers.pop(pid, None)
        return self.process(pid, name)

    def task(self, tid):
        """The same for a thread's number."""
        if tid in self.answers:
            return self.process(tid)
        pid = self.tasks.get(tid)
        if pid is None:
            status = slurp("/proc/%d/status" % tid)
            if status is None:
                return None
            at = status.find(b"\nTgid:")
            pid = int(status[at + 6 : status.find(b"\n", at + 6)]) if at >= 0 else tid
            self.tasks[tid] = pid
        return self.process(pid)


class Block:
    """/sys/block/*/stat, as `grep -H '' /sys/block/*/stat` prints it."""

    def __init__(self, pattern=None):
        self.pattern = re.compile(pattern) if pattern else None
        self.open = {}
        self.names = []

    def devices(self):
        """Names in the order in which a shell expands them."""
        try:
            names = sorted(os.listdir("/sys/block"))
        except OSError:
            return []
        return [n for n in names if not self.pattern or self.pattern.search(n)]

    def sample(self):
        """The lines of all devices, now."""
        names = self.devices()
        if names != self.names:
            for gone in set(self.open) - set(names):
                os.close(self.open.pop(gone)[0])
            self.names = names
        parts = []
        for name in names:
            entry = self.open.get(name)
            if entry is None:
                path = "/sys/block/%s/stat" % name
                try:
                    entry = (os.open(path, os.O_RDONLY | os.O_CLOEXEC), os.fsencode(path) + b":")
                except OSError:
                    continue
                self.open[name] = entry
            try:
                text = os.pread(entry[0], 4096, 0)
            except OSError:
                os.close(entry[0])
                del self.open[name]
                continue
            for line in text.splitlines():
                parts.append(entry[1] + line + b"\n")
        return b"".join(parts)


class Process:
    """What is kept of a process: open files, and the last texts with the lines made of them, since
    most processes sleep and read the same at the next tick."""

    __slots__ = (
        "born",
        "denied",
        "io",
        "io_line",
        "io_seen",
        "line",
        "name",
        "pid",
        "seen",
        "single",
        "stat",
        "tasks",
    )

    def __init__(self, pid, stat):
        self.pid = pid
        self.stat = stat
        self.born = None
        self.io = None
        self.denied = False
        self.name = None
        self.tasks = {}  # tid: [file, last text, its line]
        self.single = False  # one thread at the last look
        self.seen = self.line = self.io_seen = self.io_line = None


class Tasks:
    """The counters of the processes that matter, one snapshot a call."""

    def __init__(self, matcher, delays=True, delays_since=0, most_files=4096):
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

    def _drop(self, process):
        self._close(process.stat)
        if process.io is not None:
            self._close(process.io)
        for task in process.tasks.values():
            self._close(task[0])

    def _delay(self, ticks, born):
        if not self.delays or int(born) < self.delays_since:
            return b"-"
        return ticks

    def _wanted(self, pid):
        """Is this new process to be followed? (its stat file, its text) or None."""
        if self.matcher is not None:
            if not self.matcher.process(pid):
                return None
        elif pid in self.ignored:
            return None
        try:
            file = self._open("/proc/%d/stat" % pid)
        except OSError:
            return None
        try:
            text = self._read(file)
        except OSError:
            self._close(file)
            return None
        if (
            self.matcher is None
            and int(text[text.rfind(b")") + 2 :].split(None, 7)[6]) & PF_KTHREAD
        ):
            self._close(file)
            self.ignored.add(pid)
            return None
        return file, text

    def sample(self, pids=None):
        """All records of one snapshot; `pids` if they were listed already."""
        if pids is None:
            pids = running_pids()
        if self.matcher is not None:
            self.matcher.forget_all_but(pids)
        elif self.ignored:
            self.ignored.intersection_update(pids)
        text = os.pread(self.cpu, 262144, 0)
        out = [text[: text.find(b"\nintr") + 1]]
        known = self.known
        for gone in known.keys() - set(pids):
            process = known.pop(gone)
            out.append(b"x %d %s gone\n" % (gone, process.born))
            self._drop(process)
        for pid in sorted(pids):
            process = known.get(pid)
            text = None
            if process is not None:
                try:
                    text = self._read(process.stat)
                except OSError:
                    out.append(b"x %d %s gone\n" % (pid, process.born))
                    self._drop(process)
                    del known[pid]
                    process = None
            if process is None:
                if pid in self.not_ours:
                    continue
                found = self._wanted(pid)
                if found is None:
                    continue
                process = Process(pid, found[0])
                text = found[1]
            if not self._process(process, text, out):
                self._drop(process)
                known.pop(pid, None)
            else:
                known[pid] = process
        return b"".join(out)

    def _process(self, process, text, out):
        """Append one process's lines; False if it is no longer wanted."""
        pid = process.pid
        same = text == process.seen
        if not same:
            left, right = text.find(b"("), text.rfind(b")")
            f = text[right + 2 :].split()
            born = f[19]
            if process.born is not None and born != process.born:  # only without a kept file
                out.append(b"x %d %s gone\n" % (pid, process.born))
                process.name = None
            name = text[left + 1 : right]
            process.born = born
            if name != process.name:
                if (
                    process.name is not None
                    and self.matcher is not None
                    and not self.matcher.renamed(pid, name)
                ):
                    out.append(b"x %d %s renamed\n" % (pid, born))
                    return False
                line = command_line(pid)
                if process.name is None or line:  # a kernel worker is renamed all the time
                    out.append(b"c %d %s %s\n" % (pid, born, escape(line)))
                process.name = name
            fields = (
                born, f[1], f[0], f[17], f[11], f[12], f[13], f[14], f[40],
                self._delay(f[39], born), f[21], escape(name),
            )  # fmt: skip
            process.line = b"p %d %s\n" % (pid, b" ".join(fields))
            process.seen = text
            if f[17] != b"1":
                process.single = False
        out.append(process.line)
        if not process.denied:
            try:
                if process.io is None:
                    process.io = self._open("/proc/%d/io" % pid)
                io = self._read(process.io)
                if io != process.io_seen:
                    process.io_seen = io
                    process.io_line = b"i %d %s %s\n" % (
                        pid,
                        process.born,
                        b" ".join(io.split()[1::2]),
                    )
                out.append(process.io_line)
            except PermissionError:
                process.denied = True
                out.append(b"x %d %s denied\n" % (pid, process.born))
            except OSError:
                pass  # ended this moment: the next tick says so
        if same and process.single:
            for task in process.tasks.values():  # one thread, and nothing has changed
                out.append(task[2])
        else:
            self._tasks(process, out)
        return True

    def _tasks(self, process, out):
        pid = process.pid
        if process.single:
            tids = list(process.tasks)
        else:
            try:
                tids = sorted([int(t) for t in os.listdir("/proc/%d/task" % pid)])
            except OSError:
                return
            if len(process.tasks) > len(tids) or not process.tasks.keys() <= set(tids):
                for tid in process.tasks.keys() - set(tids):
                    self._close(process.tasks.pop(tid)[0])
            process.single = len(tids) == 1
        for tid in tids:
            task = process.tasks.get(tid)
            try:
                if task is None:
                    task = process.tasks[tid] = [
                        self._open("/proc/%d/task/%d/stat" % (pid, tid)),
                        None,
                        None,
                    ]
                text = self._read(task[0])
            except OSError:
                if task is not None:
                    self._close(process.tasks.pop(tid)[0])
                process.single = False
                continue
            if text != task[1]:
                right = text.rfind(b")")
                f = text[right + 2 :].split()
                born = f[19]
                fields = (
                    born, f[0], f[36], f[11], f[12], f[40], self._delay(f[39], born),
                    escape(text[text.find(b"(") + 1 : right]),
                )  # fmt: skip
                task[1] = text
                task[2] = b"t %d %d %s\n" % (pid, tid, b" ".join(fields))
            out.append(task[2])
