"""What the guests serve: the documents of the web server and the table of the database.

The database is filled in a chroot, by the guest's own mariadbd running on the host, because the same work takes many
times as long in an emulated guest.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

from . import TestbedError
from .console import print_status
from .guests import DATABASE_ROWS, DOCUMENT_BYTES, DOCUMENTS
from .paths import STATE
from .shell import run_command

DOCUMENT_FOLDERS = 200


def format_document_path(number: int) -> str:
    """Format the path of a document in its URL."""
    return f"/d{number % DOCUMENT_FOLDERS:03d}/f{number:06d}.bin"


def write_documents(root: Path) -> None:
    """Write more documents than fit into the guest's memory, so that requests read the virtual disk."""
    print_status(f"image of web: {DOCUMENTS} documents of {DOCUMENT_BYTES} bytes")
    document_root = root / "var/www/html"
    generator = random.Random(1)
    for folder in range(DOCUMENT_FOLDERS):
        (document_root / f"d{folder:03d}").mkdir(parents=True, exist_ok=True)
    for number in range(DOCUMENTS):
        path = document_root / format_document_path(number)[1:]
        path.write_bytes(generator.randbytes(DOCUMENT_BYTES))


def fill_database(root: Path) -> None:
    """Create sysbench's table, by the guest's own database server running in a chroot on the host."""
    print_status(f"image of db: a table of {DATABASE_ROWS} rows (sysbench prepare)")
    (root / "var/log/mysql").mkdir(exist_ok=True)
    run_command("chroot", root, "chown", "mysql:adm", "/var/log/mysql")
    socket = root / "run/mysqld/mysqld.sock"
    socket.parent.mkdir(exist_ok=True)
    run_command("chroot", root, "chown", "mysql", "/run/mysqld")
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
            run_command("chroot", root, "mariadb", "--socket=/run/mysqld/mysqld.sock", "-e", sql)
            run_command(
                "sysbench",
                "oltp_read_write",
                "--db-driver=mysql",
                f"--mysql-socket={socket}",
                "--mysql-user=sbtest",
                "--mysql-password=sbtest",
                "--mysql-db=sbtest",
                "--tables=1",
                f"--table-size={DATABASE_ROWS}",
                "--rand-seed=1",
                "prepare",
            )
            run_command(
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
            raise TestbedError(f"mariadbd failed (exit code {server.returncode}); see {log.name}")


def wait_for_socket(path: Path, server: subprocess.Popen) -> None:
    """Wait until the server has opened its socket."""
    for _ in range(600):
        if server.poll() is not None:
            raise TestbedError(f"mariadbd failed at its start (exit code {server.returncode})")
        if path.exists():
            return
        time.sleep(0.1)
    raise TestbedError(f"mariadbd did not open {path} within 60 s")
