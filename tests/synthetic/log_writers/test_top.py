"""Lines of recorded top logs, formatted again, are the same."""

import re

import pytest

from pipeline.synthetic.log_writers import top
from pipeline.synthetic.process_table import Process

ROW = re.compile(
    r"( *\d+) (\S+) +(\S+) +(-?\d+) +(\d+) +(\S+) +(\d+) (\S) +([0-9.]+) +([0-9.]+) +(\S+) (.*)"
)


@pytest.mark.parametrize("log", ["host/top.log", "web/top.log", "db/top.log"])
def test_rows_of_top(recorded, log):
    checked = 0
    for line in recorded(log).splitlines():
        match = ROW.fullmatch(line)
        if not match or "+" in match[2]:
            continue
        pid, user, priority, nice, virtual, resident, shared, state, cpu, memory, time, comm = (
            match.groups()
        )
        kib = int(resident) if resident.isdigit() else round(float(resident[:-1]) * 2**20)
        process = Process(
            int(pid), comm, user, priority, int(nice), int(virtual), kib, int(shared), state
        )  # fmt: skip
        total = 100 * kib / float(memory) if float(memory) else float("inf")
        before, after = top.fixed_columns(process, total, len(pid))
        minutes, seconds = time.split(":")
        ticks = round(100 * (60 * int(minutes) + float(seconds)))
        assert f"{before}{float(cpu):5.1f}{after} {top.format_time_plus(ticks):>9} {comm}" == line
        checked += 1
    assert checked > 50


def test_header_of_top(recorded):
    text = recorded("web/top.log")
    match = re.search(r"^( *PID USER.*)$", text, re.M)
    assert match[1] == top.HEADER.format("PID", width=7)
    assert "  PID USER" in recorded("host/top.log")
    line = re.search(r"^%Cpu\(s\):.*$", text, re.M)[0]
    user, system, idle = (re.search(rf"([0-9.]+) {name}", line)[1] for name in ("us", "sy", "id"))
    zero = re.sub(r" {1,3}[0-9.]+ (ni|wa|hi|si)", lambda f: f"  0.0 {f[1]}", line)
    assert top.cpu_line(float(user), float(system), float(idle)) == zero
    assert top.format_uptime(7 * 60 + 3) == "7 min"
    assert top.format_uptime(68 * 60) == " 1:08"
    assert top.format_memory(1_258_291) == "1.2g"
