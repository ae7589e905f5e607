"""Logs of snapshots: whole records only, sentinels before them, room left on the disk.

A record is written by one write(2); where that fails half way, the file is cut back to the last
whole record. What could not be written is said by a `#GAP` line before the next record that can.

A log that is rotated is a row of pieces: top.00001.log, top.00002.log, … A piece ends between two
snapshots, with the line `#END rotated`; numbers of snapshots run on from piece to piece.
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
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self.folder = os.open(folder, flags)  # it may be moved
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


UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "s": 1, "m": 60, "h": 3600, "d": 86400}
FULL = "the disk was full"
MOST_REASONS = 8  # that a gap tells; more are not kept, should a disk stay full for days


class Rotation:
    """When a piece is finished: by size, by time, or by whichever comes first."""

    def __init__(self, text, folder):
        """`text`: 64M, 1h or 64M,1h; ValueError for anything else."""
        self.most_bytes = self.seconds = None
        for part in text.split(","):
            m = re.match(r"^(\d{1,9}(?:\.\d{1,9})?)([KMGsmhd])$", part.strip())
            amount = float(m.group(1)) * UNITS[m.group(2)] if m else 0
            if amount < 1:
                raise ValueError("not a size (K, M, G) or a time (s, m, h, d): %r" % part)
            if m.group(2) in "KMG":
                self.most_bytes = int(amount)
            else:
                self.seconds = amount
        self.began = time.monotonic()
        self.packer = None if folder is None else compress.Packer(folder)

    def due(self, size, opened):
        """Is a piece of that size, opened then, to be finished now? Pieces of all logs end together."""
        if self.most_bytes is not None and size >= self.most_bytes:
            return True
        if self.seconds is None:
            return False
        now = time.monotonic()
        return int((now - self.began) / self.seconds) > int((opened - self.began) / self.seconds)


class Log:
    """One log, created anew; a file that is there already is refused."""

    def __init__(self, name, boot_id, space, rotation=None):
        """In the folder of `space`."""
        self.name = name
        self.rotation = rotation
        self.piece = 0
        self.space = space
        self.fd = self._open()
        self.total = 0  # bytes of the pieces before this one
        self.seq = 0
        self.snapshots = 0
        self.boot_id = boot_id.encode()
        self.missed = 0
        self.reasons = []
        self.lost_snapshots = 0

    def _open(self):
        """The next file, or the only one."""
        name = self.name
        if self.rotation is not None:
            name = "%s.%05d.log" % (self.name.rsplit(".log", 1)[0], self.piece + 1)
        fd = files.create(name, self.space.folder, os.O_WRONLY | os.O_APPEND)
        self.piece += 1
        self.file = name
        self.size = 0
        self.opened = time.monotonic()
        return fd

    def turn(self):
        """Between two snapshots: begin the next piece if it is time; True if so."""
        if self.rotation is None or not self.size or not self.space.open:
            return False
        if not self.rotation.due(self.size, self.opened):
            return False
        file, fd, size = self.file, self.fd, self.size
        try:
            self.fd = self._open()
        except OSError:
            return False  # a full disk: the piece goes on
        self.total += size
        self._last_line(fd, b"#END rotated\n", size)
        self.rotation.packer.add(file)
        return True

    def sentinel(self, epoch_ns, monotonic_ns, seq=None):
        """The `#T` line of the next snapshot; seq only ever grows."""
        if seq is None or seq < self.seq:
            seq = self.seq
        self.seq = seq + 1
        return b"#T %d %d %d %s\n" % (epoch_ns, monotonic_ns, seq, self.boot_id)

    def gap(self, reason):
        """Say, before the next record, that something was lost."""
        if reason not in self.reasons and (len(self.reasons) < MOST_REASONS or reason == FULL):
            self.reasons.append(reason)

    def missed_ticks(self, number):
        """The same for ticks that nobody was awake for."""
        self.missed += number

    def gap_line(self):
        """What stands before the next record: a `#GAP` line, or nothing."""
        missed = "missed %d tick%s" % (self.missed, "s" if self.missed > 1 else "")
        told = ([missed] if self.missed else []) + self.reasons
        return b"#GAP " + "; ".join(told).encode("ascii", "replace") + b"\n" if told else b""

    def nothing_lost(self):
        """Forget what was to be said."""
        self.missed = 0
        self.reasons = []

    def write(self, data, snapshot=True):
        """Write whole lines, all or none; True if they stand in the file."""
        if not self.space.open:
            return self._drop(snapshot)
        data = self.gap_line() + data
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
            return self._drop(snapshot)
        self.size += len(data)
        self.nothing_lost()
        self.snapshots += snapshot
        return True

    def _drop(self, snapshot):
        self.lost_snapshots += snapshot
        self.gap(FULL)
        return False

    def end(self, reason):
        """The last line; on a full disk as much of it as goes."""
        line = b"#END " + reason.encode("ascii", "replace") + b"\n"
        self._last_line(self.fd, self.gap_line() + line, self.size)

    @staticmethod
    def _last_line(fd, line, size):
        try:
            if os.write(fd, line) != len(line):
                os.ftruncate(fd, size)
        except OSError:
            os.ftruncate(fd, size)
        os.close(fd)
