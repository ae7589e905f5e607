"""The general query log: goldens, times and zones, statements over lines, cuts, exact counts."""

import datetime as dt
import json

import pytest
from golden import (
    expected,
    goldens,
    options,
    parse_or_refuse,
    plain,
    random_lines,
    read,
    values,
    with_each_line_repeated,
    without_each_line,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import parse, tables
from pipeline.parse import texts
from pipeline.parse.general_heads import TEXT_COMMANDS

SMALL = (
    "Time\t\t    Id Command\tArgument\n"
    "261122  9:36:00\t    31 Query\tUPDATE t\n   SET k=1\n"
    "\t\t    31 Query\tCOMMIT\n"
    "2026-11-22T09:36:01.5Z\t   32 Quit\t\n"
)


def parsed(text, **given):
    return parse.parse_log("general", parse.log_from_text(text, "x.log"), **given)


def requests(text, **given):
    return parsed(text, **given).tables["requests"]


@pytest.mark.parametrize("path", goldens("general"), ids=lambda p: p.stem)
def test_golden(path):
    assert json.loads(json.dumps(plain(read("general", path), options(path)))) == expected(path)


def test_a_blank_time_inherits_but_not_across_a_start():
    text = (
        "\t\t    1 Query\tBEGIN\n261122 21:36:00\t    1 Query\tA\n\t\t    2 Query\tB\n"
        "/usr/sbin/mysqld, Version: 5.5.62-log (Source). started with:\n"
        "Tcp port: 0  Unix socket: (null)\nTime                 Id Command    Argument\n"
        "\t\t    1 Query\tC\n"
    )
    rows = requests(text, tz="UTC")
    assert rows["time"].dt.to_string("%H:%M:%S").to_list() == [None, "21:36:00", "21:36:00", None]
    assert rows["flags"].to_list() == ["no-time", None, None, "no-time"]
    assert "2 commands without a time" in parsed(text, tz="UTC").warnings[0]


def test_times_without_a_zone_take_tz_and_say_so_without():
    line = "261122 21:36:00\t    1 Query\tA\n"
    assert requests(line, tz="America/St_Johns")["time"].dt.to_string("%H:%M").to_list() == [
        "01:06"
    ]
    assumed = parsed(line)
    assert assumed.tables["requests"].select("flags").row(0) == ("zone-assumed",)
    assert assumed.tables["requests"]["time"].dt.to_string("%H:%M").to_list() == ["21:36"]
    assert len(assumed.warnings) == 1 and texts.UTC_ASSUMED in assumed.warnings[0]
    with pytest.raises(parse.ClockError, match="Mars/Base"):
        parsed(line, tz="Mars/Base")
    with pytest.raises(parse.ClockError):
        parsed(line, tz="../../etc/passwd")


def test_an_offset_in_the_log_beats_tz():
    line = "2026-11-22T21:36:00.25+01:00\t    1 Query\tA\n"
    rows = requests(line, tz="Asia/Tokyo")
    assert rows["time"].dt.epoch("ms").to_list() == [1_795_379_760_250]
    assert rows["flags"].to_list() == [None]


def test_daylight_saving_is_flagged():
    text = "".join(f"{when}\t    1 Query\tA\n" for when in ("260329  2:30:00", "261025  2:30:00"))
    rows = requests(text, tz="Europe/Berlin")
    assert rows["flags"].to_list() == ["no-time clock-missing", "clock-ambiguous"]
    assert rows["time"].dt.to_string("%F %T").to_list() == [None, "2026-10-25 00:30:00"]


def test_threads_that_overtake_each_other_do_not_set_the_clock_back():
    clocks = ["21:36:01", "21:36:02", "21:36:01", "21:36:03", "20:00:00", "20:00:02", "20:00:01"]
    got = parsed("".join(f"261122 {c}\t    1 Query\tA\n" for c in clocks), tz="Europe/Berlin")
    rows = got.tables["requests"]
    local = rows["time"].dt.convert_time_zone("Europe/Berlin").dt.to_string("%H:%M:%S")
    assert local.to_list() == clocks
    assert rows["flags"].to_list() == [None] * 4 + ["clock-set-back"] + [None] * 2
    assert got.warnings == [f"x.log: {texts.CLOCK_BACK} (1 snapshots)"]


@pytest.mark.parametrize(
    "when", ["261322 10:00:00", "2026-02-30T10:00:00Z", "2026-02-20T10:61:00Z", "261122 24:00:00"]
)
def test_a_time_that_does_not_exist_is_null(when):
    rows = requests(
        f"261122  9:00:00\t    1 Query\tA\n{when}\t    1 Query\tB\n\t\t    1 Quit\t\n", tz="UTC"
    )
    assert rows["flags"].to_list() == [None, "no-time", "no-time"]
    assert rows["time"].null_count() == 2


def test_a_statement_keeps_its_lines_and_its_look():
    text = (
        "261122 21:36:00\t    1 Query\tSELECT '\n\n#END of a comment\n#T 1 2 3 x\n  Time  Id\n"
        "   17 rows'\n\t\t    1 Query\t\n\t\t    1 Query\t SELECT 2\n"
    )
    rows = requests(text.replace("#T 1 2 3 x\n", ""), tz="UTC")
    assert rows["target"].to_list() == [
        "SELECT '\n\n#END of a comment\n  Time  Id\n   17 rows'", None, " SELECT 2"
    ]  # fmt: skip
    with_tick = parsed(text, tz="UTC")  # then #T and #END are the recording's
    assert with_tick.headers == 2
    assert with_tick.tables["requests"]["target"][0] == "SELECT '\n\n  Time  Id\n   17 rows'"


def test_commits_and_all_else_are_counted_exactly():
    turn = "261122 21:36:{:02}\t    7 Execute\tBEGIN\n" + "".join(
        f"\t\t    7 Execute\tSELECT c FROM sbtest{i} WHERE id={i}\n" for i in range(17)
    )
    text = "".join(turn.format(i % 60) + "\t\t    7 Execute\tCOMMIT\n" for i in range(2000))
    rows = requests(text, tz="UTC")
    assert (rows["target"] == "COMMIT").sum() == 2000
    assert rows.height == 2000 * 19
    assert rows["time"].null_count() == 0


def test_half_a_million_lines_are_read():
    line = "2026-11-22T21:36:00.123456Z\t   12 Query\tSELECT c\n  FROM sbtest1 WHERE id=500\n"
    rows = requests(line * 250_000)
    assert rows.height == 250_000
    assert rows["target"].unique().to_list() == ["SELECT c\n  FROM sbtest1 WHERE id=500"]
    assert rows["time"].null_count() == 0


def test_lines_above_the_first_head_are_rejects():
    got = parsed("rest of it\n\n  and more\n261122 21:36:00\t    1 Quit\t\n", tz="UTC")
    assert got.rejects["line"].to_list() == [1, 3]
    assert (got.record_lines, got.headers) == (1, 1)


def test_a_file_of_another_kind_is_refused_with_its_line():
    with pytest.raises(parse.UnknownFormatError, match=r"x\.log:1:"):
        parsed('::1 - - [22/Nov/2026:21:36:00 +0000] "GET / HTTP/1.1" 200 1\n')


@pytest.mark.parametrize("data", [b"", b"\n\n", b"Time                 Id Command    Argument\n"])
def test_a_log_without_commands_is_an_empty_table(data):
    assert parsed(data).tables["requests"].equals(tables.empty(tables.REQUESTS))


# --- the end of a statement

ISO = "2026-11-22T21:36:{:02}.5Z\t"
ERRORS = (
    "2026-11-22T21:36:01.123456Z 0 [System] [MY-010931] [Server] ready for connections.",
    "2026-11-22 21:36:01 0 [Note] InnoDB: Buffer pool(s) dump completed",
    "2026-11-22  9:36:01 140 [Warning] Aborted connection 140 to db: 'x'",
    "261122 21:36:01 [ERROR] Unknown option",
    "261122 21:36:01 mysqld_safe Starting mysqld daemon with databases from /var/lib/mysql",
    "InnoDB: Starting shutdown...",
    "/usr/sbin/mysqld: ready for connections.",
    "Version: '5.5.62-log'  socket: '/run/mysqld/mysqld.sock'  port: 3306  Source distribution",
    "21:36:01 UTC - mysqld got signal 6 ;",
    "2026-11-22T21:36:01Z UTC - mysqld got signal 11 ;",
    "261122 21:36:01 - mysqld got exception 0xc0000005 ;",
    "/usr/sbin/mariadbd got signal 11 ;",
)


@pytest.mark.parametrize(
    "command", ["Quit", "Connect", "Ping", "Init DB", "Statistics", "Close stmt", "Field List"]
)
def test_a_command_without_a_statement_has_no_second_line(command):
    text = f"{ISO.format(0)}    2 {command}\tx\nrotated by hand\n\n{ISO.format(1)}    3 Query\tA\n"
    got = parsed(text)
    assert got.tables["requests"].select("line", "target").rows() == [(1, "x"), (4, "A")]
    assert got.rejects.select("line", "reason").rows() == [(2, texts.NOT_STATEMENT_TEXT)]
    assert (got.record_lines, got.headers) == (2, 1)


@pytest.mark.parametrize("start", [0, 1, 2])
def test_lines_of_the_slow_log_end_a_statement(start):
    slow = SLOW.splitlines(keepends=True)[start:]
    got = parsed(
        f"{ISO.format(0)}    2 Query\tSELECT 7\n{''.join(slow)}{ISO.format(9)}    3 Ping\t\n"
    )
    assert got.tables["requests"]["target"].to_list() == ["SELECT 7", None]
    slow_lines = [texts.SLOW_LOG_LINE] * (3 - start)
    assert got.rejects["reason"].to_list() == slow_lines + [texts.NOT_STATEMENT_TEXT] * 2


@pytest.mark.parametrize("line", ERRORS)
def test_a_line_of_the_error_log_ends_a_statement(line):
    text = f"{ISO.format(0)}    2 Query\tSELECT 1\n  FROM t\n{line}\nmore of it\n{ISO.format(9)}    3 Quit\t\n"
    got = parsed(text)
    assert got.tables["requests"]["target"].to_list() == ["SELECT 1\n  FROM t", None]
    assert got.rejects.select("line", "reason").rows() == [
        (3, texts.ERROR_LOG_LINE),
        (4, texts.NOT_STATEMENT_TEXT),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "22T21:36:01.000001Z\t    7 Query\tDELETE FROM t",
        ":36:01.000001Z\t    7 Query\tDELETE FROM t",
        "6:01\t    7 Query\tDELETE FROM t",
        "1122 21:36:01\t    7 Query\tDELETE FROM t",
        "17 Query\tDELETE FROM t",
        "     7 Query\tDELETE FROM t",
        "2026-11-22T21:36:01.000001Z\t    7 Qu\0ery\tDELETE FROM t",
    ],
)
def test_a_damaged_head_is_a_reject_and_no_time_is_inherited_across_it(line):
    head = "261122 21:36:00\t    2 Query\tSELECT 1\n"
    got = parsed(f"{head}{line}\n WHERE k=1\n\t\t    3 Query\tSELECT 2\n", tz="UTC")
    rows = got.tables["requests"]
    assert rows["target"].to_list() == ["SELECT 1", "SELECT 2"]
    assert rows["time"].is_null().to_list() == [False, True]
    assert got.rejects.select("line", "reason").rows() == [
        (2, texts.DAMAGED_HEAD),
        (3, texts.NOT_STATEMENT_TEXT),
    ]


