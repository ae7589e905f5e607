"""top and iotop as child processes: which program, its arguments, its output cut into snapshots.

Which iotop, and why (measured on Linux 6.18 against /proc/PID/io, 100 direct writes and 100
direct reads of 64 KiB by one thread of a process with two threads):
- iotop-py 0.6 in thread mode prints the bytes that the thread transferred (1270 of 1270 K/s), and
  only once. It is used where it is installed. `-o` leaves out threads without I/O, and with them
  most of its cost (it reads four files for each row); a thread without a row had no I/O.
- iotop-c before 1.27 in thread mode adds all threads to the leader's row and prints both (twice
  1273 K/s); with -P it is correct while no thread ends, but in the second in which a thread ends it
  prints the process's total since its start (5609 instead of 1274 K/s). QEMU's workers end all the
  time. Its rows contain the line ends of command lines, so that any process can forge rows. Used
  only where --iotop c asks for it, with -P, and noted in facts.json; else iotop_fallback.py is.
- iotop-c 1.27 to 1.29 misread the taskstats of Linux 6.14 and later, and iotop-py those of 6.14
  alone (reported, not measured by us): iotop_fallback.py is used there.
-k prints K/s with two decimals, the smallest unit that is the same in all rows.
iotop-c block-buffers when its output is not a terminal, so it gets a pseudo-terminal.
"""

import fcntl
import os
import pty
import re
import subprocess
import tty

import redact

IOTOP_LINES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "iotop_lines.py")
MAY_HOLD_SECRETS = re.compile(redact.SUSPECT.encode()).search
F_SETPIPE_SZ = 1031
PIPE_BYTES = 1 << 18  # holds a snapshot, so that no tool waits for us
MAX_PARTIAL_LINE_BYTES = 1 << 20
MAX_STDERR_BYTES = 2000
LINE_PREFIXES = (b"", b"b'", b'b"')  # Python 3 on CentOS and Fedora prints bytes literals
TASK_ROW = re.compile(rb" *(\d+) ")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
IOTOP_START = (b"Total DISK READ",)

# notes of facts.json
FORGEABLE = "iotop: rows are not distinguishable from line ends in command lines: any process can forge them"
LIFETIME_TOTALS = (
    "iotop-c %d.%d: by process; prints a process's total since its start in the second"
    " in which one of its threads ends"
)
MISREADS_TASKSTATS = "iotop-c %d.%d misreads the taskstats of Linux 6.14 and later"
ASKED_FOR = "--iotop %s"
MISREADS_6_14 = "iotop 0.6 misreads the taskstats of Linux 6.14"
NOT_DISTINGUISHABLE = "rows of this iotop are not distinguishable from line ends in command lines"
NOT_INSTALLED = "iotop is not installed"


def find_program(name):
    """A program's path, None without one; the system folders are searched, too."""
    for folder in (os.environ.get("PATH", "") + ":" + SYSTEM_PATH).split(":"):
        path = os.path.join(folder, name)
        if folder and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def tool_environment():
    """C locale, no toprc (HOME is not a folder), none of the operator's variables."""
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "LD_LIBRARY_PATH", "TZ")}
    env["PATH"] = env.get("PATH", "") + ":" + SYSTEM_PATH
    env.update(LC_ALL="C", LANG="C", HOME="/dev/null", XDG_CONFIG_HOME="/dev/null", TERM="dumb")
    env["COLUMNS"] = "512"
    return env


def first_line(argv, timeout_s=15):
    """The first line that a program prints, "" if it cannot be run."""
    try:
        p = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=tool_environment(),
            timeout=timeout_s,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    for line in p.stdout.decode("utf-8", "replace").splitlines():
        if line.strip():
            return line.strip()
    return ""


def kernel_version():
    """(major, minor) of the running kernel."""
    m = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return (int(m.group(1)), int(m.group(2))) if m else (0, 0)


def read_interpreter(path):
    """The command in the first line of a Python script, None for any other program."""
    try:
        with open(path, "rb") as f:
            line = f.read(256).split(b"\n", 1)[0]
    except OSError:
        return None
    if not line.startswith(b"#!") or b"python" not in line:
        return None
    return [os.fsdecode(word) for word in line[2:].split()]


def with_iotop_lines(argv):
    """The command that prints each of iotop's rows as one line (iotop_lines.py), if it is in Python."""
    interpreter = read_interpreter(argv[0])
    return argv if interpreter is None else [*interpreter, IOTOP_LINES, *argv]


