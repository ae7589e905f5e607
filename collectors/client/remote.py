"""The machines of an experiment: copies the agent to them, starts and stops it, fetches the logs."""

import json
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
import texts
from experiment_plan import ExperimentError
from interruption import deferred_signals

AGENT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "agent")
MAX_OUTPUT_BYTES = 1 << 20
"""Kept of what a command prints."""
MAX_SOCKET_PATH_BYTES = 80  # of ssh's control socket; the kernel allows 108, ssh appends to it
RETRY_S = 2.0  # between two attempts to reach a machine at the end
MAKE_FOLDER_SCRIPT = rb"""
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
"""Runs on the machine: creates a private folder below $1 if nobody else can replace it; prints whether $1
existed, and the folder."""


def list_agent_files():
    """Names of the files that are copied to a machine."""
    return sorted(name for name in os.listdir(AGENT) if name == "collect" or name.endswith(".py"))


def read_limited(stream, max_bytes):
    """The first bytes of a stream that is read to its end."""
    kept = b""
    while True:
        data = stream.read1(65536) if hasattr(stream, "read1") else stream.read(65536)
        if not data:
            return kept
        kept += data[: max_bytes - len(kept)]


def copy_limited(stream, out, max_bytes):
    """Copy at most that many bytes; True if the stream has more."""
    while True:
        data = stream.read(65536)
        if not data:
            return False
        out.write(data[:max_bytes])
        if len(data) > max_bytes:
            return True
        max_bytes -= len(data)


def decode(output):
    """Output of a command as text."""
    return output.decode("utf-8", "replace")


def server_log_form(log, keeps_sql):
    """What log_slice.py copies of a server's log: whole lines, or statements or queries without their values."""
    if keeps_sql:
        return "whole"
    return "statements" if re.search(r"general|slow|mysql|maria", log) else "queries"


