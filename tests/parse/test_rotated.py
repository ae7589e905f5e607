"""Rotated logs: segments are read like one log."""

import polars as pl
import pytest
import zstandard
from polars.testing import assert_frame_equal

from pipeline import parse
from pipeline.parse import texts

BOOT = "0f0e0d0c-0b0a-4908-8706-050403020100"
START = 1_795_383_360


def tick(seq, boot=BOOT, at=None):
    at = START + seq if at is None else at
    return f"#T {at * 10**9} {(50 + seq) * 10**9} {seq} {boot}\n"


def top(seq):
    return tick(seq) + (
        f"top - 12:00:{seq:02d} up 1 day,  2:03,  0 user,  load average: 0.00, 0.01, 0.05\n"
        "Tasks:   2 total,   1 running,   1 sleeping,   0 stopped,   0 zombie\n"
        f"%Cpu(s):  {seq}.5 us,  0.7 sy,  0.0 ni, 90.0 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st\n\n"
        "    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n"
        f"      9 root      20   0    1000    500    100 S   1.{seq}   0.1   0:0{seq}.10 a\n"
        f"     10 root      20   0    1000    500    100 R   0.0   0.1   0:00.0{seq} b c\n"
    )


def iotop(seq):
    return tick(seq) + (
        f"Total DISK READ:         0.00 K/s | Total DISK WRITE:      {seq}1.00 K/s\n"
        "Current DISK READ:       0.00 K/s | Current DISK WRITE:       0.00 K/s\n"
        "    TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND\n"
        f"     10 be/4 root        0.00 K/s    {seq}1.00 K/s  0.00 %  0.01 % b c\n"
    )


def block(seq):
    return tick(seq) + f"/sys/block/vda/stat: {seq} 0 8 3 5 0 40 9 0 {seq} 12\n"


def tasks(seq, head=False):
    repeated = "c 9 44 a --b\nv 9 9 44 emulator - command web\n" if head else ""
    return tick(seq) + (
        f"cpu  {seq} 0 4 900 0 0 0 0 0 0\n{repeated}p 9 44 1 S 1 {seq} 4 0 0 2 7 512 a\n"
        f"i 9 44 9 8 1 2 4096 {seq} 0\nt 9 9 44 S 0 {seq} 4 - 7 a\n"
    )


KINDS = {"top": top, "iotop": iotop, "block": block, "tasks": tasks}


def written(tmp_path, kind, cuts, *, ticks=9, end="#END SIGTERM\n"):
    """The log in segments that start at the snapshots ``cuts``: [(path, name)]."""
    files = []
    for number, begin in enumerate(cuts, 1):
        until = [*cuts, ticks][number]
        text = "".join(
            tasks(k, head=k == begin) if kind == "tasks" else KINDS[kind](k)
            for k in range(begin, until)
        )
        data = (text + (end if until == ticks else "#END rotated\n")).encode()
        name = f"{kind}.{number:05d}.log"
        if number % 2:
            name, data = f"{name}.zst", zstandard.compress(data)
        (tmp_path / name).write_bytes(data)
        files.append((tmp_path / name, f"host/{name}"))
    return files


def read(kind, files):
    got = list(parse.parse_segments(kind, files, tz="UTC"))
    assert not [g for g in got if isinstance(g, parse.ParseError)]
    return got


def joined(got, name):
    return pl.concat([g.tables[name] for g in got])


@pytest.mark.parametrize("kind", KINDS)
def test_segments_read_like_one_log(tmp_path, kind):
    whole = read(kind, written(tmp_path, kind, [0]))
    segments = read(kind, written(tmp_path, kind, [0, 1, 4, 5]))
    assert sum(g.snapshots for g in segments) == 9
    for name in whole[0].tables:
        assert_frame_equal(joined(segments, name).drop("line"), joined(whole, name).drop("line"))
        lines = joined(segments, name)["line"]
        assert lines.is_sorted() and lines.n_unique() == lines.len()
    assert [w for g in segments for w in g.warnings] == []
    for g in segments:
        assert g.record_lines + g.headers + g.rejects.height == g.lines
    in_all = sum(g.lines for g in segments)
    told_again = 3 * 2 if kind == "tasks" else 0
    assert in_all == whole[0].lines + 3 + told_again, "an #END for each end"


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_segment_gives_a_warning_and_loses_only_itself(tmp_path, kind):
    files = written(tmp_path, kind, [0, 2, 4, 6])
    got = read(kind, [files[0], files[2], files[3]])
    assert [w for g in got for w in g.warnings] == [
        f"{files[2][1]}:1: {texts.missing_snapshots(2, files[0][1])}"
    ]
    main = next(iter(got[0].tables))
    assert joined(got, main)["seq"].unique().sort().to_list() == [0, 1, 4, 5, 6, 7, 8]
    if kind == "tasks":
        assert set(joined(got, "tasks")["virtual_server_name"]) == {"web"}, "repeated at the start"


def test_a_reject_keeps_its_file_and_its_line_there(tmp_path):
    files = written(tmp_path, "block", [0, 3, 6])
    text = files[1][0].read_text().splitlines(keepends=True)
    text.insert(3, "/sys/block/vda/stat: x\n")
    files[1][0].write_text("".join(text))
    got = read("block", files)
    rejects = pl.concat([g.rejects for g in got])
    assert rejects.select("file", "line").rows() == [("host/block.00002.log", 4)]
    after = joined(got, "block").filter(pl.col("seq") == 6)["line"].item()
    assert after == got[0].lines + got[1].lines + 2, "the line in all segments, one after the other"


def test_a_segment_truncated_in_a_line_does_not_run_into_the_next(tmp_path):
    files = written(tmp_path, "tasks", [0, 3, 6])
    whole = files[1][0].read_bytes()
    files[1][0].write_bytes(whole[: whole.rfind(b" 7 a\n")])
    got = read("tasks", files)
    assert [g.rejects.height for g in got] == [0, 1, 0]
    assert joined(got, "tasks").filter(pl.col("seq").is_in([5])).is_empty()
    assert any("no #END" in w for w in got[1].warnings)


@pytest.mark.parametrize(
    ("gap", "is_interval"),
    [("#GAP top ended\n", False), ("#GAP the disk was full\n", True), ("", True)],
)
def test_the_first_snapshot_of_a_segment_is_an_interval_unless_the_tool_was_restarted(
    tmp_path, gap, is_interval
):
    files = written(tmp_path, "top", [0, 3])
    files[1][0].write_text(gap + files[1][0].read_text())
    summary = joined(read("top", files), "top_summary")
    assert summary["is_interval"].to_list() == [False, True, True, is_interval, *[True] * 5]


def test_segments_of_two_recordings_are_not_joined(tmp_path):
    files = written(tmp_path, "top", [0, 3])
    text = files[1][0].read_text()
    for other in (text.replace(BOOT, "another-boot"), text.replace(tick(3), tick(1, at=START + 3))):
        files[1][0].write_text(other)
        got = read("top", files)
        assert texts.other_recording("host/top.00001.log.zst") in got[1].warnings[-1]
        assert joined(got, "top_summary")["is_interval"][3] is False


def test_a_segment_that_cannot_be_read_is_an_error_among_the_others(tmp_path):
    files = written(tmp_path, "tasks", [0, 3, 6])
    files[1][0].write_text("nothing of ours\n")
    got = list(parse.parse_segments("tasks", files))
    assert [isinstance(g, parse.ParseError) for g in got] == [False, True, False]
    assert got[1].file == "host/tasks.00002.log"
    assert any("3 snapshots missing" in w for w in got[2].warnings)
