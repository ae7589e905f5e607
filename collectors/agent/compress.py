#!/usr/bin/env python3
"""compress.py - compresses one finished piece of a log: FILE becomes FILE.zst, or FILE.gz.

USAGE     compress.py FILE PARTIAL     by the sampler, in the folder of the logs; PARTIAL is the name
          under which it is written until it is whole
NEEDS     Python >= 3.6; zstd if it is there, else gzip by ourselves.
OVERHEAD  Runs at the lowest priority, one piece at a time; zstd takes 6 MB of memory. tasks.log packs
          ten times (two busy guests) to 75 times (600 processes, most of them asleep).

The original is taken away only when the packed piece is whole and on the disk.
"""

import gzip
import os
import shutil
import subprocess
import sys

import files


def pack(name, partial):
    """Pack, sync, rename, and only then unlink; the packed piece's name."""
    zstd = shutil.which("zstd")
    with os.fdopen(files.create(partial), "wb") as out:
        if zstd:
            subprocess.check_call([zstd, "-q", "-3", "-c", name], stdout=out)
        else:
            with open(name, "rb") as f, gzip.GzipFile("", "wb", 6, out, mtime=0) as g:
                shutil.copyfileobj(f, g)
        out.flush()
        os.fsync(out.fileno())
    packed = name + (".zst" if zstd else ".gz")
    os.rename(partial, packed)
    os.unlink(name)
    return packed


def main(argv):
    """The exit code; what is not whole is taken away."""
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    os.nice(19)
    try:
        pack(*argv)
    except (OSError, subprocess.CalledProcessError) as e:
        print("pack: %s: %s" % (argv[0], e), file=sys.stderr)
        try:
            os.unlink(argv[1])
        except OSError:
            pass
        return 1
    return 0


class Packer:
    """One compress.py at a time, started and reaped between ticks."""

    def __init__(self, folder):
        self.folder = folder  # an open folder: it may be moved
        self.waiting = []
        self.child = None
        self.usage = [0.0, 0]

    def add(self, name):
        """A piece that is finished."""
        self.waiting.append(name)

    def look(self):
        """Reap what has ended, start what waits."""
        if self.child is not None and not self._reap(os.WNOHANG):
            return
        if self.waiting:
            name = self.waiting.pop(0)
            self.partial = name.rsplit(".log", 1)[0] + ".partial"
            words = [sys.executable, "-E", "-s", "-S", "-B", os.path.abspath(__file__)]
            try:
                self.child = subprocess.Popen(
                    [*words, name, self.partial],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/proc/%d/fd/%d" % (os.getpid(), self.folder),
                    start_new_session=True,
                )
            except OSError:
                self.child = None  # the piece stays as it is

    def _reap(self, flags):
        pid, status, usage = os.wait4(self.child.pid, flags)
        if pid == 0:
            return False
        self.child.returncode = status
        self.child = None
        self.usage[0] += usage.ru_utime + usage.ru_stime
        self.usage[1] = max(self.usage[1], usage.ru_maxrss * 1024)
        return True

    def end(self):
        """Break off: the piece under way stays as it was."""
        if self.child is None:
            return
        try:
            os.killpg(self.child.pid, 9)
        except OSError:
            pass
        self._reap(0)
        try:
            os.unlink(self.partial, dir_fd=self.folder)
        except OSError:
            pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