@pytest.mark.parametrize("before", ["\t", "\t\t", "  \t ", "\t\t                 "])
@pytest.mark.parametrize("command", ["Query", "Connect", "Quit"])
def test_a_head_without_a_time_ends_any_command(command, before):
    text = f"261122  9:00:01     12 {command}     x\n{before}    12 Query\tDELETE FROM t\n{before}    12 Quit\n"
    rows = requests(text, tz="UTC")
    assert rows.select("connection", "command", "target").rows() == [
        (12, command, "x"),
        (12, "Query", "DELETE FROM t"),
        (12, "Quit", None),
    ]
    assert rows["time"].n_unique() == 1


@pytest.mark.parametrize(
    "line",
    [
        "   17 rows",
        "\t3 Times",
        "\t1 Query",
        "\t  17 Time",
        "\t\t1 Kill, 2",
        "12:00 Query",
        "2026-11-22",
        "  1 Query",
        "# Time: 2",
        "# Time: late",
        "-- 31 Execute",
        "--\t    7 Query\tSELECT",
        "# User@Host: which",
        "mysqld got signal 11 is what it says",
        "7",
    ],
)
def test_lines_of_a_statement_are_kept(line):
    text = f"{ISO.format(0)}    2 Query\tSELECT '\n{line}\n'\n"
    assert requests(text)["target"].to_list() == [f"SELECT '\n{line}\n'"]


