#!/usr/bin/env python3
"""log_slice.py - the lines that an experiment wrote into a growing log (Apache's, MySQL's).

USAGE     log_slice.py mark FILE                 prints "inode size": keep it until the experiment ends
          log_slice.py cut FILE INODE SIZE FORM  prints the lines written since then, complete lines only
          FORM      statements  of a general query log: `?` for each literal and comment of a statement
                    queries     of an access log: `?` for each value in the query of an address
                    whole       everything; passwords and keys are removed in each form
NEEDS     Python >= 3.6; the right to read the log.
OVERHEAD  mark: one stat; cut: reads the slice once, after the experiment: about 30 microseconds per line.

A log that was rotated in the meantime is followed: first the rest of the old file (FILE.1, or the
file that has the inode now), then the new one. Where SIZE is inside a line, the slice begins with
the next line; a last line without its end is left out; a line is cut after 16 MB. Exit code 3: the
log was truncated or is gone.
"""

import os
import sys

import redact

MAX_LINE_BYTES = 1 << 24  # as the pipeline reads
COMPRESSED = (".gz", ".xz", ".bz2", ".zst")


def mark(path):
    """Print the log's inode and size, "0 0" if there is none; the exit code."""
    try:
        s = os.stat(path)
    except FileNotFoundError:
        print("0 0")
        return 0
    print("%d %d" % (s.st_ino, s.st_size))
    return 0


def find_rotated(path, inode):
    """The file to which the log with that inode was renamed, None if it is not there."""
    folder, name = os.path.split(os.path.abspath(path))
    for candidate in sorted(os.listdir(folder)):
        if candidate.startswith(name) and candidate != name:
            try:
                if os.stat(os.path.join(folder, candidate)).st_ino == inode:
                    return os.path.join(folder, candidate)
            except OSError:
                pass
    return None


class FormedLines:
    """A stream into which complete lines are written, and which passes them on in a form without secrets."""

    def __init__(self, out, form):
        self.out = out
        self.change = {
            "statements": redact.StatementFilter().line,
            "queries": lambda line: redact.redact_line(redact.query_shape(line)),
            "whole": redact.redact_line,
        }[form]

    def write(self, data):
        """Write complete lines."""
        text = data.decode("utf-8", "surrogateescape")
        changed = "".join(self.change(line + "\n") for line in text.split("\n")[:-1])
        self.out.write(changed.encode("utf-8", "surrogateescape"))


def copy_lines(path, start, out):
    """Copy the complete lines of a file from an offset on."""
    with open(path, "rb") as f:
        if start:
            f.seek(start - 1)
            f.readline()
        while True:
            line = f.readline(MAX_LINE_BYTES)
            if line.endswith(b"\n"):
                out.write(line)
                continue
            rest = line
            while rest and not rest.endswith(b"\n"):
                rest = f.readline(MAX_LINE_BYTES)
            if not rest:
                return
            out.write(line + b"\n")


def cut(path, inode, size, out):
    """Copy the lines written since the mark; the exit code."""
    code = 0
    try:
        now = os.stat(path)
    except FileNotFoundError:
        now = None
    if now is not None and (now.st_ino == inode or inode == 0):
        if now.st_size < size:
            print("log_slice: %s was truncated; printed from its beginning" % path, file=sys.stderr)
            size, code = 0, 3
        copy_lines(path, size, out)
        return code
    if inode == 0:
        print("log_slice: %s: no such file, neither at the mark nor now" % path, file=sys.stderr)
        return 3
    rotated = find_rotated(path, inode)
    if rotated is not None and not rotated.endswith(COMPRESSED):
        copy_lines(rotated, size, out)
    else:
        print("log_slice: the file that was %s at the mark is gone" % path, file=sys.stderr)
        code = 3
    if now is not None:
        copy_lines(path, 0, out)
    return code


def main(argv):
    """Run `mark` or `cut`; the exit code."""
    if len(argv) == 2 and argv[0] == "mark":
        return mark(argv[1])
    if len(argv) == 5 and argv[0] == "cut" and argv[4] in ("statements", "queries", "whole"):
        out = FormedLines(sys.stdout.buffer, argv[4])
        return cut(argv[1], int(argv[2]), int(argv[3]), out)
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
