"""Golden pairs of logs and results, and changed logs: truncated at every byte, lines dropped and repeated.

A golden pair is ``NAME.log`` and ``NAME.json`` in tests/golden/KIND; the JSON holds the options it is parsed
with, the expected result (without nulls), and is written by ``python tests/parse/golden.py KIND``; read it line by line
before it is committed.
"""

import datetime as dt
import json
import sys
from pathlib import Path

import polars as pl
from hypothesis import strategies as st

from pipeline import parse

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def goldens(kind):
    """The golden logs of a kind."""
    found = sorted((GOLDEN / kind).glob("*.log"))
    assert found, f"no golden logs of {kind}"
    return found


def options(path):
    """What the golden log is parsed with."""
    expected = path.with_suffix(".json")
    return json.loads(expected.read_text())["options"] if expected.exists() else {}


def expected(path):
    """What the golden log is expected to give."""
    return json.loads(path.with_suffix(".json").read_text())


def read(kind, path, **more):
    """The golden log, parsed."""
    return parse.parse_file(kind, path, name=path.name, **(options(path) | more))


def plain(parsed, given):
    """A parsed log as JSON."""

    def text(value):
        return value.isoformat() if isinstance(value, dt.datetime) else value

    return {
        "options": given,
        "summary": parsed.summary(),
        "rejects": parsed.rejects.select("line", "reason", "text").rows(),
        "tables": {
            name: [
                {key: text(value) for key, value in row.items() if value is not None}
                for row in frame.with_columns(
                    pl.selectors.datetime().dt.to_string("iso:strict")
                ).to_dicts()
            ]
            for name, frame in parsed.tables.items()
        },
    }


def parse_or_refuse(kind, data, **given):
    """Parse and check the line accounting. None if the log is refused with a ``ParseError`` that names the file."""
    try:
        parsed = parse.parse_log(kind, parse.log_from_text(data, "x.log"), **given)
    except parse.AccountingError:
        raise
    except parse.ParseError as error:
        assert error.file == "x.log" and error.message
        return None
    assert parsed.record_lines + parsed.headers + parsed.rejects.height == parsed.lines
    assert "\r" in str(data) or parsed.lines == len(lines_of(data))
    return parsed


def lines_of(data):
    """The lines of a log, without their ends."""
    text = data.decode() if isinstance(data, bytes) else data
    return text.split("\n")[: -1 if text.endswith("\n") else None] if text else []


def without_each_line(text):
    """The log without its first, second … line."""
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if line.strip():  # blank lines have no effect
            yield number, "".join(lines[:number] + lines[number + 1 :])


def with_each_line_repeated(text):
    """The log with its first, second … line repeated."""
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if line.strip():
            twice = line if line.endswith("\n") else line + "\n"
            yield number, "".join(lines[:number]) + twice + "".join(lines[number:])


def random_lines(pieces):
    """A strategy: random sequences of parts of a log."""
    return st.lists(st.sampled_from(pieces), max_size=14).map("".join)


def values(frame):
    """A frame's rows without the number of the line and of the snapshot."""
    return frame.drop("line", "snapshot", strict=False).rows()


if __name__ == "__main__":
    for kind in sys.argv[1:]:
        for path in goldens(kind):
            data = plain(read(kind, path), options(path))
            told = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
            path.with_suffix(".json").write_text(told)
            print(path)
