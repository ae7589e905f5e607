"""Our own reader of /proc, in iotop's words, where iotop is absent or may not be used.

Same columns as `iotop -b -k -o`: rates since the last tick from /proc/PID/task/TID/io. What is not
known is not 0: it is left out, or stands as iotop writes it.
- SWAPIN and IO print as `?unavailable?` (the block delay of each thread is in tasks.log).
- PRIO is not read: `?`.
- A task that may not be read has no row.
- `Total DISK READ` stands only where every task of the machine could be read (not with --only, not
  without rights), `Current DISK READ` only where /proc/vmstat tells.
- The first snapshot has no interval, so it has no rates: a line of names alone.

OVERHEAD: one pread(2) a task and tick, a second one for a task that did I/O.
"""

import os
import pwd
import time

import procfs


class Reader:
    """Keeps each task's counters from tick to tick; `sample` prints one snapshot."""

    def __init__(self, matcher, delays):
        self.matcher = matcher
        self.delays = delays
        self.tasks = {}
        self.users = {}
        self.last = None
        self.vm = None

    def user(self, pid):
        """The owner's name, cut to 8 letters as iotop does."""
        try:
            uid = os.stat("/proc/%d" % pid).st_uid
        except OSError:
            return "{none}"
        if uid not in self.users:
            try:
                self.users[uid] = pwd.getpwuid(uid).pw_name[:8]
            except KeyError:
                self.users[uid] = str(uid)
        return self.users[uid]

    def vmstat(self):
        """Bytes that really moved between memory and disks: (in, out)."""
        text = procfs.slurp("/proc/vmstat", 65536) or b""
        pages = {}
        for line in text.splitlines():
            words = line.split()
            if len(words) == 2 and words[0] in (b"pgpgin", b"pgpgout") and words[1].isdigit():
                pages[words[0]] = int(words[1]) * 1024
        return pages.get(b"pgpgin"), pages.get(b"pgpgout")

    def counters(self, fd):
        """(bytes read, bytes written and not taken back) of an open io file."""
        f = os.pread(fd, 1024, 0).split()
        return int(f[9]), int(f[11]) - int(f[13])

    def sample(self, pids):
        """One snapshot; the first one has no interval and prints no rows."""
        now = time.monotonic()
        span = (now - self.last) if self.last is not None else None
        self.last = now
        seen = {}
        rows = []
        unread = self.matcher is not None
        for pid in pids:
            if self.matcher is not None and not self.matcher.process(pid):
                continue
            try:
                tids = os.listdir("/proc/%d/task" % pid)
            except OSError:
                continue
            for name in tids:
                tid = int(name)
                entry = self.tasks.pop(tid, None)
                try:
                    if entry is not None:
                        try:
                            values = self.counters(entry[0])
                        except ProcessLookupError:  # the number is another task's now
                            os.close(entry[0])
                            entry = None
                    if entry is None:
                        fd = os.open("/proc/%d/task/%d/io" % (pid, tid), os.O_RDONLY | os.O_CLOEXEC)
                        entry = (fd, None)
                        values = self.counters(fd)
                        entry = (fd, values)
                except OSError as e:
                    unread = unread or isinstance(e, PermissionError)
                    if entry is not None:
                        os.close(entry[0])
                    continue
                r, w = values[0] - entry[1][0], values[1] - entry[1][1]
                seen[tid] = (entry[0], values)
                if span and (r or w):
                    rows.append((r, max(0, w), pid, tid))
        for entry in self.tasks.values():
            os.close(entry[0])
        self.tasks = seen
        rows.sort(key=lambda x: (-(x[0] + x[1]), x[3]))
        out = []
        if span and not unread:
            out.append(self.total("Total", sum(x[0] for x in rows), sum(x[1] for x in rows), span))
        vm = self.vmstat()
        if span and None not in vm and self.vm is not None:
            out.append(self.total("Current", vm[0] - self.vm[0], vm[1] - self.vm[1], span))
        self.vm = vm if None not in vm else None
        out.append("    TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND")
        for r, w, pid, tid in rows:
            command = procfs.written_command_line(pid)
            if not command:
                name = (procfs.slurp("/proc/%d/comm" % pid) or b"?\n")[:-1]
                command = b"[" + procfs.escape(name) + b"]"
            out.append(
                "%7d %4s %-8s %11s %11s ?unavailable?  %s"
                % (
                    tid,
                    "?",
                    self.user(pid),
                    self.rate(r, span, 0),
                    self.rate(w, span, 0),
                    command[:4096].decode("utf-8", "surrogateescape"),
                )
            )
        return ("\n".join(out) + "\n").encode("utf-8", "surrogateescape")

    def total(self, which, read, written, span):
        """A line of totals."""
        return "%s DISK READ: %s | %s DISK WRITE: %s" % (
            which, self.rate(read, span), which, self.rate(written, span),
        )  # fmt: skip

    @staticmethod
    def rate(size, span, width=14):
        """Bytes over seconds in K/s, two decimals."""
        return ("%.2f K/s" % (size / 1024.0 / span)).rjust(width)
