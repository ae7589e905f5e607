#!/usr/bin/env python3
"""iotop_lines.py - runs iotop so that each row is one line, whatever a command line contains.

USAGE     INTERPRETER iotop_lines.py IOTOP ARGUMENTS...     by top_iotop.py, with iotop's own interpreter
NEEDS     iotop written in Python (2 or 3).
OVERHEAD  A few microseconds per row.

iotop prints command lines as they are: a process with line ends in its own could write rows, totals
and sentinels into the log. iotop prints each row by one call, so line ends inside the printed text
can be distinguished from those between rows; they are written as `\\n` and `\\r`.
"""

import runpy
import sys

MAX_ROW_CHARACTERS = 4096  # a command line may have megabytes


class OneLineRows(object):
    """Standard output on which the text of one call is one line."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, text):
        """Write a part of a line, or a line's end."""
        if text == "\n":
            self.stream.write(text)
            return
        text = text[:MAX_ROW_CHARACTERS]
        for character, escaped in (("\n", "\\n"), ("\r", "\\r")):
            text = text.replace(character, escaped)
        self.stream.write(text)

    def __getattr__(self, name):
        return getattr(self.stream, name)


def main(argv):
    """Run the program as if it had been called itself."""
    sys.argv = argv
    sys.stdout = OneLineRows(sys.stdout)
    runpy.run_path(argv[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
