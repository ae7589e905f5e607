"""Reads /proc: small files, command lines, the list of processes, and those that an operator selects."""

import os
import re

import redact

ESCAPES = ((b"\\", b"\\\\"), (b"\n", b"\\n"), (b"\r", b"\\r"), (b"\t", b"\\t"))
NEEDS_ESCAPE = re.compile(rb"[\\\n\r\t]")
MAX_COMMAND_LINE_BYTES = 131072


def escape(text):
    """Backslash, newline, return and tab as two characters."""
    if NEEDS_ESCAPE.search(text):
        for character, escaped in ESCAPES:
            text = text.replace(character, escaped)
    return text


def read_start(path, max_bytes=4096):
    """The first bytes of a file, None if it cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, max_bytes)
    except OSError:
        return None
    finally:
        os.close(fd)


def raw_command_line(pid):
    """Arguments separated by NUL; b"" for a kernel thread or a process that has ended."""
    path = "/proc/%s/cmdline" % pid
    return (read_start(path, MAX_COMMAND_LINE_BYTES) or b"").rstrip(b"\0")


def command_line(pid):
    """Arguments joined by blanks: to select a process by, never to be written."""
    return raw_command_line(pid).replace(b"\0", b" ")


def redacted_command_line(pid):
    """A command line as it is written into a log: without secrets and line ends."""
    argv = raw_command_line(pid).decode("utf-8", "surrogateescape").split("\0")
    return escape(" ".join(redact.redact_argv(argv)).encode("utf-8", "surrogateescape"))


def list_pids():
    """The pids of all processes, unsorted."""
    return [int(n) for n in os.listdir("/proc") if n[0] in "123456789" and n.isdigit()]


class ProcessList:
    """All processes; at most ticks found without listing /proc, which is expensive for many processes.

    Pids are assigned in sequence and /proc/loadavg has the last one: a process that started since
    the last tick has one of the few pids in between. /proc is listed at every tenth tick, where there
    are too many pids in between, and where they have wrapped around. A process that has ended may
    stay in the list until then. If a listing finds a process that should have been found before (in
    a container /proc/loadavg may not be its own), /proc is listed at every tick from then on.
    """

    LISTING_INTERVAL_TICKS = 10
    MAX_NEW_PIDS = 64

    def __init__(self):
        self.file = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
        self.last_pid = None
        self.ticks_since_listing = 0
        self.pids = set()
        self.sorted_pids = None
        self.unconfirmed = []
        self.is_loadavg_trusted = True

    def update(self):
        """(all pids, sorted; the pids that may be another process's than at the last call)."""
        last_pid = int(os.pread(self.file, 256, 0).split()[-1])
        self.ticks_since_listing += 1
        new_pids = [] if self.last_pid is None else range(self.last_pid + 1, last_pid + 1)
        has_restarted = self.last_pid is None or last_pid < self.last_pid
        if (
            has_restarted
            or not self.is_loadavg_trusted
            or len(new_pids) > self.MAX_NEW_PIDS
            or self.ticks_since_listing >= self.LISTING_INTERVAL_TICKS
        ):
            before, self.pids = self.pids, set(list_pids())
            if not has_restarted and any(pid <= self.last_pid for pid in self.pids - before):
                self.is_loadavg_trusted = False
            self.sorted_pids = None
            self.ticks_since_listing = 0
            self.unconfirmed = []
            new_pids = self.pids if has_restarted else self.pids - before
        else:
            candidates = [*self.unconfirmed, *new_pids]
            self.unconfirmed = []
            for pid in candidates:
                if self.is_process(pid):
                    self.pids.add(pid)
                    self.sorted_pids = None
                elif pid in new_pids:  # it may be about to start: checked once more
                    self.unconfirmed.append(pid)
            new_pids = candidates
        self.last_pid = last_pid
        if self.sorted_pids is None:
            self.sorted_pids = sorted(self.pids)
        return self.sorted_pids, new_pids

    @staticmethod
    def is_process(pid):
        """True for the pid of a process, False for a thread's and one that is not in use."""
        status = read_start("/proc/%d/status" % pid, 1024) or b""
        return b"\nTgid:\t%d\n" % pid in status

    def remove(self, pid):
        """A process has ended."""
        self.pids.discard(pid)
        self.sorted_pids = None


class Matcher:
    """The processes that an operator selects by name or command line; results are kept by pid.

    A process may be seen between fork and exec, so one that does not match is checked again: in the
    first ticks after its start, then at every 64th. A process that has our own options among its
    arguments (the operator's command) never matches.
    """

    def __init__(self, pattern):
        self.pattern = re.compile(os.fsencode(pattern))
        self.matched = set()
        self.unmatched = {}  # pid: the tick of the first check
        self.excluded_pids = {os.getpid()}
        self.pid_of_tid = {}
        self.ticks = 0

    def start_tick(self, pids, new_pids=()):
        """Once per tick: forget processes that have ended, check again some that did not match."""
        self.ticks += 1
        for pid in new_pids:
            self.forget(pid)
        pids = set(pids)
        self.matched &= pids
        if len(self.unmatched) > len(pids) or self.ticks % 16 == 0:
            self.unmatched = {pid: tick for pid, tick in self.unmatched.items() if pid in pids}
        if self.ticks % 32 == 0:
            self.pid_of_tid.clear()
        due = [
            pid
            for pid, tick in self.unmatched.items()
            if self.ticks - tick <= (6 if tick > 1 else 1) or (self.ticks + pid) % 64 == 0
        ]
        for pid in due:
            tick = self.unmatched.pop(pid)
            if self.matches_pid(pid) is False and pid in self.unmatched:
                self.unmatched[pid] = tick

    def matches_text(self, name, line):
        """Does a name or a command line match?"""
        if b"--only" in line or b"--tasks" in line:
            return False
        return bool(self.pattern.search(name) or (line and self.pattern.search(line)))

    def matches_pid(self, pid):
        """True, False, or None if the process ended before it could be checked."""
        if pid in self.unmatched:
            return False
        if pid in self.matched:
            return True
        if pid in self.excluded_pids:
            return False
        name = read_start("/proc/%d/comm" % pid)
        if name is None:
            return None
        name = name[:-1]
        is_match = self.matches_text(name, command_line(pid))
        if not is_match and name.startswith(b"vhost-") and name[6:].isdigit():
            owner = int(name[6:])
            is_match = owner != pid and bool(self.matches_pid(owner))
        if is_match:
            self.matched.add(pid)
        else:
            self.unmatched[pid] = self.ticks
        return is_match

    def forget(self, pid):
        """The pid is another process's now, or the process has another name: check it again."""
        self.matched.discard(pid)
        self.unmatched.pop(pid, None)

    def matches_tid(self, tid):
        """The same as `matches_pid` for a thread's id."""
        if tid in self.matched or tid in self.unmatched:
            return self.matches_pid(tid)
        pid = self.pid_of_tid.get(tid)
        if pid is None:
            status = read_start("/proc/%d/status" % tid)
            if status is None:
                return None
            at = status.find(b"\nTgid:")
            pid = int(status[at + 6 : status.find(b"\n", at + 6)]) if at >= 0 else tid
            self.pid_of_tid[tid] = pid
        return self.matches_pid(pid)
