"""One line per row of iotop."""

import io

import iotop_lines


def test_row_is_limited():

    out = io.StringIO()
    print(" 7 be/4 " + "x" * 1000000, file=iotop_lines.OneLineRows(out))
    assert len(out.getvalue()) <= iotop_lines.MAX_ROW_CHARACTERS + 1
