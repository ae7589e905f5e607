"""The machines of an experiment: what is copied to them, started on them, and brought home."""

import os
import shlex
import shutil
import subprocess
import threading
import time

import clock
from plan import RefusedError

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = (
    "collect",
    "sampler.py",
    "recording.py",
    "logs.py",
    "pack.py",
    "proc.py",
    "block.py",
    "tasks.py",
    "vms.py",
    "qmp.py",
    "tools.py",
    "iotasks.py",
    "delays.py",
    "facts.py",
    "slice_log.py",
)
"""What a recorded machine needs; the rest is the client's."""


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
        mark = "%s-%d-%d" % (plan["run"], os.getpid(), int(time.time()))
        if self.local:
            self.base = os.path.join(scratch, "local-" + name)
            self.code = HERE
        else:
            self.base = role.get("remote_dir", "/var/tmp/queuevisor").rstrip("/") + "/" + mark
            self.code = self.base + "/collectors"
        self.out = self.base + "/out"
        self.python = ["sh", self.code + "/collect", "python"]
        self.socket = os.path.join(scratch, "ssh-" + name)

    def ssh(self):
        """The ssh call without a command; one connection is kept for all of them."""
        settings = ["BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=15"]
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

    def run(self, words, timeout=120, stdin=None, stdout=subprocess.PIPE):
        """(code, output, complaints); a machine that does not answer is a RefusedError."""
        try:
            p = subprocess.run(
                self.argv(words),
                stdin=stdin if stdin is not None else subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.PIPE,
                timeout=timeout,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            raise RefusedError(
                "%s: no answer within %d s to: %s" % (self.name, timeout, " ".join(words))
            ) from None
        except OSError as e:
            raise RefusedError("%s: %s: %s" % (self.name, words[0], e.strerror)) from None
        complaints = p.stderr.decode("utf-8", "replace").strip()
        if not self.local and p.returncode == 255:
            raise RefusedError(
                "%s: %s cannot be reached: %s"
                % (self.name, self.role["destination"], complaints or "ssh failed")
            )
        return p.returncode, p.stdout, complaints

    def sure(self, words, what, **more):
        """The output of a command that must succeed."""
        code, output, complaints = self.run(words, **more)
        if code:
            raise RefusedError(
                "%s: %s: %s" % (self.name, what, complaints or "exit code %d" % code)
            )
        return output

    def prepare(self):
        """The collectors on the machine, in a folder of their own."""
        self.made = True
        if self.local:
            os.makedirs(self.base)
            return
        self.made_parent = self.run(["test", "-d", os.path.dirname(self.base)])[0] != 0
        self.sure(["mkdir", "-p", "-m", "700", self.code], "no folder can be made")
        pack = subprocess.Popen(
            ["tar", "-C", HERE, "-cf", "-", *list(FILES)], stdout=subprocess.PIPE
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
        found = clock.offset(self.argv([*self.python, "-u", "-c", clock.PING]))
        if found is None:
            raise RefusedError("%s: its clock cannot be read" % self.name)
        self.clock[when] = found

    def mark_logs(self):
        """Remember where the servers' own logs end now."""
        for log, path in self.role["logs"].items():
            text = (
                self.sure([*self.python, self.code + "/slice_log.py", "mark", path], path)
                .decode()
                .split()
            )
            self.marks[log] = (int(text[0]), int(text[1]))

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
        troubles = []
        os.makedirs(folder)
        if self.local and not os.path.isdir(self.out):
            raise RefusedError("%s: the folder of its logs is gone: %s" % (self.name, self.out))
        if self.local:
            for name in sorted(os.listdir(self.out)):
                shutil.copy(os.path.join(self.out, name), folder)
        else:
            unpack = subprocess.Popen(
                ["tar", "-C", folder, "-xf", "-", "--no-same-owner"], stdin=subprocess.PIPE
            )
            try:
                self.sure(
                    ["tar", "-C", self.out, "-cf", "-", "."],
                    "the logs cannot be fetched",
                    timeout=600,
                    stdout=unpack.stdin,
                )
            finally:
                unpack.stdin.close()
                unpack.wait()
        for log, path in self.role["logs"].items():
            inode, size = self.marks[log]
            with open(os.path.join(folder, log), "wb") as f:
                code, _, complaints = self.run(
                    [*self.python, self.code + "/slice_log.py", "cut", path, str(inode), str(size)],
                    timeout=600,
                    stdout=f,
                )
            if code:
                troubles.append(
                    "%s: %s: %s" % (self.name, log, complaints or "exit code %d" % code)
                )
        for name in ("collector.pid", "collector.err"):
            path = os.path.join(folder, name)
            if os.path.exists(path):
                if name == "collector.err":
                    with open(path, errors="replace") as f:
                        troubles.append(
                            "%s: the collector failed: %s" % (self.name, f.read().strip()[-300:])
                        )
                os.unlink(path)
        return troubles

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
