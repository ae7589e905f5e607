"""Compressed logs that decompress to far more than a log does."""

import gzip

import pytest
import zstandard

from pipeline.parse import decompress
from pipeline.parse.errors import UnreadableError


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_log_that_would_fill_the_memory_is_refused(monkeypatch, suffix):
    monkeypatch.setattr(decompress, "MAX_BYTES", 1 << 20)
    zeros = bytes(64 << 20)
    packed = gzip.compress(zeros) if suffix == ".gz" else zstandard.compress(zeros)
    with pytest.raises(UnreadableError, match="1000 times its size"):
        decompress.decompress(packed, "top.log" + suffix)
