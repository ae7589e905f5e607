"""Build the two guests from Debian packages: mmdebstrap, then one ext4 image each.

Everything is done on the host, natively: the database is filled in a chroot, with the guest's
own mariadbd, because the same work takes many times as long in an emulated guest.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

from . import config
from .config import GUESTS, STATE, TestbedError
from .say import say

COMMON = (
    "systemd-sysv",
    "udev",
    "linux-image-cloud-amd64",
    "initramfs-tools",
    "zstd",
    "kmod",
    "iproute2",
    "openssh-server",
    "procps",
    "iotop",
    "python3",
    "mawk",
)
PACKAGES = {"web": (*COMMON, "apache2"), "db": (*COMMON, "mariadb-server")}
IMAGE_BYTES = {"web": 1600 << 20, "db": 1700 << 20}

MASKED_UNITS = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "fstrim.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "logrotate.timer",
    "man-db.timer",
    "systemd-tmpfiles-clean.timer",
    "systemd-timesyncd.service",
    "systemd-pstore.service",
    "apache-htcacheclean.service",
    "getty@tty1.service",
    "serial-getty@ttyS0.service",
    "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service",
    "systemd-random-seed.service",
    "systemd-journal-flush.service",
    "modprobe@drm.service",
    "systemd-hwdb-update.service",
    "keyboard-setup.service",
    "console-setup.service",
    "getty-static.service",
    "systemd-logind.service",
    "ssh.socket",
    "rpcbind.service",
)

FILES = {
    "etc/fstab": "/dev/vda / ext4 noatime,errors=remount-ro 0 0\ntmpfs /tmp tmpfs mode=1777 0 0\n",
    "etc/systemd/system/queuevisor-network.service": """\
[Unit]
Description=The one network card of QEMU's user network
DefaultDependencies=no
After=systemd-udev-trigger.service
Before=network.target ssh.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0'
[Install]
WantedBy=multi-user.target
""",
    "etc/systemd/journald.conf.d/quiet.conf": "[Journal]\nStorage=none\nForwardToConsole=no\n",
    "etc/ssh/sshd_config.d/queuevisor.conf": """\
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
UseDNS no
PrintLastLog no
SetEnv LC_ALL=C
""",
    "etc/initramfs-tools/conf.d/queuevisor": "MODULES=list\nCOMPRESS=zstd\nRESUME=none\n",
    "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\nvirtio_net\next4\ncrc32c_generic\n",
    "etc/modules": "virtio_net\nvirtio_rng\n",
    "etc/timezone": "Etc/UTC\n",
    "etc/default/locale": "LC_ALL=C\n",
}
WEB_FILES = {
    "etc/apache2/mods-available/mpm_prefork.conf": """\
# The paper's Apache: five processes at the start. 250 connections and a process ends and
# another is born, so that recorded runs contain births and ends.
StartServers            5
MinSpareServers         5
MaxSpareServers        10
MaxRequestWorkers      64
MaxConnectionsPerChild 250
""",
    "etc/apache2/conf-available/queuevisor.conf": """\
KeepAlive Off
Timeout 20
ServerName web
HostnameLookups Off
""",
}
DB_FILES = {
    "etc/mysql/mariadb.conf.d/90-queuevisor.cnf": """\
[mariadbd]
bind-address = 0.0.0.0
skip-name-resolve
general_log = 1
general_log_file = /var/log/mysql/general.log
log_output = FILE
max_connections = 80
innodb_buffer_pool_size = 64M
innodb_buffer_pool_dump_at_shutdown = 0
innodb_buffer_pool_load_at_startup = 0
innodb_flush_method = O_DIRECT
innodb_flush_log_at_trx_commit = 1
innodb_log_file_size = 96M
""",
    "etc/systemd/system/mariadb.service.d/queuevisor.conf": """\
[Service]
ExecStartPost=
TimeoutStartSec=300
TimeoutStopSec=300
""",
}


def run(*command: str | Path, quiet: bool = True, **options) -> None:
    """Run a command; on failure show the end of what it printed."""
    done = subprocess.run(
        [str(word) for word in command],
        text=True,
        errors="replace",
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        stdin=subprocess.DEVNULL,
        **options,
    )
    if done.returncode:
        tail = "\n".join((done.stdout or "").splitlines()[-15:])
        raise TestbedError(f"{command[0]} failed ({done.returncode}):\n{tail}")


def fingerprint(guest: str) -> str:
    """Changes when anything that goes into the image changes."""
    text = repr(
        (
            PACKAGES[guest],
            IMAGE_BYTES[guest],
            MASKED_UNITS,
            FILES,
            WEB_FILES,
            DB_FILES,
            config.DATABASE_ROWS,
            config.DOCUMENTS,
            config.DOCUMENT_BYTES,
            1,
        )
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def image(guest: str) -> Path:
    """The guest's file system."""
    return STATE / "images" / f"{guest}.img"


