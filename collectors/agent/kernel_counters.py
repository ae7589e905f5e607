"""Counters of the kernel and of KVM that say what a machine's CPU time means: `k` lines of tasks.log.

    k pressure some_us|full_us VALUE cpu|io|memory              /proc/pressure
    k cgroup nr_periods|nr_throttled|throttled_us VALUE PATH    cpu.stat of a cgroup with a CPU quota
    k cgroup quota_us|period_us VALUE PATH                      its quota and period
    k cgroup pid VALUE PATH                                     a process in it or below it
    k kvm halt_poll_success_ns|halt_poll_fail_ns|halt_wait_ns VALUE PID     of a virtual machine

The cgroups are those of the followed processes, of the threads of QEMU (libvirt gives each vCPU its
own) and of the collector itself, and all above them; those without a quota are not written, because
only a quota throttles. Version 1 is read where its cpu controller is mounted, else version 2.

OVERHEAD: per tick one pread(2) for each of the three files of /proc/pressure and for each cgroup with
a quota (at most 64), and open, read and close for three files of each virtual machine (at most 64).
The cgroups are searched at the first tick and every 60 ticks: one small file per process.
"""

import os
import re

import procfs

SCAN_TICKS = 60  # between two searches for cgroups and virtual machines
MAX_GROUPS = 64  # that are read
MAX_GROUP_PIDS = 64  # that are written for a cgroup
MAX_VIRTUAL_MACHINES = 64
RESOURCES = ("cpu", "io", "memory")
PRESSURE = re.compile(rb"^(some|full) .*\btotal=([0-9]+)$", re.MULTILINE)
HALT_COUNTERS = ("halt_poll_success_ns", "halt_poll_fail_ns", "halt_wait_ns")
OCTAL = re.compile(rb"\\([0-7]{3})")  # in mountinfo: blank, tab, newline, backslash

# reasons in facts.json
NO_PRESSURE = "/proc/pressure: %s"
NO_CPU_CONTROLLER = "no cgroup hierarchy with the cpu controller is mounted"
NO_KVM = "/sys/kernel/debug/kvm: %s"
NO_HALT_COUNTERS = "/sys/kernel/debug/kvm has no halt_poll_success_ns"


