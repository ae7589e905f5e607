"""An ssh server of the test's own; a recorded machine that sends what the test chooses."""

import contextlib
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile

import pytest

from ..helpers import list_children, read_command, wait_for
from .recorder import plan_for, record


@pytest.fixture(autouse=True)
def python_without_search(monkeypatch):
    """The Python of the tests, which saves `collect` the search for one."""
    monkeypatch.setenv("QUEUEVISOR_PYTHON", sys.executable)


class Sshd:
    """An ssh server of the test's own on a free port of the loopback."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("hostkey", "key"):
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name]
            subprocess.run(argv, check=True)
        shutil.copy(folder / "key.pub", folder / "authorized")
        os.makedirs("/run/sshd", exist_ok=True)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        (folder / "sshd.conf").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/hostkey\nPidFile {folder}/sshd.pid\n"
            f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        )
        self.server = None
        self.start()

    def start(self):
        """Start the server."""
        argv = ["/usr/sbin/sshd", "-D", "-f", self.folder / "sshd.conf"]
        self.server = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
        assert wait_for(lambda: (self.folder / "sshd.pid").exists(), 5)

    def die(self):
        """Kill it and every connection, as if the machine were down."""
        connections = list_children(self.server.pid)
        connections += [
            c for p in connections for c in list_children(p) if b"sshd" in read_command(c)
        ]
        self.server.kill()
        self.server.wait()
        for pid in connections:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        (self.folder / "sshd.pid").unlink(missing_ok=True)

    def role(self):
        """A role's entries in the plan."""
        options = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": self.folder / "known",
            "LogLevel": "ERROR",
        }
        settings = [w for k, v in options.items() for w in ("-o", f"{k}={v}")]
        return {
            "via": "ssh", "destination": "root@127.0.0.1", "remote_dir": str(self.folder / "remote"),
            "ssh_options": ["-p", str(self.port), "-i", str(self.folder / "key"), *settings],
        }  # fmt: skip


@pytest.fixture
def sshd(folder):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if not os.path.exists("/usr/sbin/sshd") or not shutil.which("ssh-keygen"):
        pytest.skip("sshd is not there (apt install openssh-server)")
    server = Sshd(folder)
    yield server
    server.die()


FAKE_SSH = """#!{python}
import os, sys
command = sys.argv[-1]
if os.path.exists({hostile!r} + ".py"):
    exec(open({hostile!r} + ".py").read())
if os.path.exists({hostile!r}) and ("send_recording.py" in command or " -cf - ." in command):
    with open({hostile!r}, "rb") as f:
        sys.stdout.buffer.write(f.read())
    sys.exit(0)
os.execvp("sh", ["sh", "-c", command])
"""


@pytest.fixture
def fake_machine(folder):
    """Records a plan whose guest is reached by a fake ssh, and sends the given archive members."""
    tools = folder / "bin"
    tools.mkdir()
    hostile = folder / "hostile.tar"
    ssh = tools / "ssh"
    ssh.write_text(FAKE_SSH.format(python=sys.executable, hostile=str(hostile)))
    ssh.chmod(0o755)
    plan = plan_for(folder, ["true"])
    plan["before_s"] = plan["after_s"] = 0
    plan["roles"]["web"].update(
        via="ssh", destination="root@guest", remote_dir=str(folder / "remote"), iotop="proc"
    )
    plan["roles"]["host"]["iotop"] = "proc"
    env = dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}", TMPDIR=str(folder))

    def run(members=(), options=()):
        if members:
            with tarfile.open(hostile, "w", format=tarfile.GNU_FORMAT) as archive:
                for member, data in members:
                    archive.addfile(member, io.BytesIO(data))
        return record(folder, plan, *options, env=env)

    run.plan = plan
    run.archive_path = hostile
    run.web = folder / "first" / "r1" / "web"
    return run
