"""Lines of recorded iotop logs, formatted again, are the same."""

import re

import numpy as np
import pytest

from pipeline.synthetic.log_writers import iotop


@pytest.mark.parametrize(("log", "width"), [("host/iotop.log", 5), ("db/iotop.log", 7)])
def test_lines_of_iotop(recorded, log, width):
    text = recorded(log)
    number = r" *([0-9.]+)"
    assert iotop.header_line(width) in text
    row = re.compile(rf" *(\d+) (\S+) (\S+) +{number} K/s{number} K/s{number} %{number} % (.*)")
    total = re.compile(rf"(Total|Current) DISK READ:{number} K/s \| \S+ DISK WRITE:{number} K/s")
    checked = 0
    for line in text.splitlines():
        if match := row.fullmatch(line):
            tid, priority, user, read, written, _, waited, command = match.groups()
            zeros = np.zeros(1)
            io_task = iotop.IoTask(int(tid), user, command, zeros, zeros, zeros, priority)
            printed = iotop.task_line(io_task, float(read), float(written), float(waited), width)
            assert printed == line
            checked += 1
        elif match := total.fullmatch(line):
            place = ("Total", "Current").index(match[1])
            rates = (float(match[2]), float(match[3]))
            assert iotop.total_lines(*rates, *rates)[place] == line
            checked += 1
    assert checked > 100
