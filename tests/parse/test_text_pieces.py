"""Logs of clients and servers: damaged ones in pieces, and the faster ways to read usual lines, give the same."""

import random

import damage
import pytest
from golden import goldens, options
from test_pieces import assert_same, outcome

from pipeline.parse import access_log, access_plain, line_templates
from pipeline.parse import sysbench_templates as sysbench
from pipeline.parse.general_tokens import Commands

KINDS = ("access", "general", "httperf", "sysbench")
LIMITS = (
    (access_log, "MIN_LINES_BY_WORDS"),
    (access_plain, "MIN_LINES_BY_QUOTES"),
    (line_templates, "MIN_LINES_BY_KEY"),
    (sysbench, "MIN_LINES_BY_BLANKS"),
)


def careful_and_fast(kind, data, given, monkeypatch):
    monkeypatch.setenv("QUEUEVISOR_CAREFUL", "1")
    careful = outcome(kind, data, 1 << 30, **given)
    monkeypatch.delenv("QUEUEVISOR_CAREFUL")
    for module, name in LIMITS:
        monkeypatch.setattr(module, name, 1)
    return careful, outcome(kind, data, 400, **given)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_logs_in_pieces_and_by_the_fast_ways(kind, monkeypatch):
    rng = random.Random(kind)
    logs = [path.read_bytes() for path in goldens(kind)]
    for _ in range(6):
        parts = [damage.damaged_log(rng.choice(logs), logs, rng) for _ in range(2)]
        # a CR alone moves the number of a line that is not UTF-8
        data = b"".join(parts).replace(b"\r", b"").replace(b"\xff", b"")
        assert_same(*careful_and_fast(kind, data, {"tz": "Europe/Berlin"}, monkeypatch))


@pytest.mark.parametrize(
    ("kind", "path"),
    [(kind, path) for kind in KINDS for path in goldens(kind)],
    ids=lambda value: getattr(value, "name", value),
)
def test_golden_logs_by_the_fast_ways(kind, path, monkeypatch):
    assert_same(*careful_and_fast(kind, path.read_bytes(), options(path), monkeypatch))


ACCESS = b'192.0.2.%d - - [22/Nov/2026:21:36:00 +0000] "GET / HTTP/1.1" 200 1 "-" "ua"%s\n'


@pytest.mark.parametrize(("late", "seconds"), [(b" 0.250", None), (b"", 0.1)])
def test_a_response_time_is_read_if_every_line_of_the_log_has_it(late, seconds):
    lines = [ACCESS % (n, b" 0.100" if seconds or n > 109 else b"") for n in range(120)]
    lines += [ACCESS % (120, late), ACCESS % (121, b" 17" if seconds is None else b" 0.100")]
    data = b"".join(lines)
    whole = outcome("access", data, 1 << 30)
    assert_same(whole, outcome("access", data, 2000))
    assert whole.tables["requests"]["response_time_s"][119] == seconds


def test_the_hour_that_occurs_twice_is_resolved_by_later_commands():
    heads = [
        b"241027  2:59:58\t    1 Query\tA\n",
        b"\t\t    1 Quit\t\n",
        b"241027  2:00:01\t    1 Query\tB\nC\n",
    ]
    data = b"".join(heads)
    whole = outcome("general", data, 1 << 30, tz="Europe/Berlin")
    assert_same(whole, outcome("general", data, 1, tz="Europe/Berlin"))
    assert whole.tables["requests"]["time"].dt.hour().to_list() == [0, 0, 1]


LINES_OF_STATEMENTS = (
    "FROM t",
    "  WHERE id=1",
    "",
    "   ",
    "-- comment",
    "# c",
    "123, 4",
    "VALUES (1)",
    "a\tb",
    "ä ö",
)
LINES_OF_OTHERS = (
    "InnoDB: x", "Version: '5.7'  socket: 'x'  port: 3306", "mysqld: ready for connections",
    "Tcp port: 3306  Unix socket: /x",
    "/usr/sbin/mysqld, Version: 5.7.1 (x). started with:", "2026-11-22T09:23:50.000000Z 0 [Note] x",
    "T 5 Quit", "9Z\t   12 Query\tx",
    "# Time: 2026-11-22T09:23:50.000000Z", "\t    12345 Query\tx", "                 12 Query\tx", "261122",
)  # fmt: skip
HEADS = (
    "2026-11-22T09:23:50.000017Z\t   12 Query\tSELECT 1", "2026-11-22T09:23:50.5+01:00\t    7 Query\tSELECT 1",
    "2026-11-22T09:61:50.000017+01:00\t123456 Quit\t", "261122  9:23:50\t    2 Foo\tbar", "\t\t    3 Close stmt\t",
    "\t\t   12 Execute\tx 12\t   3 Query\tSELECT 2", "2026-11-22T09:23:51.000018+01:00\t1234567 Prepare\tSELECT ?",
)  # fmt: skip


def test_lines_between_the_usual_commands_of_a_general_log(monkeypatch):
    rng = random.Random(3)
    lines = []
    for _ in range(100):
        lines.append(rng.choice(HEADS))
        lines += rng.choices(LINES_OF_STATEMENTS, k=rng.randrange(3))
        lines += rng.choices(LINES_OF_OTHERS, k=rng.random() < 0.5)
    data = "\n".join(lines).encode()
    assert Commands.of(data, 1) is not None
    careful, fast = careful_and_fast("general", data, {"tz": "UTC"}, monkeypatch)
    assert_same(careful, fast)
    assert careful.rejects.height > 20
