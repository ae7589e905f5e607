"""Logs of snapshots: whole records only, sentinels before them, room left on the disk.

A record is written by one write(2); where that fails half way, the file is cut back to the last
whole record. What could not be written is said by a `#GAP` line before the next record that can.
"""

import errno
import os
import time

CLOCK_MONOTONIC = time.CLOCK_MONOTONIC
CLOCK_REALTIME = time.CLOCK_REALTIME

if hasattr(time, "clock_gettime_ns"):

    def now_ns():
        """(UTC, monotonic) in nanoseconds."""
        return time.clock_gettime_ns(CLOCK_REALTIME), time.clock_gettime_ns(CLOCK_MONOTONIC)

else:  # Python 3.6: to the fraction of a microsecond

    def now_ns():
        """(UTC, monotonic) in nanoseconds, to the fraction of a microsecond."""
        return (
            int(time.clock_gettime(CLOCK_REALTIME) * 1e9),
            int(time.clock_gettime(CLOCK_MONOTONIC) * 1e9),
        )


class Space:
    """The disk under the logs: `open` while there is more free than the reserve."""

    def __init__(self, folder, reserve_bytes):
        self.folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)  # if it is moved
        self.reserve = reserve_bytes
        self.open = True
        self.times_shut = 0
        self.look()

    def look(self):
        """Look at the disk; opened again only with a quarter more than the reserve."""
        v = os.fstatvfs(self.folder)
        free = v.f_bavail * v.f_frsize
        if self.open and free < self.reserve:
            self.open = False
            self.times_shut += 1
        elif not self.open and free > self.reserve + self.reserve // 4:
            self.open = True
        return self.open


class Log:
    """One log file, created anew; a file that is there already is refused."""

    def __init__(self, folder, name, boot_id, space):
        self.name = name
        self.path = os.path.join(folder, name)
        self.fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self.size = 0
        self.seq = 0
        self.snapshots = 0
        self.boot_id = boot_id.encode()
        self.space = space
        self.lost = None
        self.unsaid = None
        self.lost_snapshots = 0

    def sentinel(self, epoch_ns, monotonic_ns, seq=None):
        """The `#T` line of the next snapshot; seq only ever grows."""
        if seq is None or seq < self.seq:
            seq = self.seq
        self.seq = seq + 1
        return b"#T %d %d %d %s\n" % (epoch_ns, monotonic_ns, seq, self.boot_id)

    def gap(self, reason):
        """Say, before the next record, that something was lost."""
        self.lost = reason if self.lost is None else self.lost + "; " + reason

    def write(self, data, snapshot=True):
        """Write whole lines, all or none; True if they stand in the file."""
        if not self.space.open:
            return self._drop("the disk was full", snapshot)
        if self.lost is not None:
            data = b"#GAP " + self.lost.encode("ascii", "replace") + b"\n" + data
        try:
            done = os.write(self.fd, data)
            while done < len(data):
                done += os.write(self.fd, data[done:])
        except OSError as e:
            os.ftruncate(self.fd, self.size)
            if e.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            self.space.open = False
            self.space.times_shut += 1
            return self._drop("the disk was full", snapshot)
        self.size += len(data)
        self.lost = None
        self.snapshots += snapshot
        return True

    def _drop(self, reason, snapshot):
        self.lost_snapshots += snapshot
        if self.lost is None:
            self.lost = reason
        elif reason not in self.lost:
            self.lost += "; " + reason
        return False

    def end(self, reason):
        """The last line; on a full disk as much of it as goes."""
        line = b"#END " + reason.encode("ascii", "replace") + b"\n"
        if self.lost is not None:
            line = b"#GAP " + self.lost.encode("ascii", "replace") + b"\n" + line
        try:
            if os.write(self.fd, line) != len(line):
                os.ftruncate(self.fd, self.size)
        except OSError:
            os.ftruncate(self.fd, self.size)
        os.close(self.fd)
