"""What the guests serve: the web server's documents, the database's table.

The database is filled in a chroot, with the guest's own mariadbd, because the same work takes
many times as long in an emulated guest.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

from . import paths
from .console import say
from .paths import STATE, TestbedError
from .shell import run


def document(number: int) -> str:
    """The address of one document."""
    return f"/d{number % 200:03d}/f{number:06d}.bin"


def write_documents(root: Path) -> None:
    """More documents than the guest has memory, so that requests read the virtual disk."""
    say(f"image of web: {paths.DOCUMENTS} documents of {paths.DOCUMENT_BYTES} bytes")
    top = root / "var/www/html"
    source = random.Random(1)
    for folder in range(200):
        (top / f"d{folder:03d}").mkdir(parents=True, exist_ok=True)
    for number in range(paths.DOCUMENTS):
        (top / document(number)[1:]).write_bytes(source.randbytes(paths.DOCUMENT_BYTES))


def fill_database(root: Path) -> None:
    """sysbench's table, made once by the guest's own server running in a chroot on the host."""
    say(f"image of db: a table of {paths.DATABASE_ROWS} rows (sysbench prepare)")
    (root / "var/log/mysql").mkdir(exist_ok=True)
    run("chroot", root, "chown", "mysql:adm", "/var/log/mysql")
    socket = root / "run/mysqld/mysqld.sock"
    socket.parent.mkdir(exist_ok=True)
    run("chroot", root, "chown", "mysql", "/run/mysqld")
    with (STATE / "images" / "db.prepare.log").open("wb") as log:
        server = subprocess.Popen(
            [
                "chroot",
                str(root),
                "/usr/sbin/mariadbd",
                "--user=mysql",
                "--skip-networking",
                "--general-log=0",
                "--innodb-fast-shutdown=0",
                "--innodb-buffer-pool-size=512M",
                "--innodb-flush-log-at-trx-commit=0",
                "--socket=/run/mysqld/mysqld.sock",
            ],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_for_socket(socket, server)
            sql = (
                "CREATE DATABASE IF NOT EXISTS sbtest; CREATE USER IF NOT EXISTS "
                "'sbtest'@'%' IDENTIFIED BY 'sbtest'; GRANT ALL ON sbtest.* TO 'sbtest'@'%';"
            )
            run("chroot", root, "mariadb", "--socket=/run/mysqld/mysqld.sock", "-e", sql)
            run(
                "sysbench",
                "oltp_read_write",
                "--db-driver=mysql",
                f"--mysql-socket={socket}",
                "--mysql-user=sbtest",
                "--mysql-password=sbtest",
                "--mysql-db=sbtest",
                "--tables=1",
                f"--table-size={paths.DATABASE_ROWS}",
                "--rand-seed=1",
                "prepare",
            )
            run(
                "chroot",
                root,
                "mariadb",
                "--socket=/run/mysqld/mysqld.sock",
                "-e",
                "ANALYZE TABLE sbtest.sbtest1;",
            )
        finally:
            if server.poll() is None:
                server.send_signal(signal.SIGTERM)
            try:
                server.wait(180)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
                raise TestbedError("mariadbd did not end within 180 s") from None
        if server.returncode:
            raise TestbedError(f"mariadbd ended with {server.returncode}; see {log.name}")


def wait_for_socket(path: Path, server: subprocess.Popen) -> None:
    """Wait until the server listens."""
    for _ in range(600):
        if server.poll() is not None:
            raise TestbedError(f"mariadbd ended with {server.returncode} at its start")
        if path.exists():
            return
        time.sleep(0.1)
    raise TestbedError("mariadbd did not open its socket within 60 s")
