"""Rows of top at fixed columns: every row that is read there is what the parser of any row reads.

PYTHONPATH=. python tests/parse/test_top_tokens.py 1000000     that number of spoiled rows
"""

import os
import random
import sys

import numpy as np
import polars as pl
import pytest
from golden import goldens
from test_pieces import assert_same, outcome

from pipeline import tables
from pipeline.parse import ascii_fields, log_from_text, tokens, top_sketch, top_tokens
from pipeline.parse.parsed import select_table_columns
from pipeline.parse.top_columns import parse_header
from pipeline.parse.top_rows import _parse_rows

TITLES = (
    "    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND",
    "  PID USER      PR  NI    VIRT    RES    SHR S %CPU %MEM     TIME+ COMMAND",
    "  PID  PPID  TGID USER      PR  NI    VIRT    RES    SHR S  %CPU %MEM     TIME+ COMMAND",
    "    PID S %CPU     TIME+ COMMAND",
)
SIGNS = "0123456789 0123456789 .:,-+kmgtKMGTRSrt?%\tax~"


def field(name, dice):
    """A field of a row as top prints it, with rare forms."""
    pick = dice.choice
    if name in ("PID", "PPID", "TGID"):
        return str(dice.randrange(10 ** dice.randrange(1, 8)))
    if name == "USER":
        return pick(("root", "systemd+", "mysql", "a-b", "u_1.2"))
    if name == "PR":
        return pick(("20", "0", "-51", "rt", "RT", "-2"))
    if name == "NI":
        return pick(("0", "-20", "19", "-1"))
    if name in ("VIRT", "RES", "SHR"):
        unit = pick(("", "", "k", "m", "g", "t"))
        point = pick(("", f".{dice.randrange(100)}", ".5")) if unit else ""
        return f"{dice.randrange(10 ** dice.randrange(1, 8))}{point}{unit}"
    if name == "S":
        return pick("RSDTZI?t")
    if name in ("%CPU", "%MEM"):
        return pick((f"{dice.randrange(2000) / 10:.1f}",) * 20 + ("100", "0.0"))
    minutes = dice.randrange(10 ** dice.randrange(1, 6))
    second = f"{dice.randrange(60):02d}"
    return pick(
        (f"{minutes}:{second}.{dice.randrange(100):02d}",) * 4 + (f"{minutes}:{second}", "5h")
    )


def rows(title, count, dice):
    """Rows under a title, most in its columns, half of them with one to three changed characters."""
    names = title.split()
    for _ in range(count):
        line = ""
        for name in names[:-1]:
            start = title.index(f" {name} " if line else name) + bool(line)
            width = max(1, start + (8 if name == "USER" else len(name)) - len(line))
            text = field(name, dice)
            for _ in range(8):
                if len(text) >= width and dice.random() < 0.99:
                    text = field(name, dice)
            line += f" {text:<{width - 1}}" if name == "USER" else f"{text:>{width}}"
        line += " " + dice.choice(
            (
                "top",
                "kworker/0:1H",
                "qemu-kvm -name guest=web -m 512",
                "a  b ",
                " x",
                "",
                "y    ",
                "-\xe9",
            )
        )
        characters = list(line)
        for _ in range(dice.choice((0, 0, 0, 1, 2, 3))):
            at = dice.randrange(len(characters))
            change = dice.randrange(3)
            if change == 0:
                characters[at] = dice.choice(SIGNS)
            elif change == 1:
                characters.insert(at, dice.choice(SIGNS))
            elif len(characters) > 1:
                del characters[at]
        yield "".join(characters).encode("ascii", "replace").decode()


def table(columns):
    """Columns of ``top_processes`` of rows."""
    return tables.conform(
        select_table_columns(columns, "top_processes").with_columns(snapshot=0, is_thread=False),
        tables.TOP_PROCESSES,
    )


