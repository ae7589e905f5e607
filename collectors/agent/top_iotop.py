"""top and iotop as children: which program, how it is called, its snapshots told apart.

Which iotop, and why (measured on Linux 6.18 against /proc/PID/io, 100 direct writes and 100
direct reads of 64 KiB by one thread of a two-threaded process):
- iotop-py 0.6 in thread mode prints the bytes that the thread moved (1270 of 1270 K/s), and only
  once. It is taken where it is. `-o` leaves out threads that did nothing, and with them most of
  its cost (it reads four files for each row that it prints); a thread that is absent did nothing.
- iotop-c before 1.27 in thread mode adds all threads to the leader's row and prints both (twice
  1273 K/s); with -P it is right while no thread ends, but prints a process's whole life again in
  the second in which one of its threads ends (5609 instead of 1274 K/s). QEMU's workers end all
  the time. Its rows hold line ends of command lines, so that any process can forge rows. Taken
  only where it is asked for, with -P, and the record says so; else our own reader is.
- iotop-c 1.27 to 1.29 misread the taskstats of Linux 6.14 and later, and iotop-py those of 6.14
  alone (reported, not measured by us): our own reader is taken there.
-k prints K/s with two decimals, the finest unit that does not change from row to row.
iotop-c block-buffers when its output is no terminal, so it gets a pseudo-terminal.
"""

import fcntl
import os
import pty
import re
import subprocess
import tty

import redact

HERE = os.path.dirname(os.path.abspath(__file__))
ONE_LINE = os.path.join(HERE, "iotop_lines.py")
MAY_HOLD_SECRETS = re.compile(redact.SUSPECT.encode()).search
F_SETPIPE_SZ = 1031
PIPE_BYTES = 1 << 18  # room for a snapshot, so that no tool waits for us
MOST_REST = 1 << 20  # bytes of a line without an end
FORGEABLE = "iotop: rows cannot be told from line ends in command lines: any process can forge them"
LITERALS = (b"", b"b'", b'b"')  # before a line: Python 3 on CentOS and Fedora prints bytes so
ROW = re.compile(rb" *(\d+) ")
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def which(name):
    """A program's path; the system folders are looked at too."""
    for folder in (os.environ.get("PATH", "") + ":" + SEARCH).split(":"):
        path = os.path.join(folder, name)
        if folder and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def environment():
    """C locale, no toprc (HOME is no folder), nothing of the operator's."""
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "LD_LIBRARY_PATH", "TZ")}
    env["PATH"] = env.get("PATH", "") + ":" + SEARCH
    env.update(LC_ALL="C", LANG="C", HOME="/dev/null", XDG_CONFIG_HOME="/dev/null", TERM="dumb")
    env["COLUMNS"] = "512"
    return env


def first_line(argv, timeout=15):
    """The first line that a program prints, "" if it cannot be run."""
    try:
        p = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(),
            timeout=timeout,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    for line in p.stdout.decode("utf-8", "replace").splitlines():
        if line.strip():
            return line.strip()
    return ""


def kernel():
    """(major, minor) of the running kernel."""
    m = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return (int(m.group(1)), int(m.group(2))) if m else (0, 0)


def interpreter(path):
    """The words that start a script written in Python, None for any other program."""
    try:
        with open(path, "rb") as f:
            head = f.read(256).split(b"\n", 1)[0]
    except OSError:
        return None
    if not head.startswith(b"#!") or b"python" not in head:
        return None
    return [os.fsdecode(word) for word in head[2:].split()]


def a_line_a_row(argv):
    """The same call, made so that iotop prints each row as one line (see iotop_lines.py)."""
    start = interpreter(argv[0])
    return argv if start is None else [*start, ONE_LINE, *argv]


