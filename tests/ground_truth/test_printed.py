"""What the simulated tools print has the real tools' form: recorded lines are printed again, letter by letter."""

import re

import numpy as np
import pytest

from pipeline.raw import find_run
from pipeline.synthetic.clocks import Machine, Snapshots
from pipeline.synthetic.log_writers import block, httperf, iotop, sysbench, top
from pipeline.synthetic.process_table import Process


@pytest.fixture(scope="module")
def recorded(root):
    """The text of a log of a recorded run."""

    def text(log: str, run: str = "both-005-16-a") -> str:
        from pipeline.parse.log import read_log

        role, name = log.split("/")
        found = find_run(root / "data/raw", "kvm-case-study", "first", run)
        path = next(each.path for each in found.logs() if each.name.startswith(f"{role}/{name}"))
        return "\n".join(read_log(path).lines["text"].to_list())

    return text


ROW = re.compile(
    r"( *\d+) (\S+) +(\S+) +(-?\d+) +(\d+) +(\S+) +(\d+) (\S) +([0-9.]+) +([0-9.]+) +(\S+) (.*)"
)


@pytest.mark.parametrize("log", ["host/top.log", "web/top.log", "db/top.log"])
def test_rows_of_top(recorded, log):
    seen = 0
    for line in recorded(log).splitlines():
        found = ROW.fullmatch(line)
        if not found or "+" in found[2]:
            continue
        pid, user, priority, nice, virtual, resident, shared, state, cpu, memory, time, comm = (
            found.groups()
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
        seen += 1
    assert seen > 50


def test_heads_of_top(recorded):
    text = recorded("web/top.log")
    found = re.search(r"^( *PID USER.*)$", text, re.M)
    assert found[1] == top.HEADER.format("PID", width=7)
    assert "  PID USER" in recorded("host/top.log")
    line = re.search(r"^%Cpu\(s\):.*$", text, re.M)[0]
    user, system, idle = (re.search(rf"([0-9.]+) {name}", line)[1] for name in ("us", "sy", "id"))
    zero = re.sub(r" {1,3}[0-9.]+ (ni|wa|hi|si)", lambda f: f"  0.0 {f[1]}", line)
    assert top.cpu_line(float(user), float(system), float(idle)) == zero
    assert top.format_uptime(7 * 60 + 3) == "7 min"
    assert top.format_uptime(68 * 60) == " 1:08"
    assert top.format_memory(1_258_291) == "1.2g"


@pytest.mark.parametrize(("log", "width"), [("host/iotop.log", 5), ("db/iotop.log", 7)])
def test_lines_of_iotop(recorded, log, width):
    text = recorded(log)
    number = r" *([0-9.]+)"
    assert iotop.header_line(width) in text
    row = re.compile(rf" *(\d+) (\S+) (\S+) +{number} K/s{number} K/s{number} %{number} % (.*)")
    total = re.compile(rf"(Total|Current) DISK READ:{number} K/s \| \S+ DISK WRITE:{number} K/s")
    seen = 0
    for line in text.splitlines():
        if found := row.fullmatch(line):
            tid, priority, user, read, written, _, waited, command = found.groups()
            nothing = np.zeros(1)
            io_task = iotop.IoTask(int(tid), user, command, nothing, nothing, nothing, priority)
            printed = iotop.task_line(io_task, float(read), float(written), float(waited), width)
            assert printed == line
            seen += 1
        elif found := total.fullmatch(line):
            place = ("Total", "Current").index(found[1])
            rates = (float(found[2]), float(found[3]))
            assert iotop.total_lines(*rates, *rates)[place] == line
            seen += 1
    assert seen > 100


def test_fields_of_a_disk(recorded):
    for line in recorded("host/block.log").splitlines():
        if line.startswith("/sys/block/"):
            name, numbers = line.split(":")
            assert f"{name}:{block.format_fields(*map(int, numbers.split()))}" == line


@pytest.mark.parametrize("run", ["both-005-16-a", "db-04-sweep"])
def test_histogram_and_percentile_of_sysbench(recorded, run):
    """Its buckets, its bars and its percentile, from the counts that it printed."""
    text = recorded("client/sysbench.log", run)
    rows = re.findall(r"^ *([0-9.]+) \|(\**) +(\d+)$", text, re.M)
    counts = np.zeros(sysbench.BUCKETS, np.int64)
    for value, _, count in rows:
        counts += int(count) * sysbench.bucket_counts(np.array([float(value)]))
    assert sysbench.histogram(counts) in text
    printed = re.search(r"95th percentile: +([0-9.]+)", text)[1]
    assert f"{sysbench.percentile(counts):.2f}" == printed


def test_the_median_of_httperf_is_the_middle_of_a_bin(recorded):
    printed = re.search(r"median ([0-9.]+)", recorded("client/httperf.log"))[1]
    assert f"{1000 * httperf.reported_median(np.array([float(printed) / 1000])):.1f}" == printed


def test_every_line_of_a_client_has_the_form_of_a_recorded_one(recorded, simulated):
    """Numbers and the blanks before them apart, each printed line stands in a recorded report, too."""

    def forms(text: str) -> set[str]:
        without = re.sub(r"\|\**", "|", text)
        without = re.sub(r"(--rate|--period)=\S+", "X", without)
        return {re.sub(r" *[0-9][0-9.]*", "#", line).rstrip() for line in without.splitlines()}

    logs = [name for name in simulated.files if re.fullmatch(r"client/.*\.log", name)]
    assert len(logs) == len(simulated.loaded())
    for log in logs:
        assert forms(simulated.files[log]) <= forms(recorded(log)), log


def test_sentinels():
    machine = Machine("host", "0-1", 10**18, 5_000_000, 5_000_000, 100.0, 0.0, 0.0)
    shots = Snapshots(machine, np.array([0.5]), np.array([0.501]))
    assert shots.sentinels() == ["#T 1000000000506000000 100501000000 0 0-1"]
