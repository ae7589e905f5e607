"""Control groups of both versions, in a folder instead of the kernel's hierarchy."""

from pathlib import Path

from qvtestbed import cgroups


def make_v1_hierarchy(folder):
    for controller in ("cpu", "cpuset", "blkio"):
        (folder / controller).mkdir()
    for file in ("cpuset.cpus", "cpuset.mems"):
        (folder / "cpuset" / file).write_text("0-1")
    return {name: folder / name for name in ("cpu", "cpuset", "blkio")}


def test_cpu_settings_of_both_versions(tmp_path):
    v1 = cgroups.ControlGroups(v1=make_v1_hierarchy(tmp_path))
    whole, half = v1.format_cpu_settings([0], 1.0, 5000), v1.format_cpu_settings([0], 0.5, 5000)
    assert whole["cpu.cfs_quota_us"] == "-1"
    assert (half["cpu.cfs_quota_us"], half["cpu.cfs_period_us"]) == ("2500", "5000")
    v2 = cgroups.ControlGroups(v1={}, v2=tmp_path)
    assert v2.format_cpu_settings([0, 1], 0.5, 5000)["cpu.max"] == "2500 5000"
    assert v2.format_cpu_settings([0, 1], 2, 5000)["cpu.max"] == "max 5000"
    assert v2.format_cpu_settings([0, 1], 2, 5000)["cpuset.cpus"] == "0,1"


def test_hierarchies_of_both_versions_are_found(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "cgroup /c/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n"
        "cgroup /c/blkio cgroup rw,blkio 0 0\n"
        "cgroup2 /c/unified cgroup2 rw 0 0\n/dev/vda / ext4 rw 0 0\n"
    )
    v1, v2 = cgroups.find_hierarchies(str(mounts))
    assert v1 == {"cpu": Path("/c/cpu,cpuacct"), "blkio": Path("/c/blkio")}
    assert v2 == Path("/c/unified")


def test_disk_limit_names_the_device(tmp_path):
    groups = cgroups.ControlGroups(v1=make_v1_hierarchy(tmp_path))
    folder = tmp_path / "blkio/queuevisor/servers"
    folder.mkdir(parents=True)
    groups.limit_disk("servers", "254:0", {"read_iops": 50})
    assert (folder / "blkio.throttle.read_iops_device").read_text() == "254:0 50"