def kernel(guest: str) -> Path:
    """The guest's kernel."""
    return STATE / "images" / f"{guest}.vmlinuz"


def initrd(guest: str) -> Path:
    """The guest's initial RAM disk."""
    return STATE / "images" / f"{guest}.initrd"


def stamp(guest: str) -> Path:
    """Which recipe made the image."""
    return STATE / "images" / f"{guest}.stamp"


def key() -> Path:
    """The key that opens the guests; made here, used nowhere else."""
    return STATE / "ssh" / "id_ed25519"


def known_hosts() -> Path:
    """The guests' own keys."""
    return STATE / "ssh" / "known_hosts"


def is_built(guest: str) -> bool:
    """Is there an image that the present recipe would make?"""
    path = stamp(guest)
    return (
        path.exists()
        and path.read_text().strip() == fingerprint(guest)
        and image(guest).exists()
        and key().exists()
    )


def build(guests: tuple[str, ...] = GUESTS, force: bool = False) -> None:
    """Build the images that are not there yet."""
    for folder in ("images", "ssh"):
        (STATE / folder).mkdir(parents=True, exist_ok=True)
    if not key().exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "queuevisor-testbed", "-f", key())
    for guest in guests:
        if not force and is_built(guest):
            say(f"image of {guest}: there already ({image(guest)})")
            continue
        started = time.monotonic()
        build_one(guest)
        say(f"image of {guest}: built in {time.monotonic() - started:.0f} s")


def build_one(guest: str) -> None:
    """One guest, from nothing to an image with its kernel beside it."""
    stamp(guest).unlink(missing_ok=True)
    root = STATE / "images" / f"{guest}.root"
    remove_root(root)
    say(f"image of {guest}: Debian packages (mmdebstrap)")
    try:
        run(
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            "--skip=check/empty",
            '--aptopt=Apt::Install-Recommends "false"',
            *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "doc", "locale")),
            *apt_options(),
            f"--include={','.join(PACKAGES[guest])}",
            "bookworm",
            root,
            *debian_sources(),
            env={**os.environ, "LC_ALL": "C"},
        )
        dress(root, guest)
        if guest == "web":
            write_documents(root)
        else:
            fill_database(root)
        say(f"image of {guest}: writing the file system")
        newest = sorted((root / "boot").glob("vmlinuz-*"))[-1]
        shutil.copyfile(newest, kernel(guest))
        shutil.copyfile(root / "boot" / newest.name.replace("vmlinuz", "initrd.img"), initrd(guest))
        remember_host_key(root, guest)
        partial = image(guest).with_suffix(".partial")
        partial.unlink(missing_ok=True)
        with partial.open("wb") as stream:
            stream.truncate(IMAGE_BYTES[guest])
        run(
            "mke2fs",
            "-q",
            "-F",
            "-t",
            "ext4",
            "-L",
            guest,
            "-m",
            "0",
            "-d",
            root,
            "-E",
            "lazy_itable_init=0,lazy_journal_init=0",
            partial,
        )
        partial.rename(image(guest))
        stamp(guest).write_text(fingerprint(guest) + "\n")
    finally:
        remove_root(root)


def remove_root(root: Path) -> None:
    """Remove a tree that nothing is mounted in."""
    if not root.exists():
        return
    with Path("/proc/mounts").open(encoding="utf-8") as mounts:
        inside = [line.split()[1] for line in mounts if line.split()[1].startswith(f"{root}/")]
    if inside:
        raise TestbedError(f"still mounted, so not removed: {', '.join(inside)}")
    shutil.rmtree(root)


