"""Which virtual server a thread works for, and what it does there: the `v` lines of tasks.log.

    v pid tid starttime role id found-by virtual-server

role      emulator (QEMU's main thread and its helpers), vcpu, iothread, worker, vhost, or - (not known)
id        vcpu: its number; iothread: its name; vhost: the pid of its QEMU; else -
found-by  thread (its name), libvirt, qmp, command (the command line), or -; in the main thread's
          line where the virtual server's name is from, in the others where the role is from

A line is written when it is found and when it changes, and again at the head of each piece of a
rotated log. Looked at every tick: a vCPU that is plugged in is a new thread, a restarted virtual
server a new process.

Where from, in this order: libvirt's files (/run/libvirt/qemu/NAME.pid and, for root, the vCPUs in
NAME.xml), the command line (-name), the threads' names (-name …,debug-threads=on, libvirt's
default), and QMP, asked only where those leave something open. libvirt itself is not asked: its
monitor commands would mark the virtual server as tainted.

OVERHEAD: for a host without QEMU nothing; else one stat(2) of libvirt's folder a tick, and the work
of a `v` line for each thread that is new or renamed.
"""

import os
import re

import procfs
import qmp

LIBVIRT = "/run/libvirt/qemu"
PROGRAM = re.compile(rb"^(qemu-system-\S+|qemu-kvm|kvm)$")
SHORT = re.compile(rb"^(qemu-system-.*|qemu-kvm|kvm)$")  # as comm, cut to 15 letters
VCPU = re.compile(rb"^CPU (\d+)/")
IOTHREAD = re.compile(rb"^IO (\S+)$")
VHOST = re.compile(rb"^vhost-(\d+)$")
WORKER = re.compile(rb"^(worker|iou-(wrk|sqp)-\d+)$")
LIBVIRT_VCPU = re.compile(rb"<vcpu id='(\d+)' pid='(\d+)'")
WORD = re.compile(rb"^\S+\Z")
UNKNOWN = (b"-", b"-", b"-")
LONGEST_PAUSE = 16  # ticks between two questions that told nothing new


def arguments(pid):
    """The words of a command line."""
    raw = procfs.slurp("/proc/%d/cmdline" % pid, 131072) or b""
    return [os.fsdecode(word) for word in raw.rstrip(b"\0").split(b"\0")]


def name_on(words):
    """The name that a command line gives the virtual server, None without one."""
    for word, value in qmp.pairs(words):
        if word in ("-name", "--name"):
            o = qmp.sub_options(value)
            return o.get("guest") or o.get("") or None
    return None


class Libvirt:
    """The folder in which libvirt keeps a pid file and a status file of each running domain."""

    def __init__(self, folder=LIBVIRT):
        self.folder = folder
        self.seen = None
        self.names = {}
        self.news = 0  # grows when the folder has changed

    def look(self):
        """Read the pid files again if the folder has changed."""
        try:
            changed = os.stat(self.folder).st_mtime_ns
            if changed == self.seen:
                return
            files = os.listdir(self.folder)
        except OSError:
            changed, files = None, []
            if self.seen is None:
                return
        self.seen = changed
        self.news += 1
        self.names = {}
        for file in files:
            if file.endswith(".pid"):
                text = (procfs.slurp(os.path.join(self.folder, file), 32) or b"").strip()
                if text.isdigit():
                    self.names[int(text)] = file[:-4]

    def vcpus(self, name):
        """{tid: number} by the status file; empty where it cannot be read."""
        text = procfs.slurp(os.path.join(self.folder, name + ".xml"), 1 << 22) or b""
        return {int(m.group(2)): m.group(1) for m in LIBVIRT_VCPU.finditer(text)}


