"""Secrets in command lines are not recorded."""

import pathlib
import re
import time

import pytest
import redact

from ..helpers import collect, needs_top

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
LINES = [
    "mysqld --passw hidden1", "mysqld --passwo=hidden1", "mysql --pas=hidden1 db", "x --password 'hidden1 hidden2",
    "x --password=a\\ hidden1 -y", "x --password=a\u00a0hidden1 -y", '{"password": "a \\"hidden1"}',
    "password = hidden1",
    "<password>hidden1</password>", "next=%3Fpassword%3Dhidden1", "STRIPE_KEY=hidden1 app", "?auth=hidden1&a=1",
    "PHPSESSID=hidden1", "curl -sSu me:hidden1 http://h", "curl -HAuthorization: Bearer hidden1", "curl -b id=hidden1",
    '"Authorization": "Bearer hidden1"',
    "mysqladmin -u root password hidden1", "pt-archiver --source h=x,p=hidden1,u=y",
    "htpasswd -bc f me hidden1", "openssl passwd -1 hidden1", "mydumper -p hidden1",
    'curl -H Cookie: a=hidden1; b=hidden2', '{"Cookie":["a=hidden1; b=hidden2"],"Authorization":["Bearer hidden1"]}',
    'Authorization: Digest username="hidden1", qop=auth, response="hidden2"',
    "CREATE USER 'a'@'h' IDENTIFIED BY 'hidden1'",
    "ALTER USER a IDENTIFIED WITH p AS '*hidden1' REPLACE 'hidden2'",
    "create user a identified via ed25519 using PASSWORD('hidden1')", 
    "GRANT ALL ON x TO a IDENTIFIED BY \"hidden1\"",
    "SET PASSWORD FOR 'a'@'b' = PASSWORD('hidden1')", "SET PASSWORD='hidden1' REPLACE 'hidden2'",
    "CHANGE MASTER TO MASTER_USER='u', MASTER_PASSWORD='hidden1', MASTER_PORT=3", "SELECT PASSWORD('hidden1')",
    "CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD = 'hidden1'", "SELECT AES_DECRYPT(c, 'hidden1')",
    "CREATE SERVER s OPTIONS (USER 'u', PASSWORD 'hidden1')", "IDENTIFIED BY 'a''hidden1\\'hidden2'",
    "IDENTIFIED BY 'hidden1", "INSERT INTO u (name, `password`) VALUES ('a', 'hidden1')",
    "WHERE token IN ('hidden1')", "UPDATE u SET `password` = 'hidden1'",
]  # fmt: skip
"""As they may be in a log: with quotes, as statements, truncated."""
HARMLESS = [
    ["docker", "run", "-p", "8080:80", "-u", "1000:1000", "image"], ["env", "PWD=/srv", "app"],
    ["psql", "--no-password", "db"], ["app", "--bypass=1"], ["date", "-u", "+%H:%M"],
    ["qemu-kvm", "-drive", "file=/x.qcow2,password-secret=sec0", "-vnc", ":0"],
    ["qemu-kvm", "-name", "guest=web,debug-threads=on", "-object", "secret,id=k,format=raw,file=/k.aes"],
    ["mysqld", "--basedir=/usr", "--pid-file=/run/mysqld.pid", "--port=3306", "--plugin-dir=/usr/lib"],
    ["apache2", "-k", "start"], ["sleep", "30"], ["ssh", "-p", "22", "user@host"], ["mkdir", "-p", "/tmp/x"],
]  # fmt: skip


@pytest.mark.parametrize(("argv", "hidden"), SECRETS)
def test_secrets_are_redacted(argv, hidden):
    whole = " ".join(redact.redact_argv(argv))
    assert whole.startswith(argv[0] + " ") and redact.REDACTED in whole
    assert not any(word in whole for word in hidden)
    assert re.search(redact.SUSPECT, " ".join(argv))
    if len(" ".join(argv).split()) == len(argv):  # otherwise a blank ends a value
        assert redact.redact_line(" ".join(argv)) == whole


def test_secrets_in_lines_are_redacted():
    assert not [line for line in LINES if "hidden" in redact.redact_line(line)]
    assert all(re.search(redact.SUSPECT, line) for line in LINES)
    assert redact.redact_line("IDENTIFIED BY 0xAB12") == "IDENTIFIED BY [redacted]"
    statement = "CREATE USER 'a'@'h' IDENTIFIED BY 'x'"
    assert redact.redact_line(statement) == "CREATE USER 'a'@'h' IDENTIFIED BY [redacted]"


@pytest.mark.parametrize("argv", HARMLESS)
def test_other_arguments_are_kept(argv):
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
def test_time_for_a_long_command_line(text):
    """Any user can choose 128 KiB there: the time for it is proportional to its length."""
    line = "://pass -u " + text * (65536 // len(text))
    start = time.process_time()
    redact.redact_line(line)
    assert time.process_time() - start < 2.5


def test_redact_is_identical_in_the_pipeline():
    source = pathlib.Path(redact.__file__)
    copy = source.parent.parent.parent / "pipeline" / "redact.py"
    assert source.read_bytes() == copy.read_bytes()


@needs_top
@pytest.mark.parametrize("only", [None, "qv-forger"])
def test_secrets_are_not_recorded(folder, forger, only):
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
