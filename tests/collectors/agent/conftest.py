"""Fake QEMU processes; processes with a chosen command line."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import procfs
import pytest
import qemu_threads
import task_counters

from .fake_qemu import Qemu


@pytest.fixture
def qemu():
    started = []

    def start(*arguments, **more):
        started.append(Qemu(*arguments, **more))
        return started[-1]

    yield start
    for q in started:
        q.kill()


@pytest.fixture
def counters(tmp_path):
    """tasks.log of some processes, with a libvirt folder of the test's own."""
    libvirt = tmp_path / "libvirt"
    libvirt.mkdir()
    sampler = task_counters.TaskCounters(
        procfs.Matcher("."), servers=qemu_threads.VirtualServers(str(libvirt))
    )
    sampler.folder = libvirt
    return sampler


@pytest.fixture
def short_folder():
    """A folder with a short path: a socket's path may have 108 bytes."""

    path = pathlib.Path(tempfile.mkdtemp(prefix="qv-"))
    yield path
    shutil.rmtree(path)


WRITER = """
import os, sys, time
f = os.open(sys.argv[2], os.O_RDWR | os.O_CREAT)
while True:
    os.pwrite(f, b"x" * 65536, 0)
    os.fsync(f)
    time.sleep(0.02)
"""


@pytest.fixture
def forger(folder):
    """A process that writes to the disk all the time, with the text in its command line."""
    made = []

    def start(text):
        data = f"/var/tmp/qv-forger-{os.getpid()}"
        p = subprocess.Popen([sys.executable, "-c", WRITER, text, data])
        made.append((p, data))
        return p

    yield start
    for p, data in made:
        p.kill()
        p.wait()
        pathlib.Path(data).unlink(missing_ok=True)
