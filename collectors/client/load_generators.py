"""The load generators: each with its command, its log and its own window."""

import os
import re
import signal
import subprocess
import threading

import files
from clock_offset import now_ns


class Load:
    """One load generator: its command, its log, its own window."""

    def __init__(self, name, load, prefix, folder):
        self.name = name
        self.command = load["command"]
        self.argv = prefix + load["command"]
        self.log = load["log"]
        self.path = os.path.join(folder, self.log)
        self.timeout = load.get("timeout_s")
        self.process = None
        self.start_ns = self.end_ns = None
        self.code = None
        self.trouble = None

    def start(self):
        """Begin; a command that is not there is a trouble, no end of the experiment."""
        self.file = os.fdopen(files.create(self.path), "wb")
        self.start_ns = now_ns()
        try:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=self.file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as e:
            self.end_ns = now_ns()
            self.trouble = "cannot be started: %s" % e.strerror
            self.file.write(("cannot be started: %s\n" % e.strerror).encode())
            self.file.close()
            return
        self.thread = threading.Thread(target=self.wait)
        self.thread.daemon = True
        self.thread.start()

    def wait(self):
        """In its own thread: note the end the moment it comes."""
        try:
            self.code = self.process.wait(self.timeout)
        except subprocess.TimeoutExpired:
            self.trouble = "took longer than %g s and was ended" % self.timeout
            self.end()
            self.code = self.process.wait()
        self.end_ns = now_ns()
        self.file.close()
        if self.code and not self.trouble:
            self.trouble = "ended with code %d" % self.code

    def running(self):
        """Has it not ended yet?"""
        return self.end_ns is None

    def end(self):
        """It and what it started: they have a process group of their own."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
            except (ProcessLookupError, AttributeError):
                return
            try:
                self.process.wait(3)
                return
            except subprocess.TimeoutExpired:
                pass


def tool_version(program):
    """What a load generator calls itself, None if it does not say."""
    for flag in ("--version", "-V"):
        try:
            p = subprocess.run(
                [program, flag],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=10,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        for line in p.stdout.decode("utf-8", "replace").splitlines():
            m = re.search(
                r"(%s[-\w]*[ :]+(?:version )?v?\d[\w.-]*)" % re.escape(os.path.basename(program)),
                line,
            )
            if m:
                return m.group(1)
    return None
