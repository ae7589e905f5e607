"""The load generators: each with its command, its log, its start and end."""

import os
import re
import signal
import stat
import subprocess
import threading
import time

import client_report
import delay_accounting
import files
import redact
import texts
from clock_offset import now_ns

MAX_SECRET_BYTES = 1 << 16
SECRET_SOURCES = ("file", "environment")


def read_secret(source):
    """The text that {"file": PATH} or {"environment": NAME} names, without its line end; ValueError if none."""
    if "environment" in source:
        text = os.environ.get(source["environment"])
        if text is None:
            raise ValueError(texts.NO_VARIABLE % source["environment"])
        return text
    path = source["file"]
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as f:
            data = (
                f.read(MAX_SECRET_BYTES + 1) if stat.S_ISREG(os.fstat(f.fileno()).st_mode) else b""
            )
    except OSError as e:
        raise ValueError(texts.FILE_ERROR % (path, e.strerror)) from None
    text = os.fsdecode(data).rstrip("\r\n")
    if not text or len(data) > MAX_SECRET_BYTES or "\0" in text:
        raise ValueError(texts.FILE_ERROR % (path, texts.NO_SECRET))
    return text


def insert_secrets(argv, secrets):
    """The words with each `${NAME}` of a name in `secrets` replaced by its value."""
    return [
        re.sub(r"\$\{(\w+)\}", lambda m: secrets.get(m.group(1), m.group()), word) for word in argv
    ]


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
        self.sources = load.get("env", {})
        self.process = None
        self.start_ns = self.end_ns = None
        self.pid = self.start_time = None
        self.exit_code = None
        self.problem = None

    def start(self):
        """Start the command; one that cannot be started is a problem, not the end of the experiment."""
        self.file = os.fdopen(files.create_file(self.path), "wb")
        self.start_ns = now_ns()
        try:
            secrets = self._read_secrets()
            self.process = subprocess.Popen(
                insert_secrets(self.argv, secrets),
                env=dict(os.environ, **secrets),
                stdin=subprocess.DEVNULL,
                stdout=self.file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as e:
            self.end_ns = now_ns()
            reason = e.strerror if isinstance(e, OSError) else e
            self.problem = texts.LOAD_NOT_STARTED % (self.argv[0], reason)
            self.file.write((self.problem + "\n").encode())
            self.file.close()
            return
        self.pid = self.process.pid
        self.start_time = delay_accounting.start_time(self.pid)
        self.thread = threading.Thread(target=self._wait)
        self.thread.daemon = True
        self.thread.start()

    def _read_secrets(self):
        """{variable: its value} of the plan's `env`; ValueError where one cannot be read."""
        return {name: read_secret(source) for name, source in self.sources.items()}

    def redact_log(self):
        """Remove secrets from its log: httperf begins its report with its own command line."""
        try:
            values = [value for value in self._read_secrets().values() if value]
        except ValueError:
            values = []
        try:
            with os.fdopen(files.open_regular(self.path), "rb") as f:
                lines = f.read().decode("utf-8", "surrogateescape").split("\n")
        except OSError:
            return
        redacted = []
        for line in lines:
            for value in values:
                line = line.replace(value, redact.REDACTED)
            redacted.append(redact.redact_line(line))
        if redacted != lines:
            files.write_bytes(self.path, "\n".join(redacted).encode("utf-8", "surrogateescape"))

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

    def is_alive(self):
        """Does the process exist, also where another process has started it?"""
        return self.pid is not None and delay_accounting.start_time(self.pid) == self.start_time

    def terminate(self):
        """End the command and its children, which have a process group of their own."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self.is_alive():
                return
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                return
            deadline = time.monotonic() + 3
            while self.is_alive() and time.monotonic() < deadline:
                time.sleep(0.02)

    def interrupt(self):
        """End a running command because the experiment was interrupted."""
        if self.pid is None or not self.is_running():
            return
        self.problem = self.problem or texts.LOAD_INTERRUPTED
        self.terminate()
        self.thread.join(10)

    def find_errors(self, workload):
        """The errors that its report has, as a list."""
        try:
            return client_report.find_errors(self.path, workload)
        except OSError as e:
            return [texts.FILE_ERROR % (self.log, e.strerror)]

    def save(self):
        """What `restore` needs to end the command later, from another process."""
        keys = ("pid", "start_time", "start_ns", "end_ns", "exit_code", "problem")
        return {key: getattr(self, key) for key in keys}

    def restore(self, saved):
        """Take over a command that another process has started; the end of one that has ended is estimated.

        It is the time of the last change of its log, to which it writes its report at the end.
        """
        for key, value in saved.items():
            setattr(self, key, value)
        if self.start_ns is None or self.end_ns is not None:
            return
        if self.is_alive():
            self.problem = texts.LOAD_STOPPED
            self.terminate()
            self.end_ns = now_ns()
        else:
            self.problem = texts.LOAD_END_ESTIMATED
            try:
                modified_ns = os.stat(self.path).st_mtime_ns
            except OSError:
                modified_ns = 0
            self.end_ns = max(self.start_ns + 1, modified_ns)


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
                r"(%s(?:[\w-]*[ :]+(?:version )?v?|-)\d[\w.]*)"
                % re.escape(os.path.basename(program)),
                line,
            )
            if m:
                return m.group(1)
    return None
