"""QEMU's command line, and whether KVM really runs a guest here."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

from .paths import GUEST_SERVICE_PORTS, SERVICE_PORTS, SSH_PORTS

PROGRAM = "qemu-system-x86_64"
KERNEL_WORDS = (
    "root=/dev/vda rw rootflags=noatime console=ttyS0 net.ifnames=0 quiet delayacct "
    "mitigations=off systemd.show_status=0 random.trust_cpu=on tsc=reliable"
)


def accelerator_words(accelerator: str) -> list[str]:
    """Under emulation each vCPU is a thread of its own, `CPU 0/TCG`."""
    if accelerator == "kvm":
        return ["-machine", "pc", "-accel", "kvm", "-cpu", "host"]
    return ["-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "max"]


def command(
    guest: str,
    *,
    memory_bytes: int,
    accelerator: str,
    disk: str,
    folder: Path,
    kernel: Path,
    initrd: Path,
) -> list[str]:
    """The command line of one guest: one vCPU, a virtio disk with a thread of its own,
    a network that reaches nothing but this machine's loopback."""
    forwards = ",".join(
        f"hostfwd=tcp:127.0.0.1:{outer}-:{inner}"
        for outer, inner in (
            (SSH_PORTS[guest], 22),
            (SERVICE_PORTS[guest], GUEST_SERVICE_PORTS[guest]),
        )
    )
    return [
        PROGRAM,
        "-name",
        f"guest={guest},debug-threads=on",
        "-nodefaults",
        "-no-user-config",
        *accelerator_words(accelerator),
        "-smp",
        "1",
        "-m",
        f"{memory_bytes >> 20}M",
        "-display",
        "none",
        "-rtc",
        "base=utc,clock=host",
        "-kernel",
        str(kernel),
        "-initrd",
        str(initrd),
        "-append",
        KERNEL_WORDS,
        "-object",
        "iothread,id=iothread0",
        "-drive",
        f"if=none,id=disk0,file={disk},format=raw,cache=none,aio=native,discard=ignore",
        "-device",
        "virtio-blk-pci,drive=disk0,iothread=iothread0",
        "-netdev",
        f"user,id=net0,restrict=on,{forwards}",
        "-device",
        "virtio-net-pci,netdev=net0,romfile=",
        "-device",
        "virtio-rng-pci",
        "-serial",
        f"file:{folder / (guest + '.console')}",
        "-qmp",
        f"unix:{folder / (guest + '.qmp')},server=on,wait=off",
        "-pidfile",
        str(folder / f"{guest}.pid"),
    ]


def kvm_runs_a_guest(
    kernel: Path, initrd: Path, limit_s: float = 15.0, device: str = "/dev/kvm"
) -> tuple[bool, str]:
    """Having the device is no proof: a guest's kernel may hang on it. So start one, and see
    whether it gets as far as its first program within the time limit."""
    if not Path(device).exists():
        return False, f"there is no {device}"
    if not os.access(device, os.R_OK | os.W_OK):
        return False, f"{device} may not be opened"
    with tempfile.TemporaryDirectory() as folder:
        console = Path(folder) / "console"
        console.touch()
        guest = subprocess.Popen(
            [
                PROGRAM,
                "-nodefaults",
                "-no-user-config",
                *accelerator_words("kvm"),
                "-smp",
                "1",
                "-m",
                "256M",
                "-display",
                "none",
                "-serial",
                f"file:{console}",
                "-no-reboot",
                "-kernel",
                str(kernel),
                "-initrd",
                str(initrd),
                "-append",
                "console=ttyS0 panic=-1 break=top",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            end = time.monotonic() + limit_s
            while time.monotonic() < end:
                if guest.poll() is not None:
                    said = guest.stderr.read().decode(errors="replace").strip()
                    return False, f"QEMU ended: {said.splitlines()[-1] if said else 'silently'}"
                if b"/init as init process" in console.read_bytes():
                    return True, "a guest's kernel started its first program"
                time.sleep(0.2)
            return False, f"a guest's kernel did not start its first program in {limit_s:.0f} s"
        finally:
            guest.kill()
            guest.wait()
            guest.stderr.close()
