"""Frames as files of other programs."""

import json
import re
import subprocess
import sys

import polars as pl
import pytest

from pipeline.api import ExportError, export, formats, write_frame

FRAME = pl.DataFrame(
    {
        "quantity": ["R_cpu", "100 % & more"],
        "value": [-0.5, None],
        "flags": [["a_b", "<script>"], None],
        "text": ["=1+1", "\x1b[2J {x} $y$ \\z ≥ 3"],
    }
)


@pytest.mark.parametrize("suffix", export.FORMATS)
def test_a_suffix_is_a_format(tmp_path, suffix):
    out = tmp_path / f"table{suffix}"
    write_frame(FRAME, out)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    content = out.read_bytes()
    if suffix in (".json", ".ndjson"):
        rows = (
            json.loads(content) if suffix == ".json" else [*map(json.loads, content.splitlines())]
        )
        assert rows == FRAME.to_dicts()
    elif suffix == ".parquet":
        assert pl.read_parquet(out).equals(FRAME)
    elif suffix == ".csv":
        assert pl.read_csv(out)["flags"].to_list() == ["a_b; <script>", None]
    else:
        assert content[:2] == (b"PK" if suffix == ".xlsx" else b"% ")


def test_a_spreadsheet_has_numbers_and_no_formula():
    from io import BytesIO
    from zipfile import ZipFile

    with ZipFile(BytesIO(export.to_xlsx(FRAME))) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet and "<v>-0.5</v>" in sheet


def test_latex_escapes_every_special_character_and_fits_the_line():
    text = export.to_latex(FRAME.with_columns(text=pl.col("text") + " word" * 20), ["50_% of it"])
    body = text[text.index(r"\midrule") : text.index(r"\end{longtable}")]
    assert r"R\_cpu" in body and r"100 \% \& more" in body and "$-$0.5" in body
    assert r"\textless{}script\textgreater{}" in body and r"\textbackslash{}z" in body
    assert r"\{x\} \$y\$" in body and r"$\ge$" in body
    assert "\x1b" not in text and text.isascii()
    assert not re.search(r"(?<!\\)[_#%]", body)
    assert [line.count(" & ") for line in body.splitlines() if " & " in line] == [3, 3]
    assert r"\textsuperscript{1} 50\_\% of it" in text
    head = text.splitlines()[2]
    widths = [float(width) for width in re.findall(r"p\{([\d.]+)\\linewidth\}", head)]
    assert len(widths) == 1 and 0.3 < widths[0] < 0.8
    assert text.count(r"\begingroup") == text.count(r"\endgroup") == 1


def test_a_format_is_the_suffix_or_where_there_is_none_the_name():
    assert export.format_of("a.CSV") == "csv"
    assert export.format_of("a.dat", "json") == "json"
    assert export.format_of("a.tex", "latex") == "latex"
    with pytest.raises(ExportError, match=r"\.csv, \.json"):
        export.format_of("a.doc")
    with pytest.raises(ExportError, match="suffix of xlsx, but the format is csv"):
        export.format_of("a.xlsx", "csv")
    with pytest.raises(ExportError, match="no such format"):
        export.to_bytes(FRAME, "doc")


def test_what_cannot_be_written_is_one_line_and_changes_nothing(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_text("x")
    for out in ("folder.csv", "no/such/a.csv", "file/a.csv"):
        with pytest.raises(ExportError, match=r"cannot be written: [A-Z]") as error:
            write_frame(FRAME, tmp_path / out)
        assert "\n" not in str(error.value)
        with pytest.raises(ExportError, match="cannot be written"):
            formats.check_writable(tmp_path / out)
    with pytest.raises(ExportError, match="not a regular file"):
        formats.check_writable("/dev/null")
    assert {path.name for path in tmp_path.rglob("*")} == {"folder.csv", "file"}


def test_a_full_disk_leaves_the_old_file(tmp_path):
    """A limit on the size of files stands for the full disk."""
    out = tmp_path / "a.csv"
    out.write_text("old")
    script = f"""
import resource
import polars as pl
from pipeline.api import ExportError, write_frame
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_frame(pl.DataFrame({{"a": range(10_000)}}), {str(out)!r})
except ExportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == f"{out}: cannot be written: File too large\n", done.stderr
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_text_of_a_csv_file_is_no_formula_and_no_escape_sequence():
    texts = [
        "=1+1",
        "-5",
        "\tx",
        "@a",
        "+1.5e3",
        "-",
        "＝1",
        "a\x9bb\u202ec\x7f\x1b[2J",
        "two\nlines",
        "–",
    ]
    frame = pl.DataFrame({"text": texts, "other": "=A1", "value": -1.5})
    read = pl.read_csv(export.to_csv(frame).encode())
    assert read["text"].to_list() == [
        "'=1+1", "-5", "'\tx", "'@a", "+1.5e3", "'-", "'＝1", r"a\x9bb\u202ec\x7f\x1b[2J", "two\nlines", "–",
    ]  # fmt: skip
    assert read["other"].unique().to_list() == ["'=A1"] and read["value"].sum() == -15
    assert json.loads(export.to_json(frame)) == frame.to_dicts()
    assert all(c.isprintable() or c == "\n" for c in export.to_json(frame))
