"""Logs of snapshots: numbers, gaps, segments."""

import subprocess

import pytest
import snapshot_log

from ..helpers import collect, decompress, needs_root, needs_top, segments, snapshots, wait_for


def test_sequence_numbers_are_unique(tmp_path):
    log = snapshot_log.Log("a.log", "boot", snapshot_log.DiskSpace(str(tmp_path), 0))
    assert log.sentinel(1, 2).split()[3] == b"0"
    assert log.sentinel(1, 2, seq=7).split()[3] == b"7"
    assert log.sentinel(1, 2, seq=3).split()[3] == b"8"
    with pytest.raises(FileExistsError):
        snapshot_log.Log("a.log", "boot", log.space)


BOOT = "0f0e0d0c-0b0a-4908-8706-050403020100"


def new_log(folder, how):
    space = snapshot_log.DiskSpace(str(folder), 0)
    rotation = snapshot_log.Rotation(how, space.folder)
    return snapshot_log.Log("a.log", BOOT, space, rotation), rotation


def snapshot(log, k, size=100):
    rotated = log.rotate_if_due()
    log.write(log.sentinel(k, k) + b"x" * size + b"\n")
    return rotated


def test_segment_ends_by_size_between_two_snapshots(tmp_path):
    log, rotation = new_log(tmp_path, "1K")
    for k in range(40):
        snapshot(log, k)
    log.close("done")
    names = segments(tmp_path, "a")
    assert [p.name for p in names[:2]] == ["a.00001.log", "a.00002.log"] and len(names) > 3
    numbers = []
    for p in names:
        records, last = snapshots(p)
        assert last == ("#END done" if p == names[-1] else "#END rotated")
        assert p.stat().st_size < 1024 + 250 and all(len(lines) == 1 for _, lines in records)
        numbers += [int(fields[2]) for fields, _ in records]
    assert numbers == list(range(40)), "numbers continue"
    assert rotation.compressor.queue == [p.name for p in names[:-1]]
    assert log.finished_bytes + log.size == sum(p.stat().st_size - 13 for p in names[:-1]) + (
        names[-1].stat().st_size - 10
    )


def test_segments_by_time_end_together(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(snapshot_log.time, "monotonic", lambda: now[0])
    space = snapshot_log.DiskSpace(str(tmp_path), 0)
    rotation = snapshot_log.Rotation("1m", space.folder)
    log_a, log_b = (
        snapshot_log.Log("a.log", BOOT, space, rotation),
        snapshot_log.Log("b.log", BOOT, space, rotation),
    )
    rotated = []
    for second in range(200):
        now[0] = 100.0 + second
        if snapshot(log_a, second):
            rotated.append(second)
        if second % 7 == 0:
            snapshot(log_b, second)
    assert rotated == [60, 120, 180]
    log_a.close("done")
    log_b.close("done")
    first = {p.name: int(snapshots(p)[0][0][0][0]) for p in segments(tmp_path, "b")}
    assert first == {"b.00001.log": 0, "b.00002.log": 63, "b.00003.log": 126, "b.00004.log": 182}


@pytest.mark.parametrize(
    "how", ["", "64", "M", "64MB", "0s", "-1h", "1h;2h", "1h,", "1e3s", "0.5s"]
)
def test_invalid_rotation(how):
    with pytest.raises(ValueError, match="not a size"):
        snapshot_log.Rotation(how, None)


def test_gap_is_written_into_the_next_segment(tmp_path):
    log, _ = new_log(tmp_path, "1K")
    snapshot(log, 0, 1100)
    log.add_gap("top ended")
    log.add_missed_ticks(2)
    log.add_missed_ticks(1)
    snapshot(log, 1)
    log.close("done")
    head = (tmp_path / "a.00002.log").read_text().splitlines()[0]
    assert head == "#GAP missed 3 ticks; top ended"


def test_gap_is_limited_while_a_disk_stays_full(tmp_path):
    log, _ = new_log(tmp_path, "1K")
    log.space.is_writable = False
    for k in range(10000):
        log.add_missed_ticks(1)
        log.add_gap(f"top ended: {k}")
        snapshot(log, k)
    assert not log.rotate_if_due(), "no new segment on a full disk"
    assert len(log.gap_line()) < 400
    log.space.is_writable = True
    snapshot(log, 10000)
    log.close("done")
    text = (tmp_path / "a.00001.log").read_text()
    assert (
        text.startswith("#GAP missed 10000 ticks; top ended: 0; ") and "the disk was full" in text
    )
    assert log.lost_snapshots == 10000


@needs_root
def test_segment_goes_on_without_a_free_inode(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=3", "tmpfs", place],
        stderr=subprocess.PIPE,
    ).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        log, _ = new_log(place, "1K")
        (place / "takes the last inode").write_text("")
        for k in range(30):
            assert not snapshot(log, k)
        (place / "takes the last inode").unlink()
        assert snapshot(log, 30)
        log.close("done")
        records, last = snapshots(place / "a.00001.log")
        assert len(records) == 30 and last == "#END rotated"
    finally:
        subprocess.run(["umount", "-l", place])


@needs_top
def test_recording_in_segments(recording):
    out = recording("--interval", "0.25", "--rotate", "1s", "--only", "^qv-nobody$")
    assert wait_for(lambda: len(list(out.glob("*.log.[gz]*"))) >= 2, 60), (
        "compressed at low priority"
    )
    stems = ("top", "iotop", "tasks")  # each tool starts at its own time
    assert wait_for(lambda: all(len(segments(out, stem)) >= 3 for stem in stems), 60)
    p = collect("stop", "--out", out)
    assert p.returncode == 0 and "packing" in p.stdout, "the cost is printed"
    assert not list(out.glob("*.partial"))
    for stem in stems:
        files = segments(out, stem)
        assert not (out / f"{stem}.log").exists()
        numbers, ends = [], []
        for file in files:
            lines = decompress(file).decode(errors="replace").splitlines()
            assert lines[0].startswith("#"), "a segment begins at a snapshot"
            numbers += [int(x.split()[3]) for x in lines if x.startswith("#T ")]
            ends.append(lines[-1])
        assert numbers == sorted(set(numbers))
        assert ends == ["#END rotated"] * (len(files) - 1) + ["#END SIGTERM"]


@needs_top
def test_parser_reads_segments(folder):
    """The pipeline reads what the collectors write, without rejects and warnings."""
    from pipeline import parse

    out = folder / "out"
    p = collect("run", "--out", out, "--seconds", "5", "--interval", "0.25", "--rotate", "1s")
    assert p.returncode == 0, p.stderr
    for kind in ("top", "iotop", "tasks"):
        files = [(path, path.name) for path in segments(out, kind)]
        assert len(files) > 2
        results = list(parse.parse_segments(kind, files, tz="UTC"))
        assert not [g for g in results if isinstance(g, parse.ParseError)]
        assert [g.rejects.height for g in results] == [0] * len(files)
        warnings = [w for g in results for w in g.warnings if "denied" not in w]
        assert warnings == []
    null_counts = [g.tables["task_processes"]["command_line"].null_count() for g in results]
    assert null_counts == [0] * len(files), "command lines are repeated in every segment"
