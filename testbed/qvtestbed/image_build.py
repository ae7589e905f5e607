"""Build the two guests from Debian packages: mmdebstrap, then one ext4 image each.

Everything is done on the host, natively. What goes into an image: :mod:`recipe` and :mod:`contents`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path

from . import paths
from .apt_settings import apt_options, debian_sources
from .console import say
from .image_content import fill_database, write_documents
from .image_recipe import (
    DB_FILES,
    FILES,
    IMAGE_BYTES,
    MASKED_UNITS,
    PACKAGES,
    WEB_FILES,
    fingerprint,
)
from .paths import GUESTS, STATE, TestbedError
from .shell import run


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


def remember_host_key(root: Path, guest: str) -> None:
    """So that ssh can check whom it talks to, without asking."""
    public = (root / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()
    line = f"[127.0.0.1]:{paths.SSH_PORTS[guest]} {public[0]} {public[1]}"
    path = known_hosts()
    others = [
        old
        for old in (path.read_text().splitlines() if path.exists() else [])
        if not old.startswith(line.split()[0])
    ]
    path.write_text("\n".join([*others, line]) + "\n")