class Machine:
    """A role's machine; only what was started on it by this object is ended."""

    def __init__(self, name, role, plan, scratch):
        """`role` is the entry of that name in the plan's `roles`; `scratch` a temporary folder here."""
        self.name = name
        self.role = role
        self.plan = plan
        self.is_local = role["via"] == "local"
        self.is_started = self.is_lost = False
        self.is_folder_made = self.is_parent_made = False
        self.log_marks = {}  # {log: (inode, size) at the start}
        self.clock = {}  # {"before" | "after": (offset, uncertainty) in ns}
        self.remote_dir = role.get("remote_dir", "/var/tmp")
        self._set_folder(os.path.join(scratch, "local-" + name) if self.is_local else "BASE")
        self.socket = os.path.join(scratch, "ssh-" + name)

    def _set_folder(self, folder):
        """All files of an experiment on the machine are below this folder."""
        self.folder = folder
        self.agent = AGENT if self.is_local else folder + "/agent"
        self.out = folder + "/out"
        self.python = ["sh", self.agent + "/collect", "python"]

    def ssh_command(self):
        """The ssh call without a remote command; one connection is shared by all of them."""
        settings = [
            "BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=15",
            "ForwardAgent=no", "ForwardX11=no",  # the machine may be hostile
        ]  # fmt: skip
        if len(self.socket) < MAX_SOCKET_PATH_BYTES:
            settings += [
                "ControlMaster=auto", "ControlPersist=600", "ControlPath=" + self.socket,
            ]  # fmt: skip
        argv = ["ssh"]
        for setting in settings:
            argv += ["-o", setting]
        return argv + self.role["ssh_options"] + [self.role["destination"]]

    def wrap(self, argv):
        """The command that runs `argv` on this machine: as it is, or through ssh."""
        if self.is_local:
            return list(argv)
        return [*self.ssh_command(), " ".join(shlex.quote(word) for word in argv)]

    def run(self, argv, timeout_s=120, stdin=None, read_output=None):
        """(exit code, output, standard error) of a command; ExperimentError without an answer.

        `read_output` reads the output, a binary stream, and its result is returned; without it the
        first MAX_OUTPUT_BYTES are kept.
        """
        read_output = read_output or (lambda stream: read_limited(stream, MAX_OUTPUT_BYTES))
        try:
            p = subprocess.Popen(
                self.wrap(argv),
                stdin=stdin if stdin is not None else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as e:
            raise ExperimentError(texts.CANNOT_RUN % (self.name, argv[0], e.strerror)) from None
        errors = []
        reader = threading.Thread(
            target=lambda: errors.append(read_limited(p.stderr, MAX_OUTPUT_BYTES))
        )
        reader.daemon = True
        timed_out = threading.Event()

        def kill():
            timed_out.set()
            p.kill()

        timer = threading.Timer(timeout_s, kill)
        reader.start()
        timer.start()
        try:
            output = read_output(p.stdout)
        except BaseException:
            p.kill()
            raise
        finally:
            p.stdout.close()
            p.wait()
            timer.cancel()
            reader.join(5)  # a process that keeps the other end open is not waited for
        if timed_out.is_set():
            raise ExperimentError(texts.TIMED_OUT % (self.name, timeout_s, " ".join(argv)))
        stderr = decode(b"".join(errors)).strip()
        if not self.is_local and p.returncode == 255:
            raise ExperimentError(
                texts.UNREACHABLE
                % (self.name, self.role["destination"], stderr or texts.SSH_FAILED)
            )
        return p.returncode, output, stderr

    def run_checked(self, argv, failure, **options):
        """The output of a command; ExperimentError, which begins with `failure`, if it fails."""
        code, output, stderr = self.run(argv, **options)
        if code:
            raise ExperimentError(
                texts.COMMAND_FAILED % (self.name, failure, stderr or texts.EXIT_CODE % code)
            )
        return output

    def copy_agent(self):
        """Copy the agent to the machine, into a folder that nobody else can have made."""
        if self.is_local:
            os.makedirs(self.folder, files.PRIVATE_FOLDER_MODE)
            return
        with tempfile.TemporaryFile() as script:
            script.write(MAKE_FOLDER_SCRIPT)
            script.seek(0)
            argv = ["sh", "-s", "--", self.remote_dir]
            answer = self.run_checked(argv, texts.NO_FOLDER, stdin=script)
        m = re.match(r"^(new|there) (/[^\0-\x1f]*)\n\Z", decode(answer))
        if m is None:
            raise ExperimentError(texts.BAD_FOLDER_ANSWER % (self.name, answer[:80]))
        self.is_parent_made = m.group(1) == "new"
        self._set_folder(m.group(2))
        self.is_folder_made = True
        self.run_checked(["mkdir", "-m", "700", self.agent], texts.NO_FOLDER)
        tar = subprocess.Popen(
            ["tar", "-C", AGENT, "-cf", "-", *list_agent_files()], stdout=subprocess.PIPE
        )
        try:
            self.run_checked(
                ["tar", "-C", self.agent, "-xf", "-", "--no-same-owner"],
                texts.NOT_COPIED,
                stdin=tar.stdout,
            )
        finally:
            tar.stdout.close()
            tar.wait()

    def check(self, request):
        """The machine's answer to a request of machine_check.py; ValueError where it is not an object."""
        with tempfile.TemporaryFile() as f:
            f.write(json.dumps(request).encode("utf-8"))
            f.seek(0)
            argv = [*list(self.role["prefix"]), *self.python, self.agent + "/machine_check.py"]
            output = self.run_checked(argv, texts.NOT_CHECKED, stdin=f)
        try:
            answer = json.loads(output.decode("utf-8"))
        except RecursionError:
            answer = None
        if not isinstance(answer, dict):
            raise ValueError(texts.BAD_CHECK_ANSWER % self.name)
        return answer

    def save(self):
        """What `restore` needs to stop and fetch the recording later, from another process."""
        return {
            "folder": self.folder,
            "is_folder_made": self.is_folder_made,
            "is_parent_made": self.is_parent_made,
            "is_started": self.is_started,
            "log_marks": self.log_marks,
            "clock": self.clock,
        }

    def restore(self, saved):
        """Take over a recording of another process, as it was saved."""
        self._set_folder(saved["folder"])
        self.is_folder_made = saved["is_folder_made"]
        self.is_parent_made = saved["is_parent_made"]
        self.is_started = saved["is_started"]
        self.log_marks = saved["log_marks"]
        self.clock = {when: tuple(clock) for when, clock in saved["clock"].items()}

    def measure_clock(self, when):
        """Measure the offset of its clock; `when` is "before" or "after"."""
        if self.is_local:
            self.clock[when] = (0, 0)
            return
        clock = clock_offset.measure_offset(
            self.wrap([*self.python, "-u", "-c", clock_offset.CLOCK_SCRIPT])
        )
        if clock is None:
            raise ExperimentError(texts.NO_CLOCK % self.name)
        self.clock[when] = clock

    def mark_logs(self):
        """Remember where the servers' own logs end now."""
        for log, path in self.role["logs"].items():
            output = self.run_checked(
                [*self.python, self.agent + "/log_slice.py", "mark", path], path
            )
            m = re.match(rb"^(\d{1,20}) (\d{1,20})\n\Z", output)
            if m is None:
                raise ExperimentError(texts.NO_MARK % (self.name, path))
            self.log_marks[log] = (int(m.group(1)), int(m.group(2)))

    def start_command(self):
        """The command that starts the collectors."""
        argv = [
            *list(self.role["prefix"]),
            "sh",
            self.agent + "/collect",
            "start",
            "--out",
            self.out,
            "--role",
            self.name,
            "--interval",
            "%g" % (self.role.get("interval_s") or self.plan["interval_s"]),
            "--seconds",
            "%g" % self.plan["at_most_s"],
            "--allow-none",  # what the patterns match was checked before
        ]
        for key in ("hostname", "only", "tasks", "devices", "iotop", "rotate"):
            if self.role.get(key):
                argv.append("--%s=%s" % (key, self.role[key]))
        return argv

    def start(self):
        """Start the collectors; (their output, exit code 0 or 1)."""
        self.is_started = True
        code, output, stderr = self.run(self.start_command(), timeout_s=180)
        if code > 1:
            raise ExperimentError(texts.NOT_STARTED % (self.name, stderr or decode(output)))
        return decode(output), code

    def stop(self):
        """Stop the collectors, if they were started; what went wrong, or None."""
        if not self.is_started:
            return None
        code, output, stderr = self.run(
            ["sh", self.agent + "/collect", "stop", "--out", self.out], timeout_s=60
        )
        self.is_started = False
        return (stderr or decode(output)).strip() if code else None

    def finish(self, reach_s):
        """Stop the collectors and measure the clock again; the problems, as a list.

        A machine that does not answer (it may be restarting) is retried for `reach_s` seconds and
        then given up, so that the recordings of the other machines are kept.
        """
        deadline = time.monotonic() + reach_s
        while True:
            try:
                problem = self.stop()
                break
            except ExperimentError as e:
                if time.monotonic() >= deadline:
                    self.is_started = False
                    self.is_lost = True
                    return [texts.MACHINE_LOST % e]
                time.sleep(min(RETRY_S, reach_s))
        problems = [texts.MACHINE_PROBLEM % (self.name, problem)] if problem else []
        try:
            self.measure_clock("after")
        except ExperimentError as e:
            problems.append(str(e))
        return problems

    def fetch(self, folder):
        """Fetch its logs into a new folder; the problems, as a list."""
        os.makedirs(folder, files.PRIVATE_FOLDER_MODE)
        if self.is_local and not os.path.isdir(self.out):
            raise ExperimentError(texts.NO_RECORDING % (self.name, self.out))
        max_bytes = int(self.plan["most_mb"] * 1e6)
        problems = self._fetch_recording(folder, max_bytes)
        for log in self.role["logs"]:
            problems.extend(self._fetch_server_log(log, folder, max_bytes))
        for name in ("collector.pid", "collector.err"):
            path = os.path.join(folder, name)
            if os.path.exists(path):
                if name == "collector.err":
                    with open(path, errors="replace") as f:
                        problems.append(texts.COLLECTOR_FAILED % f.read().strip()[-300:])
                os.unlink(path)
        return [texts.MACHINE_PROBLEM % (self.name, problem) for problem in problems]

    def _fetch_recording(self, folder, max_bytes):
        """Fetch the files that the collectors wrote; the problems."""
        try:
            code, refused, stderr = self.run(
                [*self.python, self.agent + "/send_recording.py", self.out],
                timeout_s=600,
                read_output=lambda stream: receive_recording.receive(stream, folder, max_bytes),
            )
        except receive_recording.ArchiveError as e:
            return [texts.LOGS_INCOMPLETE % e]
        if code:
            refused.append(texts.LOGS_FAILED % (stderr or texts.EXIT_CODE % code))
        return refused

    def _fetch_server_log(self, log, folder, max_bytes):
        """Fetch what a server wrote into its own log since `mark_logs`; the problems."""
        inode, size = self.log_marks[log]
        path = self.role["logs"][log]
        form = server_log_form(log, self.plan.get("keep_sql"))
        with os.fdopen(files.create_file(os.path.join(folder, log)), "wb") as out:
            code, is_too_large, stderr = self.run(
                [
                    *self.python,
                    self.agent + "/log_slice.py",
                    "cut",
                    path,
                    str(inode),
                    str(size),
                    form,
                ],
                timeout_s=600,
                read_output=lambda stream: copy_limited(stream, out, max_bytes),
            )
        if is_too_large:
            return [texts.SERVER_LOG_CUT % (log, max_bytes)]
        if code:
            return [texts.SERVER_LOG_FAILED % (log, stderr or texts.EXIT_CODE % code)]
        return []

    def remove_files(self):
        """Remove what was copied to the machine and made on it; close the ssh connection."""
        if self.is_folder_made and not self.is_local:
            try:
                self.run(["rm", "-rf", "--", self.folder], timeout_s=60)
                if self.is_parent_made:
                    self.run(["rmdir", "--", os.path.dirname(self.folder)], timeout_s=60)
            except ExperimentError:
                pass
        if not self.is_local and os.path.exists(self.socket):
            subprocess.run(
                [*self.ssh_command()[:-1], "-O", "exit", self.role["destination"]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=20,
            )


def run_on_all(function, machines):
    """{name: result} of a function called for all machines at once, from the main thread.

    The first exception is raised when all calls have ended; so is an interruption.
    """
    exceptions = []
    results = {}

    def call(machine):
        try:
            results[machine.name] = function(machine)
        except Exception as e:  # carried to the caller
            exceptions.append(e)

    threads = [threading.Thread(target=call, args=(m,)) for m in machines]
    with deferred_signals():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if exceptions:
        raise exceptions[0]
    return results