def escape_lines(data):
    """Complete lines of a tool's output, so that no process's name or command line forges others.

    A line that begins with `#` is not a sentinel of the tool's, a return within a line does not end
    it, and secrets in command lines are removed.
    """
    data = data.replace(b"\r", b"\\r")
    if data.startswith(b"#") or b"\n#" in data:
        data = re.sub(rb"(?m)^#", b"\\\\#", data)
    if not MAY_HOLD_SECRETS(data):
        return data
    text = data.decode("utf-8", "surrogateescape")
    lines = [redact.redact_line(line) for line in text.split("\n")]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def find_top(interval_s):
    """How top is run: {"argv", "version", "start", "notes"}; None where it is not installed.

    `start`: how the first line of a snapshot begins.
    """
    path = find_program("top")
    if path is None:
        return None
    delay = "%g" % interval_s
    if os.path.basename(os.path.realpath(path)) == "busybox":
        return {
            "argv": [path, "-b", "-d", delay],
            "version": first_line([path, "--help"]).split(" (")[0],
            "start": (b"Mem:",),
            "notes": [],
        }
    text = first_line([path, "-V"])
    if "procps" not in text:
        text = first_line([path, "-v"])
    m = re.search(r"procps\S*(?: version)? (\S+)", text)
    version = text
    if m:
        version = "procps-ng " + m.group(1) if "procps-ng" in text else m.group(0)
    argv = [path, "-b", "-w", "512", "-d", delay]
    if m and m.group(1).startswith(("3.0", "3.1", "3.2")):
        argv = [path, "-b", "-d", delay]  # has no -w, and takes the width from COLUMNS
    return {"argv": argv, "version": version, "start": (b"top - ",), "notes": []}


def find_iotop(interval_s, choice="auto"):
    """(how iotop is run, None), or (None, why iotop_fallback.py is used).

    As `find_top`, with "pty": it needs a pseudo-terminal. `choice` is the option --iotop.
    """
    if choice in ("none", "proc"):
        return None, ASKED_FOR % choice
    py = find_program("iotop-py") or find_program("iotop")
    c = find_program("iotop-c")
    if py and not find_program("iotop-py"):
        m = re.search(r"(\d+)\.(\d+)", first_line([py, "--version"]))
        if m and int(m.group(1)) >= 1:  # iotop-c under the name of iotop
            py, c = None, c or py
    delay = "%g" % interval_s
    kernel = kernel_version()
    if py and (choice == "py" or (choice == "auto" and read_interpreter(py))):
        if kernel == (6, 14) and choice == "auto":
            return None, MISREADS_6_14
        m = re.search(r"\d[\w.-]*", first_line([py, "--version"]))
        return {
            "argv": [py, "-b", "-k", "-o", "-d", delay],
            "version": "iotop " + (m.group(0) if m else "?"),
            "start": IOTOP_START,
            "notes": [] if read_interpreter(py) else [FORGEABLE],
            "pty": False,
        }, None
    if c and choice == "c":
        m = re.search(r"(\d+)\.(\d+)", first_line([c, "--version"]))
        version = (int(m.group(1)), int(m.group(2))) if m else (1, 0)
        notes = [FORGEABLE]
        argv = [c, "-b", "-k", "-o", "-c", "-d", "%d" % max(1, round(interval_s))]
        if version < (1, 27):
            argv.insert(1, "-P")
            notes.append(LIFETIME_TOTALS % version)
        elif kernel >= (6, 14) and version < (1, 30):
            notes.append(MISREADS_TASKSTATS % version)
        return {
            "argv": argv,
            "version": "iotop-c " + (m.group(0) if m else "?"),
            "start": IOTOP_START,
            "notes": notes,
            "pty": True,
        }, None
    if py or c:
        return None, NOT_DISTINGUISHABLE
    return None, NOT_INSTALLED


