"""Logs of snapshots: complete records only, a sentinel line before each, a reserve of free disk space.

A record is written by one write(2); where that fails half way, the file is truncated to the last
complete record. What could not be written is reported by a `#GAP` line before the next record.

A rotated log is a sequence of segments: top.00001.log, top.00002.log, ... A segment ends between two
snapshots, with the line `#END rotated`; the snapshots' numbers continue in the next segment.
"""

import errno
import os
import re
import time

import compress
import files

CLOCK_MONOTONIC = time.CLOCK_MONOTONIC
CLOCK_REALTIME = time.CLOCK_REALTIME

if hasattr(time, "clock_gettime_ns"):

    def now_ns():
        """(UTC, monotonic) in nanoseconds."""
        return time.clock_gettime_ns(CLOCK_REALTIME), time.clock_gettime_ns(CLOCK_MONOTONIC)

else:  # Python 3.6: to a fraction of a microsecond

    def now_ns():
        """(UTC, monotonic) in nanoseconds, to a fraction of a microsecond."""
        return (
            int(time.clock_gettime(CLOCK_REALTIME) * 1e9),
            int(time.clock_gettime(CLOCK_MONOTONIC) * 1e9),
        )


UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "s": 1, "m": 60, "h": 3600, "d": 86400}
MAX_REASONS = 8  # in one gap; more are not kept, should a disk stay full for days
# texts in logs, part of the recorded format
DISK_FULL = "the disk was full"
MISSED = "missed %d tick%s"


class DiskSpace:
    """The file system of the logs; `is_writable` while more than the reserve is free."""

    def __init__(self, folder, reserve_bytes):
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self.folder = os.open(folder, flags)  # a descriptor: the folder may be moved
        self.reserve_bytes = reserve_bytes
        self.is_writable = True
        self.check()

    def check(self):
        """Check the free space; writable again only with a quarter more than the reserve."""
        v = os.fstatvfs(self.folder)
        free_bytes = v.f_bavail * v.f_frsize
        if self.is_writable and free_bytes < self.reserve_bytes:
            self.is_writable = False
        elif not self.is_writable and free_bytes > self.reserve_bytes + self.reserve_bytes // 4:
            self.is_writable = True
        return self.is_writable


class Rotation:
    """When a segment is finished: by size, by time, or by whichever comes first."""

    def __init__(self, text, folder):
        """`text`: 64M, 1h or 64M,1h; ValueError for anything else."""
        self.max_bytes = self.period_s = None
        for part in text.split(","):
            m = re.match(r"^(\d{1,9}(?:\.\d{1,9})?)([KMGsmhd])$", part.strip())
            amount = float(m.group(1)) * UNITS[m.group(2)] if m else 0
            if amount < 1:
                raise ValueError("not a size (K, M, G) or a time (s, m, h, d): %r" % part)
            if m.group(2) in "KMG":
                self.max_bytes = int(amount)
            else:
                self.period_s = amount
        self.started_at = time.monotonic()
        self.compressor = None if folder is None else compress.Compressor(folder)

    def is_due(self, size, opened_at):
        """Is a segment of that size, opened at that time, finished? Segments of all logs end together."""
        if self.max_bytes is not None and size >= self.max_bytes:
            return True
        if self.period_s is None:
            return False
        return self._period(time.monotonic()) > self._period(opened_at)

    def _period(self, at):
        return int((at - self.started_at) / self.period_s)


class Log:
    """One log, created new; an existing file is refused."""

    def __init__(self, name, boot_id, space, rotation=None):
        """In the folder of `space` (DiskSpace); with `rotation`, in segments."""
        self.name = name
        self.rotation = rotation
        self.segment = 0
        self.space = space
        self.fd = self._open()
        self.finished_bytes = 0  # of the segments before this one
        self.seq = 0
        self.snapshots = 0
        self.boot_id = boot_id.encode()
        self.missed_ticks = 0
        self.reasons = []
        self.lost_snapshots = 0

    def _open(self):
        """Open the next segment, or the only file."""
        file_name = self.name
        if self.rotation is not None:
            file_name = "%s.%05d.log" % (self.name.rsplit(".log", 1)[0], self.segment + 1)
        fd = files.create_file(file_name, self.space.folder, os.O_WRONLY | os.O_APPEND)
        self.segment += 1
        self.file_name = file_name
        self.size = 0
        self.opened_at = time.monotonic()
        return fd

    def rotate_if_due(self):
        """Between two snapshots: begin the next segment if it is time; True if so."""
        if self.rotation is None or not self.size or not self.space.is_writable:
            return False
        if not self.rotation.is_due(self.size, self.opened_at):
            return False
        file_name, fd, size = self.file_name, self.fd, self.size
        try:
            self.fd = self._open()
        except OSError:
            return False  # a full disk: the segment goes on
        self.finished_bytes += size
        self._write_last_line(fd, b"#END rotated\n", size)
        self.rotation.compressor.add(file_name)
        return True

    def sentinel(self, epoch_ns, monotonic_ns, seq=None):
        """The `#T` line of the next snapshot; `seq` is raised where it would not grow."""
        if seq is None or seq < self.seq:
            seq = self.seq
        self.seq = seq + 1
        return b"#T %d %d %d %s\n" % (epoch_ns, monotonic_ns, seq, self.boot_id)

    def add_gap(self, reason):
        """Report, before the next record, that something was lost."""
        if reason not in self.reasons and (len(self.reasons) < MAX_REASONS or reason == DISK_FULL):
            self.reasons.append(reason)

    def add_missed_ticks(self, number):
        """Report ticks at which nothing was sampled."""
        self.missed_ticks += number

    def gap_line(self):
        """The `#GAP` line before the next record, or nothing."""
        missed = MISSED % (self.missed_ticks, "s" if self.missed_ticks > 1 else "")
        reasons = ([missed] if self.missed_ticks else []) + self.reasons
        return b"#GAP " + "; ".join(reasons).encode("ascii", "replace") + b"\n" if reasons else b""

    def clear_gap(self):
        """Discard what was to be reported."""
        self.missed_ticks = 0
        self.reasons = []

    def write(self, data, snapshot=True):
        """Write complete lines, all or none; True if they are in the file."""
        if not self.space.is_writable:
            return self._drop(snapshot)
        data = self.gap_line() + data
        try:
            written_bytes = os.write(self.fd, data)
            while written_bytes < len(data):
                written_bytes += os.write(self.fd, data[written_bytes:])
        except OSError as e:
            os.ftruncate(self.fd, self.size)
            if e.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            self.space.is_writable = False
            return self._drop(snapshot)
        self.size += len(data)
        self.clear_gap()
        self.snapshots += snapshot
        return True

    def _drop(self, snapshot):
        self.lost_snapshots += snapshot
        self.add_gap(DISK_FULL)
        return False

    def close(self, reason):
        """Write the last line, unless the disk is full, and close the file."""
        line = b"#END " + reason.encode("ascii", "replace") + b"\n"
        self._write_last_line(self.fd, self.gap_line() + line, self.size)

    @staticmethod
    def _write_last_line(fd, line, size):
        try:
            if os.write(fd, line) != len(line):
                os.ftruncate(fd, size)
        except OSError:
            os.ftruncate(fd, size)
        os.close(fd)
