"""iotop.log from /proc, in iotop's format, where iotop is not installed or cannot be used.

Same columns as `iotop -b -k -o`: rates since the last tick from /proc/PID/task/TID/io. A value that
is not available is never 0: it is left out, or printed as iotop prints it.
- SWAPIN and IO are `?unavailable?` (the block delay of each thread is in tasks.log).
- PRIO is not read: `?`.
- A task that may not be read has no row.
- `Total DISK READ` is printed only where every task of the machine could be read (not with --only,
  not without the right to do so), `Current DISK READ` only where /proc/vmstat has it.
- The first snapshot has no interval and therefore no rates: it is only the line of column names.

OVERHEAD: one pread(2) per task and tick, a second one for a task that did I/O.
"""

import os
import pwd
import time

import procfs

MAX_COMMAND_BYTES = 4096
COLUMNS = "    TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND"


class Reader:
    """Keeps each task's counters from tick to tick; `sample` returns one snapshot."""

    def __init__(self, matcher):
        """`matcher` selects the processes (procfs.Matcher); None: all."""
        self.matcher = matcher
        self.tasks = {}  # {tid: (descriptor of its io file, its counters)}
        self.user_names = {}
        self.sampled_at = None
        self.paged_bytes = None

    def read_user(self, pid):
        """The owner's name, cut to 8 characters as iotop does."""
        try:
            uid = os.stat("/proc/%d" % pid).st_uid
        except OSError:
            return "{none}"
        if uid not in self.user_names:
            try:
                self.user_names[uid] = pwd.getpwuid(uid).pw_name[:8]
            except KeyError:
                self.user_names[uid] = str(uid)
        return self.user_names[uid]

    def read_paged_bytes(self):
        """Bytes paged (in, out) between memory and disks since boot; None for what vmstat does not have."""
        text = procfs.read_start("/proc/vmstat", 65536) or b""
        counters = {}
        for line in text.splitlines():
            fields = line.split()
            if len(fields) == 2 and fields[0] in (b"pgpgin", b"pgpgout") and fields[1].isdigit():
                counters[fields[0]] = int(fields[1]) * 1024
        return counters.get(b"pgpgin"), counters.get(b"pgpgout")

    def read_counters(self, fd):
        """(bytes read, bytes written minus cancelled ones) of an open io file."""
        fields = os.pread(fd, 1024, 0).split()
        return int(fields[9]), int(fields[11]) - int(fields[13])

    def sample(self, pids):
        """One snapshot of these processes; the first one has no interval and no rows."""
        now = time.monotonic()
        span_s = (now - self.sampled_at) if self.sampled_at is not None else None
        self.sampled_at = now
        rows, is_incomplete = self._read_rows(pids, span_s)
        lines = []
        if span_s and not is_incomplete:
            read, written = sum(row[0] for row in rows), sum(row[1] for row in rows)
            lines.append(self.total_line("Total", read, written, span_s))
        before, paged_bytes = self.paged_bytes, self.read_paged_bytes()
        if span_s and None not in paged_bytes and before is not None:
            read, written = paged_bytes[0] - before[0], paged_bytes[1] - before[1]
            lines.append(self.total_line("Current", read, written, span_s))
        self.paged_bytes = paged_bytes if None not in paged_bytes else None
        lines.append(COLUMNS)
        for read, written, pid, tid in rows:
            command = procfs.redacted_command_line(pid)
            if not command:
                name = (procfs.read_start("/proc/%d/comm" % pid) or b"?\n")[:-1]
                command = b"[" + procfs.escape(name) + b"]"
            lines.append(
                "%7d %4s %-8s %11s %11s ?unavailable?  %s"
                % (
                    tid,
                    "?",
                    self.read_user(pid),
                    self.format_rate(read, span_s, 0),
                    self.format_rate(written, span_s, 0),
                    command[:MAX_COMMAND_BYTES].decode("utf-8", "surrogateescape"),
                )
            )
        return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")

    def _read_rows(self, pids, span_s):
        """([(bytes read, bytes written, pid, tid)] of tasks that did I/O, is any task missing)."""
        tasks = {}
        rows = []
        is_incomplete = self.matcher is not None
        for pid in pids:
            if self.matcher is not None and not self.matcher.matches_pid(pid):
                continue
            try:
                names = os.listdir("/proc/%d/task" % pid)
            except OSError:
                continue
            for name in names:
                tid = int(name)
                entry = self.tasks.pop(tid, None)
                try:
                    if entry is not None:
                        try:
                            counters = self.read_counters(entry[0])
                        except ProcessLookupError:  # the tid is another task's now
                            os.close(entry[0])
                            entry = None
                    if entry is None:
                        fd = os.open("/proc/%d/task/%d/io" % (pid, tid), os.O_RDONLY | os.O_CLOEXEC)
                        entry = (fd, None)
                        counters = self.read_counters(fd)
                        entry = (fd, counters)
                except OSError as e:
                    is_incomplete = is_incomplete or isinstance(e, PermissionError)
                    if entry is not None:
                        os.close(entry[0])
                    continue
                read, written = counters[0] - entry[1][0], counters[1] - entry[1][1]
                tasks[tid] = (entry[0], counters)
                if span_s and (read or written):
                    rows.append((read, max(0, written), pid, tid))
        for fd, _ in self.tasks.values():
            os.close(fd)
        self.tasks = tasks
        rows.sort(key=lambda row: (-(row[0] + row[1]), row[3]))
        return rows, is_incomplete

    def total_line(self, label, read, written, span_s):
        """A line of totals."""
        return "%s DISK READ: %s | %s DISK WRITE: %s" % (
            label, self.format_rate(read, span_s), label, self.format_rate(written, span_s),
        )  # fmt: skip

    @staticmethod
    def format_rate(size, span_s, width=14):
        """Bytes per interval as K/s with two decimals."""
        return ("%.2f K/s" % (size / 1024.0 / span_s)).rjust(width)
