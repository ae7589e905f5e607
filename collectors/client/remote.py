"""The machines of an experiment: what is copied to them, started on them, and brought home."""

import os
import re
import shlex
import subprocess
import tempfile
import threading
import time

import clock_offset
import files
import receive_recording
from experiment_plan import RefusedError

AGENT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "agent")

MAX_ANSWER = 1 << 20
"""Bytes that are kept of what a command says."""
MAKE_FOLDER = rb"""
set -f
umask 077
state=there
[ -d "$1" ] || state=new
mkdir -p -- "$1" && cd -P -- "$1" || exit 1
base=$(pwd -P)
at=$base
while :; do
    set -- $(ls -ldn -- "$at")
    safe=1
    case $1 in
        d????????[tT]*) ;;
        d???????w*) safe=0 ;;
        d????w*) [ "$4" = 0 ] || [ "$4 $(id -gn)" = "$(id -g) $(id -un)" ] || safe=0 ;;
    esac
    [ "$safe" = 1 ] || { echo "$at can be written to by others" >&2; exit 1; }
    [ "$3" = 0 ] || [ "$3" = "$(id -u)" ] || { echo "$at belongs to user $3" >&2; exit 1; }
    [ "$at" != / ] || break
    at=${at%/*}
    at=${at:-/}
done
new=$(mktemp -d "${base%/}/queuevisor.XXXXXXXXXX") && echo "$state $new"
"""
"""On the machine: a new folder below $1 for us alone, if nobody else can move it away; was $1 there?"""


def agent_files():
    """Names of the files that are copied to a machine."""
    return sorted(name for name in os.listdir(AGENT) if name == "collect" or name.endswith(".py"))


def drained(stream, most):
    """The first bytes of a stream that is read to its end."""
    kept = b""
    while True:
        data = stream.read1(65536) if hasattr(stream, "read1") else stream.read(65536)
        if not data:
            return kept
        kept += data[: most - len(kept)]


def copied(stream, out, most):
    """Copy at most so many bytes; was there more?"""
    while True:
        data = stream.read(65536)
        if not data:
            return False
        out.write(data[:most])
        if len(data) > most:
            return True
        most -= len(data)


