"""The load generators: each with its command, its log, its start and end."""

import os
import re
import signal
import subprocess
import threading

import files
import texts
from clock_offset import now_ns


class LoadGenerator:
    """One load generator: its command, its log and its window."""

    def __init__(self, name, load, prefix, folder):
        """`load` is an entry of the plan's `loads`; its log is written into `folder`."""
        self.name = name
        self.command = load["command"]
        self.argv = prefix + load["command"]
        self.log = load["log"]
        self.path = os.path.join(folder, self.log)
        self.timeout_s = load.get("timeout_s")
        self.process = None
        self.start_ns = self.end_ns = None
        self.exit_code = None
        self.problem = None

    def start(self):
        """Start the command; one that cannot be started is a problem, not the end of the experiment."""
        self.file = os.fdopen(files.create_file(self.path), "wb")
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
            self.problem = texts.LOAD_NOT_STARTED % e.strerror
            self.file.write((self.problem + "\n").encode())
            self.file.close()
            return
        self.thread = threading.Thread(target=self._wait)
        self.thread.daemon = True
        self.thread.start()

    def _wait(self):
        """In a thread of its own: record the time at which the command ends."""
        try:
            self.exit_code = self.process.wait(self.timeout_s)
        except subprocess.TimeoutExpired:
            self.problem = texts.LOAD_TIMED_OUT % self.timeout_s
            self.terminate()
            self.exit_code = self.process.wait()
        self.end_ns = now_ns()
        self.file.close()
        if self.exit_code and not self.problem:
            self.problem = texts.LOAD_EXIT_CODE % self.exit_code

    def is_running(self):
        """True until the command has ended."""
        return self.end_ns is None

    def terminate(self):
        """End the command and its children, which have a process group of their own."""
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


def read_tool_version(program):
    """The version that a load generator prints, None if it prints none."""
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
