#!/usr/bin/env python3
"""compress.py - compresses a finished segment of a rotated log: FILE becomes FILE.zst or FILE.gz.

USAGE     compress.py FILE PARTIAL     by daemon.py, in the folder of the logs; PARTIAL is the name of
          the compressed file until it is complete
NEEDS     Python >= 3.6; zstd where it is installed, else Python's gzip.
OVERHEAD  Runs at the lowest priority, one segment at a time; zstd takes 6 MB of memory. tasks.log is
          compressed 10 times (two busy guests) to 75 times (600 processes, most of them asleep).

The original is removed only when the compressed segment is complete and on the disk.
"""

import gzip
import os
import shutil
import signal
import subprocess
import sys

import files


def compress_segment(name, partial):
    """Compress, sync, rename, then remove the original; the compressed segment's name."""
    zstd = shutil.which("zstd")
    with os.fdopen(files.create_file(partial), "wb") as out:
        if zstd:
            subprocess.check_call([zstd, "-q", "-3", "-c", name], stdout=out)
        else:
            with open(name, "rb") as f, gzip.GzipFile("", "wb", 6, out, mtime=0) as g:
                shutil.copyfileobj(f, g)
        out.flush()
        os.fsync(out.fileno())
    compressed = name + (".zst" if zstd else ".gz")
    os.rename(partial, compressed)
    os.unlink(name)
    return compressed


def main(argv):
    """Compress the file, or remove the incomplete result; the exit code."""
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    os.nice(19)
    try:
        compress_segment(*argv)
    except (OSError, subprocess.CalledProcessError) as e:
        print("compress: %s: %s" % (argv[0], e), file=sys.stderr)
        try:
            os.unlink(argv[1])
        except OSError:
            pass
        return 1
    return 0


class Compressor:
    """Runs one compress.py at a time; started and reaped between ticks."""

    def __init__(self, folder):
        """`folder`: descriptor of the open folder, which may be moved."""
        self.folder = folder
        self.queue = []
        self.child = None
        self.usage = [0.0, 0]  # CPU seconds, peak memory in bytes

    def add(self, name):
        """Queue a finished segment."""
        self.queue.append(name)

    def poll(self):
        """Reap a child that has ended, start the next one."""
        if self.child is not None and not self._reap(os.WNOHANG):
            return
        if self.queue:
            name = self.queue.pop(0)
            self.partial = name.rsplit(".log", 1)[0] + ".partial"
            python = [sys.executable, "-E", "-s", "-S", "-B", os.path.abspath(__file__)]
            try:
                self.child = subprocess.Popen(
                    [*python, name, self.partial],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/proc/%d/fd/%d" % (os.getpid(), self.folder),
                    start_new_session=True,
                )
            except OSError:
                self.child = None  # the segment stays uncompressed

    def _reap(self, flags):
        pid, status, usage = os.wait4(self.child.pid, flags)
        if pid == 0:
            return False
        self.child.returncode = status
        self.child = None
        self.usage[0] += usage.ru_utime + usage.ru_stime
        self.usage[1] = max(self.usage[1], usage.ru_maxrss * 1024)
        return True

    def abort(self):
        """Kill the child; its segment stays uncompressed."""
        if self.child is None:
            return
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except OSError:
            pass
        self._reap(0)
        try:
            os.unlink(self.partial, dir_fd=self.folder)
        except OSError:
            pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