class Machine:
    """A role's machine; what was started on it is remembered, and only that is ended."""

    def __init__(self, name, role, plan, scratch):
        self.name = name
        self.role = role
        self.plan = plan
        self.scratch = scratch
        self.local = role["via"] == "local"
        self.started = self.lost = False
        self.made = self.made_parent = False
        self.marks = {}
        self.clock = {}
        self.remote_dir = role.get("remote_dir", "/var/tmp")
        self.at(os.path.join(scratch, "local-" + name) if self.local else "BASE")
        self.socket = os.path.join(scratch, "ssh-" + name)

    def at(self, base):
        """Everything of ours on the machine lies below this folder."""
        self.base = base
        self.code = AGENT if self.local else base + "/agent"
        self.out = base + "/out"
        self.python = ["sh", self.code + "/collect", "python"]

    def ssh(self):
        """The ssh call without a command; one connection is kept for all of them."""
        settings = [
            "BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=15",
            "ForwardAgent=no", "ForwardX11=no",  # the machine may be hostile
        ]  # fmt: skip
        if len(self.socket) < 80:  # a socket's path may have 108 bytes
            settings += [
                "ControlMaster=auto", "ControlPersist=600", "ControlPath=" + self.socket,
            ]  # fmt: skip
        words = ["ssh"]
        for setting in settings:
            words += ["-o", setting]
        return words + self.role["ssh_options"] + [self.role["destination"]]

    def argv(self, words):
        """A command as this machine runs it: here, or through ssh."""
        if self.local:
            return list(words)
        return [*self.ssh(), " ".join(shlex.quote(w) for w in words)]

    def run(self, words, timeout=120, stdin=None, take=None):
        """(code, output, complaints); a machine that does not answer is a RefusedError.

        `take` reads the output, a binary stream; without it the first MAX_ANSWER bytes are kept.
        """
        take = take or (lambda stream: drained(stream, MAX_ANSWER))
        try:
            p = subprocess.Popen(
                self.argv(words),
                stdin=stdin if stdin is not None else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as e:
            raise RefusedError("%s: %s: %s" % (self.name, words[0], e.strerror)) from None
        said = []
        listener = threading.Thread(target=lambda: said.append(drained(p.stderr, MAX_ANSWER)))
        listener.daemon = True
        late = threading.Event()

        def end():
            late.set()
            p.kill()

        watch = threading.Timer(timeout, end)
        listener.start()
        watch.start()
        try:
            output = take(p.stdout)
        except BaseException:
            p.kill()
            raise
        finally:
            p.stdout.close()
            p.wait()
            watch.cancel()
            listener.join(5)  # what still holds the other end open is not waited for
        if late.is_set():
            raise RefusedError(
                "%s: no answer within %d s to: %s" % (self.name, timeout, " ".join(words))
            )
        complaints = b"".join(said).decode("utf-8", "replace").strip()
        if not self.local and p.returncode == 255:
            raise RefusedError(
                "%s: %s cannot be reached: %s"
                % (self.name, self.role["destination"], complaints or "ssh failed")
            )
        return p.returncode, output, complaints

    def sure(self, words, what, **more):
        """The output of a command that must succeed."""
        code, output, complaints = self.run(words, **more)
        if code:
            raise RefusedError(
                "%s: %s: %s" % (self.name, what, complaints or "exit code %d" % code)
            )
        return output

    def prepare(self):
        """The collectors on the machine, in a folder that nobody else can have made."""
        if self.local:
            os.makedirs(self.base, files.PRIVATE_FOLDER)
            return
        with tempfile.TemporaryFile() as script:
            script.write(MAKE_FOLDER)
            script.seek(0)
            words = ["sh", "-s", "--", self.remote_dir]
            answer = self.sure(words, "no folder can be made", stdin=script)
        said = re.match(r"^(new|there) (/[^\0-\x1f]*)\n\Z", answer.decode("utf-8", "replace"))
        if said is None:
            raise RefusedError("%s: no folder can be made: it says %r" % (self.name, answer[:80]))
        self.made_parent = said.group(1) == "new"
        self.at(said.group(2))
        self.made = True
        self.sure(["mkdir", "-m", "700", self.code], "no folder can be made")
        pack = subprocess.Popen(
            ["tar", "-C", AGENT, "-cf", "-", *agent_files()], stdout=subprocess.PIPE
        )
        try:
            self.sure(
                ["tar", "-C", self.code, "-xf", "-", "--no-same-owner"],
                "the collectors cannot be copied",
                stdin=pack.stdout,
            )
        finally:
            pack.stdout.close()
            pack.wait()

    def measure_clock(self, when):
        """Its clock minus ours, and to how much."""
        if self.local:
            self.clock[when] = (0, 0)
            return
        found = clock_offset.offset(self.argv([*self.python, "-u", "-c", clock_offset.PING]))
        if found is None:
            raise RefusedError("%s: its clock cannot be read" % self.name)
        self.clock[when] = found

    def mark_logs(self):
        """Remember where the servers' own logs end now."""
        for log, path in self.role["logs"].items():
            text = self.sure([*self.python, self.code + "/log_slice.py", "mark", path], path)
            mark = re.match(rb"^(\d{1,20}) (\d{1,20})\n\Z", text)
            if mark is None:
                raise RefusedError("%s: %s: where it ends cannot be read" % (self.name, path))
            self.marks[log] = (int(mark.group(1)), int(mark.group(2)))

    def start_words(self):
        """The command that starts the collectors."""
        words = [
            *list(self.role["prefix"]),
            "sh",
            self.code + "/collect",
            "start",
            "--out",
            self.out,
            "--role",
            self.name,
            "--interval",
            "%g" % (self.role.get("interval_s") or self.plan["interval_s"]),
            "--seconds",
            "%g" % self.plan["at_most_s"],
        ]
        for key in ("hostname", "only", "tasks", "devices", "iotop", "rotate"):
            if self.role.get(key):
                words.append("--%s=%s" % (key, self.role[key]))
        return words

    def start(self):
        """Start the collectors: (what they said, exit code)."""
        self.started = True
        code, output, complaints = self.run(self.start_words(), timeout=180)
        if code == 2 or code > 1:
            raise RefusedError(
                "%s: the collectors did not start: %s"
                % (self.name, complaints or output.decode("utf-8", "replace"))
            )
        return output.decode("utf-8", "replace"), code

    def stop(self):
        """Stop what was started; what went wrong, or None."""
        if not self.started:
            return None
        code, output, complaints = self.run(
            ["sh", self.code + "/collect", "stop", "--out", self.out], timeout=60
        )
        self.started = False
        return (complaints or output.decode("utf-8", "replace")).strip() if code else None

    def finish(self, reach_s):
        """Stop the collectors and read the clock once more; the list of what went wrong.

        A machine that does not answer (it may have been restarted) is asked again for so many
        seconds, then given up: what the others recorded must not be lost with it.
        """
        end = time.monotonic() + reach_s
        while True:
            try:
                trouble = self.stop()
                break
            except RefusedError as e:
                if time.monotonic() >= end:
                    self.started = False
                    self.lost = True
                    return ["%s; what it recorded could not be brought home" % e]
                time.sleep(min(2.0, reach_s))
        troubles = ["%s: %s" % (self.name, trouble)] if trouble else []
        try:
            self.measure_clock("after")
        except RefusedError as e:
            troubles.append(str(e))
        return troubles

    def fetch(self, folder):
        """Bring its logs into a folder; what could not be brought is listed."""
        os.makedirs(folder, files.PRIVATE_FOLDER)
        if self.local and not os.path.isdir(self.out):
            raise RefusedError("%s: the folder of its logs is gone: %s" % (self.name, self.out))
        most = int(self.plan["most_mb"] * 1e6)
        troubles = self.take_recording(folder, most)
        for log in self.role["logs"]:
            troubles.extend(self.take_log(log, folder, most))
        for name in ("collector.pid", "collector.err"):
            path = os.path.join(folder, name)
            if os.path.exists(path):
                if name == "collector.err":
                    with open(path, errors="replace") as f:
                        troubles.append("the collector failed: %s" % f.read().strip()[-300:])
                os.unlink(path)
        return ["%s: %s" % (self.name, trouble) for trouble in troubles]

    def take_recording(self, folder, most):
        """What the collectors wrote; what went wrong."""
        try:
            code, refused, complaints = self.run(
                [*self.python, self.code + "/send_recording.py", self.out],
                timeout=600,
                take=lambda stream: receive_recording.unpack(stream, folder, most),
            )
        except receive_recording.BrokenError as e:
            return ["the logs could not be fetched whole: %s" % e]
        return refused + (["the logs: %s" % (complaints or "exit code %d" % code)] if code else [])

    def take_log(self, log, folder, most):
        """What a server wrote into its own log meanwhile; what went wrong."""
        inode, size = self.marks[log]
        with os.fdopen(files.create(os.path.join(folder, log)), "wb") as out:
            code, too_much, complaints = self.run(
                [*self.python, self.code + "/log_slice.py", "cut", self.role["logs"][log],
                 str(inode), str(size)],
                timeout=600,
                take=lambda stream: copied(stream, out, most),
            )  # fmt: skip
        if too_much:
            return ["%s: cut off after %d bytes (most_mb)" % (log, most)]
        return ["%s: %s" % (log, complaints or "exit code %d" % code)] if code else []

    def clean(self):
        """Take away what was copied and made."""
        if self.made and not self.local:
            try:
                self.run(["rm", "-rf", "--", self.base], timeout=60)
                if self.made_parent:
                    self.run(["rmdir", "--", os.path.dirname(self.base)], timeout=60)
            except RefusedError:
                pass
        if not self.local and os.path.exists(self.socket):
            subprocess.run(
                [*self.ssh()[:-1], "-O", "exit", self.role["destination"]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=20,
            )


def together(function, machines):
    """A function on all machines at once; the first failure is raised when all have ended."""
    failures = []
    results = {}

    def one(machine):
        try:
            results[machine.name] = function(machine)
        except Exception as e:  # carried to the caller
            failures.append(e)

    threads = [threading.Thread(target=one, args=(m,)) for m in machines]
    for t in threads:
        t.start()
    interrupted = False
    for t in threads:
        while t.is_alive():
            try:
                t.join()
            except KeyboardInterrupt:  # what is being started has to be known before it is ended
                interrupted = True
    if interrupted:
        raise KeyboardInterrupt
    if failures:
        raise failures[0]
    return results
