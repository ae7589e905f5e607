"""The `k` lines of tasks.log: pressure, CPU quotas of cgroups (versions 1 and 2), KVM's halt counters."""

import os
import types

import kernel_counters
import pytest

PRESSURE = "some avg10=0.12 avg60=0.02 avg300=0.00 total=81200\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"
V1_MOUNT = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
V2_MOUNT = "30 23 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"
SCOPE = "machine.slice/machine-qemu\\x2d1\\x2dweb.scope"


@pytest.fixture
def tree(tmp_path):
    """Writes the files of a machine: {path: text}."""

    def write(files):
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return str(tmp_path)

    return write


def process(pid, tids=(), is_qemu=False):
    return types.SimpleNamespace(pid=pid, threads=dict.fromkeys(tids), server=is_qemu or None)


def lines(counters, *processes, **more):
    return counters.sample(processes, **more).decode().splitlines()


def test_pressure_of_each_resource_and_kind(tree):
    root = tree(
        {"proc/pressure/cpu": PRESSURE.splitlines()[0] + "\n", "proc/pressure/io": PRESSURE}
    )
    counters = kernel_counters.KernelCounters(root)
    assert lines(counters) == [
        "k pressure some_us 81200 cpu", "k pressure some_us 81200 io", "k pressure full_us 7 io"
    ]  # fmt: skip
    assert counters.facts() == {
        "cgroup_version": None,
        "pressure": "/proc/pressure: No such file or directory",
        "cgroup": kernel_counters.NO_CPU_CONTROLLER,
        "kvm": "/sys/kernel/debug/kvm: No such file or directory",
    }
    counters.close()


def test_a_machine_without_any_of_it_has_reasons_and_no_lines(tree):
    counters = kernel_counters.KernelCounters(tree({"proc/self/mountinfo": "garbage\n1 2 - x\n"}))
    assert lines(counters, process(7)) == []
    assert all(counters.facts()[name] for name in ("pressure", "cgroup", "kvm"))


V1 = {
    "proc/self/mountinfo": V1_MOUNT + V2_MOUNT,
    "proc/self/cgroup": "3:cpu,cpuacct:/\n0::/\n",
    "proc/812/cgroup": f"4:memory:/elsewhere\n3:cpu,cpuacct:/{SCOPE}/emulator\n0::/x\n",
    "proc/812/task/815/cgroup": f"3:cpu,cpuacct:/{SCOPE}/vcpu0\n",
    f"sys/fs/cgroup/cpu,cpuacct/{SCOPE}/cpu.cfs_quota_us": "-1\n",
    f"sys/fs/cgroup/cpu,cpuacct/{SCOPE}/vcpu0/cpu.cfs_quota_us": "50000\n",
    f"sys/fs/cgroup/cpu,cpuacct/{SCOPE}/vcpu0/cpu.cfs_period_us": "100000\n",
    f"sys/fs/cgroup/cpu,cpuacct/{SCOPE}/vcpu0/cpu.stat": "nr_periods 40\nnr_throttled 9\nthrottled_time 2500999\n",
}
V1_LINES = [
    "k cgroup quota_us 50000 /{}/vcpu0", "k cgroup period_us 100000 /{}/vcpu0", "k cgroup pid 812 /{}/vcpu0",
    "k cgroup nr_periods 40 /{}/vcpu0", "k cgroup nr_throttled 9 /{}/vcpu0", "k cgroup throttled_us 2500 /{}/vcpu0",
]  # fmt: skip


def test_version_1_quota_of_a_vcpu(tree):
    """Of QEMU's threads, each with a cgroup; time in µs; backslashes of systemd's names escaped."""
    counters = kernel_counters.KernelCounters(tree(V1))
    expected = [line.format(SCOPE.replace("\\", "\\\\")) for line in V1_LINES]
    assert lines(counters, process(812, [815], is_qemu=True)) == expected
    assert lines(counters, process(812, [815], is_qemu=True)) == expected[3:], (
        "found every 60 ticks"
    )
    again = lines(counters, process(812, [815], is_qemu=True), write_all=True)
    assert again == expected, "a new segment of the log"
    assert counters.facts()["cgroup_version"] == 1
    counters.close()


