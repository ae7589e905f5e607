"""Tables written in pieces."""

import hashlib
import io

import polars as pl
import pytest

from pipeline.api import export
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
