"""Invariants of parsing any damaged log: it is read or refused with a ParseError, and every line is accounted for."""

import json
import re
import traceback
from dataclasses import dataclass

from pipeline import parse
from pipeline.parse.pieces import TextSource

ONE_ROW_A_LINE = {"block": "block", "access": "requests"}
ONE_LINE_A_ROW = ("top_processes", "iotop_tasks", "block", "tasks", "cpus")


def line_count(data: bytes) -> int:
    """Number of lines of the bytes; line ends are LF, CRLF, CR CR LF and CR."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    ends = len(re.findall(rb"\r*\n|\r", data))
    return ends + (not data.endswith((b"\n", b"\r")) if data else 0)


@dataclass
class Outcome:
    """``violation``: the invariant that does not hold, or None. ``refused``: with a ``ParseError``."""

    violation: str | None = None
    refused: bool = False


def check_log(kind: str, data: bytes, given: dict) -> Outcome:
    """Parse the bytes and check every invariant."""
    try:
        plain = b"".join(TextSource.of_bytes(data, "x.log").parts())
        parsed = parse.parse_log(kind, parse.log_from_text(plain, "x.log"), **given)
    except parse.AccountingError:
        return Outcome(traceback.format_exc(limit=-4))
    except parse.ParseError as error:
        placed = error.file == "x.log" and error.message
        return Outcome(None if placed else f"an error without its place: {error}", refused=True)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return Outcome(traceback.format_exc(limit=-4))
    return Outcome(find_violation(parsed, plain))


def find_violation(parsed: parse.Parsed, plain: bytes) -> str | None:
    """The invariant that a parsed log violates, or None."""
    accounted = parsed.record_lines + parsed.headers + parsed.rejects.height
    is_utf16 = plain.startswith((b"\xff\xfe", b"\xfe\xff"))
    if accounted != parsed.lines or (not is_utf16 and parsed.lines != line_count(plain)):
        return f"{accounted} lines accounted for, {parsed.lines} counted, {line_count(plain)} in the log"
    json.dumps(parsed.summary())
    refused = set(parsed.rejects["line"])
    if len(refused) != parsed.rejects.height or not refused <= set(range(1, parsed.lines + 1)):
        return "a line rejected twice, or one that does not exist"
    for name, frame in parsed.tables.items():
        lines = frame["line"]
        if (
            lines.null_count()
            or refused & set(lines)
            or not lines.is_between(1, parsed.lines).all()
        ):
            return f"{name}: a row without a line, or from a rejected line"
        if name in ONE_LINE_A_ROW and lines.n_unique() < lines.len():
            return f"{name}: two rows from one line"
    main = ONE_ROW_A_LINE.get(parsed.kind)
    if main and parsed.tables[main].height != parsed.record_lines:
        return f"{parsed.record_lines} lines were read, {parsed.tables[main].height} rows were made"
    return None
