#!/usr/bin/env python3
"""iotop_lines.py - runs iotop so that each row is one line, whatever a command line holds.

USAGE     INTERPRETER iotop_lines.py IOTOP ARGUMENTS…     by top_iotop.py, with iotop's own interpreter
NEEDS     iotop written in Python (2 or 3).
OVERHEAD  A few microseconds a row.

iotop prints command lines as they are: a process with line ends in its own would write rows, totals
and sentinels of its choice into the log. iotop prints each row by one call, so that line ends inside
of what is printed are told from those between rows, and are written as `\\n` and `\\r`.
"""

import runpy
import sys

LONGEST = 4096  # of a row; a command line may have megabytes


class Lines(object):
    """Standard output on which what is printed at once is one line."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, text):
        """Write a piece of a line, or a line's end."""
        if text == "\n":
            self.stream.write(text)
            return
        text = text[:LONGEST]
        for character, shown in (("\n", "\\n"), ("\r", "\\r")):
            text = text.replace(character, shown)
        self.stream.write(text)

    def __getattr__(self, name):
        return getattr(self.stream, name)


def main(argv):
    """Run the program as if it had been called itself."""
    sys.argv = argv
    sys.stdout = Lines(sys.stdout)
    runpy.run_path(argv[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
