"""Build the images of the guests: Debian packages by mmdebstrap, then one ext4 file system each.

All of it runs natively on the host. What an image contains: :mod:`image_recipe` and :mod:`image_content`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path

from . import TestbedError
from .apt_settings import find_debian_mirror, read_proxy_options
from .console import print_status
from .guests import GUESTS, SSH_PORTS
from .image_content import fill_database, write_documents
from .image_recipe import (
    DB_FILES,
    FILES,
    IMAGE_BYTES,
    MASKED_UNITS,
    PACKAGES,
    WEB_FILES,
    compute_fingerprint,
)
from .paths import STATE
from .shell import run_command


def get_image_path(guest: str) -> Path:
    """Return the path of the guest's file system."""
    return STATE / "images" / f"{guest}.img"


def get_kernel_path(guest: str) -> Path:
    """Return the path of the guest's kernel."""
    return STATE / "images" / f"{guest}.vmlinuz"


def get_initrd_path(guest: str) -> Path:
    """Return the path of the guest's initial RAM disk."""
    return STATE / "images" / f"{guest}.initrd"


def get_fingerprint_path(guest: str) -> Path:
    """Return the path of the fingerprint of the recipe that the image was built from."""
    return STATE / "images" / f"{guest}.stamp"


def get_ssh_key_path() -> Path:
    """Return the path of the guests' ssh key, which is made by the testbed and used for nothing else."""
    return STATE / "ssh" / "id_ed25519"


def get_known_hosts_path() -> Path:
    """Return the path of the list of the guests' host keys."""
    return STATE / "ssh" / "known_hosts"


def is_built(guest: str) -> bool:
    """Whether the image exists and was built from the present recipe."""
    path = get_fingerprint_path(guest)
    return (
        path.exists()
        and path.read_text().strip() == compute_fingerprint(guest)
        and get_image_path(guest).exists()
        and get_ssh_key_path().exists()
    )


def build_images(guests: tuple[str, ...] = GUESTS, force: bool = False) -> None:
    """Build the images that do not exist yet or are out of date; all of them with ``force``."""
    for folder in ("images", "ssh"):
        (STATE / folder).mkdir(parents=True, exist_ok=True)
    if not get_ssh_key_path().exists():
        run_command(
            "ssh-keygen",
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            "queuevisor-testbed",
            "-f",
            get_ssh_key_path(),
        )
    for guest in guests:
        if not force and is_built(guest):
            print_status(f"image of {guest}: up to date ({get_image_path(guest)})")
            continue
        started = time.monotonic()
        build_image(guest)
        print_status(f"image of {guest}: built in {time.monotonic() - started:.0f} s")


def build_image(guest: str) -> None:
    """Build the image of one guest, and copy its kernel and initial RAM disk."""
    get_fingerprint_path(guest).unlink(missing_ok=True)
    root = STATE / "images" / f"{guest}.root"
    remove_root(root)
    print_status(f"image of {guest}: Debian packages (mmdebstrap)")
    try:
        run_command(
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            "--skip=check/empty",
            '--aptopt=Apt::Install-Recommends "false"',
            *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "doc", "locale")),
            *read_proxy_options(),
            f"--include={','.join(PACKAGES[guest])}",
            "bookworm",
            root,
            *find_debian_mirror(),
            env={**os.environ, "LC_ALL": "C"},
        )
        configure_root(root, guest)
        if guest == "web":
            write_documents(root)
        else:
            fill_database(root)
        print_status(f"image of {guest}: writing the file system")
        kernel = sorted((root / "boot").glob("vmlinuz-*"))[-1]
        initrd = kernel.with_name(kernel.name.replace("vmlinuz", "initrd.img"))
        shutil.copyfile(kernel, get_kernel_path(guest))
        shutil.copyfile(initrd, get_initrd_path(guest))
        add_host_key(root, guest)
        partial = get_image_path(guest).with_suffix(".partial")
        partial.unlink(missing_ok=True)
        with partial.open("wb") as stream:
            stream.truncate(IMAGE_BYTES[guest])
        run_command(
            "mke2fs",
            "-q",
            "-F",
            "-t",
            "ext4",
            "-L",
            guest,
            "-m",
            "0",
            "-e",
            "remount-ro",
            "-d",
            root,
            "-E",
            "lazy_itable_init=0,lazy_journal_init=0",
            partial,
        )
        partial.rename(get_image_path(guest))
        get_fingerprint_path(guest).write_text(compute_fingerprint(guest) + "\n")
    finally:
        remove_root(root)


def remove_root(root: Path) -> None:
    """Remove a root file system; an error if something is mounted in it."""
    if not root.exists():
        return
    with Path("/proc/mounts").open(encoding="utf-8") as mounts:
        mountpoints = [line.split()[1] for line in mounts if line.split()[1].startswith(f"{root}/")]
    if mountpoints:
        raise TestbedError(f"{root} cannot be removed; unmount first: {', '.join(mountpoints)}")
    shutil.rmtree(root)


def configure_root(root: Path, guest: str) -> None:
    """Write the testbed's files, mask units that would disturb a recording, make the initial RAM disk."""

    def write_file(name: str, text: str) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    for name, text in {**FILES, **(WEB_FILES if guest == "web" else DB_FILES)}.items():
        write_file(name, text)
    write_file("etc/hostname", f"{guest}\n")
    write_file("etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {guest}\n")
    write_file(
        "etc/machine-id", hashlib.md5(guest.encode(), usedforsecurity=False).hexdigest() + "\n"
    )
    authorized = root / "root/.ssh/authorized_keys"
    authorized.parent.mkdir(mode=0o700, exist_ok=True)
    authorized.write_text(get_ssh_key_path().with_suffix(".pub").read_text())
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
            run_command("chroot", root, "a2dismod", "-q", "-f", module)
        run_command("chroot", root, "a2enmod", "-q", "mpm_prefork")
        run_command("chroot", root, "a2enconf", "-q", "queuevisor")
    run_command("chroot", root, "update-initramfs", "-u")


def add_host_key(root: Path, guest: str) -> None:
    """Add the guest's host key to the list of known hosts, so that ssh can check it without a prompt."""
    key = (root / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()
    host = f"[127.0.0.1]:{SSH_PORTS[guest]}"
    path = get_known_hosts_path()
    lines = path.read_text().splitlines() if path.exists() else []
    other_hosts = [line for line in lines if not line.startswith(host)]
    path.write_text("\n".join([*other_hosts, f"{host} {key[0]} {key[1]}"]) + "\n")