def clean(data):
    """Whole lines of a tool's output, in which a process's name or command line can do no harm.

    A line that begins with `#` is no sentinel of the tool's making, a lone return ends no line, and
    a secret in a command line is not recorded.
    """
    data = data.replace(b"\r", b"\\r")
    if data.startswith(b"#") or b"\n#" in data:
        data = re.sub(rb"(?m)^#", b"\\\\#", data)
    if not MAY_HOLD_SECRETS(data):
        return data
    text = data.decode("utf-8", "surrogateescape")
    lines = [redact.line(line) for line in text.split("\n")]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def find_top(interval):
    """{"argv", "version", "start", "notes"} or None where there is no top."""
    path = which("top")
    if path is None:
        return None
    delay = "%g" % interval
    if os.path.basename(os.path.realpath(path)) == "busybox":
        version = first_line([path, "--help"]).split(" (")[0]
        return {
            "argv": [path, "-b", "-d", delay],
            "version": version,
            "start": (b"Mem:",),
            "notes": [],
        }
    text = first_line([path, "-V"])
    if "procps" not in text:
        text = first_line([path, "-v"])
    m = re.search(r"procps\S*(?: version)? (\S+)", text)
    version = (
        "procps-ng " + m.group(1) if m and "procps-ng" in text else (m.group(0) if m else text)
    )
    argv = [path, "-b", "-w", "512", "-d", delay]
    if m and m.group(1).startswith(("3.0", "3.1", "3.2")):
        argv = [path, "-b", "-d", delay]  # has no -w, and takes the width from COLUMNS
    return {"argv": argv, "version": version, "start": (b"top - ",), "notes": []}


def find_iotop(interval, choice="auto"):
    """The same for iotop; None where our own reader has to do it, with the reason in the second."""
    if choice in ("none", "proc"):
        return None, "asked for by --iotop %s" % choice
    py = which("iotop-py") or which("iotop")
    c = which("iotop-c")
    if py and not which("iotop-py"):
        text = first_line([py, "--version"])
        m = re.search(r"(\d+)\.(\d+)", text)
        if m and int(m.group(1)) >= 1:
            py, c = None, c or py
    delay = "%g" % interval
    system = kernel()
    if py and (choice == "py" or (choice == "auto" and interpreter(py))):
        if system == (6, 14) and choice == "auto":
            return None, "iotop 0.6 misreads the taskstats of Linux 6.14"
        m = re.search(r"\d[\w.-]*", first_line([py, "--version"]))
        return {
            "argv": [py, "-b", "-k", "-o", "-d", delay],
            "version": "iotop " + (m.group(0) if m else "?"),
            "start": (b"Total DISK READ",),
            "notes": [] if interpreter(py) else [FORGEABLE],
            "terminal": False,
        }, None
    if c and choice == "c":
        m = re.search(r"(\d+)\.(\d+)", first_line([c, "--version"]))
        number = (int(m.group(1)), int(m.group(2))) if m else (1, 0)
        notes = [FORGEABLE]
        argv = [c, "-b", "-k", "-o", "-c", "-d", "%d" % max(1, round(interval))]
        if number < (1, 27):
            argv.insert(1, "-P")
            notes.append(
                "iotop-c %d.%d: by process; prints a process's whole life in the second "
                "in which one of its threads ends" % number
            )
        elif system >= (6, 14) and number < (1, 30):
            notes.append("iotop-c %d.%d misreads the taskstats of Linux 6.14 and later" % number)
        return {
            "argv": argv,
            "version": "iotop-c " + (m.group(0) if m else "?"),
            "start": (b"Total DISK READ",),
            "notes": notes,
            "terminal": True,
        }, None
    if py or c:
        return None, "this iotop's rows cannot be told from line ends in command lines"
    return None, "iotop is not there"


