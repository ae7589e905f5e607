"""A process that writes to the disk when it is asked to, with special characters in its name."""

import os
import subprocess
import sys

from ..helpers import wait_for

WRITES = 23
WRITE_BYTES = 65536
CODE = r"""
import os, sys, threading, time, mmap
open('/proc/self/comm', 'wb').write(b'qv) <b>\n(\\ x')
page = mmap.mmap(-1, 65536); page.write(b'x' * 65536)
def write():
    sys.stdin.readline()
    try:
        fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY | os.O_DIRECT)
        for k in range(23):
            os.pwrite(fd, page, k * 65536)
            time.sleep(0.05)
    except OSError:
        pass
    print('done', flush=True)
    time.sleep(300)
threading.Thread(target=write, daemon=True).start()
time.sleep(300)
"""
PATTERN = r"^qv\) <b>"
"""Of the process's name."""


class DiskWriter:
    """Two threads, of which one writes WRITES times WRITE_BYTES directly to the disk below /var/tmp."""

    def __init__(self):
        self.path = f"/var/tmp/qv-test-data-{os.getpid()}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE, self.path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.pid = self.process.pid
        assert wait_for(lambda: b"qv)" in open(f"/proc/{self.pid}/comm", "rb").read())

    def write(self):
        """Write, and wait until it is done."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def read_io(self):
        """The counters of /proc/PID/io."""
        with open(f"/proc/{self.pid}/io") as f:
            return {key: int(value) for key, value in (line.split(": ") for line in f)}

    def end(self):
        self.process.kill()
        self.process.communicate()
        if os.path.exists(self.path):
            os.unlink(self.path)
