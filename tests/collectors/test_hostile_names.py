"""What a process writes into its own command line: no sentinels, no rows, no secrets in a recording."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest
import redact
import top_iotop
from conftest import collect, needs_root, needs_top, snapshots

FORGED = (
    "x\n#T 1 1 1 forged\n#GAP forged\n#END forged\n"
    " 4242 be/4 root  9999999.99 K/s 0.00 K/s  0.00 %  0.00 % forged\n"
    "Total DISK READ: 1.00 K/s | Total DISK WRITE: 1.00 K/s\r 4243 be/4 forged"
)
WRITER = """
import os, sys, time
f = os.open(sys.argv[2], os.O_RDWR | os.O_CREAT)
while True:
    os.pwrite(f, b"x" * 65536, 0)
    os.fsync(f)
    time.sleep(0.02)
"""


@pytest.fixture
def forger(folder):
    """A process that writes to the disk all the time, with the text in its command line."""
    made = []

    def start(text):
        data = f"/var/tmp/qv-forger-{os.getpid()}"
        p = subprocess.Popen([sys.executable, "-c", WRITER, text, data])
        made.append((p, data))
        return p

    yield start
    for p, data in made:
        p.kill()
        p.wait()
        pathlib.Path(data).unlink(missing_ok=True)


@needs_root
@needs_top
@pytest.mark.parametrize("kind", ["auto", "proc", "py", "c"])
@pytest.mark.parametrize("only", [None, "qv-forger"])
def test_a_process_cannot_forge_lines(folder, forger, kind, only):
    if kind in ("py", "c") and not shutil.which(f"iotop-{kind}"):
        pytest.skip(f"iotop-{kind} is not there (apt install iotop, iotop-c)")
    p = forger(FORGED)
    out = folder / "out"
    options = ["--only", only] if only else []
    started = collect("start", "--out", out, "--interval", "0.5", "--iotop", kind, *options)
    assert started.returncode in (0, 1)
    time.sleep(2.5)
    collect("stop", "--out", out)
    for name in ("iotop.log", "tasks.log", "top.log"):
        text = (out / name).read_text(errors="replace")
        assert not re.search(r"(?m)^(#T 1 1 1|#GAP forged|#END forged)", text), name
        assert "\r" not in text, "a lone return would end a line, too"
        found, last = snapshots(out / name)
        assert last == "#END SIGTERM" and all(fields[3] != "forged" for fields, _ in found)
        if kind != "c":
            assert not re.search(r"(?m)^(\s*424[23] be/4|Total DISK READ: 1.00 K/s)", text), name
    if kind == "c":  # its rows cannot be told from text: only where it is asked for, and noted
        assert "line ends in command lines" in (out / "facts.json").read_text()
        return
    log = (out / "iotop.log").read_text(errors="replace")
    rows = [line for line in log.splitlines() if "forged" in line]
    assert rows, "its own row is there"
    assert all(re.match(rf"\s*{p.pid} ", row) for row in rows), "and only that"


@pytest.mark.parametrize(
    ("said", "written"),
    [
        (b" 1 be/4 a\n#T 1 2 3 b\n", b" 1 be/4 a\n\\#T 1 2 3 b\n"),
        (b"#END x\n", b"\\#END x\n"),
        (b"a\rb\n", b"a\\rb\n"),
        (b"nothing\n to do\n", b"nothing\n to do\n"),
        (b" 7 be/4 mysql --password=x -h y\n", b" 7 be/4 mysql --password=[redacted] -h y\n"),
        (b" 7 be/4 \xff --token=x\n", b" 7 be/4 \xff --token=[redacted]\n"),
    ],
)
def test_lines_of_a_tool(said, written):
    assert top_iotop.escape_lines(said) == written


SECRETS = [
    (["mysqld", "--user=mysql", "--password=hidden1", "--port=3"], ["hidden1"]),
    (["mysql", "-uroot", "-phidden1", "-P3306", "db"], ["hidden1"]),
    (["mariadb-dump", "--password", "hidden1", "db"], ["hidden1"]),
    (["sysbench", "--mysql-password=hidden1", "--mysql-user=me", "run"], ["hidden1"]),
    (
        ["env", "PGPASSWORD=hidden1", "AWS_SECRET_ACCESS_KEY=hidden2", "psql"],
        ["hidden1", "hidden2"],
    ),
    (["app", "--api-key", "hidden1", "--access-token=hidden2"], ["hidden1", "hidden2"]),
    (["sshpass", "-p", "hidden1", "ssh", "h"], ["hidden1"]),
    (["sshpass", "-phidden1", "ssh", "h"], ["hidden1"]),
    (["curl", "-u", "me:hidden1", "https://me:hidden2@host/"], ["hidden1", "hidden2"]),
    (["curl", "-H", "Authorization: Bearer hidden1"], ["hidden1"]),
    (
        [
            "qemu-system-x86_64",
            "-object",
            "secret,id=s,data=hidden1",
            "-spice",
            "port=1,password=hidden2",
        ],
        ["hidden1", "hidden2"],
    ),
    (["app", "--passphrase", "hidden1 hidden2", "--next"], ["hidden1", "hidden2"]),
    (["app", "--password=hidden1,hidden2&hidden3"], ["hidden1", "hidden2", "hidden3"]),
    (["app", "--password=a\nhidden1\thidden2"], ["hidden1", "hidden2"]),
    (["sh", "-c", "cd /x; mysql -phidden1 db"], ["hidden1"]),
    (["bash", "-c", "cd /x\ncurl -u me:hidden1 http://h"], ["hidden1"]),
    (["redis-cli", "-a", "hidden1"], ["hidden1"]),
    (["redis-server", "--masterauth", "hidden1"], ["hidden1"]),
    (["mongosh", "-u", "me", "-p", "hidden1"], ["hidden1"]),
    (["rabbitmqctl", "add_user", "me", "hidden1"], ["hidden1"]),
    (["rabbitmqadmin", "-u", "me", "-p", "hidden1", "list"], ["hidden1"]),
    (["openssl", "req", "-passin", "pass:hidden1"], ["hidden1"]),
    (["openssl", "enc", "-k", "hidden1"], ["hidden1"]),
    (["smbclient", "//h/s", "-U", "me%hidden1"], ["hidden1"]),
    (["ldapsearch", "-x", "-w", "hidden1", "-b", "dc=x"], ["hidden1"]),
    (["docker", "login", "-u", "me", "-p", "hidden1"], ["hidden1"]),
    (["docker", "run", "-e", "MYSQL_ROOT_PASSWORD=hidden1"], ["hidden1"]),
    (["java", "-Dx.keyStorePassword=hidden1", "-jar", "a.jar"], ["hidden1"]),
    (["curl", "-ume:hidden1", "-H", "X-Api-Key: hidden2"], ["hidden1", "hidden2"]),
    (["curl", "-H", "Authorization: hidden1", "-H", "Cookie: id=hidden2"], ["hidden1", "hidden2"]),
    (["curl", "-d", '{"user":"me","password":"hidden1"}'], ["hidden1"]),
    (["git", "clone", "https://hidden1@host/x"], ["hidden1"]),
    (["psql", "postgresql://me:hidden1@hidden2@host/db"], ["hidden1", "hidden2"]),
    (["app", "-dsn", "me:hidden1@tcp(host:3306)/db"], ["hidden1"]),
    (["minio", "--secret-key", "hidden1"], ["hidden1"]),
    (["ipmitool", "-H", "h", "-P", "hidden1", "power", "on"], ["hidden1"]),
    (["snmpwalk", "-v2c", "-c", "hidden1", "h"], ["hidden1"]),
    (["virsh", "secret-set-value", "uuid", "--base64", "hidden1"], ["hidden1"]),
    (["virsh", "set-user-password", "web", "root", "hidden1"], ["hidden1"]),
    (["qemu-kvm", "-object", '{"qom-type":"secret","id":"s","data":"hidden1"}'], ["hidden1"]),
    (["qemu-kvm", "-drive", "file=rbd:p/d:id=me:key=hidden1:mon_host=h"], ["hidden1"]),
]
HARMLESS = [
    ["docker", "run", "-p", "8080:80", "-u", "1000:1000", "image"], ["env", "PWD=/srv", "app"],
    ["psql", "--no-password", "db"], ["app", "--bypass=1"], ["date", "-u", "+%H:%M"],
    ["qemu-kvm", "-drive", "file=/x.qcow2,password-secret=sec0", "-vnc", ":0"],
    ["qemu-kvm", "-name", "guest=web,debug-threads=on", "-object", "secret,id=k,format=raw,file=/k.aes"],
    ["mysqld", "--basedir=/usr", "--pid-file=/run/mysqld.pid", "--port=3306", "--plugin-dir=/usr/lib"],
    ["apache2", "-k", "start"], ["sleep", "30"], ["ssh", "-p", "22", "user@host"], ["mkdir", "-p", "/tmp/x"],
]  # fmt: skip


@pytest.mark.parametrize(("argv", "hidden"), SECRETS)
def test_secrets_of_a_command_line(argv, hidden):
    whole = " ".join(redact.redact_argv(argv))
    assert whole.startswith(argv[0] + " ") and redact.REDACTED in whole
    assert not any(word in whole for word in hidden)
    assert re.search(redact.SUSPECT, " ".join(argv))
    if len(" ".join(argv).split()) == len(argv):  # else a blank ends a value
        assert redact.redact_line(" ".join(argv)) == whole


@pytest.mark.parametrize("argv", HARMLESS)
def test_what_is_no_secret_stays(argv):
    assert redact.redact_argv(argv) == argv and redact.redact_line(" ".join(argv)) == " ".join(argv)


@pytest.mark.parametrize(
    "text",
    [
        "mysql ",
        "secret-",
        "a-",
        " -u =",
        "curl -ua",
        "sqlplus\\n",
        "password.",
        "a://b:",
        "x,",
        "'",
    ],
)
def test_a_long_command_line_does_not_hold_the_recording(text):
    """Anybody may write 128 KiB of his choice there; this took two minutes."""
    line = "://pass -u " + text * (131072 // len(text))
    began = time.process_time()
    redact.redact_line(line)
    assert time.process_time() - began < 5


def test_a_row_of_iotop_is_not_endless():
    import io

    import iotop_lines

    out = io.StringIO()
    print(" 7 be/4 " + "x" * 1000000, file=iotop_lines.OneLineRows(out))
    assert len(out.getvalue()) <= iotop_lines.MAX_ROW_CHARACTERS + 1


def test_both_parts_redact_alike():
    here = pathlib.Path(redact.__file__)
    other = here.parent.parent.parent / "pipeline" / "redact.py"
    assert here.read_bytes() == other.read_bytes()


@needs_top
@pytest.mark.parametrize("only", [None, "qv-forger"])
def test_no_secret_is_recorded(folder, forger, only):
    forger("--mysql-password=hidden1 -h x PGPASSWORD=hidden2")
    out = folder / "out"
    options = ["--only", only] if only else []
    assert collect("start", "--out", out, "--interval", "0.5", *options).returncode in (0, 1)
    time.sleep(2)
    collect("stop", "--out", out)
    for path in out.iterdir():
        assert b"hidden1" not in path.read_bytes() and b"hidden2" not in path.read_bytes(), (
            path.name
        )
    assert "mysql-password=[redacted]" in (out / "tasks.log").read_text()
