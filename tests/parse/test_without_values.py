"""Values of statements and queries are removed; the number of commands, their kinds and times stay."""

import random

import polars as pl
import pytest

from pipeline import redact
from pipeline.parse import general_heads, general_log
from pipeline.parse.log import log_from_text
from pipeline.parse.redaction import without_values

STATEMENTS = {
    "SELECT c FROM sbtest1 WHERE id=5025 AND k IN (1, -2.5e-3)": "SELECT c FROM sbtest1 WHERE id=? AND k IN (?, -?)",
    "INSERT INTO `t 1` VALUES ('it''s \\' x', \"x\", 0xAB, b'01', @v1, $1, ?)":
        "INSERT INTO `t 1` VALUES (?, ?, ?, b?, @v1, $1, ?)",
    "/* c 1 */ SELECT /*!40101 1 */ 'a'": "/*?*/ SELECT /*!? ? */ ?",
    "-- x\nSELECT 1 # y\nFROM t2": "-- ?\nSELECT ? #?\nFROM t2",
    "UPDATE t SET a='x\\": "UPDATE t SET a=?",
    "SELECT `open 'x'": "SELECT `open ?",
    "COMMIT": "COMMIT",
}  # fmt: skip
LOG = """end of a literal SECRET'), (5)
/usr/sbin/mariadbd, Version: 10.11.6-MariaDB (Debian 12). started with:
Tcp port: 3306  Unix socket: /run/mysqld/mysqld.sock
Time\t\t    Id Command\tArgument
261122  9:23:50\t    22 Connect\tsbtest@10.0.2.2 on sbtest using TCP/IP
\t\t    22 Query\tSELECT 'SECRET
SECRET line '' SECRET' , 5 FROM sbtest1
\t\t    22 Execute\tSELECT c FROM sbtest1 WHERE id=77777
\t\t    22 Query\tINSERT INTO t VALUES ('SECRET not closed
\t\t    22 Query\tCOMMIT
2026-11-22  9:24:00 0 [Warning] Aborted connection 5 to db: 'SECRET'
after it SECRET
\t\t    22 Close stmt\t
2026-11-22T09:23:50.053934Z\t    2 Query\tALTER USER a IDENTIFIED BY 'SECRET'
2026-11-22T09:23:50.053934Z\t    2 Quit\t
"""


@pytest.mark.parametrize(("statement", "shape"), STATEMENTS.items())
def test_literals_are_replaced(statement, shape):
    assert redact.statement_shape(statement)[0] == shape
    frame = pl.DataFrame({"command": ["Query", "Init DB"], "target": [statement, statement]})
    assert without_values(frame, "general")["target"].to_list() == [shape, statement]


def test_both_engines_give_the_same_shape():
    pieces = [
        "'",
        "1",
        "e",
        "+",
        ".",
        "a",
        "_",
        " ",
        "\n",
        "ü",
        "0x1F",
        '"',
        "`",
        "\\",
        "#",
        "-",
        "$",
    ]
    choose = random.Random(1)
    statements = ["".join(choose.choices(pieces, k=choose.randint(1, 12))) for _ in range(20000)]
    frame = pl.DataFrame({"command": "Query", "target": statements})
    shapes = [redact.statement_shape(statement)[0] for statement in statements]
    assert frame["target"].str.contains(redact.SIMPLE_STATEMENT).sum() > 1000
    assert without_values(frame, "general")["target"].to_list() == shapes


def test_a_filtered_log_has_the_same_commands():
    shape = redact.StatementFilter()
    filtered = "".join(shape.line(line) for line in LOG.splitlines(keepends=True))
    assert "SECRET" not in filtered and "77777" not in filtered
    before, after = (
        general_log.parse(log_from_text(text, "general.log"), tz="UTC") for text in (LOG, filtered)
    )
    columns = ("time", "connection", "command", "flags")
    assert (
        before.tables["requests"].select(columns).equals(after.tables["requests"].select(columns))
    )
    assert before.rejects.height == after.rejects.height == 3 and before.rejects["reason"].equals(
        after.rejects["reason"]
    )
    assert before.headers == after.headers
    assert after.tables["requests"]["target"].to_list()[1:3] == [
        "SELECT ? , ? FROM sbtest1", "SELECT c FROM sbtest1 WHERE id=?",
    ]  # fmt: skip
    rejects = without_values(before.rejects, "general")["text"]
    assert rejects.to_list() == after.rejects["text"].to_list()


def test_every_command_is_recognized():
    for command in general_heads.COMMANDS:
        for start in (
            "2026-11-22T09:23:50.053934Z\t    2 ",
            "261122  9:23:50\t     2 ",
            "\t\t     2 ",
        ):
            assert redact.HEAD.match(f"{start}{command}\tx")["command"] == command


@pytest.mark.parametrize(
    ("line", "shape"),
    [
        ("/a?b=S&c=S;d&e", "/a?b=?&c=?;?&?"), ("GET /?q='S' HTTP/1.1", "GET /?q=?' HTTP/1.1"),
        ("'GET /?q=S HTTP/1.1' 200", "'GET /?q=? HTTP/1.1' 200"), ("/p?S", "/p??"), ("/p", "/p"),
        ('{"uri":"/a?x=S\\u0026y=S","s":200}', '{"uri":"/a?x=?\\u0026y=?","s":200}'),
        ("GET,/a?x=S,200,5", "GET,/a?x=?,200,5"), ('"GET /a?x=\\"S\\" HTTP/1.1"', '"GET /a?x=? HTTP/1.1"'),
    ],
)  # fmt: skip
def test_values_of_queries_are_replaced(line, shape):
    assert redact.query_shape(line) == shape == redact.query_shape(shape)
