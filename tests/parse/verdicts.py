"""What must hold of every log, however spoiled: it is read or refused by an error of ours, and no line is lost."""

import json
import re
import traceback
from dataclasses import dataclass

from trials import light_conform

from pipeline import parse, tables
from pipeline.parse.decompress import decompress

FULL_CONFORM = tables.conform
ONE_ROW_A_LINE = {"block": "block", "access": "requests"}
ONE_LINE_A_ROW = ("top_processes", "iotop_tasks", "block", "tasks", "cpus")


def line_count(data: bytes) -> int:
    """How many lines the bytes have: LF, CRLF, CR CR LF and lone CR end one."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    ends = len(re.findall(rb"\r*\n|\r", data))
    return ends + (not data.endswith((b"\n", b"\r")) if data else 0)


@dataclass
class Verdict:
    """``find``: what is wrong with how the log was taken, or None. ``refused``: by an error of ours."""

    find: str | None = None
    refused: bool = False


def judge(kind: str, data: bytes, given: dict, *, fully: bool = False) -> Verdict:
    """Parse the bytes; ``fully`` with every check of the tables' columns."""
    tables.conform = FULL_CONFORM if fully else light_conform
    try:
        plain, _ = decompress(data, "x.log")
        parsed = parse.parse_log(kind, parse.log_from_text(plain, "x.log"), **given)
    except parse.AccountingError:
        return Verdict(traceback.format_exc(limit=-4))
    except parse.ParseError as error:
        placed = error.file == "x.log" and error.message
        return Verdict(None if placed else f"an error without its place: {error}", refused=True)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return Verdict(traceback.format_exc(limit=-4))
    return Verdict(amiss(parsed, plain))


def amiss(parsed: parse.Parsed, plain: bytes) -> str | None:
    """What does not add up in a parsed log."""
    booked = parsed.record_lines + parsed.headers + parsed.rejects.height
    is_utf16 = plain.startswith((b"\xff\xfe", b"\xfe\xff"))
    if booked != parsed.lines or (not is_utf16 and parsed.lines != line_count(plain)):
        return (
            f"{booked} lines in the books, {parsed.lines} counted, {line_count(plain)} in the log"
        )
    json.dumps(parsed.summary())
    refused = set(parsed.rejects["line"])
    if len(refused) != parsed.rejects.height or not refused <= set(range(1, parsed.lines + 1)):
        return "a line refused twice, or one that is not there"
    for name, frame in parsed.tables.items():
        lines = frame["line"]
        if (
            lines.null_count()
            or refused & set(lines)
            or not lines.is_between(1, parsed.lines).all()
        ):
            return f"{name}: a row without a line, or from a line that was refused"
        if name in ONE_LINE_A_ROW and lines.n_unique() < lines.len():
            return f"{name}: one line made two rows"
    main = ONE_ROW_A_LINE.get(parsed.kind)
    if main and parsed.tables[main].height != parsed.record_lines:
        return (
            f"{parsed.record_lines} lines were read, {parsed.tables[main].height} rows came of them"
        )
    return None
