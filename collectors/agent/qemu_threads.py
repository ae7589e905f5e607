"""Which virtual server a thread works for, and its role there: the `v` lines of tasks.log.

    v pid tid starttime role id found-by virtual-server

role      emulator (QEMU's main thread and its helpers), vcpu, iothread, worker, vhost, or - (unknown)
id        vcpu: its number; iothread: its name; vhost: the pid of its QEMU; else -
found-by  thread (its name), libvirt, qmp, command (the command line), or -; in the main thread's
          line the source of the virtual server's name, in the others the source of the role

A line is written when the thread is first seen and after a change, and again at the beginning of each
segment of a rotated log. Threads are read at every tick: a vCPU that is plugged in is a new thread, a
virtual server that is restarted is a new process.

Sources, in this order: libvirt's files (/run/libvirt/qemu/NAME.pid and, for root, the vCPUs in
NAME.xml), the command line (-name), the threads' names (-name ...,debug-threads=on, libvirt's
default), and QMP, used only where the others leave something unknown. libvirt itself is not queried:
its monitor commands would mark the virtual server as tainted.

OVERHEAD: nothing for a host without QEMU; else one stat(2) of libvirt's folder per tick, and one `v`
line for each thread that is new or renamed.
"""

import os
import re

import procfs
import qmp

LIBVIRT_FOLDER = "/run/libvirt/qemu"
PROGRAM = re.compile(rb"^(qemu-system-\S+|qemu-kvm|kvm)$")
COMM = re.compile(rb"^(qemu-system-.*|qemu-kvm|kvm)$")  # the kernel cuts it to 15 characters
VCPU = re.compile(rb"^CPU (\d+)/")
IOTHREAD = re.compile(rb"^IO (\S+)$")
VHOST = re.compile(rb"^vhost-(\d+)$")
WORKER = re.compile(rb"^(worker|iou-(wrk|sqp)-\d+)$")
LIBVIRT_VCPU = re.compile(rb"<vcpu id='(\d+)' pid='(\d+)'")
ONE_FIELD = re.compile(rb"^\S+\Z")
UNKNOWN = (b"-", b"-", b"-")
MAX_QUERY_INTERVAL_TICKS = 16  # between two QMP queries that returned nothing new


def read_argv(pid):
    """The arguments of a process."""
    return [os.fsdecode(word) for word in procfs.raw_command_line(pid).split(b"\0")]


def name_from_argv(argv):
    """The virtual server's name in QEMU's arguments, None without one."""
    for option, value in qmp.option_pairs(argv):
        if option in ("-name", "--name"):
            sub_options = qmp.parse_sub_options(value)
            return sub_options.get("guest") or sub_options.get("") or None
    return None


class LibvirtFolder:
    """The folder in which libvirt keeps a pid file and a status file of each running domain."""

    def __init__(self, folder=LIBVIRT_FOLDER):
        self.folder = folder
        self.modified_ns = None
        self.names = {}  # {pid: domain}
        self.version = 0  # grows when the folder has changed

    def update(self):
        """Read the pid files again if the folder has changed."""
        try:
            modified_ns = os.stat(self.folder).st_mtime_ns
            if modified_ns == self.modified_ns:
                return
            files = os.listdir(self.folder)
        except OSError:
            modified_ns, files = None, []
            if self.modified_ns is None:
                return
        self.modified_ns = modified_ns
        self.version += 1
        self.names = {}
        for file in files:
            if file.endswith(".pid"):
                text = (procfs.read_start(os.path.join(self.folder, file), 32) or b"").strip()
                if text.isdigit():
                    self.names[int(text)] = file[:-4]

    def read_vcpus(self, name):
        """{tid: vCPU number} from the status file; empty where it cannot be read."""
        text = procfs.read_start(os.path.join(self.folder, name + ".xml"), 1 << 22) or b""
        return {int(m.group(2)): m.group(1) for m in LIBVIRT_VCPU.finditer(text)}