def compare(title, count, seed):
    """Number of rows that are read at fixed columns, of ``count``, after all are compared."""
    dice = random.Random(seed)
    text = "\n".join([title, *rows(title, count, dice)]) + "\n" + "x" * 200
    lines = tokens.Text(text.encode())
    starts, ends = lines.line_starts[1:-1], lines.line_ends[1:-1]
    header = parse_header(title)
    layout = top_tokens.layout_of(title, header)
    assert layout is not None
    is_row = ascii_fields.begin_with_number(lines.eight_bytes_at(starts))
    columns, is_read = top_tokens.read(lines, starts[is_row], ends[is_row], layout)
    lines = np.flatnonzero(is_row) + 2
    fast = pl.DataFrame({"line": lines, **columns}).filter(pl.Series(is_read))
    log = log_from_text(text, "x.log")
    every = log.lines.with_columns(snapshot=pl.lit(0, pl.Int64)).select("line", "text", "snapshot")
    numbers = every.filter(pl.col("text").str.contains(r"^\s*[0-9]+\s"))["line"]
    assert set(lines.tolist()) <= set(numbers.to_list())
    slow, _ = _parse_rows(every.filter(pl.col("line").is_in(fast["line"].implode())), header, log)
    assert table(fast).equals(table(slow), null_equal=True)
    return fast.height


@pytest.mark.parametrize("title", TITLES)
def test_spoiled_rows(title):
    assert 300 < compare(title, 4000, title) < 3900


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12345678", 12345678),
        ("       0", 0),
        ("      1 ", None),
        (" 1 22333", None),
        ("    -123", None),
        ("   1/234", None),
    ],
)
def test_whole_numbers(text, value):
    values, is_number = ascii_fields.read_unsigned(np.frombuffer(text.encode(), dtype="<u8"))
    assert (values[0] if is_number[0] else None) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("     -20", -20),
        ("      19", 19),
        ("    - 20", None),
        ("     2-0", None),
        ("-1234567", -1234567),
        ("       -", None),
    ],
)
def test_whole_numbers_with_a_sign(text, value):
    values, is_number = ascii_fields.read_signed(np.frombuffer(text.encode(), dtype="<u8"))
    assert (values[0] if is_number[0] else None) == value


@pytest.fixture
def careful(monkeypatch):
    """Reads with every row by the parser of any row."""

    def read(data, **given):
        with monkeypatch.context() as patch:
            patch.setenv("QUEUEVISOR_CAREFUL", "1")
            return outcome("top", data, 1 << 30, **given)

    return read


@pytest.mark.parametrize("piece_bytes", [1 << 14, 1 << 30])
@pytest.mark.parametrize("name", ["second/web-021-poisson-6/host", "second/db-32-sweep-3/db"])
def test_a_shipped_log(root, name, piece_bytes, careful, monkeypatch):
    data = (root / "data/raw/kvm-case-study" / name / "top.log.zst").read_bytes()
    counts = []
    read = top_sketch.Sketch.read
    monkeypatch.setattr(
        top_sketch.Sketch, "read", lambda self, *a: counts.append(read(self, *a)) or counts[-1]
    )
    assert_same(careful(data), outcome("top", data, piece_bytes))
    assert counts and all(rows is not None and rows.count > 10 for rows in counts)


def test_damaged_logs(careful, monkeypatch):
    monkeypatch.setattr(top_sketch, "MIN_BYTES", 0)
    logs = [path.read_bytes() * 8 for path in goldens("top") if path.read_bytes().isascii()]
    for number in range(8):
        dice = random.Random(f"tokens {number}")
        data = bytearray(dice.choice(logs))
        for _ in range(20):
            at = dice.randrange(len(data))
            data[at : at + dice.randrange(2)] = dice.choice(SIGNS).encode()
        assert_same(careful(bytes(data)), outcome("top", bytes(data), dice.choice((3000, 1 << 30))))


if __name__ == "__main__":
    os.environ["POLARS_MAX_THREADS"] = "1"
    wanted = int(sys.argv[1])
    read = sum(compare(TITLES[n % len(TITLES)], 50_000, n) for n in range(wanted // 50_000))
    print(f"{wanted:,} rows, {read:,} read at fixed columns, all as by the parser of any row")
