"""A process with QEMU's names, a QMP server, and the `v` lines of tasks.log."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

from ..helpers import wait_for

QEMU = r"""
import os, sys, threading
def name(tid, text):
    with open('/proc/self/task/%d/comm' % tid, 'w') as f: f.write(text)
name(os.getpid(), sys.argv[1])
ends = {}
def body(text, said, end):
    tid = threading.get_native_id()
    if text != '-': name(tid, text)
    said.append(tid); said.append(None)
    end.wait()
print('ready', flush=True)
for line in sys.stdin:
    verb, _, text = line.strip().partition(' ')
    if verb == 'end':
        ends.pop(int(text)).set()
        while os.path.exists('/proc/self/task/' + text): pass
        print('ended', flush=True)
        continue
    said, end = [], threading.Event()
    threading.Thread(target=body, args=(text, said, end), daemon=True).start()
    while len(said) < 2: pass
    ends[said[0]] = end
    print(said[0], flush=True)
"""


class Qemu:
    """A process that looks like QEMU: its name, its command line, threads with names."""

    def __init__(self, *arguments, name="qemu-system-x86", program="qemu-system-x86_64"):
        argv = [program, "-c", QEMU, name, *map(str, arguments)]
        self.process = subprocess.Popen(
            argv, executable=os.path.realpath(sys.executable), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=dict(os.environ, PYTHONHOME=sys.base_prefix),
        )  # fmt: skip
        assert self.process.stdout.readline() == "ready\n"
        self.pid = self.process.pid

    def thread(self, name="-"):
        """A new thread of that name; its number."""
        self.process.stdin.write(f"thread {name}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def end(self, tid):
        """That thread ends."""
        self.process.stdin.write(f"end {tid}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ended\n"

    def kill(self):
        self.process.kill()
        self.process.communicate()


class Monitor(threading.Thread):
    """A QMP server: a greeting, answers, an event in between; or silence."""

    def __init__(self, path, answers, *, greet=True):
        super().__init__(daemon=True)
        self.answers, self.greet = answers, greet
        self.commands = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(1)
        self.start()

    def run(self):
        while True:
            try:
                link, _ = self.socket.accept()
            except OSError:
                return
            with contextlib.suppress(ConnectionError):  # a client may leave at any time
                self.serve(link)

    def serve(self, link):
        """Greet one client and answer its commands."""
        if not self.greet:
            self.commands.append("connected")
            time.sleep(30)
        file = link.makefile("rwb", buffering=0)
        file.write(b'{"QMP": {"version": {}, "capabilities": []}}\r\n')
        for line in file:
            command = json.loads(line)["execute"]
            self.commands.append(command)
            file.write(b'{"event": "RESUME", "timestamp": {}}\r\n')
            if command == "qmp_capabilities":
                answer = {"return": {}}
            elif command in self.answers:
                answer = {"return": self.answers[command]}
            else:
                answer = {"error": {"class": "CommandNotFound", "desc": ""}}
            file.write(json.dumps(answer).encode() + b"\r\n")


def new_v_lines(counters, *pids):
    """{tid: (role, id, found by, virtual server)} of the new `v` lines."""
    lines = counters.sample(list(pids)).decode().splitlines()
    lines_by_tid = {}
    for line in lines:
        if line.startswith("v "):
            _, pid, tid, born, *rest = line.split(" ", 7)
            assert int(pid) in pids
            text = pathlib.Path(f"/proc/{pid}/task/{tid}/stat").read_text()
            assert born == text.rsplit(")", 1)[1].split()[19], "the thread's start time"
            lines_by_tid[int(tid)] = tuple(rest)
    return lines_by_tid


def v_lines_after_qmp(counters, pid):
    """The next new `v` lines, after a QMP query in the background."""
    return wait_for(lambda: new_v_lines(counters, pid), 5, 0.05)