def test_a_second_head_inside_a_line_is_flagged():
    text = f"{ISO.format(0)}    2 Query\tSELECT{ISO.format(1)}    3 Query\tSELECT 2\n"
    assert requests(text)["flags"].to_list() == ["head-inside"]


@pytest.mark.parametrize("begin", ["SELECT 7, ", "SELECT\n  7 FROM t"])
def test_a_start_of_the_server_inside_a_line_is_flagged(begin):
    text = f"{ISO.format(0)}    2 Query\t{begin}{BANNER}{ISO.format(1)}    3 Query\tSELECT 2\n"
    rows = requests(text)
    assert rows["flags"].to_list() == ["head-inside", None]
    assert rows["target"][0].startswith(begin) and rows["target"][1] == "SELECT 2"


def test_the_clone_command_is_written_small():
    assert requests(f"{ISO.format(0)}    2 clone\t\n")["command"].to_list() == ["clone"]


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ('Q SELECT 1,\r\n 2\r\nQ SELECT "a\rb"\n', ["SELECT 1,\r\n 2\r", 'SELECT "a\rb"']),
        ("Q SELECT 1,\r\n 2\r\nQ A\rB\r\nC x\r\n", ["SELECT 1,\n 2", "A\rB", "x"]),
        ("Q SELECT\r\r\n2\r\r\n", ["SELECT\n2"]),
        ("Q SELECT\r2\rC x\r", ["SELECT\n2", "x"]),
        ("Q A\n\rB\n\r\nQ C", ["A\n\rB\n\r", "C"]),
    ],
)
def test_carriage_returns_of_a_statement_are_kept_and_those_of_the_file_are_not(text, targets):
    """``Q`` stands for the head of a query, ``C`` for that of a connection."""
    text = text.replace("Q ", f"{ISO.format(0)}    2 Query\t").replace(
        "C ", f"{ISO.format(0)}    2 Connect\t"
    )
    assert requests(text)["target"].to_list() == targets


