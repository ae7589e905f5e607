"""Compression of finished segments, also at the end of a recording and after kill -9."""

import os
import shutil
import signal

import compress
import pytest

from ..helpers import (
    collect,
    collector_pid,
    decompress,
    is_alive,
    list_children,
    needs_top,
    segments,
    snapshots,
    wait_for,
)


@pytest.mark.parametrize("program", ["zstd", None])
def test_compress_segment(tmp_path, monkeypatch, program):
    if program and not shutil.which(program):
        pytest.skip(f"{program} is not there (apt install {program})")
    if not program:
        monkeypatch.setattr(compress.shutil, "which", lambda name: None)
    text = b"a line\n" * 5000
    (tmp_path / "a.00001.log").write_bytes(text)
    monkeypatch.chdir(tmp_path)
    compressed = compress.compress_segment("a.00001.log", "a.00001.partial")
    assert os.listdir(tmp_path) == [compressed]
    assert decompress(tmp_path / compressed) == text


def test_failed_compression_keeps_the_segment(tmp_path, monkeypatch, capsys):
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


def test_compressor_runs_one_child_and_abort_ends_it(tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    compressor = compress.Compressor(folder)
    for name in ("a.00001.log", "b.00001.log"):
        (tmp_path / name).write_bytes(b"x\n" * 1000)
        compressor.add(name)
    compressor.poll()
    first = compressor.child.pid
    compressor.poll()
    assert compressor.queue == ["b.00001.log"] or compressor.child.pid != first
    assert wait_for(
        lambda: compressor.poll() or (compressor.child is None and not compressor.queue), 20, 0.05
    )
    assert sorted(p.stem for p in tmp_path.iterdir()) == ["a.00001.log", "b.00001.log"]
    assert compressor.usage[0] > 0
    (tmp_path / "c.00001.log").write_bytes(b"x\n" * 1000)
    compressor.add("c.00001.log")
    compressor.poll()
    compressor.abort()
    assert compressor.child is None and not list(tmp_path.glob("*.partial"))
    os.close(folder)


@needs_top
def test_stop_removes_partial_segments_after_kill_9(recording):
    out = recording("--interval", "0.25", "--rotate", "1s", "--only", "^qv-nobody$")
    assert wait_for(lambda: len(segments(out, "tasks")) >= 4, 20)
    pid = collector_pid(out)
    children = list_children(pid)
    os.kill(pid, signal.SIGKILL)
    assert wait_for(lambda: not any(is_alive(c) for c in children), 10), (
        "the compressor ends by itself"
    )
    (out / "top.00001.partial").write_bytes(b"half")
    p = collect("stop", "--out", out)
    assert p.returncode == 1 and "had died" in p.stderr
    assert not list(out.glob("*.partial"))
    files = segments(out, "tasks")
    # the last segment may have just been opened, and be empty
    ends = [decompress(f).decode().splitlines()[-1] for f in files[:-1]]
    assert ends == ["#END rotated"] * (len(files) - 1)
    again = collect("start", "--out", out)
    assert again.returncode == 2 and "contains a recording already" in again.stderr


@needs_top
def test_signal_ends_compression(recording, tmp_path):
    slow = tmp_path / "zstd"
    slow.write_text("#!/bin/sh\nsleep 77\n")
    slow.chmod(0o755)
    env = dict(os.environ, PATH=f"{tmp_path}:{os.environ['PATH']}")
    out = recording("--interval", "0.25", "--rotate", "1s", "--only", "^qv-nobody$", env=env)
    assert wait_for(lambda: list(out.glob("*.partial")), 20)
    pid = collector_pid(out)
    group = list_children(pid)
    os.kill(pid, signal.SIGTERM)
    assert wait_for(lambda: not any(is_alive(c) for c in [pid, *group]), 20), "not after 77 seconds"
    assert not list(out.glob("*.partial"))
    assert snapshots(segments(out, "tasks")[-1])[1] == "#END SIGTERM"
    assert snapshots(segments(out, "tasks")[0])[1] == "#END rotated", "the segment is kept"