def test_threads_of_other_processes_are_not_read(tree):
    assert lines(kernel_counters.KernelCounters(tree(V1)), process(812, [815])) == []


V2 = {
    "proc/self/mountinfo": V2_MOUNT,
    "proc/self/cgroup": "0::/user.slice/collect\n",
    "proc/812/cgroup": "0::/db.slice/mysql\n",
    "proc/813/cgroup": "0::/db.slice/mysql\n",
    "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory\n",
    "sys/fs/cgroup/db.slice/cpu.max": "150000 50000\n",
    "sys/fs/cgroup/db.slice/cpu.stat": "usage_usec 5\nnr_periods 8\nnr_throttled 2\nthrottled_usec 700\n",
    "sys/fs/cgroup/db.slice/mysql/cpu.max": "max 100000\n",
    "sys/fs/cgroup/user.slice/cpu.max": "20000 100000\n",
    "sys/fs/cgroup/user.slice/cpu.stat": "nr_periods 1\nnr_throttled 1\nthrottled_usec 3\n",
}


def test_version_2_quota_of_a_group_above_and_of_the_collector(tree):
    counters = kernel_counters.KernelCounters(tree(V2))
    got = lines(counters, process(812), process(813))
    assert got[:4] == [
        "k cgroup quota_us 150000 /db.slice", "k cgroup period_us 50000 /db.slice",
        "k cgroup pid 812 /db.slice", "k cgroup pid 813 /db.slice",
    ]  # fmt: skip
    assert f"k cgroup pid {os.getpid()} /user.slice" in got
    assert "k cgroup throttled_us 700 /db.slice" in got
    assert not any(line.endswith("/mysql") for line in got), "no quota, no throttling"
    assert counters.facts()["cgroup_version"] == 2
    counters.close()


@pytest.mark.parametrize(
    ("mounted", "of_process", "path"),
    [
        ("/", "/a/b", b"/a/b"),
        ("/docker/5e", "/docker/5e", b"/"),
        ("/docker/5e", "/docker/5e/x", b"/x"),
        ("/docker/5e", "/docker/5ef", None),
        ("/", "/../../other", None),  # outside of the container's namespace
    ],
)
def test_path_of_a_cgroup_below_its_mount(tree, mounted, of_process, path):
    root = tree({
        "proc/self/mountinfo": V2_MOUNT.replace(" / ", f" {mounted} ", 1),
        "sys/fs/cgroup/cgroup.controllers": "cpu",
    })  # fmt: skip
    assert kernel_counters.find_hierarchy(root).path_of(b"0::" + of_process.encode()) == path


def test_version_2_without_the_cpu_controller_is_not_used(tree):
    root = tree({"proc/self/mountinfo": V2_MOUNT, "sys/fs/cgroup/cgroup.controllers": "memory\n"})
    assert kernel_counters.find_hierarchy(root) is None


def test_quota_that_is_taken_away(tree, tmp_path):
    counters = kernel_counters.KernelCounters(tree(V2))
    assert any("db.slice" in line for line in lines(counters, process(812)))
    (tmp_path / "sys/fs/cgroup/db.slice/cpu.max").write_text("max 50000\n")
    assert not any("db.slice" in line for line in lines(counters, process(812), write_all=True))
    counters.close()


def test_halt_counters_of_each_virtual_machine(tree):
    folder = "sys/kernel/debug/kvm"
    root = tree({
        f"{folder}/halt_poll_success_ns": "9\n",
        f"{folder}/812-13/halt_poll_success_ns": "500\n", f"{folder}/812-13/halt_poll_fail_ns": "70\n",
        f"{folder}/812-13/vcpu0/tsc-offset": "1\n", f"{folder}/notes-1/halt_poll_fail_ns": "1\n",
    })  # fmt: skip
    counters = kernel_counters.KernelCounters(root)
    assert lines(counters) == [
        "k kvm halt_poll_success_ns 500 812", "k kvm halt_poll_fail_ns 70 812"
    ]  # fmt: skip
    assert counters.facts()["kvm"] is None
