"""Control groups, version 1 or 2: the CPU limit of a server, and a group for the load generators.

`queuevisor/servers` holds QEMU; `queuevisor/loads` holds load generators, paced disks and collectors.
"""

from __future__ import annotations

from pathlib import Path

from . import TestbedError

PARENT = "queuevisor"
WEIGHT_V1, WEIGHT_V2 = 65536, 6400  # 64 times the defaults, which all other groups have
IO_MAX_KEYS = {"read_iops": "riops", "write_iops": "wiops", "read_bps": "rbps", "write_bps": "wbps"}
"""Names of disk limits: version 1's (in servers.json) → version 2's."""


def find_hierarchies(path: str = "/proc/mounts") -> tuple[dict[str, Path], Path | None]:
    """Find where version 1's controllers (by name) and version 2's hierarchy are mounted."""
    v1: dict[str, Path] = {}
    v2 = None
    with Path(path).open(encoding="utf-8") as mounts:
        for line in mounts:
            _, mountpoint, kind, options, *_ = line.split()
            if kind == "cgroup":
                v1.update(
                    {
                        option: Path(mountpoint)
                        for option in options.split(",")
                        if option in ("cpu", "cpuset", "blkio")
                    }
                )
            elif kind == "cgroup2":
                v2 = Path(mountpoint)
    return v1, v2


class ControlGroups:
    """The control groups of the running server. Version 1 is used where it has controllers, else version 2."""

    def __init__(self, v1: dict[str, Path] | None = None, v2: Path | None = None) -> None:
        if v1 is None and v2 is None:
            v1, v2 = find_hierarchies()
        self.v1 = v1 or {}
        self.v2 = v2 if not self.v1 else None
        if not self.v2 and not {"cpu", "cpuset"} <= set(self.v1):
            raise TestbedError(
                "no control groups with the controllers cpu and cpuset are mounted; mount "
                "version 1 with both, or version 2"
            )

    def format_cpu_settings(self, cpus: list[int], quota: float, period_us: int) -> dict[str, str]:
        """Format the settings of a group: file name → content. ``quota`` is in CPUs."""
        quota_us = f"{int(quota * period_us)}" if quota < len(cpus) else None
        cpu_list = ",".join(str(cpu) for cpu in cpus)
        if self.v2:
            return {
                "cpuset.cpus": cpu_list,
                "cpu.weight": str(WEIGHT_V2),
                "cpu.max": f"{quota_us or 'max'} {period_us}",
            }
        return {
            "cpuset.cpus": cpu_list,
            "cpuset.mems": "0",
            "cpu.shares": str(WEIGHT_V1),
            "cpu.cfs_period_us": str(period_us),
            "cpu.cfs_quota_us": quota_us or "-1",
        }

    def list_folders(self, name: str) -> list[Path]:
        """List the folders of a group: one per controller in version 1, one in version 2."""
        if self.v2:
            return [self.v2 / PARENT / name]
        return [
            self.v1[controller] / PARENT / name
            for controller in ("cpu", "cpuset", "blkio")
            if controller in self.v1
        ]

    def create(self, name: str, settings: dict[str, str]) -> None:
        """Create a group if it does not exist, and write its settings."""
        for folder in self.list_folders(name):
            folder.mkdir(parents=True, exist_ok=True)
        if self.v2:
            for parent in (self.v2, self.v2 / PARENT):
                write_setting(parent / "cgroup.subtree_control", "+cpu +cpuset +io")
        else:
            for file in ("cpuset.mems", "cpuset.cpus"):
                all_of_root = (self.v1["cpuset"] / file).read_text().strip()
                write_setting(self.v1["cpuset"] / PARENT / file, all_of_root)
            write_setting(self.v1["cpu"] / PARENT / "cpu.shares", str(WEIGHT_V1))
        for file, value in settings.items():
            for folder in self.list_folders(name):
                if (folder / file).exists():
                    write_setting(folder / file, value)

    def limit_disk(self, name: str, device: str, limits: dict[str, int]) -> None:
        """Limit operations or bytes per second on a device (`major:minor`), for disks of kind blkio."""
        if self.v2:
            text = " ".join(f"{IO_MAX_KEYS[key]}={value}" for key, value in limits.items())
            write_setting(self.v2 / PARENT / name / "io.max", f"{device} {text}")
            return
        for key, value in limits.items():
            write_setting(
                self.v1["blkio"] / PARENT / name / f"blkio.throttle.{key}_device",
                f"{device} {value}",
            )

    def add_process(self, name: str, pid: int) -> None:
        """Move a process into a group."""
        for folder in self.list_folders(name):
            write_setting(folder / "cgroup.procs", str(pid))

    def remove(self) -> list[str]:
        """Remove the groups; return a message for each folder that could not be removed."""
        failures = []
        for name in ("servers", "loads", "."):
            for folder in self.list_folders(name):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    pass
                except OSError as error:
                    failures.append(f"{folder}: {error.strerror}")
        return failures


def write_setting(path: Path, value: str) -> None:
    """Write one file of a control group."""
    try:
        path.write_text(value)
    except OSError as error:
        raise TestbedError(f"{path}: cannot write {value!r}: {error.strerror}") from None
