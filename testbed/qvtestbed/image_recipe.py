"""What a guest's image contains: Debian packages, the testbed's own files, masked systemd units."""

from __future__ import annotations

import hashlib

from .guests import DATABASE_ROWS, DOCUMENT_BYTES, DOCUMENTS

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
    "etc/fstab": "tmpfs /tmp tmpfs mode=1777 0 0\n",  # the kernel parameters name the root
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
    "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\nata_piix\nsd_mod\nvirtio_net\next4\n"
    "crc32c_generic\n",
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


def compute_fingerprint(guest: str) -> str:
    """Compute a hash of all that determines the image; an image with another hash is rebuilt."""
    text = repr(
        (
            PACKAGES[guest],
            IMAGE_BYTES[guest],
            MASKED_UNITS,
            FILES,
            WEB_FILES,
            DB_FILES,
            DATABASE_ROWS,
            DOCUMENTS,
            DOCUMENT_BYTES,
            2,  # version of the build procedure
        )
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]
