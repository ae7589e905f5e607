"""The disk of each virtual server: an image file of its own, a loop device of its own.

Kinds in the envelope:
  paced   the file is served by paced_disk.py, which gives every operation a disk's service time
  blkio   the file lies on the machine's own disk; the blkio control group limits operations or
          bytes a second on the device under the loop device (not on the loop device itself:
          what waits there has not begun, and io_ticks does not count it)
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import cleanup, image_build
from .paths import TestbedError
from .shell import run

PACED = Path(__file__).with_name("paced_disk.py")


def prepare_file(guest: str, folder: Path) -> Path:
    """A fresh copy of the guest's image: the database starts from the same table each time."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{guest}.img"
    partial = path.with_suffix(".partial")
    run("cp", "--reflink=auto", "--sparse=always", image_build.image(guest), partial)
    partial.rename(path)
    return path


def attach(guest: str, folder: Path, parameters: dict, things: cleanup.Owned) -> dict:
    """Attach the guest's disk; returns {"device": "/dev/loopN", "pid": of the paced disk}."""
    file = folder / f"{guest}.img"
    pid = None
    if parameters["kind"] == "paced":
        pid = start_paced(guest, folder, parameters, things)
        file = folder / f"{guest}.disk"
    for _ in range(5):
        done = subprocess.run(
            ["losetup", "-f", "--show", "--direct-io=on", str(file)], capture_output=True, text=True
        )
        if done.returncode == 0:
            break
        time.sleep(0.2)  # another program took the free device between the look and the use
    else:
        raise TestbedError(f"losetup {file}: {done.stderr.strip()}")
    device = done.stdout.strip()
    things.add("loop", device=device, file=str(file), guest=guest)
    direct = Path(f"/sys/block/{device.removeprefix('/dev/')}/loop/dio").read_text().strip()
    if direct != "1":
        raise TestbedError(
            f"{device}: direct I/O is refused, so its figures would be the page "
            "cache's; put the state folder on a file system that allows it"
        )
    return {"device": device, "pid": pid}


def start_paced(guest: str, folder: Path, parameters: dict, things: cleanup.Owned) -> int:
    """Start the paced disk and wait until it is mounted."""
    mountpoint = folder / f"{guest}.disk"
    mountpoint.touch()
    settings = folder / f"{guest}.disk.json"
    settings.write_text(json.dumps(parameters))
    log = (folder / f"{guest}.disk.log").open("wb")
    process = subprocess.Popen(
        [
            sys.executable,
            "-I",
            str(PACED),
            str(folder / f"{guest}.img"),
            str(mountpoint),
            str(settings),
        ],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        close_fds=True,
    )
    log.close()
    things.add_process(process.pid, f"paced disk of {guest}")
    things.add("mount", path=str(mountpoint))
    for _ in range(100):
        if process.poll() is not None:
            said = (folder / f"{guest}.disk.log").read_text().strip().splitlines()
            raise TestbedError(f"the paced disk of {guest} ended: {said[-1] if said else '?'}")
        if mountpoint.stat().st_size:
            return process.pid
        time.sleep(0.05)
    raise TestbedError(f"the paced disk of {guest} is not mounted after 5 s")


def pace(pid: int, paced: bool) -> None:
    """Switch the paced disk's delays on or off."""
    os.kill(pid, signal.SIGUSR1 if paced else signal.SIGUSR2)


def device_under(path: Path) -> str:
    """`major:minor` of the whole disk a file lies on (for the blkio limits)."""
    number = path.stat().st_dev
    name = f"{os.major(number)}:{os.minor(number)}"
    link = Path(f"/sys/dev/block/{name}")
    if not link.exists():
        raise TestbedError(f"{path} lies on no block device that could be limited")
    parent = link.resolve().parent
    return (parent / "dev").read_text().strip() if (link.resolve() / "partition").exists() else name
