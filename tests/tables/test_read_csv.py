"""CSV files as people and spreadsheets write them."""

import polars as pl
import pytest

from pipeline.tables import TableError
from pipeline.tables.read_csv import read_csv, read_csv_texts


@pytest.fixture
def write(tmp_path):
    def to_file(content):
        path = tmp_path / "table.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to_file


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a,b\n1,2.5\n3,4\n", {"a": [1, 3], "b": [2.5, 4.0]}),
        ("\ufeffa;b\r\n1;2,5\r\n3;-4\r\n", {"a": [1, 3], "b": [2.5, -4.0]}),
        ("a\tb\n1\t2.5\n\n3\t\n", {"a": [1, 3], "b": [2.5, None]}),
        ('a,b\n"1,234",x\n"12,345,678.5",y\n', {"a": [1234.0, 12345678.5], "b": ["x", "y"]}),
        ("a;b\n1.234,5;1.234\n2;3\n", {"a": [1234.5, 2.0], "b": [1234, 3]}),
        ("a;b\n1,234;x\n", {"a": [1.234], "b": ["x"]}),
        ("a;b\n1 234.5;1'000\n", {"a": [1234.5], "b": [1000]}),
        ("a,b\n1e-3,−5\n", {"a": [0.001], "b": [-5]}),
        ("a,b\n1,NA\n2,n/a\n", {"a": [1, 2], "b": [None, None]}),
        ('a,b\n1,"two\nlines"\n', {"a": [1], "b": ["two\nlines"]}),
        ('a,b\n1,"3,5"\n', {"a": [1], "b": ["3,5"]}),
        (",b\n0,5\n", {"column 1": [0], "b": [5]}),
        ("a\n99999999999999999999\n", {"a": [1e20]}),
    ],
)
def test_forms(write, content, expected):
    assert read_csv(write(content)).to_dict(as_series=False) == expected


@pytest.mark.parametrize(
    ("content", "where", "what"),
    [
        ("", "table.csv:", "empty"),
        ("\n\n", "table.csv:", "empty"),
        ("a,b\n", "table.csv:", "no row"),
        ("1,2\n3,4\n", ":1:", "name the columns"),
        ("a,b,a\n1,2,3\n", ":1:", "columns 1 and 3"),
        ("a,b\n1,2\n3\n", ":3:", "1 field, but the header has 2"),
        ('a,b\n"1\n2",3\n4,5,6\n', ":4:", "3 fields"),
        ("a;b\n1,5;2.5\n", "table.csv:", "line 2"),
        ("a\tb\n1,234\t2\n", ":2:", "three digits"),
        (b"a,b\n1,\xe4\n", ":2:", "not UTF-8"),
        ("a,b\n1,\0\n", ":2:", "NUL"),
        ('a,b\n1,"2\n', ":2:", "end of data"),
        ("a,b\n1," + "9" * 200_000 + "\n", ":2:", "field larger"),
    ],
)
def test_errors_have_the_place(write, content, where, what):
    with pytest.raises(TableError) as error:
        read_csv(write(content))
    assert where in str(error.value)
    assert what in str(error.value)


def test_a_file_that_is_too_large_or_not_there(write, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.tables.read_csv.read_regular_file.__defaults__", (10,))
    with pytest.raises(TableError, match="larger than 10 bytes"):
        read_csv(write("a,b\n1,2\n3,4\n"))
    with pytest.raises(TableError, match="No such file"):
        read_csv(tmp_path / "none.csv")
    with pytest.raises(TableError, match="directory"):
        read_csv(tmp_path)


def test_texts_keep_the_printed_digits_and_the_lines(write):
    table = read_csv_texts(write("a;b\n\n2,690;x\n1.000,50;y\n"))
    assert table.numerals("a").to_list() == ["2.690", "1000.50"]
    assert table.numerals("b").to_list() == [None, None]
    assert table.lines.to_list() == [3, 4]
    assert table.decimal == ","


def test_blocks_of_rows_are_joined(write, monkeypatch):
    monkeypatch.setattr("pipeline.tables.read_csv.BLOCK_ROWS", 3)
    frame = read_csv(write("a,b\n" + "".join(f"{i},{i}.5\n" for i in range(7))))
    assert frame.equals(pl.DataFrame({"a": range(7), "b": [i + 0.5 for i in range(7)]}))
