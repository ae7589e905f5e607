"""Logs that are too large: when decompressed, a line of them, or for the available memory."""

import gzip
import pickle

import pytest
import zstandard

from pipeline.parse import LimitError, UnreadableError, decompress, limits, parse_file, read_log

LINE = b"8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n"


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
def test_a_log_of_more_than_the_allowed_text_is_refused(tmp_path, pack):
    path = tmp_path / "block.log"
    path.write_bytes(pack(100 * LINE))
    assert parse_file("block", path, max_expanded_bytes=100 * len(LINE)).lines == 100
    with pytest.raises(LimitError) as caught:
        parse_file("block", path, max_expanded_bytes=100 * len(LINE) - 1)
    assert pickle.loads(pickle.dumps(caught.value)).text_bytes == 100 * len(LINE) - 1


def test_not_much_more_than_the_allowed_text_is_decompressed(tmp_path, monkeypatch):
    path = tmp_path / "block.log.zst"
    path.write_bytes(zstandard.compress(200_000 * LINE))
    monkeypatch.setattr(decompress, "CHUNK_BYTES", 16)
    seen = []
    check = limits.Budget.check_expanded
    monkeypatch.setattr(
        limits.Budget,
        "check_expanded",
        lambda self, count, name: (seen.append(count), check(self, count, name)),
    )
    with pytest.raises(LimitError):
        read_log(path, max_expanded_bytes=100_000)
    assert 100_000 < seen[-1] < 1_000_000


@pytest.mark.parametrize("pack", [bytes, zstandard.compress])
@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_a_line_that_is_too_long_is_refused_with_its_number(tmp_path, monkeypatch, pack, end):
    monkeypatch.setattr(limits, "MAX_LINE_BYTES", 1000)
    path = tmp_path / "top.log"
    path.write_bytes(pack((b"x" * 1000 + end) * 3))
    assert read_log(path).lines.height == 3
    path.write_bytes(pack((b"x" * 1000 + b"\n") * 3 + b"x" * 1001 + end + b"y\n"))
    with pytest.raises(UnreadableError, match=r"top.log:4: ") as caught:
        read_log(path)
    assert not isinstance(caught.value, LimitError)


def test_a_log_that_does_not_fit_into_the_memory_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "block.log"
    path.write_bytes(100 * LINE)
    monkeypatch.setattr(limits, "SMALL_BYTES", 0)
    needed = 100 * (limits.MEMORY_PER_BYTE * len(LINE) + limits.MEMORY_PER_LINE)
    monkeypatch.setattr(limits, "available_memory_bytes", lambda: needed)
    assert read_log(path).lines.height == 100
    monkeypatch.setattr(limits, "available_memory_bytes", lambda: needed - 1)
    with pytest.raises(LimitError) as caught:
        read_log(path)
    assert caught.value.text_bytes == needed // limits.MEMORY_PER_BYTE


@pytest.mark.parametrize(
    ("groups", "files", "available"),
    [
        ("", {}, 8_000_000 * 1024),
        ("0::/a/b\n", {"a/memory.max": "900", "a/memory.current": "200"}, 700),
        (
            "0::/a\n",
            {
                "a/memory.max": "900",
                "a/memory.current": "200",
                "a/memory.stat": "anon 5\ninactive_file 50\n",
                "memory.max": "max",
                "memory.current": "5",
            },
            750,
        ),
        (
            "4:cpu,memory:/x:y\n0::/\n",
            {
                "memory/memory.limit_in_bytes": "500",
                "memory/memory.usage_in_bytes": "600",
            },
            0,
        ),
    ],
)
def test_the_memory_that_control_groups_leave(tmp_path, groups, files, available):
    texts = {
        "proc/meminfo": "MemFree: 1 kB\nMemAvailable:  8000000 kB\n",
        "proc/self/cgroup": groups,
    }
    texts |= {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert limits.available_memory_bytes(tmp_path) == available
