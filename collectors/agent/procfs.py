"""Reading /proc: small files, command lines, and which processes an operator asked for."""

import os
import re

import redact

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


def raw_command_line(pid):
    """Words with a NUL between them, b"" for a kernel thread or one that is gone."""
    return (slurp("/proc/%s/cmdline" % pid, 131072) or b"").rstrip(b"\0")


def command_line(pid):
    """Words joined by one blank: to tell a process by, not to be written anywhere."""
    return raw_command_line(pid).replace(b"\0", b" ")


def written_command_line(pid):
    """A command line as it is written into a log: without secrets and line ends."""
    words = raw_command_line(pid).decode("utf-8", "surrogateescape").split("\0")
    return escape(" ".join(redact.words(words)).encode("utf-8", "surrogateescape"))


def running_pids():
    """All processes, in no order."""
    return [int(n) for n in os.listdir("/proc") if n[0] in "123456789" and n.isdigit()]


class Listing:
    """All processes, at most ticks without listing /proc, which is dear where there are many.

    Numbers are given out in turn, and the last one stands in /proc/loadavg: what was born since the
    last tick is among the few numbers in between. Every tenth tick, and where there are too many or
    the numbers have begun anew, /proc is listed. What has ended may stay among the rest till then.
    Should a listing find what ought to have been found before (a container's own /proc/loadavg),
    /proc is listed at every tick from then on.
    """

    EVERY = 10
    MOST = 64

    def __init__(self):
        self.file = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
        self.last = None
        self.age = 0
        self.alive = set()
        self.order = None
        self.doubtful = []
        self.trusted = True

    def look(self):
        """(all processes in order, the numbers that may be another process's than at the last look)."""
        last = int(os.pread(self.file, 256, 0).split()[-1])
        self.age += 1
        born = [] if self.last is None else range(self.last + 1, last + 1)
        anew = self.last is None or last < self.last
        if anew or not self.trusted or len(born) > self.MOST or self.age >= self.EVERY:
            before, self.alive = self.alive, set(running_pids())
            if not anew and any(n <= self.last for n in self.alive - before):
                self.trusted = False
            self.order = None
            self.age = 0
            self.doubtful = []
            born = self.alive if anew else self.alive - before
        else:
            numbers = [*self.doubtful, *born]
            self.doubtful = []
            for number in numbers:
                if self.leads(number):
                    self.alive.add(number)
                    self.order = None
                elif number in born:  # it may be about to begin: looked at once more
                    self.doubtful.append(number)
            born = numbers
        self.last = last
        if self.order is None:
            self.order = sorted(self.alive)
        return self.order, born

    @staticmethod
    def leads(number):
        """Is it a process's number, and not only a thread's?"""
        status = slurp("/proc/%d/status" % number, 1024) or b""
        return b"\nTgid:\t%d\n" % number in status

    def gone(self, pid):
        """It has ended."""
        self.alive.discard(pid)
        self.order = None


class Matcher:
    """Which processes an operator asked for, by name or command line; answers are kept by pid.

    A process can be seen between fork and exec, so a "no" is looked at again: in the first few
    ticks of one that is born, then every 64th. What carries our own options in its arguments is never asked for.
    """

    def __init__(self, pattern):
        self.pattern = re.compile(os.fsencode(pattern))
        self.yes = set()
        self.no = {}  # pid: the tick in which it was first refused
        self.not_ours = {os.getpid()}
        self.tasks = {}
        self.ticks = 0

    def next_tick(self, pids, born=()):
        """Once a tick: drop what has ended, and ask again where a "no" may have become a "yes"."""
        self.ticks += 1
        for pid in born:
            self.forget(pid)
        alive = set(pids)
        self.yes &= alive
        if len(self.no) > len(alive) or self.ticks % 16 == 0:
            self.no = {pid: since for pid, since in self.no.items() if pid in alive}
        if self.ticks % 32 == 0:
            self.tasks.clear()
        again = [
            pid
            for pid, since in self.no.items()
            if self.ticks - since <= (6 if since > 1 else 1) or (self.ticks + pid) % 64 == 0
        ]
        for pid in again:
            since = self.no.pop(pid)
            if self.process(pid) is False and pid in self.no:
                self.no[pid] = since

    def text(self, name, line):
        """Do a name or a command line match?"""
        if b"--only" in line or b"--tasks" in line:
            return False
        return bool(self.pattern.search(name) or (line and self.pattern.search(line)))

    def process(self, pid):
        """True, False, or None if it has gone before it could be looked at."""
        if pid in self.no:
            return False
        if pid in self.yes:
            return True
        if pid in self.not_ours:
            return False
        name = slurp("/proc/%d/comm" % pid)
        if name is None:
            return None
        name = name[:-1]
        answer = self.text(name, command_line(pid))
        if not answer and name.startswith(b"vhost-") and name[6:].isdigit():
            owner = int(name[6:])
            answer = owner != pid and bool(self.process(owner))
        if answer:
            self.yes.add(pid)
        else:
            self.no[pid] = self.ticks
        return answer

    def forget(self, pid):
        """The number is another process's now, or the process has another name: ask anew."""
        self.yes.discard(pid)
        self.no.pop(pid, None)

    def task(self, tid):
        """The same for a thread's number."""
        if tid in self.yes or tid in self.no:
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