def apt_options() -> list[str]:
    """The machine's own proxy settings, if it has some."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True).stdout
    return [
        f"--aptopt={line}"
        for line in dump.splitlines()
        if line.startswith("Acquire::http") and "roxy" in line
    ]


def debian_sources(folder: Path = Path("/etc/apt")) -> list[str]:
    """The machine's own Debian mirror, as mmdebstrap takes it; nothing if there is none.

    Only the address is taken over: the suite and component are ours. Without one, mmdebstrap
    takes Debian's usual address."""
    candidates = []
    for path in [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]:
        if path.suffix not in (".list", ".sources") or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        if path.suffix == ".list":
            candidates += one_line_sources(text)
        else:
            candidates += deb822_sources(text)
    for uri in candidates:
        return [uri]
    return []


def one_line_sources(text: str) -> list[str]:
    """Addresses of lines `deb [options] URI bookworm main…`."""
    found = []
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if len(words) < 4 or words[0] != "deb":
            continue
        if words[1].startswith("["):
            while words[1:] and not words[1].endswith("]"):
                del words[1]
            del words[1]
        if len(words) > 3 and words[2] == "bookworm" and "main" in words[3:]:
            found.append(words[1])
    return found


def deb822_sources(text: str) -> list[str]:
    """Addresses of paragraphs with `Types: deb`, `Suites: … bookworm …`, `Components: … main …`."""
    found = []
    for paragraph in text.split("\n\n"):
        fields = {}
        for line in paragraph.splitlines():
            if not line.startswith("#") and ":" in line and not line[0].isspace():
                name, _, value = line.partition(":")
                fields[name.lower()] = value.split()
        if (
            "deb" in fields.get("types", [])
            and "bookworm" in fields.get("suites", [])
            and "main" in fields.get("components", [])
            and fields.get("enabled") != ["no"]
        ):
            found += fields.get("uris", [])[:1]
    return found


def dress(root: Path, guest: str) -> None:
    """Write our files, switch off what would disturb a recording, make the initial RAM disk."""

    def put(name: str, text: str) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    for name, text in {**FILES, **(WEB_FILES if guest == "web" else DB_FILES)}.items():
        put(name, text)
    put("etc/hostname", f"{guest}\n")
    put("etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {guest}\n")
    put("etc/machine-id", hashlib.md5(guest.encode(), usedforsecurity=False).hexdigest() + "\n")
    authorized = root / "root/.ssh/authorized_keys"
    authorized.parent.mkdir(mode=0o700, exist_ok=True)
    authorized.write_text(key().with_suffix(".pub").read_text())
    authorized.chmod(0o600)
    units = root / "etc/systemd/system"
    for unit in MASKED_UNITS:
        link = units / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    wanted = units / "multi-user.target.wants"
    wanted.mkdir(exist_ok=True)
    (wanted / "queuevisor-network.service").symlink_to("../queuevisor-network.service")
    (units / "default.target").unlink(missing_ok=True)
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
    if guest == "web":
        for module in ("mpm_event", "deflate", "autoindex", "negotiation", "status"):
            run("chroot", root, "a2dismod", "-q", "-f", module)
        run("chroot", root, "a2enmod", "-q", "mpm_prefork")
        run("chroot", root, "a2enconf", "-q", "queuevisor")
    run("chroot", root, "update-initramfs", "-u")


def document(number: int) -> str:
    """The address of one document."""
    return f"/d{number % 200:03d}/f{number:06d}.bin"


def write_documents(root: Path) -> None:
    """More documents than the guest has memory, so that requests read the virtual disk."""
    say(f"image of web: {config.DOCUMENTS} documents of {config.DOCUMENT_BYTES} bytes")
    top = root / "var/www/html"
    source = random.Random(1)
    for folder in range(200):
        (top / f"d{folder:03d}").mkdir(parents=True, exist_ok=True)
    for number in range(config.DOCUMENTS):
        (top / document(number)[1:]).write_bytes(source.randbytes(config.DOCUMENT_BYTES))


def fill_database(root: Path) -> None:
    """sysbench's table, made once by the guest's own server running in a chroot on the host."""
    say(f"image of db: a table of {config.DATABASE_ROWS} rows (sysbench prepare)")
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
                f"--table-size={config.DATABASE_ROWS}",
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


def remember_host_key(root: Path, guest: str) -> None:
    """So that ssh can check whom it talks to, without asking."""
    public = (root / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()
    line = f"[127.0.0.1]:{config.SSH_PORTS[guest]} {public[0]} {public[1]}"
    path = known_hosts()
    others = [
        old
        for old in (path.read_text().splitlines() if path.exists() else [])
        if not old.startswith(line.split()[0])
    ]
    path.write_text("\n".join([*others, line]) + "\n")