def test_escape_codes_are_data_unless_the_log_went_through_a_terminal():
    heads = [f"{ISO.format(n)}    {n} Query\t" for n in range(4)]
    data = "SELECT '\x1b[1mx\x1b[0m'", "SELECT '\n\x1b[31my\n'"
    text = "".join(
        f"{head}{target}\n" for head, target in zip(heads, (*data, "A", "B"), strict=True)
    )
    assert requests(text)["target"].to_list() == [*data, "A", "B"]
    journal = "".join(f"Nov 22 21:36:00 db1 mysqld[7]: {line}\n" for line in text.splitlines())
    assert requests(journal)["target"].to_list() == [*data, "A", "B"]
    bare = ["SELECT 'x'", "SELECT '\ny\n'", "A", "B"]
    colored = "".join(f"\x1b[36mdb-1  |\x1b[0m {line}\n" for line in text.splitlines())
    assert requests(colored)["target"].to_list() == bare
    by_grep = text.replace("Query", "\x1b[01;31m\x1b[KQuery\x1b[m\x1b[K")
    assert requests(by_grep)["target"].to_list() == bare
    with_color_of_a_head = text.replace(heads[2], f"\x1b[7m{heads[2]}") + text
    assert requests(with_color_of_a_head)["target"].to_list() == [*data, "A", "B"] * 2


