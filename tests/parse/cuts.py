"""Truncated logs: every value that is read must be that of the complete log."""

from golden import parse_or_refuse

CONTEXT = {"snapshot", "time", "is_thread", "is_interval", "flags", "counts_threads"}
"""Columns that depend on other rows and may have less information in a truncated log."""


def rows_by_line(parsed):
    """Every row of every table, by table and first line."""
    return {
        (name, row["line"]): row
        for name, frame in parsed.tables.items()
        for row in frame.drop(CONTEXT, strict=False).to_dicts()
    }


def check_cut(kind, text, at, whole, **options):
    """Parse ``text[:at]`` and compare with the rows of the complete log."""
    parsed = parse_or_refuse(kind, text[:at], **options)
    if parsed is None:
        return
    last = None if text[:at].endswith("\n") else parsed.lines
    for key, row in rows_by_line(parsed).items():
        assert key in whole, (at, key, row)
        for column, value in row.items():
            may_be_short = key[1] == last and column in ("command", "user", "fields")
            coarser_unknown = column == "resolution_bytes" and key[0] == "iotop_totals"
            if value is not None and not may_be_short and not coarser_unknown:
                assert value == whole[key][column], (at, key, column)


def around_line_ends(text):
    """Positions before and after every line end, and in the middle of each line."""
    places, start = set(), 0
    for line in text.splitlines(keepends=True):
        end = start + len(line)
        places |= {end - 1, end, start + len(line) // 2}
        start = end
    return sorted(place for place in places if 0 <= place <= len(text))
