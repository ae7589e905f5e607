"""The paced disk: service times of its model, and requests served through a pipe instead of FUSE."""

import os
import struct

import pytest
from qvtestbed import paced_disk

DISK = {
    "seek_min_ms": 1.0,
    "seek_max_ms": 3.0,
    "revolution_ms": 4.0,
    "bytes_per_s": 1e6,
    "flush_ms": 2.0,
    "seed": 1,
}


def test_sequential_access_takes_transfer_time_only():
    disk = paced_disk.DiskModel(DISK, 1 << 20)
    disk.position = 4096
    assert disk.draw_service_s(4096, 10_000) == pytest.approx(0.01)
    assert disk.draw_service_s(14_096, 500) == pytest.approx(0.0005)


def test_positioning_time_is_within_its_bounds():
    disk = paced_disk.DiskModel(DISK, 1 << 20)
    times_s = []
    for number in range(400):
        disk.position = 1 << 19
        times_s.append(disk.draw_service_s((number * 2467) % (1 << 19), 0))
    assert min(times_s) >= 0.001
    assert max(times_s) <= 0.003 + 0.004
    assert 0.003 < sum(times_s) / len(times_s) < 0.006


def test_same_seed_gives_same_service_times():
    first, second = (paced_disk.DiskModel(DISK, 1 << 20) for _ in range(2))
    offsets = [4096 * number * 7 % (1 << 20) for number in range(50)]
    assert [first.draw_service_s(offset, 4096) for offset in offsets] == [
        second.draw_service_s(offset, 4096) for offset in offsets
    ]


class Pipe:
    """A PacedFile whose replies go into a pipe."""

    def __init__(self, tmp_path):
        path = tmp_path / "backing"
        path.write_bytes(bytes(range(256)) * 256)
        self.read_end, write_end = os.pipe()
        backing = os.open(path, os.O_RDWR)
        self.file = paced_disk.PacedFile(
            write_end, backing, paced_disk.DiskModel(DISK, path.stat().st_size)
        )
        self.path = path

    def request(self, opcode, body=b""):
        head = paced_disk.IN_HEADER.pack(40 + len(body), opcode, 77, 1, 0, 0, 0, 0, 0)
        self.file.handle(head + body)
        reply = os.read(self.read_end, 1 << 16)
        length, error, unique = paced_disk.OUT_HEADER.unpack_from(reply)
        assert (length, unique) == (len(reply), 77)
        return error, reply[16:]


def test_reads_and_writes_reach_the_backing_file(tmp_path):
    pipe = Pipe(tmp_path)
    read = struct.pack("<QQIIQII", 1, 256, 16, 0, 0, 0, 0)
    assert pipe.request(paced_disk.READ, read) == (0, bytes(range(16)))
    write = struct.pack("<QQIIQII", 1, 512, 3, 0, 0, 0, 0) + b"abc"
    error, reply = pipe.request(paced_disk.WRITE, write)
    assert (error, struct.unpack("<II", reply)) == (0, (3, 0))
    assert pipe.path.read_bytes()[512:515] == b"abc"
    assert pipe.path.stat().st_size == 65536
    unsupported = 99
    assert pipe.request(unsupported)[0] < 0


def test_requests_are_delayed_only_when_paced(tmp_path, monkeypatch):
    """60,000 bytes at 1 MB/s, without positioning; the clock stands still."""
    slept = []
    monkeypatch.setattr(paced_disk.time, "monotonic", lambda: 100.0)
    monkeypatch.setattr(paced_disk.time, "sleep", slept.append)
    pipe = Pipe(tmp_path)
    read = struct.pack("<QQIIQII", 1, 0, 60_000, 0, 0, 0, 0)
    pipe.request(paced_disk.READ, read)
    assert slept == []
    pipe.file.is_paced = True
    pipe.file.model.position = 0
    pipe.request(paced_disk.READ, read)
    assert slept == [pytest.approx(0.06)]
    pipe.file.model.position = 0
    pipe.file.was_queued = True  # it arrived during the service of the previous request
    pipe.request(paced_disk.READ, read)
    assert slept[1:] == [pytest.approx(0.12)]
