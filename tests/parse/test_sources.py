"""Several hosts or containers in one log: their lines are not one series."""

import pytest

from pipeline import parse

BLOCK = [f"   8      16 vdb {n}0 7 2000 30 {n}1 6 500 60 0 70 90" for n in range(1, 7)]
REQUEST = '203.0.113.4 - - [22/Nov/2026:09:00:00 +0000] "GET /b HTTP/1.1" 200 77'
REPORT = [
    "httperf --client=0/1 --server=h --port=80 --uri=/ --rate=10 --num-conns=50 --num-calls=1",
    "Maximum connect burst length: 1",
    "Total: connections 50 requests 50 replies 50 test-duration 5.0 s",
    "Reply time [ms]: response 4.0 transfer 0.0",
]
HEADS = [f"2026-11-22T09:23:5{n}.5Z\t    {n} Query\tSELECT {n}" for n in range(1, 7)]


def parsed(kind, lines, prefixes):
    pairs = zip(prefixes, lines, strict=False)
    return parse.parse_log(kind, parse.log_from_text("".join(f"{p}{t}\n" for p, t in pairs), "x"))


def warned(result):
    return any("several sources" in text for text in result.warnings)


TWO = {
    "containers": ["shop-1   | ", "cart-1   | "] * 3,
    "replicas": ["shop-1  | ", "shop-2  | "] * 3,
    "forms of different length": ["my-shop-1  | ", "db-1       | "] * 3,
    "hosts": [f"Nov 22 09:00:0{n} {host} qv[{n}]: " for n in range(1, 4) for host in ("db", "web")],
    "one after two": ["pod/a-x1 ", "pod/a-x1 ", "pod/b-x2 "] * 2,
    "files": ["a.log:7:", "b.log:7:"] * 3,
    "addresses": ["<30>1 2026-11-22T09:00:00Z h1.example q 1 - - ", "<30>1 2026-11-22T09:00:00Z h2.example q 1 - - "]
    * 3,
}  # fmt: skip
ONE = {
    "streams": ["2026-11-22T09:00:00.5Z stdout F ", "2026-11-22T09:00:00.5Z stderr F "] * 3,
    "severities": ["09:00:00 INFO db: ", "09:00:01 WARN db: ", "09:00:02 error db: "] * 2,
    "facilities": [f"Nov 22 09:00:00 h {name} q: " for name in ("daemon.info", "user.notice")] * 3,
    "context of grep": ["x.log:11:", "x.log-12-", "x.log:13:", "x.log-14-"] * 2,
    "zones": ["2026-11-22 09:00:00 CET ", "2026-11-22 09:00:00 CEST "] * 3,
    "months": ["Jan  1 09:00:00 h q[1]: ", "Feb  1 09:00:00 h q[2]: "] * 3,
    "counters": [f"{n % 2}: " for n in range(6)],
    "identifiers": ["[3fa9c1d0] ", "[c07b22e9] "] * 3,
}


@pytest.mark.parametrize("name", TWO)
def test_alternating_sources_are_refused(name):
    for kind, lines in (("block", BLOCK), ("general", HEADS)):
        with pytest.raises(parse.ParseError, match=r"several sources .*grep") as error:
            parsed(kind, lines, TWO[name])
        assert error.value.line in (2, 3)


def test_reports_of_two_load_generators_are_refused():
    lines = [line for line in REPORT for _ in "ab"]
    with pytest.raises(parse.ParseError, match="several sources"):
        parsed("httperf", lines, ["a-1 | ", "b-1 | "] * len(REPORT))


@pytest.mark.parametrize("name", ONE)
def test_words_that_vary_within_one_source(name):
    result = parsed("block", BLOCK, ONE[name])
    assert (result.tables["block"].height, result.rejects.height) == (6, 0)
    assert not warned(result)


def test_sources_one_after_the_other_are_a_warning():
    result = parsed("block", BLOCK, ["localhost  | "] * 3 + ["db-1  | "] * 3)
    assert warned(result)
    assert result.tables["block"].height == 6


def test_access_logs_may_be_merged():
    result = parsed("access", [REQUEST] * 4, ["shop-1 | ", "cart-1 | "] * 2)
    assert result.tables["requests"].height == 4
    assert warned(result)


def test_other_programs_in_a_journal_are_no_source():
    lines = [*BLOCK[:2], "Started a session.", "Stopped a session.", *BLOCK[2:]]
    names = ["qv", "qv", "systemd", "systemd", "qv", "qv", "qv", "qv"]
    result = parsed("block", lines, [f"Nov 22 09:00:00 h {name}[1]: " for name in names])
    assert result.rejects["line"].to_list() == [3, 4]
    assert (result.tables["block"].height, warned(result)) == (6, False)


def test_a_line_of_another_program_is_no_text_of_a_statement():
    lines = [HEADS[0], "  FROM t", "GET / 200", "  WHERE a", HEADS[1]]
    prefixes = ["db-1   | ", "db-1   | ", "web-1  | ", "db-1   | ", "db-1   | "]
    result = parsed("general", lines, prefixes)
    assert result.tables["requests"]["target"].to_list() == [
        "SELECT 1\n  FROM t\n  WHERE a",
        "SELECT 2",
    ]
    assert result.rejects["line"].to_list() == [3]


def test_lines_without_a_prefix_belong_to_the_statement():
    lines = [HEADS[0], "FROM t", HEADS[1]]
    result = parsed("general", lines, ["db-1  | ", "        ", "db-1  | "])
    assert result.rejects.is_empty()
    assert result.tables["requests"].height == 2


@pytest.mark.parametrize("kind", ["top", "iotop", "block", "access", "sysbench"])
def test_a_file_of_blank_lines_is_no_log(kind):
    result = parse.parse_log(kind, parse.log_from_text("\n \n", "x"))
    assert len(result.warnings) == len(parse.parse_log(kind, parse.log_from_text("", "x")).warnings)
    assert "only blank lines" in " ".join(result.warnings)