SLOW = (
    "# Time: 2026-11-22T21:36:00.5Z\n# User@Host: a[a] @ h []  Id: 8\n"
    "# Query_time: 2.0  Lock_time: 0.0 Rows_sent: 1\nSET timestamp=1;\nSELECT 1;\n"
)
BANNER = (
    "/usr/sbin/mysqld, Version: 8.0.36 (Source). started with:\n"
    "Tcp port: 3306  Unix socket: x\nTime                 Id Command    Argument\n"
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SLOW, texts.SLOW_QUERY_LOG),
        (BANNER + SLOW, texts.SLOW_QUERY_LOG),
        ("\n".join(ERRORS[:2]), texts.SERVER_ERROR_LOG),
        (BANNER + "nothing of it\n", texts.NOT_GENERAL_LOG),
    ],
)
def test_other_logs_of_the_server_are_refused_by_name(text, reason):
    with pytest.raises(parse.UnknownFormatError, match=reason):
        parsed(text)


# --- what a logger wrote in front


@pytest.mark.parametrize(
    "prefix", ["Nov 22 21:36:01 db1 mysqld[9]: ", "2026-11-22T21:36:01.000000001Z ", "db-1  | "]
)
def test_a_loggers_prefix_is_no_part_of_a_statement(prefix):
    for text in (
        "2026-11-22T09:36:00.5Z\t    2 Query\tSELECT 1\n  FROM t\n2026-11-22T09:36:01.5Z\t    2 Quit\t\n",
        "261122  9:36:00\t    2 Query\tSELECT 1\n  FROM t\n\t\t    2 Quit\t\n",
    ):
        rows = requests("".join(prefix + line for line in text.splitlines(keepends=True)), tz="UTC")
        assert rows.drop("line").equals(requests(text, tz="UTC").drop("line"))
        assert rows["target"].to_list() == ["SELECT 1\n  FROM t", None]


@pytest.mark.parametrize("lost", ["202", "2026-11-", "2026-11-22T", "2026-11-22T21:36:0"])
def test_what_is_left_of_a_time_is_no_prefix(lost):
    heads = [f"{ISO.format(n)}    2 Query\tSELECT {n}\n" for n in range(3)]
    text = heads[0] + "".join(head.removeprefix(lost) for head in heads[1:])
    got = parsed(text)
    assert got.tables["requests"]["target"].to_list() == ["SELECT 0"]
    assert got.rejects["reason"].to_list() == [texts.DAMAGED_HEAD] * 2


def test_a_log_with_blanks_before_every_line_is_read():
    text = f"{ISO.format(0)}    2 Query\tSELECT 1\n  FROM t\n{ISO.format(1)}    2 Quit\t\n"
    short = "261122  9:00:01\t   12 Query\tSELECT 1\n\t\t   12 Query\tSELECT 2\n"
    for whole in (text, short):
        for indent in ("  ", "    ", "\t"):
            indented = "".join(indent + line for line in whole.splitlines(keepends=True))
            assert requests(indented, tz="UTC").equals(requests(whole, tz="UTC"))


def test_a_cut_head_is_no_text_of_the_statement_above():
    text = f"{ISO.format(0)}    2 Query\tSELECT 1\n"
    for end in range(8, len(ISO.format(1))):
        got = parsed(text + ISO.format(1)[:end])
        assert got.tables["requests"].select("target", "flags").rows() == [("SELECT 1", None)]
        assert got.rejects["line"].to_list() == [2]


# --- faults


def test_cut_at_every_byte_keeps_every_whole_command():
    whole = requests(SMALL, tz="UTC")
    assert whole["target"].to_list() == ["UPDATE t\n   SET k=1", "COMMIT", None]
    for end in range(len(SMALL)):
        cut = parse_or_refuse("general", SMALL[:end], tz="UTC")
        if cut is None:
            continue
        rows = cut.tables["requests"]
        # a command is whole where the next one has begun; the last may be cut, and then says so
        last = max(0, rows.height - 1)
        assert values(rows.head(last)) == values(whole.head(last))
        unterminated = SMALL[:end].rstrip("\n") and not SMALL[:end].endswith("\n")
        if rows.height and unterminated and not cut.rejects.height:
            assert "unterminated" in rows["flags"][-1]


