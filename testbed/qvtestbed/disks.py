"""The disk of each virtual server: an image file and a loop device of its own.

Kinds of disk in servers.json:

paced
    The file is served by paced_disk.py, which delays each operation by a disk's service time.
blkio
    The file is on the machine's own disk. The blkio control group limits operations or bytes per second on the device
    below the loop device, not on the loop device itself: requests that a limit holds back there have not been
    started, and io_ticks does not count them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import TestbedError, image_build
from .cleanup import CleanupList
from .guests import get_image
from .shell import run_command

PACED_DISK = Path(__file__).with_name("paced_disk.py")


def copy_image(guest: str, folder: Path) -> None:
    """Copy the guest's image, so that each start begins with the same database table."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{guest}.img"
    partial = path.with_suffix(".partial")
    source = image_build.get_image_path(get_image(guest))
    run_command("cp", "--reflink=auto", "--sparse=always", source, partial)
    partial.rename(path)


def attach_disk(guest: str, folder: Path, parameters: dict, cleanup: CleanupList) -> dict:
    """Attach the guest's disk to a loop device.

    Returns
    -------
    dict
        `device`: "/dev/loopN"; `pid`: process of the paced disk, None for other kinds.
    """
    file = folder / f"{guest}.img"
    pid = None
    if parameters["kind"] == "paced":
        pid = start_paced_disk(guest, folder, parameters, cleanup)
        file = folder / f"{guest}.disk"
    for _ in range(5):
        process = subprocess.run(
            ["losetup", "-f", "--show", "--direct-io=on", str(file)], capture_output=True, text=True
        )
        if process.returncode == 0:
            break
        time.sleep(0.2)  # another program has taken the free device in between
    else:
        raise TestbedError(f"losetup {file} failed: {process.stderr.strip()}")
    device = process.stdout.strip()
    cleanup.add("loop", device=device, file=str(file), guest=guest)
    direct_io = Path(f"/sys/block/{device.removeprefix('/dev/')}/loop/dio").read_text().strip()
    if direct_io != "1":
        raise TestbedError(
            f"{device}: direct I/O is not supported for {file}, so the page cache would be "
            "measured; use a file system that supports it"
        )
    return {"device": device, "pid": pid}


def start_paced_disk(guest: str, folder: Path, parameters: dict, cleanup: CleanupList) -> int:
    """Start the paced disk, wait until it is mounted, and return its process number."""
    mountpoint = folder / f"{guest}.disk"
    mountpoint.touch()
    parameters_file = folder / f"{guest}.disk.json"
    parameters_file.write_text(json.dumps(parameters))
    log_file = folder / f"{guest}.disk.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-I",
                str(PACED_DISK),
                str(folder / f"{guest}.img"),
                str(mountpoint),
                str(parameters_file),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            close_fds=True,
        )
    cleanup.add_process(process.pid, f"paced disk of {guest}")
    cleanup.add("mount", path=str(mountpoint))
    for _ in range(100):
        if process.poll() is not None:
            lines = log_file.read_text().strip().splitlines()
            reason = lines[-1] if lines else f"exit code {process.returncode}, no message"
            raise TestbedError(f"the paced disk of {guest} ended: {reason}")
        if mountpoint.stat().st_size:
            return process.pid
        time.sleep(0.05)
    raise TestbedError(f"the paced disk of {guest} is not mounted after 5 s; see {log_file}")


def switch_delays(pid: int, on: bool) -> None:
    """Switch the delays of a paced disk on or off."""
    os.kill(pid, signal.SIGUSR1 if on else signal.SIGUSR2)


def drop_cached_blocks(device: str) -> None:
    """Write the dirty blocks of a device that this machine's page cache holds, and drop all of its blocks."""
    run_command("blockdev", "--flushbufs", device)


def find_block_device(path: Path) -> str:
    """Find the whole disk that holds a file, as `major:minor`."""
    number = path.stat().st_dev
    name = f"{os.major(number)}:{os.minor(number)}"
    link = Path(f"/sys/dev/block/{name}")
    if not link.exists():
        raise TestbedError(f"{path} is not on a block device, so its I/O cannot be limited")
    device = link.resolve()
    return (device.parent / "dev").read_text().strip() if (device / "partition").exists() else name
