#!/usr/bin/env python3
"""log_slice.py - the part of a growing log (Apache's, MySQL's) that an experiment wrote.

USAGE     log_slice.py mark FILE            prints "inode size": remember it before the experiment
          log_slice.py cut FILE INODE SIZE  prints what was written since then, whole lines only
NEEDS     Python >= 3.6; the right to read the log.
OVERHEAD  mark: one stat; cut: reads the slice once, after the experiment.

A log that was rotated meanwhile is followed: the rest of the old file (FILE.1, or whatever now has
the inode), then the new one. A mark inside a line moves to the beginning of the next one, and a
last line without its end is left out. Exit code 3: the log was cut short or is gone.
"""

import os
import sys


def mark(path):
    """Print where the log ends now."""
    try:
        s = os.stat(path)
    except FileNotFoundError:
        print("0 0")
        return 0
    print("%d %d" % (s.st_ino, s.st_size))
    return 0


def rotated(path, inode):
    """The file that the log of that inode has become, None if it is not there."""
    folder, name = os.path.split(os.path.abspath(path))
    for other in sorted(os.listdir(folder)):
        if other.startswith(name) and other != name:
            try:
                if os.stat(os.path.join(folder, other)).st_ino == inode:
                    return os.path.join(folder, other)
            except OSError:
                pass
    return None


def copy(path, start, out):
    """The whole lines of a file from an offset on."""
    with open(path, "rb") as f:
        if start:
            f.seek(start - 1)
            f.readline()
        held = b""
        while True:
            data = f.read(1 << 20)
            if not data:
                return
            at = data.rfind(b"\n") + 1
            if at:
                out.write(held + data[:at])
                held = data[at:]
            else:
                held += data


def cut(path, inode, size, out):
    """Copy what was written since the mark; the exit code."""
    code = 0
    try:
        now = os.stat(path)
    except FileNotFoundError:
        now = None
    if now is not None and (now.st_ino == inode or inode == 0):
        if now.st_size < size:
            print("log_slice: %s was cut short" % path, file=sys.stderr)
            size, code = 0, 3
        copy(path, size, out)
        return code
    old = rotated(path, inode)
    if old is not None and not old.endswith((".gz", ".xz", ".bz2", ".zst")):
        copy(old, size, out)
    else:
        print("log_slice: what %s was at the mark is gone" % path, file=sys.stderr)
        code = 3
    if now is not None:
        copy(path, 0, out)
    return code


def main(argv):
    """mark or cut."""
    if len(argv) == 2 and argv[0] == "mark":
        return mark(argv[1])
    if len(argv) == 4 and argv[0] == "cut":
        return cut(argv[1], int(argv[2]), int(argv[3]), sys.stdout.buffer)
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
