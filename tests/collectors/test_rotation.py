# ruff: noqa: PTH208
"""Pieces of logs: when they end, how they are packed, and what a kill, a full disk or a week do to them."""

import os
import shutil
import signal
import subprocess

import compress
import pytest
import snapshot_log
from conftest import (
    alive,
    collect,
    collector_pid,
    descendants,
    needs_root,
    needs_top,
    snapshots,
    wait_for,
)

BOOT = "0f0e0d0c-0b0a-4908-8706-050403020100"


def unpacked(path):
    """A piece's bytes."""
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-qdc", path], stdout=subprocess.PIPE, check=True).stdout
    if path.suffix == ".gz":
        return subprocess.run(["gzip", "-dc", path], stdout=subprocess.PIPE, check=True).stdout
    return path.read_bytes()


def pieces(folder, stem):
    return sorted(p for p in folder.iterdir() if p.match(f"{stem}.0*.log*"))


def new_log(folder, how):
    space = snapshot_log.DiskSpace(str(folder), 0)
    rotation = snapshot_log.Rotation(how, space.folder)
    return snapshot_log.Log("a.log", BOOT, space, rotation), rotation


def snapshot(log, k, size=100):
    turned = log.rotate_if_due()
    log.write(log.sentinel(k, k) + b"x" * size + b"\n")
    return turned


def test_a_piece_ends_by_its_size_between_two_snapshots(tmp_path):
    log, rotation = new_log(tmp_path, "1K")
    for k in range(40):
        snapshot(log, k)
    log.close("done")
    names = pieces(tmp_path, "a")
    assert [p.name for p in names[:2]] == ["a.00001.log", "a.00002.log"] and len(names) > 3
    numbers = []
    for p in names:
        found, last = snapshots(p)
        assert last == ("#END done" if p == names[-1] else "#END rotated")
        assert p.stat().st_size < 1024 + 250 and all(len(lines) == 1 for _, lines in found)
        numbers += [int(fields[2]) for fields, _ in found]
    assert numbers == list(range(40)), "numbers run on"
    assert rotation.compressor.queue == [p.name for p in names[:-1]]
    assert log.finished_bytes + log.size == sum(p.stat().st_size - 13 for p in names[:-1]) + (
        names[-1].stat().st_size - 10
    )


