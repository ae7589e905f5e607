"""QEMU's command line, and a test whether KVM can run a guest on this machine."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from . import TestbedError
from .guests import GUEST_SERVICE_PORTS, get_image, get_service_port, get_ssh_port

PROGRAM = "qemu-system-x86_64"
KERNEL_PARAMETERS = (
    "root=/dev/{virtual_disk} rw rootflags=noatime console=ttyS0 net.ifnames=0 quiet delayacct "
    "mitigations=off systemd.show_status=0 random.trust_cpu=on tsc=reliable"
)
DISK_DEVICES = {"virtio-blk": "virtio-blk-pci", "ide": "ide-hd,bus=ide.0"}
"""Disk devices: name in a plan → QEMU's device."""


@dataclass(frozen=True)
class Hardware:
    """The virtual hardware of a guest. ``cache`` and ``aio`` are values of QEMU's ``-drive``.

    With ``iothread`` the disk's requests are processed in a thread of their own, else in QEMU's main loop. Only the
    device ``virtio-blk`` can have one.
    """

    memory_bytes: int = 512 << 20
    vcpus: int = 1
    device: str = "virtio-blk"  # or "ide"
    cache: str = "none"
    aio: str = "native"
    iothread: bool = True

    def __post_init__(self) -> None:
        """Refuse what QEMU cannot start."""
        if self.device not in DISK_DEVICES:
            raise TestbedError(
                f"disk device {self.device!r}: choose from {', '.join(DISK_DEVICES)}"
            )
        if self.iothread and self.device != "virtio-blk":
            raise TestbedError(f"disk device {self.device}: only virtio-blk can have an iothread")
        if self.aio == "native" and self.cache not in ("none", "directsync"):
            raise TestbedError(f"aio=native needs cache=none or directsync, not {self.cache}")

    @property
    def virtual_disk(self) -> str:
        """Name of the disk in the guest."""
        return "sda" if self.device == "ide" else "vda"

    def build_disk_options(self, disk: str) -> list[str]:
        """Build the options of the disk, whose content is the block device ``disk`` of the host."""
        device = DISK_DEVICES[self.device] + ",drive=disk0"
        return [
            *(["-object", "iothread,id=iothread0"] if self.iothread else []),
            "-drive",
            f"if=none,id=disk0,file={disk},format=raw,cache={self.cache},aio={self.aio},discard=ignore",
            "-device",
            device + (",iothread=iothread0" if self.iothread else ""),
        ]


def build_accelerator_options(accelerator: str) -> list[str]:
    """Build the options of the accelerator. Under emulation each vCPU has its own thread, `CPU 0/TCG`."""
    if accelerator == "kvm":
        return ["-machine", "pc", "-accel", "kvm", "-cpu", "host"]
    return ["-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "max"]


def build_command(
    guest: str,
    hardware: Hardware,
    *,
    accelerator: str,
    disk: str,
    folder: Path,
    kernel: Path,
    initrd: Path,
) -> list[str]:
    """Build the command line of a guest; its network reaches only this machine's loopback address."""
    forwards = ",".join(
        f"hostfwd=tcp:127.0.0.1:{host_port}-:{guest_port}"
        for host_port, guest_port in (
            (get_ssh_port(guest), 22),
            (get_service_port(guest), GUEST_SERVICE_PORTS[get_image(guest)]),
        )
    )
    return [
        PROGRAM,
        "-name",
        f"guest={guest},debug-threads=on",
        "-nodefaults",
        "-no-user-config",
        *build_accelerator_options(accelerator),
        "-smp",
        str(hardware.vcpus),
        "-m",
        f"{hardware.memory_bytes >> 20}M",
        "-display",
        "none",
        "-rtc",
        "base=utc,clock=host",
        "-kernel",
        str(kernel),
        "-initrd",
        str(initrd),
        "-append",
        KERNEL_PARAMETERS.format(virtual_disk=hardware.virtual_disk),
        *hardware.build_disk_options(disk),
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


def probe_kvm(
    kernel: Path, initrd: Path, limit_s: float = 15.0, device: str = "/dev/kvm"
) -> tuple[bool, str]:
    """Test whether a guest boots on KVM.

    The device alone does not show that: a guest's kernel may hang on it. So a guest is started, and must start its
    first program within the time limit.

    Returns
    -------
    tuple of (bool, str)
        Whether KVM works, and the reason.
    """
    if not Path(device).exists():
        return False, f"{device} does not exist"
    if not os.access(device, os.R_OK | os.W_OK):
        return False, f"{device} cannot be opened"
    with tempfile.TemporaryDirectory() as folder:
        console = Path(folder) / "console"
        console.touch()
        guest = subprocess.Popen(
            [
                PROGRAM,
                "-nodefaults",
                "-no-user-config",
                *build_accelerator_options("kvm"),
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
            deadline = time.monotonic() + limit_s
            while time.monotonic() < deadline:
                if guest.poll() is not None:
                    lines = guest.stderr.read().decode(errors="replace").strip().splitlines()
                    return False, f"QEMU ended: {lines[-1] if lines else 'no message'}"
                if b"/init as init process" in console.read_bytes():
                    return True, "a guest has booted on it"
                time.sleep(0.2)
            return False, f"a guest did not boot on KVM within {limit_s:.0f} s"
        finally:
            guest.kill()
            guest.wait()
            guest.stderr.close()
