"""Tables written in pieces."""

import hashlib
import io

import polars as pl
import pytest

from pipeline.api import export
from pipeline.tables import table_writer
from pipeline.tables.row_groups import ContinuedTableWriter
from pipeline.tables.table_writer import ROW_GROUP_ROWS, TableWriter

ROWS = ROW_GROUP_ROWS + 5000
FRAME = pl.DataFrame(
    {
        "n": range(ROWS),
        "text": [None if n % 7 == 0 else f"command {n % 50}, -5" for n in range(ROWS)],
        "x": [n / 3 for n in range(ROWS)],
    }
)


def write(writer, piece_rows):
    for start in range(0, ROWS, piece_rows):
        writer.write(FRAME.slice(start, piece_rows))


@pytest.mark.parametrize("piece_rows", [1 << 20, 7001])
def test_a_table_in_pieces_has_the_bytes_of_the_whole_one(tmp_path, piece_rows):
    buffer = io.BytesIO()
    FRAME.write_parquet(buffer, compression="zstd", row_group_size=ROW_GROUP_ROWS)
    with TableWriter(tmp_path / "t.parquet", FRAME.schema) as writer:
        write(writer, piece_rows)
    content = (tmp_path / "t.parquet").read_bytes()
    assert content == buffer.getvalue()
    assert (writer.rows, writer.bytes) == (ROWS, len(content))
    assert writer.sha256 == hashlib.sha256(content).hexdigest()


def table_of(rows):
    """Columns of all types of tables: nulls, long texts, one value, none, lists of texts that repeat."""
    numbers = range(rows)
    return pl.DataFrame(
        {
            "role": ["host"] * rows,
            "n": [n * 10**9 for n in numbers],
            "time": pl.Series(numbers).cast(pl.Datetime("ns", "UTC")),
            "text": [None if n % 7 == 0 else f"{n % 50} {'ä' * (n % 90)}" for n in numbers],
            "nothing": pl.Series([None] * rows, dtype=pl.Int64),
            "empty": pl.Series([None if n > 100 else "" for n in numbers], dtype=pl.String),
            "x": [n / 3 if n % 5 else None for n in numbers],
            "nan": [float("nan")] * rows,
            "is": [n % 3 == 0 if n > 70 else None for n in numbers],
        }
    )


@pytest.mark.parametrize(("rows", "more"), [(65, 1), (128, 64), (129, 300), (700, 1000)])
def test_a_table_that_begins_with_copied_row_groups_has_the_bytes_of_one_writing(
    tmp_path, monkeypatch, rows, more
):
    monkeypatch.setattr(table_writer, "ROW_GROUP_ROWS", 64)
    whole = table_of(rows + more)
    for name, frame in (("begun", whole.head(rows)), ("whole", whole)):
        with TableWriter(tmp_path / name, whole.schema) as writer:
            writer.write(frame)
    content = (tmp_path / "whole").read_bytes()
    for groups in {1, (rows - 1) // 64}:
        path = tmp_path / f"{groups}.parquet"
        with ContinuedTableWriter(path, whole.schema, tmp_path / "begun", groups) as writer:
            for start in range(groups * 64, whole.height, 97):
                writer.write(whole.slice(start, 97))
        assert path.read_bytes() == content
        assert (writer.rows, writer.bytes) == (whole.height, len(content))
        assert writer.sha256 == hashlib.sha256(content).hexdigest()
    assert len(list(tmp_path.iterdir())) == 2 + len({1, (rows - 1) // 64})


def test_a_file_of_another_layout_is_not_continued(tmp_path, monkeypatch):
    monkeypatch.setattr(table_writer, "ROW_GROUP_ROWS", 64)
    frame, good = table_of(200), tmp_path / "good.parquet"
    frame.write_parquet(good, compression="zstd", row_group_size=64)
    content = good.read_bytes()
    damaged = [b"", b"PAR1", content[:-1], content[:-200] + content[-8:]]
    damaged.append(content[:-8] + b"\xff\xff\xff\xff" + content[-4:])
    damaged.append(content[:-60] + b"\x1c" * 52 + content[-8:])
    for number, data in enumerate(damaged):
        (tmp_path / str(number)).write_bytes(data)
    frame.write_parquet(tmp_path / "rows", compression="zstd", row_group_size=100)
    frame.write_parquet(tmp_path / "arrow", use_pyarrow=True, row_group_size=64)
    for name in (*map(str, range(len(damaged))), "rows", "arrow"):
        with pytest.raises(ValueError):
            ContinuedTableWriter(tmp_path / "new", frame.schema, tmp_path / name, 1)
    assert not (tmp_path / "new.rest").exists()


def test_a_table_without_rows_is_a_file(tmp_path):
    with TableWriter(tmp_path / "t.parquet", FRAME.schema):
        pass
    assert pl.read_parquet(tmp_path / "t.parquet").equals(FRAME.clear())


@pytest.mark.parametrize("suffix", [".csv", ".json", ".ndjson", ".parquet"])
def test_a_frame_in_pieces_is_that_of_write_frame(tmp_path, suffix):
    whole, pieces = tmp_path / f"whole{suffix}", tmp_path / f"pieces{suffix}"
    export.write_frame(FRAME, whole)
    with export.FrameWriter(pieces, FRAME.schema) as writer:
        write(writer, 7001)
    if suffix == ".parquet":
        assert pl.read_parquet(pieces).equals(pl.read_parquet(whole))
    else:
        assert pieces.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("name", export.TEXT_PIECES)
def test_a_frame_without_rows_in_pieces_is_that_of_write_frame(tmp_path, name):
    whole, pieces = tmp_path / "whole.dat", tmp_path / "pieces.dat"
    export.write_frame(FRAME.clear(), whole, name)
    with export.FrameWriter(pieces, FRAME.schema, name) as writer:
        writer.write(FRAME.clear())
        writer.close()
    assert pieces.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_an_interrupted_frame_leaves_no_file(tmp_path, suffix):
    with (
        pytest.raises(KeyError),
        export.FrameWriter(tmp_path / f"t{suffix}", FRAME.schema) as writer,
    ):
        writer.write(FRAME)
        raise KeyError
    assert list(tmp_path.iterdir()) == []
