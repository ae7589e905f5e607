"""The fuzzing itself: it finds what is broken, keeps the smallest part that does it, and repeats by seed."""

import pytest
from fuzz import Fuzz
from golden import GOLDEN, goldens
from invariants import check_log, line_count

from pipeline.parse import block

ROW = b"   8       0 sda 100 0 800 9 50 1 408 7 0 16 16\n"


@pytest.fixture
def broken(monkeypatch):
    """A parser that fails at one word."""
    whole = block.parse

    def parse(log, **given):
        if log.lines["text"].str.contains("BAD", literal=True).any():
            raise IndexError("oh")
        return whole(log, **given)

    monkeypatch.setattr(block, "parse", parse)


def test_a_failure_is_a_find_and_its_smallest_part_is_kept(broken, tmp_path, capsys):
    fuzz = Fuzz(seed=1, folder=tmp_path)
    fuzz._parse_together("block", [ROW] * 5 + [ROW + b"BAD\n"] + [ROW] * 6, {}, "again")
    assert fuzz.failures == ["block-1-1.log"]
    kept = (tmp_path / "block-1-1.log").read_bytes()
    assert kept.count(ROW) == 1 and b"BAD" in kept
    assert "again: again" in capsys.readouterr().out


def test_a_find_names_the_exception(broken):
    assert "IndexError" in check_log("block", b"BAD\n", {}).violation
    assert check_log("block", ROW, {}).violation is None


def test_a_round_repeats(tmp_path):
    def seen(seed):
        fuzz = Fuzz(seed, tmp_path)
        logs = []
        fuzz._check = lambda kind, data, given: logs.append(data) or check_log(kind, ROW, given)
        fuzz.round("block", [path.read_bytes() for path in goldens("block")], 3)
        return logs

    assert seen(1) == seen(1) != seen(2)


@pytest.mark.parametrize(
    ("data", "count"),
    [(b"", 0), (b"\n", 1), (b"a", 1), (b"a\r\r\nb\rc", 3), (b"a\r", 1), (b"\xef\xbb\xbfa\n\n", 2)],
)
def test_lines_are_counted_by_their_ends(data, count):
    assert line_count(data) == count


def test_every_kind_has_goldens_to_spoil():
    assert {path.name for path in GOLDEN.iterdir()} >= {"top", "iotop", "block", "tasks"}