class QemuProcess:
    """One QEMU process: its virtual server's name, and the roles of its threads."""

    def __init__(self, pid, argv, libvirt):
        self.pid = pid
        self.argv = argv
        self.libvirt = libvirt
        self.libvirt_version = None
        self.name = self.name_source = None
        self.roles = {}  # {source: {tid: (role, id)}}
        self.qmp_path = qmp.socket_path(argv)
        self.written_lines = {}  # {tid: line}
        self.is_incomplete = False
        self.query_interval_ticks = 1
        self.ticks_to_query = 0
        self.update()

    def update(self):
        """Take the name and the vCPUs from libvirt's folder, if it has changed, or the command line."""
        if self.libvirt_version == self.libvirt.version:
            return
        self.libvirt_version = self.libvirt.version
        name = self.libvirt.names.get(self.pid)
        if name is not None:
            self.name, self.name_source = name, b"libvirt"
            vcpus = self.libvirt.read_vcpus(name)
            self.roles[b"libvirt"] = {tid: (b"vcpu", number) for tid, number in vcpus.items()}
        elif self.name is None:
            self.name = name_from_argv(self.argv)
            self.name_source = b"command" if self.name else None

    def add_qmp_answer(self, answer):
        """Add the result of qmp.query; True if it was new."""
        before = (self.name, self.roles.get(b"qmp"))
        if self.name is None and answer["name"]:
            self.name, self.name_source = answer["name"], b"qmp"
        roles = {tid: (b"vcpu", os.fsencode(n)) for tid, n in answer["vcpus"].items()}
        roles.update({tid: (b"iothread", os.fsencode(n)) for tid, n in answer["iothreads"].items()})
        self.roles[b"qmp"] = roles
        return before != (self.name, roles)

    def thread_role(self, tid, name, main_name):
        """(role, id, found by) of the thread `name`, where the main thread has the name `main_name`."""
        if tid == self.pid:
            return b"emulator", b"-", self.name_source or b"-"
        for pattern, role in ((VCPU, b"vcpu"), (IOTHREAD, b"iothread"), (VHOST, b"vhost")):
            m = pattern.match(name)
            if m:
                return role, m.group(1), b"thread"
        if WORKER.match(name):
            return b"worker", b"-", b"thread"
        for source in (b"libvirt", b"qmp"):
            if tid in self.roles.get(source, ()):
                role, role_id = self.roles[source][tid]
                return role, role_id if ONE_FIELD.match(role_id) else b"-", source
        if name != main_name:
            return b"emulator", b"-", b"thread"
        return UNKNOWN

    def new_lines(self, threads):
        """The lines of {tid: (starttime, name)} not written yet; sets `is_incomplete`."""
        main_name = threads.get(self.pid, (b"", b""))[1]
        server = procfs.escape(os.fsencode(self.name)) if self.name else b"-"
        self.is_incomplete = self.name is None
        new_lines, lines = [], {}
        for tid in sorted(threads):
            start, name = threads[tid]
            role = self.thread_role(tid, name, main_name)
            self.is_incomplete = self.is_incomplete or role is UNKNOWN
            line = b"v %d %d %s %s %s\n" % (self.pid, tid, start, b" ".join(role), server)
            if line != self.written_lines.get(tid):
                new_lines.append(line)
            lines[tid] = line
        self.written_lines = lines
        return new_lines


class VhostThread:
    """A kernel thread of its own (before Linux 6.4) that works for a QEMU process."""

    def __init__(self, pid, owner_pid):
        self.pid = pid
        self.owner_pid = owner_pid
        self.written_line = None

    def new_lines(self, threads, owner):
        """Its line, if not written yet; `owner`: the QemuProcess it works for, or None."""
        if self.pid not in threads:
            return []
        server = procfs.escape(os.fsencode(owner.name)) if owner and owner.name else b"-"
        start = threads[self.pid][0]
        fields = (self.pid, self.pid, start, self.owner_pid, server)
        line = b"v %d %d %s vhost %d thread %s\n" % fields
        if line == self.written_line:
            return []
        self.written_line = line
        return [line]


class VirtualServers:
    """The virtual servers among the followed processes."""

    def __init__(self, folder=LIBVIRT_FOLDER):
        self.libvirt = LibvirtFolder(folder)
        self.qmp_query = qmp.BackgroundQuery()
        self.processes = {}  # {pid: QemuProcess or VhostThread}

    def update(self):
        """Once per tick, before the processes."""
        if self.processes:
            self.libvirt.update()

    def classify(self, pid, name, command_line):
        """A QemuProcess, a VhostThread or None for a process that is new or has a new name.

        `command_line`: its arguments joined by one blank.
        """
        m = VHOST.match(name)
        if m and not command_line and int(m.group(1)) != pid:
            process = VhostThread(pid, int(m.group(1)))
        elif command_line and (
            COMM.match(name) or PROGRAM.match(os.path.basename(command_line.split(b" ", 1)[0]))
        ):
            self.libvirt.update()
            process = QemuProcess(pid, read_argv(pid), self.libvirt)
        else:
            self.processes.pop(pid, None)
            return None
        self.processes[pid] = process
        return process

    def forget(self, pid):
        """The process has ended."""
        self.processes.pop(pid, None)
        self.qmp_query.answers.pop(pid, None)

    def write_all_again(self):
        """A new segment of the log begins: every line is written again."""
        for process in self.processes.values():
            if isinstance(process, QemuProcess):
                process.written_lines = {}
            else:
                process.written_line = None

    def new_lines(self, process, threads):
        """The `v` lines of one process not written yet; its threads are {tid: (starttime, name)}."""
        if isinstance(process, VhostThread):
            owner = self.processes.get(process.owner_pid)
            return process.new_lines(threads, owner if isinstance(owner, QemuProcess) else None)
        process.update()
        is_answered, answer = self.qmp_query.take_answer(process.pid)
        if is_answered:
            is_new = answer is not None and process.add_qmp_answer(answer)
            interval = 1 if is_new else 2 * process.query_interval_ticks
            process.query_interval_ticks = min(interval, MAX_QUERY_INTERVAL_TICKS)
        lines = process.new_lines(threads)
        if process.is_incomplete and process.qmp_path:
            process.ticks_to_query -= 1
            if process.ticks_to_query <= 0:
                if self.qmp_query.start(process.pid, process.qmp_path):
                    process.ticks_to_query = process.query_interval_ticks
        return lines
