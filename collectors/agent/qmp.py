"""Roles of QEMU's threads from QEMU itself, through its QMP socket.

Three commands: query-name, query-cpus-fast and query-iothreads. None of them stops a vCPU (the old
query-cpus does, and is not used). A monitor serves one client at a time: where another client is
connected (libvirt usually is), there is no greeting, and nothing is learned.

The socket's path comes from a command line, which any user can choose. Before anything is sent, the
listening end must be that process, or one of the same user.

OVERHEAD: one short connection, in a thread of its own, and only for a process with threads whose
roles their names and libvirt's files do not show (qemu_threads.py).
"""

import json
import os
import re
import socket
import struct
import threading
import time

TIMEOUT_S = 1.0  # for one connection
MAX_BYTES = 1 << 20  # of its answers
MAX_TEXT_CHARACTERS = 255


class NoAnswerError(Exception):
    """The socket does not answer as expected; the message says why."""


def parse_sub_options(text):
    """QEMU's `a,key=value,...` as a dictionary; the first part without a key is at ""; `,,` is a comma."""
    values = {}
    for part in text.replace(",,", "\0").split(","):
        key, equals, value = part.replace("\0", ",").partition("=")
        if equals:
            values.setdefault(key, value)
        elif "" not in values:
            values[""] = key
    return values


def option_pairs(argv):
    """Each argument with the next one."""
    return [(argv[at], argv[at + 1]) for at in range(len(argv) - 1)]


def socket_path(argv):
    """The path of the first QMP socket in QEMU's arguments, None without one."""
    sockets, monitors = {}, []
    for option, value in option_pairs(argv):
        name = option[1:] if option.startswith("--") else option
        if name in ("-qmp", "-qmp-pretty") and value.startswith("unix:"):
            return parse_sub_options(value)[""][5:] or None
        if name == "-chardev":
            chardev = parse_sub_options(value)
            if chardev.get("") == "socket" and "id" in chardev and "path" in chardev:
                sockets[chardev["id"]] = chardev["path"]
        if name == "-mon":
            monitor = parse_sub_options(value)
            if monitor.get("mode") == "control":
                monitors.append(monitor.get("chardev", monitor.get("")))
    return next((sockets[name] for name in monitors if name in sockets), None)


class Connection:
    """One connection to a QMP socket: greeting, then commands; all of it within TIMEOUT_S."""

    def __init__(self, path, pid):
        """`path` as in the arguments of process `pid`, whose root and working folder it refers to."""
        self.deadline = time.monotonic() + TIMEOUT_S
        self.buffer = b""
        self.received_bytes = 0
        full_path = os.path.join("/proc/%d/cwd" % pid, path)
        if path.startswith("/"):
            full_path = "/proc/%d/root%s" % (pid, path)
        # a socket's path may have 108 bytes, so it is given relative to its folder
        folder = os.open(os.path.dirname(full_path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.settimeout(TIMEOUT_S)
            self.socket.connect("/proc/self/fd/%d/%s" % (folder, os.path.basename(full_path)))
            self.check_peer(pid)
            if "QMP" not in self.read_message():
                raise NoAnswerError("not QMP")
            self.execute("qmp_capabilities")
        except BaseException:
            self.socket.close()
            raise
        finally:
            os.close(folder)

    def check_peer(self, pid):
        """NoAnswerError unless the listening process is `pid` or one of the same user."""
        size = struct.calcsize("3i")
        peer, uid, _ = struct.unpack(
            "3i", self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        )
        if peer != pid and uid != self.real_uid(pid):
            raise NoAnswerError("the socket belongs to another user")

    @staticmethod
    def real_uid(pid):
        """The user who started a process: a set-uid program (su, with any arguments) acts as root."""
        with open("/proc/%d/status" % pid, "rb") as f:
            return int(re.search(rb"^Uid:\s+(\d+)", f.read(), re.M).group(1))

    def read_message(self):
        """The next line, as an object."""
        while b"\n" not in self.buffer:
            remaining_s = self.deadline - time.monotonic()
            if remaining_s <= 0 or self.received_bytes > MAX_BYTES:
                raise NoAnswerError("no answer")
            self.socket.settimeout(remaining_s)
            data = self.socket.recv(65536)
            if not data:
                raise NoAnswerError("closed")
            self.received_bytes += len(data)
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        value = json.loads(line.decode("utf-8")) if line.strip() else {}
        return value if isinstance(value, dict) else {}

    def execute(self, command):
        """What a command returns, None where QEMU does not support it; events are skipped."""
        self.socket.sendall(json.dumps({"execute": command}).encode() + b"\r\n")
        while True:
            answer = self.read_message()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                return None


def by_thread_id(rows, key):
    """{thread-id: row[key]} of the valid rows."""
    values = {}
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and isinstance(row.get("thread-id"), int) and key in row:
            values[row["thread-id"]] = limited_text(row[key])
    return values


def limited_text(value):
    """A value as it may be written into a log: limited in length, without unpaired surrogates."""
    return str(value)[:MAX_TEXT_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


def query(path, pid):
    """{"name": text or None, "vcpus": {tid: number}, "iothreads": {tid: id}} of a QEMU process.

    Raises NoAnswerError, OSError or ValueError.
    """
    connection = Connection(path, pid)
    try:
        answer = connection.execute("query-name")
        name = answer.get("name") if isinstance(answer, dict) else None
        return {
            "name": limited_text(name) if isinstance(name, str) else None,
            "vcpus": by_thread_id(connection.execute("query-cpus-fast"), "cpu-index"),
            "iothreads": by_thread_id(connection.execute("query-iothreads"), "id"),
        }
    finally:
        connection.socket.close()


class BackgroundQuery:
    """Runs `query` in the background, one at a time, so that no tick waits for a QEMU that hangs."""

    def __init__(self):
        self.answers = {}
        self.thread = None

    def start(self, pid, path):
        """Start a query; False if another one is running."""
        if self.thread is not None and self.thread.is_alive():
            return False
        self.thread = threading.Thread(target=self._run, args=(pid, path))
        self.thread.daemon = True
        self.thread.start()
        return True

    def _run(self, pid, path):
        try:
            self.answers[pid] = query(path, pid)
        except (NoAnswerError, OSError, ValueError, RecursionError):
            self.answers[pid] = None

    def take_answer(self, pid):
        """(has the query of a process ended, its result or None)."""
        if pid not in self.answers:
            return False, None
        return True, self.answers.pop(pid)
