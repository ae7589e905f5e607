"""What QEMU itself says of its threads, through its QMP socket.

Three questions: query-name, query-cpus-fast and query-iothreads. None of them stops a vCPU (the
old query-cpus does, and is not asked). A monitor serves one client at a time: where somebody else
holds it (libvirt does), there is no greeting, and nothing is learned.

The socket's path comes from a command line, which anybody may write. So before a word is sent the
listening end has to be that very process, or one of the same user.

OVERHEAD: one short connection, in a thread of its own, and only for a process with threads that
their names and libvirt's files do not explain (qemu_threads.py).
"""

import json
import os
import re
import socket
import struct
import threading
import time

LIMIT = 1.0  # s for one conversation
MOST_BYTES = 1 << 20  # of its answers


class SilentError(Exception):
    """The socket tells nothing; the message says why."""


def sub_options(text):
    """QEMU's `a,key=value,…` as a dictionary; the first word without a key is at "" ; `,,` is a comma."""
    found = {}
    for part in text.replace(",,", "\0").split(","):
        key, equals, value = part.replace("\0", ",").partition("=")
        if equals:
            found.setdefault(key, value)
        elif "" not in found:
            found[""] = key
    return found


def pairs(words):
    """Each word with the one after it."""
    return [(words[at], words[at + 1]) for at in range(len(words) - 1)]


def socket_path(arguments):
    """The path of the first QMP socket that a command line tells, None without one."""
    sockets, wanted = {}, []
    for option, value in pairs(arguments):
        word = option[1:] if option.startswith("--") else option
        if word in ("-qmp", "-qmp-pretty") and value.startswith("unix:"):
            return sub_options(value)[""][5:] or None
        if word == "-chardev":
            o = sub_options(value)
            if o.get("") == "socket" and "id" in o and "path" in o:
                sockets[o["id"]] = o["path"]
        if word == "-mon":
            o = sub_options(value)
            if o.get("mode") == "control":
                wanted.append(o.get("chardev", o.get("")))
    return next((sockets[name] for name in wanted if name in sockets), None)


class Conversation:
    """One connection: greeting, then questions; everything within LIMIT."""

    def __init__(self, path, pid):
        self.ends = time.monotonic() + LIMIT
        self.rest = b""
        self.got = 0
        where = os.path.join("/proc/%d/cwd" % pid, path)
        if path.startswith("/"):
            where = "/proc/%d/root%s" % (pid, path)
        # a socket's path may have 108 bytes, so it is named from its folder
        folder = os.open(os.path.dirname(where), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.link.settimeout(LIMIT)
            self.link.connect("/proc/self/fd/%d/%s" % (folder, os.path.basename(where)))
            self.check_peer(pid)
            if "QMP" not in self.message():
                raise SilentError("not QMP")
            self.ask("qmp_capabilities")
        except BaseException:
            self.link.close()
            raise
        finally:
            os.close(folder)

    def check_peer(self, pid):
        """Whoever listens is that process, or one of the same user."""
        size = struct.calcsize("3i")
        peer, uid, _ = struct.unpack(
            "3i", self.link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        )
        if peer != pid and uid != self.user(pid):
            raise SilentError("another user's socket")

    @staticmethod
    def user(pid):
        """Who started a process: one of another user's right (su, with any arguments) acts as root."""
        with open("/proc/%d/status" % pid, "rb") as f:
            return int(re.search(rb"^Uid:\s+(\d+)", f.read(), re.M).group(1))

    def message(self):
        """The next line, as an object."""
        while b"\n" not in self.rest:
            left = self.ends - time.monotonic()
            if left <= 0 or self.got > MOST_BYTES:
                raise SilentError("no answer")
            self.link.settimeout(left)
            data = self.link.recv(65536)
            if not data:
                raise SilentError("closed")
            self.got += len(data)
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        value = json.loads(line.decode("utf-8")) if line.strip() else {}
        return value if isinstance(value, dict) else {}

    def ask(self, command):
        """What a command returns, None where it is not known; events in between are passed over."""
        self.link.sendall(json.dumps({"execute": command}).encode() + b"\r\n")
        while True:
            answer = self.message()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                return None


def numbered(rows, key):
    """{thread-id: row[key]} of what is in order among the rows."""
    found = {}
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and isinstance(row.get("thread-id"), int) and key in row:
            found[row["thread-id"]] = text(row[key])
    return found


def text(value):
    """What may be written into a log: not endless, and no halves of characters."""
    return str(value)[:255].encode("utf-8", "replace").decode("utf-8")


def query(path, pid):
    """{"name": text or None, "vcpus": {tid: number}, "iothreads": {tid: id}}; SilentError, OSError or ValueError."""
    talk = Conversation(path, pid)
    try:
        name = talk.ask("query-name")
        name = name.get("name") if isinstance(name, dict) else None
        return {
            "name": text(name) if isinstance(name, str) else None,
            "vcpus": numbered(talk.ask("query-cpus-fast"), "cpu-index"),
            "iothreads": numbered(talk.ask("query-iothreads"), "id"),
        }
    finally:
        talk.link.close()


class Asker:
    """Asks in the background, one process at a time, so that no tick waits for a hung QEMU."""

    def __init__(self):
        self.answers = {}
        self.thread = None

    def ask(self, pid, path):
        """Begin to ask; False if another question is under way."""
        if self.thread is not None and self.thread.is_alive():
            return False
        self.thread = threading.Thread(target=self._run, args=(pid, path))
        self.thread.daemon = True
        self.thread.start()
        return True

    def _run(self, pid, path):
        try:
            self.answers[pid] = query(path, pid)
        except (SilentError, OSError, ValueError, RecursionError):
            self.answers[pid] = None

    def take(self, pid):
        """(is there an answer, the answer or None)."""
        if pid not in self.answers:
            return False, None
        return True, self.answers.pop(pid)