def test_pieces_by_time_end_together(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(snapshot_log.time, "monotonic", lambda: now[0])
    space = snapshot_log.DiskSpace(str(tmp_path), 0)
    rotation = snapshot_log.Rotation("1m", space.folder)
    one, two = (
        snapshot_log.Log("a.log", BOOT, space, rotation),
        snapshot_log.Log("b.log", BOOT, space, rotation),
    )
    turned = []
    for second in range(200):
        now[0] = 100.0 + second
        if snapshot(one, second):
            turned.append(second)
        if second % 7 == 0:
            snapshot(two, second)
    assert turned == [60, 120, 180]
    one.close("done")
    two.close("done")
    first = {p.name: int(snapshots(p)[0][0][0][0]) for p in pieces(tmp_path, "b")}
    assert first == {"b.00001.log": 0, "b.00002.log": 63, "b.00003.log": 126, "b.00004.log": 182}


@pytest.mark.parametrize(
    "how", ["", "64", "M", "64MB", "0s", "-1h", "1h;2h", "1h,", "1e3s", "0.5s"]
)
def test_no_such_rotation(how):
    with pytest.raises(ValueError, match="not a size"):
        snapshot_log.Rotation(how, None)


def test_what_was_lost_stands_at_the_head_of_the_next_piece(tmp_path):
    log, _ = new_log(tmp_path, "1K")
    snapshot(log, 0, 1100)
    log.add_gap("top ended")
    log.add_missed_ticks(2)
    log.add_missed_ticks(1)
    snapshot(log, 1)
    log.close("done")
    head = (tmp_path / "a.00002.log").read_text().splitlines()[0]
    assert head == "#GAP missed 3 ticks; top ended"


def test_a_gap_does_not_grow_while_a_disk_stays_full(tmp_path):
    log, _ = new_log(tmp_path, "1K")
    log.space.is_writable = False
    for k in range(10000):
        log.add_missed_ticks(1)
        log.add_gap(f"top ended: {k}")
        snapshot(log, k)
    assert not log.rotate_if_due(), "no new piece on a full disk"
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
def test_a_new_piece_that_finds_no_room_is_put_off(tmp_path):
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
        found, last = snapshots(place / "a.00001.log")
        assert len(found) == 30 and last == "#END rotated"
    finally:
        subprocess.run(["umount", "-l", place])


# -- packing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["zstd", None])
def test_packing(tmp_path, monkeypatch, program):
    if program and not shutil.which(program):
        pytest.skip(f"{program} is not there (apt install {program})")
    if not program:
        monkeypatch.setattr(compress.shutil, "which", lambda name: None)
    text = b"a line\n" * 5000
    (tmp_path / "a.00001.log").write_bytes(text)
    monkeypatch.chdir(tmp_path)
    packed = compress.compress_segment("a.00001.log", "a.00001.partial")
    assert os.listdir(tmp_path) == [packed]
    assert unpacked(tmp_path / packed) == text


def test_packing_that_fails_leaves_the_piece(tmp_path, monkeypatch, capsys):
    (tmp_path / "a.00001.log").write_bytes(b"x\n")
    (tmp_path / "bin").mkdir()
    broken = tmp_path / "bin" / "zstd"
    broken.write_text("#!/bin/sh\nprintf half\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(compress.os, "nice", lambda by: 0)
    monkeypatch.chdir(tmp_path)
    assert compress.main(["a.00001.log", "a.00001.partial"]) == 1
    assert sorted(os.listdir(tmp_path)) == ["a.00001.log", "bin"]


def test_one_piece_after_the_other_and_no_farther_than_the_end(tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    packer = compress.Compressor(folder)
    for name in ("a.00001.log", "b.00001.log"):
        (tmp_path / name).write_bytes(b"x\n" * 1000)
        packer.add(name)
    packer.poll()
    first = packer.child.pid
    packer.poll()
    assert packer.queue == ["b.00001.log"] or packer.child.pid != first
    assert wait_for(lambda: packer.poll() or (packer.child is None and not packer.queue), 20, 0.05)
    assert sorted(p.stem for p in tmp_path.iterdir()) == ["a.00001.log", "b.00001.log"]
    assert packer.usage[0] > 0
    (tmp_path / "c.00001.log").write_bytes(b"x\n" * 1000)
    packer.add("c.00001.log")
    packer.poll()
    packer.abort()
    assert packer.child is None and not list(tmp_path.glob("*.partial"))
    os.close(folder)


# -- the collectors --------------------------------------------------------------------------------


@needs_top
def test_a_recording_in_pieces(recording):
    out = recording("--interval", "0.25", "--rotate", "1s", "--only", "^qv-nobody$")
    assert wait_for(lambda: len(list(out.glob("*.log.[gz]*"))) >= 2, 60), "packed at low priority"
    stems = ("top", "iotop", "tasks")  # each tool begins in its own time
    assert wait_for(lambda: all(len(pieces(out, stem)) >= 3 for stem in stems), 60)
    p = collect("stop", "--out", out)
    assert p.returncode == 0 and "packing" in p.stdout, "what it has cost is said"
    assert not list(out.glob("*.partial"))
    for stem in stems:
        files = pieces(out, stem)
        assert not (out / f"{stem}.log").exists()
        numbers, ends = [], []
        for file in files:
            lines = unpacked(file).decode(errors="replace").splitlines()
            assert lines[0].startswith("#"), "a piece begins at a snapshot"
            numbers += [int(x.split()[3]) for x in lines if x.startswith("#T ")]
            ends.append(lines[-1])
        assert numbers == sorted(set(numbers))
        assert ends == ["#END rotated"] * (len(files) - 1) + ["#END SIGTERM"]


@needs_top
def test_kill_9_between_pieces_and_the_mending(recording):
    out = recording("--interval", "0.25", "--rotate", "1s", "--only", "^qv-nobody$")
    assert wait_for(lambda: len(pieces(out, "tasks")) >= 4, 20)
    pid = collector_pid(out)
    children = descendants(pid)
    os.kill(pid, signal.SIGKILL)
    assert wait_for(lambda: not any(alive(c) for c in children), 10), "packing ends by itself"
    (out / "top.00001.partial").write_bytes(b"half")
    p = collect("stop", "--out", out)
    assert p.returncode == 1 and "had died" in p.stderr
    assert not list(out.glob("*.partial"))
    files = pieces(out, "tasks")
    # the last piece may have been opened that moment, and be empty
    ends = [unpacked(f).decode().splitlines()[-1] for f in files[:-1]]
    assert ends == ["#END rotated"] * (len(files) - 1)
    again = collect("start", "--out", out)
    assert again.returncode == 2 and "contains a recording already" in again.stderr


@needs_top
def test_a_signal_while_a_piece_is_packed_is_obeyed_at_once(recording, tmp_path):
    slow = tmp_path / "zstd"
    slow.write_text("#!/bin/sh\nsleep 77\n")
    slow.chmod(0o755)
    env = dict(os.environ, PATH=f"{tmp_path}:{os.environ['PATH']}")
    out = recording("--interval", "0.25", "--rotate", "1s", "--only", "^qv-nobody$", env=env)
    assert wait_for(lambda: list(out.glob("*.partial")), 20)
    pid = collector_pid(out)
    group = descendants(pid)
    os.kill(pid, signal.SIGTERM)
    assert wait_for(lambda: not any(alive(c) for c in [pid, *group]), 20), "not after 77 seconds"
    assert not list(out.glob("*.partial"))
    assert snapshots(pieces(out, "tasks")[-1])[1] == "#END SIGTERM"
    assert snapshots(pieces(out, "tasks")[0])[1] == "#END rotated", "what was not packed is there"


@needs_top
def test_pieces_are_read_by_the_pipeline(folder):
    """Both sides of the form: what the collectors write, the pipeline reads without a word."""
    from pipeline import parse

    out = folder / "out"
    p = collect("run", "--out", out, "--seconds", "10", "--interval", "0.25", "--rotate", "1s")
    assert p.returncode == 0, p.stderr
    for kind in ("top", "iotop", "tasks"):
        files = [(path, path.name) for path in pieces(out, kind)]
        assert len(files) > 2
        got = list(parse.parse_segments(kind, files, tz="UTC"))
        assert not [g for g in got if isinstance(g, parse.ParseError)]
        assert [g.rejects.height for g in got] == [0] * len(files)
        told = [w for g in got for w in g.warnings if "denied" not in w]
        assert told == []
    known = [g.tables["task_processes"]["command_line"].null_count() for g in got]
    assert known == [0] * len(files), "command lines are told again in every piece"