class Machine:
    """One QEMU process: the virtual server's name, and what was said of its threads."""

    def __init__(self, pid, words, libvirt):
        self.pid = pid
        self.words = words
        self.libvirt = libvirt
        self.news = None
        self.name = self.by = None
        self.known = {}  # found by: {tid: (role, id)}
        self.path = qmp.socket_path(words)
        self.told = {}
        self.open = False
        self.pause = 1
        self.wait = 0
        self.look()

    def look(self):
        """What libvirt and the command line say now."""
        if self.news == self.libvirt.news:
            return
        self.news = self.libvirt.news
        name = self.libvirt.names.get(self.pid)
        if name is not None:
            self.name, self.by = name, b"libvirt"
            vcpus = self.libvirt.vcpus(name)
            self.known[b"libvirt"] = {tid: (b"vcpu", number) for tid, number in vcpus.items()}
        elif self.name is None:
            self.name = name_on(self.words)
            self.by = b"command" if self.name else None

    def learn(self, answer):
        """Take in what QMP has said; True if it was new."""
        before = (self.name, self.known.get(b"qmp"))
        if self.name is None and answer["name"]:
            self.name, self.by = answer["name"], b"qmp"
        said = {tid: (b"vcpu", os.fsencode(n)) for tid, n in answer["vcpus"].items()}
        said.update({tid: (b"iothread", os.fsencode(n)) for tid, n in answer["iothreads"].items()})
        self.known[b"qmp"] = said
        return before != (self.name, said)

    def role(self, tid, name, leader):
        """(role, id, found by) of a thread called `name`, where the main thread is called `leader`."""
        if tid == self.pid:
            return b"emulator", b"-", self.by or b"-"
        for pattern, role in ((VCPU, b"vcpu"), (IOTHREAD, b"iothread"), (VHOST, b"vhost")):
            m = pattern.match(name)
            if m:
                return role, m.group(1), b"thread"
        if WORKER.match(name):
            return b"worker", b"-", b"thread"
        for source in (b"libvirt", b"qmp"):
            if tid in self.known.get(source, ()):
                role, word = self.known[source][tid]
                return role, word if WORD.match(word) else b"-", source
        if name != leader:
            return b"emulator", b"-", b"thread"
        return UNKNOWN

    def lines(self, threads):
        """The new lines for {tid: (starttime, name)}; `open` is left true where something is not known."""
        leader = threads.get(self.pid, (b"", b""))[1]
        server = procfs.escape(os.fsencode(self.name)) if self.name else b"-"
        self.open = self.name is None
        lines, told = [], {}
        for tid in sorted(threads):
            born, name = threads[tid]
            role = self.role(tid, name, leader)
            self.open = self.open or role is UNKNOWN
            line = b"v %d %d %s %s %s\n" % (self.pid, tid, born, b" ".join(role), server)
            if line != self.told.get(tid):
                lines.append(line)
            told[tid] = line
        self.told = told
        return lines


class Vhost:
    """A kernel thread of its own (before Linux 6.4) that works for a QEMU process."""

    def __init__(self, pid, owner):
        self.pid = pid
        self.owner = owner
        self.told = None

    def lines(self, threads, owner):
        """Its line, when it is new; `owner` is the QEMU process's Machine or None."""
        if self.pid not in threads:
            return []
        server = procfs.escape(os.fsencode(owner.name)) if owner and owner.name else b"-"
        born = threads[self.pid][0]
        line = b"v %d %d %s vhost %d thread %s\n" % (self.pid, self.pid, born, self.owner, server)
        if line == self.told:
            return []
        self.told = line
        return [line]


class Map:
    """All virtual servers among the processes that are followed."""

    def __init__(self, folder=LIBVIRT):
        self.libvirt = Libvirt(folder)
        self.asker = qmp.Asker()
        self.machines = {}

    def look(self):
        """Once a tick, before the processes."""
        if self.machines:
            self.libvirt.look()

    def begin(self, pid, name, line):
        """What a process that is new (or has a new name) is: a Machine, a Vhost or None.

        `line` is its command line, words joined by one blank.
        """
        m = VHOST.match(name)
        if m and not line and int(m.group(1)) != pid:
            machine = Vhost(pid, int(m.group(1)))
        elif line and (
            SHORT.match(name) or PROGRAM.match(os.path.basename(line.split(b" ", 1)[0]))
        ):
            self.libvirt.look()
            machine = Machine(pid, arguments(pid), self.libvirt)
        else:
            self.machines.pop(pid, None)
            return None
        self.machines[pid] = machine
        return machine

    def forget(self, pid):
        """It has ended."""
        self.machines.pop(pid, None)
        self.asker.answers.pop(pid, None)

    def tell_again(self):
        """A new piece of the log begins: every line stands there again."""
        for machine in self.machines.values():
            machine.told = {} if isinstance(machine, Machine) else None

    def lines(self, machine, threads):
        """The new `v` lines of one process, whose threads are {tid: (starttime, name)}."""
        if isinstance(machine, Vhost):
            owner = self.machines.get(machine.owner)
            return machine.lines(threads, owner if isinstance(owner, Machine) else None)
        machine.look()
        there, answer = self.asker.take(machine.pid)
        if there:
            news = answer is not None and machine.learn(answer)
            machine.pause = 1 if news else min(2 * machine.pause, LONGEST_PAUSE)
        lines = machine.lines(threads)
        if machine.open and machine.path:
            machine.wait -= 1
            if machine.wait <= 0 and self.asker.ask(machine.pid, machine.path):
                machine.wait = machine.pause
        return lines
