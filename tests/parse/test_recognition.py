"""The kind of a log by its content, and what a file of another kind is said to be."""

import pytest

from pipeline import parse

TOP = (
    "top - 14:03:20 up 2 days,  3:11,  1 user,  load average: 0.10, 0.20, 0.30\n"
    "Tasks:  91 total,   1 running,  90 sleeping,   0 stopped,   0 zombie\n"
    "%Cpu(s):  3.1 us,  1.0 sy,  0.0 ni, 95.9 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st\n"
    "MiB Mem :   1024.0 total,    512.0 free,    256.0 used,    256.0 buff/cache\n"
    "MiB Swap:      0.0 total,      0.0 free,      0.0 used.    700.0 avail Mem\n\n"
    "  PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n"
    "  812 mysql     20   0 1789044 141032  21872 S   4.0  13.4   0:41.07 mysqld\n"
)
IOTOP = (
    "Total DISK READ :       0.00 B/s | Total DISK WRITE :     365.81 K/s\n"
    "Actual DISK READ:       0.00 B/s | Actual DISK WRITE:       0.00 B/s\n"
    "  TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND\n"
    " 6787 be/4 mysql       0.00 B/s  365.81 K/s  0.00 %  2.16 % mysqld\n"
)
LOGS = {
    "top": TOP,
    "iotop": IOTOP,
    "block": "   8   0 sda 1 0 8 1 2 0 16 3 0 4 4\n   8   1 sda1 1 0 8 1 2 0 16 3 0 4 4\n",
    "httperf": "Maximum connect burst length: 1\n\n"
    "Total: connections 10 requests 10 replies 10 test-duration 1.800 s\n",
    "sysbench": "[ 2s ] thds: 4 tps: 9.50 qps: 190.01 (r/w/o: 133.01/38.00/19.00)"
    " lat (ms,95%): 511.33 err/s: 0.00 reconn/s: 0.00\n",
    "access": '10.0.0.1 - - [01/Jun/2015:14:03:20 +0800] "GET / HTTP/1.0" 200 512\n',
    "general": "150601 14:03:20\t   12 Connect\tapp@localhost on shop\n\t\t   12 Query\tSELECT 1\n",
    "tasks": "#T 1433138600000000000 5 0 b\ncpu 1 0 2 90 0 0 0 0 0 0\ncpu0 1 0 2 90 0 0 0 0 0 0\n",
}
CAT = "   1 0 8 1 2 0 16 3 0 4 4\n  12 0 9 9 9 0 99 9 0 9 9\n"

OTHERS = {
    "MySQL's slow query log": "# Time: 150601 14:03:20\n# Query_time: 3.1  Lock_time: 0.0\nSELECT 1;\n",
    "a web server's error log": "[Mon Jun 01 14:03:20.1 2015] [core:error] [pid 9] oops\n",
    "iostat's output": "Device:            tps    kB_read/s    kB_wrtn/s\nsda   1.0 2.0 3.0\n",
    "vmstat's output": "procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu-----\n"
    " r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st\n"
    " 1  0      0 512000  10000 200000    0    0     5    10   50   80  3  1 96  0  0\n",
    "pidstat's output": "14:03:20      UID       PID    %usr %system  %guest    %CPU   CPU  Command\n",
    "mpstat's output": "14:03:20     CPU    %usr   %nice    %sys %iowait\n",
    "sar's output": "14:03:20        CPU     %user     %nice   %system\n14:03:21 all 1.0 0.0 1.0\n",
    "dstat's output": "usr sys idl wai hiq siq| read  writ| recv  send\n",
    "perf's output": "# Overhead  Command  Shared Object\n    12.1%  mysqld  [kernel]\n",
    "ps's output": "USER       PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n",
    "JSON": '{"format": "x", "rows": [1, 2]}\n',
    "comma-separated values": "time,value\n1,2\n3,4\n",
    "a binary file": "\x00\x01\x02\x03ELF\x00\x00\x07\x08\n",
    "an empty file": "\n\n",
    "text of no known kind": "dear diary\n",
}


def log_of(text: str, name: str = "x.txt") -> parse.Log:
    return parse.log_from_text(text, name)


@pytest.mark.parametrize("kind", parse.KINDS)
def test_a_log_is_recognized_with_and_without_a_prefix(kind):
    assert parse.recognize(log_of(LOGS[kind])).kind == kind
    prefixed = "".join(
        f"Jun  1 14:03:20 srv logger[12]: {line}\n" for line in LOGS[kind].splitlines() * 3
    )
    assert parse.recognize(log_of(prefixed)).kind == kind


def test_counters_without_names_are_recognized():
    assert parse.recognize(log_of(CAT)).kind == "block"


@pytest.mark.parametrize("description", OTHERS)
def test_what_is_not_read_is_named(description):
    recognition = parse.recognize(log_of(OTHERS[description]))
    assert recognition == parse.Recognition(None, description)


@pytest.mark.parametrize(("kind", "other"), [("top", "iotop"), ("httperf", "sysbench"), ("access", "general"),
                                             ("block", "top")])  # fmt: skip
def test_the_wrong_kind_says_what_the_file_looks_like(kind, other):
    with pytest.raises(parse.UnknownFormatError) as refused:
        parse.parse_log(kind, log_of(LOGS[other]))
    assert refused.value.line is not None or kind in ("access", "block")
    assert parse.recognize(log_of(LOGS[other])).description in str(refused.value)


def test_auto_reads_a_file_and_names_its_kind(tmp_path):
    path = tmp_path / "whatever"
    path.write_text(IOTOP)
    assert parse.parse_file("auto", path).summary()["kind"] == "iotop"
    path.write_text(OTHERS["vmstat's output"])
    with pytest.raises(parse.UnknownFormatError, match="vmstat"):
        parse.parse_file("auto", path)


def test_an_empty_file_gives_a_warning(tmp_path):
    path = tmp_path / "top.log"
    path.write_text("")
    assert parse.parse_file("top", path).warnings == [f"{path}: the file is empty"]