@pytest.mark.parametrize("path", goldens("general"), ids=lambda p: p.stem)
def test_a_line_dropped_or_doubled_loses_no_other_command(path):
    text, given = path.read_text(), options(path)
    heads = requests(text, **given)["line"].to_list()
    for number, less in without_each_line(text):
        rows = parse_or_refuse("general", less, **given).tables["requests"]
        assert rows.height == len(heads) - (number + 1 in heads)
    for number, more in with_each_line_repeated(text):
        rows = parse_or_refuse("general", more, **given).tables["requests"]
        assert rows.height == len(heads) + (number + 1 in heads)


# --- print and parse

STATEMENT = st.lists(st.text("abcxyzSELECT *=',0123()é", max_size=12), min_size=1, max_size=3).map(
    "\n".join
)
ROWS = st.fixed_dictionaries(
    {
        "connection": st.integers(1, 10**9),
        "command": st.sampled_from(["Query", "Execute", "Init DB", "Binlog Dump", "Quit", "Fetch"]),
        "target": STATEMENT.filter(
            lambda s: not s.endswith("\n")
        ),  # its first line, without a statement
        "second": st.integers(0, 3),
        "micros": st.integers(0, 999_999),
    }
)
ROWS = ROWS.map(
    lambda row: (
        row
        if row["command"] in TEXT_COMMANDS
        else row | {"target": row["target"].partition("\n")[0]}
    )
)
BEGIN = dt.datetime(2026, 11, 22, 9, 59, 58, tzinfo=dt.UTC)


def as_mysql(rows, offset):
    """As MySQL 5.7 and later print them."""
    zone = dt.timezone(dt.timedelta(minutes=offset))
    for row in rows:
        when = (BEGIN + dt.timedelta(seconds=row["second"], microseconds=row["micros"])).astimezone(
            zone
        )
        told = when.isoformat(timespec="microseconds")
        told = told.replace("+00:00", "Z") if offset == 0 else told
        yield f"{told}\t{row['connection']:5} {row['command']}\t{row['target']}\n"


def as_mariadb(rows, offset):
    """As MariaDB and MySQL up to 5.6 print them: a time where the second is another."""
    told = None
    for row in rows:
        when = BEGIN + dt.timedelta(seconds=row["second"])
        stamp = f"{when:%y%m%d} {when.hour:2}:{when:%M:%S}"
        head = "\t" if stamp == told else stamp
        told = stamp
        yield f"{head}\t{row['connection']:6} {row['command']}\t{row['target']}\n"


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=6), st.sampled_from([0, 60, -210, 345]))
def test_what_is_printed_is_read_back(rows, offset):
    for form, step in ((as_mysql, 1), (as_mariadb, 10**6)):
        got = parsed("".join(form(rows, offset)), tz="UTC")
        assert got.rejects.height == 0
        frame = got.tables["requests"]
        assert frame.select("connection", "command").rows() == [
            (row["connection"], row["command"]) for row in rows
        ]
        assert frame["target"].to_list() == [row["target"] or None for row in rows]
        begin = int(BEGIN.timestamp()) * 10**6
        assert frame["time"].dt.epoch("us").to_list() == [
            begin + row["second"] * 10**6 + row["micros"] // step * step for row in rows
        ]


PIECES = ["a", " ", "\t", "\t\t", "\n", "\r", "\0", "7", "261122", " 9:36:00", " 12:00:00", "Query", "Quit",
          "    31 Query\tA", "2026-11-22T09:36:01.5Z", "+01:00", "Time  Id Command  Argument", "#END x",
          "#T 1 2 3 b", "mysqld, Version: 5. started with:", "Tcp port: 0 Unix socket: x"]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(random_lines(PIECES))
def test_any_text_is_accounted_for(text):
    parse_or_refuse("general", text, tz="Europe/Berlin")