class Tool:
    """A running top or iotop: its output is cut into snapshots and written to its log."""

    def __init__(self, name, settings, log, matcher, now_ns):
        """`settings`: see `find_top`; `matcher` (procfs.Matcher) selects rows, None keeps all of them."""
        self.name = name
        self.argv = with_iotop_lines(settings["argv"]) if name == "iotop" else settings["argv"]
        self.start_marks = settings["start"]
        self.uses_pty = settings.get("pty", False)
        self.log = log
        self.matcher = matcher
        self.has_thread_rows = name == "iotop"
        self.now_ns = now_ns
        self.process = None
        self.fd = None
        self.stderr = None
        self.starts = 0
        self.usage = [0.0, 0]  # CPU seconds, peak memory in bytes
        self.stderr_tail = b""
        self.received_bytes = 0
        self.reset()

    def reset(self):
        """Discard what was read."""
        self.partial_line = b""
        self.parts = []
        self.sentinel = b""
        self.is_in_rows = False
        self.is_row_kept = False

    def start(self):
        """Run the tool; OSError if it cannot be started."""
        self.reset()
        self.starts += 1
        if self.uses_pty:
            self.fd, out = pty.openpty()
            tty.setraw(out)
        else:
            self.fd, out = os.pipe()
            try:
                fcntl.fcntl(self.fd, F_SETPIPE_SZ, PIPE_BYTES)
            except OSError:
                pass  # it has 64 KiB then, and the tool may wait for us
        stderr_read, stderr_write = os.pipe()
        try:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=stderr_write,
                env=tool_environment(),
                start_new_session=True,
                close_fds=True,
            )
        except OSError:
            os.close(self.fd)
            os.close(stderr_read)
            self.fd = None
            raise
        finally:
            os.close(out)
            os.close(stderr_write)
        self.stderr = stderr_read
        os.set_blocking(self.fd, False)
        os.set_blocking(self.stderr, False)

    def read(self):
        """Read the output there is; False at its end."""
        while True:
            try:
                data = os.read(self.fd, 65536)
            except BlockingIOError:
                return True
            except OSError:  # EIO: a pseudo-terminal whose other end is closed
                return False
            if not data:
                return False
            self.received_bytes += len(data)
            self.feed(data)

    def read_stderr(self):
        """Read its standard error, of which the last bytes are kept; False at its end."""
        try:
            data = os.read(self.stderr, 4096)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.stderr_tail = (self.stderr_tail + data)[-MAX_STDERR_BYTES:]
        return bool(data)

    def feed(self, data):
        """Cut output into lines, snapshots and rows."""
        data = self.partial_line + data
        end = data.rfind(b"\n") + 1
        data, self.partial_line = data[:end], data[end:]
        if len(self.partial_line) > MAX_PARTIAL_LINE_BYTES:
            self.partial_line = self.partial_line[:MAX_PARTIAL_LINE_BYTES]
        data = escape_lines(data)
        if self.matcher is not None:
            self.add_matching_lines(data.split(b"\n")[:-1])
            return
        at = 0
        for start in self.find_starts(data):
            self.parts.append(data[at:start])
            self.begin_snapshot()
            at = start
        self.parts.append(data[at:])

    def find_starts(self, data):
        """Offsets of the lines with which a snapshot begins."""
        starts = []
        for mark in self.start_marks:
            at = data.find(mark)
            while at >= 0:
                line_at = data.rfind(b"\n", 0, at) + 1
                if data[line_at:at].strip() in LINE_PREFIXES:
                    starts.append(line_at)
                at = data.find(mark, at + 1)
        return sorted(starts)

    def begin_snapshot(self):
        """Write the snapshot before, and begin the next one."""
        self.flush()
        self.log.rotate_if_due()
        self.sentinel = self.log.sentinel(*self.now_ns())
        self.is_in_rows = False
        self.is_row_kept = False

    def add_matching_lines(self, lines):
        """Add lines, except those of processes that do not match."""
        match, unmatched = TASK_ROW.match, self.matcher.unmatched
        for line in lines:
            m = match(line) if self.is_in_rows else None
            if m is not None and int(m.group(1)) in unmatched:
                self.is_row_kept = False  # most rows, decided quickly
            else:
                self.add_line(line)

    def add_line(self, line):
        """Add one line, unless it belongs to a process that does not match."""
        text = line.lstrip()
        if text.startswith(LINE_PREFIXES[1:]):
            text = text[2:].lstrip()
        if text.startswith(self.start_marks):
            self.begin_snapshot()
        elif self.is_in_rows:
            if text and not self.is_matching_row(text):
                return
        elif text.endswith((b"COMMAND", b"COMMAND'")) or b"COMMAND " in text:
            self.is_in_rows = True
        self.parts.append(line + b"\n")

    def is_matching_row(self, row):
        """Does this row belong to a process that matches?

        A line that is not a row is the rest of a command line with a line end in it: it is kept or
        left out with its row, else other users' command lines would be recorded.
        """
        first = row.split(None, 1)[0]
        if first.isdigit():
            matches = self.matcher.matches_tid if self.has_thread_rows else self.matcher.matches_pid
            self.is_row_kept = matches(int(first))
            if self.is_row_kept is None:  # the process has ended: only the row itself is left
                self.is_row_kept = self.matcher.matches_text(
                    row.rstrip().rsplit(b" ", 1)[-1], row if self.has_thread_rows else b""
                )
        return self.is_row_kept

    def flush(self):
        """Write the complete lines there are."""
        data = b"".join(self.parts)
        if data or self.sentinel:
            self.log.write(self.sentinel + data, snapshot=bool(self.sentinel))
        self.sentinel = b""
        self.parts = []

    def signal(self, number):
        """Send it a signal, if it is running."""
        if self.process is not None and self.process.returncode is None:
            try:
                os.kill(self.process.pid, number)
            except ProcessLookupError:
                pass

    def reap(self, flags=os.WNOHANG):
        """True once it has ended; adds its cost to `usage`."""
        if self.process is None:
            return True
        try:
            pid, status, usage = os.wait4(self.process.pid, flags)
        except ChildProcessError:
            self.process.returncode = 0
            self.process = None
            return True
        if pid == 0:
            return False
        self.process.returncode = status
        self.process = None
        self.usage[0] += usage.ru_utime + usage.ru_stime
        self.usage[1] = max(self.usage[1], usage.ru_maxrss * 1024)
        return True

    def close(self):
        """Close our ends of its pipes."""
        for fd in (self.fd, self.stderr):
            if fd is not None:
                os.close(fd)
        self.fd = self.stderr = None