class Child:
    """One tool under way: its output cut into snapshots and written to its log."""

    def __init__(self, name, found, log, matcher, now_ns):
        self.name = name
        self.argv = a_line_a_row(found["argv"]) if name == "iotop" else found["argv"]
        self.start_marks = found["start"]
        self.terminal = found.get("terminal", False)
        self.log = log
        self.matcher = matcher
        self.task_numbers = name == "iotop"
        self.now_ns = now_ns
        self.process = None
        self.fd = None
        self.err = None
        self.starts = 0
        self.usage = [0.0, 0]
        self.status = None
        self.complaint = b""
        self.received = 0
        self.reset()

    def reset(self):
        """Nothing read yet."""
        self.rest = b""
        self.parts = []
        self.sentinel = b""
        self.in_rows = False
        self.kept = False

    def start(self):
        """Run the tool; OSError if it cannot be."""
        self.reset()
        self.starts += 1
        slave = None
        if self.terminal:
            self.fd, slave = pty.openpty()
            tty.setraw(slave)
            out = slave
        else:
            self.fd, out = os.pipe()
            try:
                fcntl.fcntl(self.fd, F_SETPIPE_SZ, PIPE_BYTES)
            except OSError:
                pass  # it has 64 KiB then, and the tool waits a moment for us
        err_read, err_write = os.pipe()
        try:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err_write,
                env=environment(),
                start_new_session=True,
                close_fds=True,
            )
        except OSError:
            os.close(self.fd)
            os.close(err_read)
            self.fd = None
            raise
        finally:
            os.close(out)
            os.close(err_write)
        self.err = err_read
        os.set_blocking(self.fd, False)
        os.set_blocking(self.err, False)

    def read(self):
        """Take what there is; False at the end of the output."""
        while True:
            try:
                data = os.read(self.fd, 65536)
            except BlockingIOError:
                return True
            except OSError:  # EIO: a pseudo-terminal whose other end is closed
                return False
            if not data:
                return False
            self.received += len(data)
            self.feed(data)

    def read_complaints(self):
        """Keep the end of what it prints as errors; False when that is closed."""
        try:
            data = os.read(self.err, 4096)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.complaint = (self.complaint + data)[-2000:]
        return bool(data)

    def feed(self, data):
        """Cut output into lines, snapshots and rows."""
        data = self.rest + data
        at = data.rfind(b"\n") + 1
        data, self.rest = data[:at], data[at:]
        if len(self.rest) > MOST_REST:
            self.rest = self.rest[:MOST_REST]  # no tool prints such a line
        data = clean(data)
        if self.matcher is not None:
            self.filtered(data.split(b"\n")[:-1])
            return
        begun = 0
        for start in self.beginnings(data):
            self.parts.append(data[begun:start])
            self.begin()
            begun = start
        self.parts.append(data[begun:])

    def beginnings(self, data):
        """Where the lines stand with which a snapshot begins."""
        found = []
        for mark in self.start_marks:
            at = data.find(mark)
            while at >= 0:
                line = data.rfind(b"\n", 0, at) + 1
                if data[line:at].strip() in LITERALS:
                    found.append(line)
                at = data.find(mark, at + 1)
        return sorted(found)

    def begin(self):
        """A snapshot begins: write the one before it."""
        self.flush()
        self.log.turn()
        self.sentinel = self.log.sentinel(*self.now_ns())
        self.in_rows = False
        self.kept = False

    def filtered(self, lines):
        """Lines, of which those of other people's processes are left out."""
        row, refused = ROW.match, self.matcher.no
        for line in lines:
            m = row(line) if self.in_rows else None
            if m is not None and int(m.group(1)) in refused:
                self.kept = False  # most rows, told apart quickly
            else:
                self.line(line)

    def line(self, line):
        """One line, if it is of a process that was asked for."""
        bare = line.lstrip()
        if bare.startswith(LITERALS[1:]):
            bare = bare[2:].lstrip()
        if bare.startswith(self.start_marks):
            self.begin()
        elif self.in_rows:
            if bare and not self.wanted(bare):
                return
        elif bare.endswith((b"COMMAND", b"COMMAND'")) or b"COMMAND " in bare:
            self.in_rows = True
        self.parts.append(line + b"\n")

    def wanted(self, row):
        """Is this row of a process that was asked for?

        A line that is no row is the rest of a command line with a newline in it: it stays or goes
        with its row, or other people's command lines would be in the record.
        """
        first = row.split(None, 1)[0]
        if first.isdigit():
            number = int(first)
            ask = self.matcher.task if self.task_numbers else self.matcher.process
            self.kept = ask(number)
            if self.kept is None:  # gone: the row itself is all there is
                self.kept = self.matcher.text(
                    row.rstrip().rsplit(b" ", 1)[-1], row if self.task_numbers else b""
                )
        return self.kept

    def flush(self):
        """Write the whole lines there are."""
        data = b"".join(self.parts)
        if data or self.sentinel:
            self.log.write(self.sentinel + data, snapshot=bool(self.sentinel))
        self.sentinel = b""
        self.parts = []

    def signal(self, number):
        """Send it a signal, if it lives."""
        if self.process is not None and self.process.returncode is None:
            try:
                os.kill(self.process.pid, number)
            except ProcessLookupError:
                pass

    def reap(self, flags=os.WNOHANG):
        """True once it is gone; what it cost is kept."""
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
        self.process.returncode = self.status = status
        self.process = None
        self.usage[0] += usage.ru_utime + usage.ru_stime
        self.usage[1] = max(self.usage[1], usage.ru_maxrss * 1024)
        return True

    def close(self):
        """Close our ends."""
        for fd in (self.fd, self.err):
            if fd is not None:
                os.close(fd)
        self.fd = self.err = None