class Hierarchy:
    """The cgroup hierarchy that has the cpu controller: its version, and where it is mounted."""

    def __init__(self, version, folder, mounted_path):
        self.version = version
        self.folder = folder  # bytes
        self.mounted_path = (
            mounted_path  # path of the cgroup that is mounted there, b"/" for the root
        )

    def path_of(self, proc_cgroup):
        """The cgroup path in a text of /proc/PID/cgroup; None if there is none, or outside the mount."""
        for line in proc_cgroup.splitlines():
            number, _, rest = line.partition(b":")
            controllers, _, path = rest.partition(b":")
            if self.version == 1 and b"cpu" not in controllers.split(b","):
                continue
            if self.version == 2 and (number != b"0" or controllers):
                continue
            if b".." in path.split(b"/"):
                return None
            prefix = self.mounted_path.rstrip(b"/")
            if path != prefix and not path.startswith(prefix + b"/"):
                return None
            return b"/" + path[len(prefix) :].strip(b"/")
        return None

    def file(self, path, name):
        """The path of a cgroup's file."""
        return os.path.join(self.folder, path.lstrip(b"/"), name)

    def quota(self, path):
        """(quota in µs or None without one, period in µs or None)."""
        if self.version == 2:
            fields = (procfs.read_start(self.file(path, b"cpu.max"), 64) or b"").split()
            fields = [*fields, b"", b""][:2]
        else:
            names = (b"cpu.cfs_quota_us", b"cpu.cfs_period_us")
            fields = [(procfs.read_start(self.file(path, n), 64) or b"").strip() for n in names]
        quota, period = [int(f) if f.isdigit() else None for f in fields]  # "max", "-1": none
        return quota, period

    def throttling(self, text):
        """[(name, value)] of a text of cpu.stat."""
        values = dict(line.split()[:2] for line in text.splitlines() if len(line.split()) == 2)
        rows = [(n, values[n]) for n in (b"nr_periods", b"nr_throttled") if n in values]
        if b"throttled_usec" in values:
            rows.append((b"throttled_us", values[b"throttled_usec"]))
        elif values.get(b"throttled_time", b"").isdigit():  # version 1: ns
            rows.append((b"throttled_us", b"%d" % (int(values[b"throttled_time"]) // 1000)))
        return [(name, value) for name, value in rows if value.isdigit()]


def find_hierarchy(root=""):
    """The Hierarchy with the cpu controller, None without one; `root`: folder with proc and sys."""
    text = procfs.read_start(root + "/proc/self/mountinfo", 1 << 20) or b""
    unified = None
    for line in text.splitlines():
        left, _, right = line.partition(b" - ")
        mount, kind = left.split(), right.split()
        if len(mount) < 5 or len(kind) < 3:
            continue
        path, folder = [OCTAL.sub(lambda m: bytes([int(m.group(1), 8)]), f) for f in mount[3:5]]
        folder = os.fsencode(root) + folder
        if kind[0] == b"cgroup" and b"cpu" in kind[-1].split(b","):
            return Hierarchy(1, folder, path)
        if kind[0] == b"cgroup2":
            controllers = procfs.read_start(os.path.join(folder, b"cgroup.controllers")) or b""
            if b"cpu" in controllers.split():
                unified = Hierarchy(2, folder, path)
    return unified


class KernelCounters:
    """The `k` lines; `sample` returns those of one snapshot, `facts` what is read and what is not."""

    def __init__(self, root=""):
        """`root`: folder with proc and sys, for tests."""
        self.root = root
        self.hierarchy = find_hierarchy(root)
        self.ticks = 0
        self.groups = {}  # {path of a cgroup with a quota: descriptor of its cpu.stat}
        self.virtual_machines = []  # [(pid, folder)]
        self.pressure_files = {}
        self.reasons = {}
        for resource in RESOURCES:
            self._open_pressure(resource)
        if self.hierarchy is None:
            self.reasons["cgroup"] = NO_CPU_CONTROLLER
        self._list_virtual_machines()

    def facts(self):
        """`kernel_counters` of facts.json: cgroup version, and why something is not read (null: it is)."""
        return {
            "cgroup_version": None if self.hierarchy is None else self.hierarchy.version,
            **{name: self.reasons.get(name) for name in ("pressure", "cgroup", "kvm")},
        }

    def _open_pressure(self, resource):
        try:
            fd = os.open("%s/proc/pressure/%s" % (self.root, resource), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as e:
            self.reasons["pressure"] = NO_PRESSURE % e.strerror
            return
        try:
            os.pread(fd, 512, 0)  # with psi=0 the file exists, and reading it fails
        except OSError as e:
            os.close(fd)
            self.reasons["pressure"] = NO_PRESSURE % e.strerror
            return
        self.pressure_files[resource.encode()] = fd

    def _list_virtual_machines(self):
        """The folders of debugfs are named PID-FD."""
        folder = self.root + "/sys/kernel/debug/kvm"
        try:
            names = sorted(os.listdir(folder))
        except OSError as e:
            self.reasons["kvm"] = NO_KVM % e.strerror
            return
        self.reasons["kvm"] = None if HALT_COUNTERS[0] in names else NO_HALT_COUNTERS
        pids = [(name.split("-")[0], "%s/%s" % (folder, name)) for name in names if "-" in name]
        self.virtual_machines = [(p, f) for p, f in pids if p.isdigit()][:MAX_VIRTUAL_MACHINES]

    def sample(self, processes=(), write_all=False):
        """The lines of one snapshot.

        processes: the followed ones (task_counters.Process, or whatever has pid, threads and server);
        write_all: a new segment of the log begins.
        """
        out = []
        for resource, fd in self.pressure_files.items():
            try:
                text = os.pread(fd, 512, 0)
            except OSError:
                continue
            for kind, total in PRESSURE.findall(text):
                out.append(b"k pressure %s_us %s %s\n" % (kind, total, resource))
        if self.ticks % SCAN_TICKS == 0 or write_all:
            self._scan(processes, out)
            self._list_virtual_machines()
        self.ticks += 1
        for path, fd in list(self.groups.items()):
            try:
                text = os.pread(fd, 4096, 0)
            except OSError:  # the cgroup was removed
                os.close(self.groups.pop(path))
                continue
            for name, value in self.hierarchy.throttling(text):
                out.append(b"k cgroup %s %s %s\n" % (name, value, procfs.escape(path)))
        for pid, folder in self.virtual_machines:
            for name in HALT_COUNTERS:
                # not kept open: an open file of debugfs keeps an ended virtual machine in memory
                value = (procfs.read_start("%s/%s" % (folder, name), 32) or b"").strip()
                if value.isdigit():
                    out.append(b"k kvm %s %s %s\n" % (name.encode(), value, pid.encode()))
        return b"".join(out)

    def _scan(self, processes, out):
        """Find the cgroups with a quota that hold the processes; append their quotas and processes."""
        if self.hierarchy is None:
            return
        quotas, members = {}, {}
        for pid, file in self._cgroup_files(processes):
            path = self.hierarchy.path_of(procfs.read_start(file) or b"")
            while path is not None:
                if path not in quotas:
                    quotas[path] = self.hierarchy.quota(path)
                if quotas[path][0] is not None:
                    members.setdefault(path, {})[pid] = None  # in their order, once each
                path = None if path == b"/" else os.path.dirname(path)
        limited = sorted(path for path, (quota, _) in quotas.items() if quota is not None)
        limited = limited[:MAX_GROUPS]
        for path in set(self.groups) - set(limited):
            os.close(self.groups.pop(path))
        for path in limited:
            if path not in self.groups:
                try:
                    file = self.hierarchy.file(path, b"cpu.stat")
                    self.groups[path] = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
                except OSError:
                    continue
            text = procfs.escape(path)
            quota, period = quotas[path]
            for name, value in ((b"quota_us", quota), (b"period_us", period)):
                if value is not None:
                    out.append(b"k cgroup %s %d %s\n" % (name, value, text))
            for pid in list(members[path])[:MAX_GROUP_PIDS]:
                out.append(b"k cgroup pid %d %s\n" % (pid, text))

    def _cgroup_files(self, processes):
        """(pid, path of a file with the cgroups of it or of one of its threads)."""
        yield os.getpid(), self.root + "/proc/self/cgroup"
        for process in processes:
            folder = "%s/proc/%d" % (self.root, process.pid)
            yield process.pid, folder + "/cgroup"
            if process.server is not None:
                for tid in process.threads:
                    yield process.pid, "%s/task/%d/cgroup" % (folder, tid)

    def close(self):
        """Close the files that are kept open."""
        for fd in [*self.pressure_files.values(), *self.groups.values()]:
            os.close(fd)
        self.pressure_files, self.groups = {}, {}
