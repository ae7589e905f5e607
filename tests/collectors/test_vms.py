# ruff: noqa: PTH110, PTH120
"""Which process and thread is which virtual server: fake libvirt folders, fake QMP sockets, real threads."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time

import procfs
import pytest
import qemu_threads
import qmp
import task_counters
from conftest import needs_root, wait_for

QEMU = r"""
import os, sys, threading
def name(tid, text):
    with open('/proc/self/task/%d/comm' % tid, 'w') as f: f.write(text)
name(os.getpid(), sys.argv[1])
ends = {}
def body(text, said, end):
    tid = threading.get_native_id()
    if text != '-': name(tid, text)
    said.append(tid); said.append(None)
    end.wait()
print('ready', flush=True)
for line in sys.stdin:
    verb, _, text = line.strip().partition(' ')
    if verb == 'end':
        ends.pop(int(text)).set()
        while os.path.exists('/proc/self/task/' + text): pass
        print('ended', flush=True)
        continue
    said, end = [], threading.Event()
    threading.Thread(target=body, args=(text, said, end), daemon=True).start()
    while len(said) < 2: pass
    ends[said[0]] = end
    print(said[0], flush=True)
"""


class Qemu:
    """A process that looks like QEMU: its name, its command line, threads with names."""

    def __init__(self, *arguments, name="qemu-system-x86", program="qemu-system-x86_64"):
        argv = [program, "-c", QEMU, name, *map(str, arguments)]
        self.process = subprocess.Popen(
            argv, executable=os.path.realpath(sys.executable), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=dict(os.environ, PYTHONHOME=sys.base_prefix),
        )  # fmt: skip
        assert self.process.stdout.readline() == "ready\n"
        self.pid = self.process.pid

    def thread(self, name="-"):
        """A new thread of that name; its number."""
        self.process.stdin.write(f"thread {name}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def end(self, tid):
        """That thread ends."""
        self.process.stdin.write(f"end {tid}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ended\n"

    def kill(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def qemu():
    started = []

    def start(*arguments, **more):
        started.append(Qemu(*arguments, **more))
        return started[-1]

    yield start
    for q in started:
        q.kill()


@pytest.fixture
def counters(tmp_path):
    """tasks.log of some processes, with a libvirt folder of the test's own."""
    libvirt = tmp_path / "libvirt"
    libvirt.mkdir()
    sampler = task_counters.TaskCounters(
        procfs.Matcher("."), servers=qemu_threads.VirtualServers(str(libvirt))
    )
    sampler.folder = libvirt
    return sampler


def told(counters, *pids):
    """{tid: (role, id, found by, virtual server)} of the new `v` lines."""
    lines = counters.sample(list(pids)).decode().splitlines()
    found = {}
    for line in lines:
        if line.startswith("v "):
            _, pid, tid, born, *rest = line.split(" ", 7)
            assert int(pid) in pids
            text = pathlib.Path(f"/proc/{pid}/task/{tid}/stat").read_text()
            assert born == text.rsplit(")", 1)[1].split()[19], "the thread's own start"
            found[int(tid)] = tuple(rest)
    return found


def test_names_of_threads_and_the_command_line(qemu, counters):
    q = qemu("-name", "guest=web,debug-threads=on")
    roles = {
        "CPU 0/KVM": ("vcpu", "0"), "CPU 11/TCG": ("vcpu", "11"), "IO iothread1": ("iothread", "iothread1"),
        "worker": ("worker", "-"), f"vhost-{q.pid}": ("vhost", str(q.pid)), "iou-wrk-77": ("worker", "-"),
        "call_rcu": ("emulator", "-"), "-": ("-", "-"),
    }  # fmt: skip
    tids = {q.thread(name): name for name in roles}
    got = told(counters, q.pid)
    assert got.pop(q.pid) == ("emulator", "-", "command", "web")
    for tid, name in tids.items():
        by = "-" if name == "-" else "thread"
        assert got.pop(tid) == (*roles[name], by, "web"), name
    assert got == {}
    assert told(counters, q.pid) == {}, "told once"


def test_a_vcpu_that_is_plugged_in_and_a_worker_that_ends(qemu, counters):
    q = qemu("-name", "guest=web,debug-threads=on")
    worker = q.thread("worker")
    told(counters, q.pid)
    vcpu = q.thread("CPU 1/KVM")
    assert told(counters, q.pid) == {vcpu: ("vcpu", "1", "thread", "web")}
    q.end(worker)
    text = counters.sample([q.pid]).decode()
    assert f"t {q.pid} {worker} " not in text and f"t {q.pid} {vcpu} " in text
    again = q.thread("worker")
    assert told(counters, q.pid) == {again: ("worker", "-", "thread", "web")}


def test_a_virtual_server_that_is_restarted_is_another_process(qemu, counters):
    old = qemu("-name", "guest=web")
    assert told(counters, old.pid)[old.pid][3] == "web"
    old.kill()
    new = qemu("-name", "guest=web")
    text = counters.sample([old.pid, new.pid]).decode()
    assert f"x {old.pid} " in text and f"v {new.pid} {new.pid} " in text
    assert set(counters.servers.processes) == {new.pid}


@pytest.mark.parametrize(
    ("arguments", "server"),
    [
        (["-name", "old-style"], "old-style"),
        (["-name", "old-style,process=qemu:x"], "old-style"),
        (["--name", "debug-threads=on,guest=a,,b c"], "a,b c"),
        (["-name", "guest=back\\slash"], "back\\\\slash"),
        (["-name", "debug-threads=on"], "-"),
        (["-m", "512"], "-"),
        (["-name"], "-"),
    ],
)
def test_names_on_command_lines(qemu, counters, arguments, server):
    q = qemu(*arguments)
    by = "-" if server == "-" else "command"
    assert told(counters, q.pid) == {q.pid: ("emulator", "-", by, server)}


def test_what_is_no_qemu_has_no_lines(qemu, counters):
    q = qemu("-name", "guest=web", name="vi", program="vi")
    assert told(counters, q.pid) == {}
    assert counters.servers.processes == {}
    kvm = qemu("-name", "guest=web", name="qemu-kvm", program="/usr/libexec/qemu-kvm")
    renamed = qemu("-name", "guest=db,process=db", name="db", program="/usr/bin/qemu-system-x86_64")
    assert {v[3] for v in told(counters, kvm.pid, renamed.pid).values()} == {"web", "db"}


# -- libvirt ---------------------------------------------------------------------------------------

STATUS = """<domstatus state='running' reason='booted' pid='{pid}'>
  <monitor path='/var/lib/libvirt/qemu/domain-1-web/monitor.sock' type='unix'/>
  <vcpus>
{vcpus}
  </vcpus>
  <domain type='kvm' id='1'><name>web</name></domain>
</domstatus>
"""


def status(folder, pid, vcpus):
    lines = "\n".join(f"    <vcpu id='{n}' pid='{tid}'/>" for n, tid in vcpus.items())
    new = folder / "web.xml.new"
    new.write_text(STATUS.format(pid=pid, vcpus=lines))
    new.rename(folder / "web.xml")  # as libvirt does


def test_libvirts_files_name_it_and_its_vcpus(qemu, counters):
    q = qemu("-m", "512")
    first, helper = q.thread(), q.thread()
    (counters.folder / "web.pid").write_text(f"{q.pid}\n")
    (counters.folder / "other.pid").write_text("not a number")
    status(counters.folder, q.pid, {0: first})
    assert told(counters, q.pid) == {
        q.pid: ("emulator", "-", "libvirt", "web"),
        first: ("vcpu", "0", "libvirt", "web"),
        helper: ("-", "-", "-", "web"),
    }
    plugged = q.thread()
    status(counters.folder, q.pid, {0: first, 1: plugged})
    assert told(counters, q.pid) == {plugged: ("vcpu", "1", "libvirt", "web")}
    shutil.rmtree(counters.folder)
    assert told(counters, q.pid) == {}, "what was known stays known"


def test_libvirts_name_goes_before_the_command_lines(qemu, counters):
    q = qemu("-name", "guest=alias")
    assert told(counters, q.pid)[q.pid][2:] == ("command", "alias")
    (counters.folder / "web.pid").write_text(str(q.pid))
    assert told(counters, q.pid) == {q.pid: ("emulator", "-", "libvirt", "web")}


@needs_root
def test_a_status_file_that_may_not_be_read_leaves_the_role_open(qemu, tmp_path):
    q = qemu("-m", "512")
    tid = q.thread()
    (tmp_path / "web.pid").write_text(str(q.pid))
    status(tmp_path, q.pid, {0: tid})
    (tmp_path / "web.xml").chmod(0)
    machine = qemu_threads.LibvirtFolder(str(tmp_path))
    machine.update()
    assert machine.names == {q.pid: "web"}
    code = (
        f"import sys; sys.path.insert(0, {os.path.dirname(qemu_threads.__file__)!r}); import qemu_threads;"
        f"print(qemu_threads.LibvirtFolder({str(tmp_path)!r}).read_vcpus('web'))"
    )
    tmp_path.chmod(0o755)
    if not shutil.which("setpriv") or not os.path.exists("/usr/bin/python3"):
        pytest.skip("setpriv or /usr/bin/python3 is not there (apt install util-linux python3)")
    words = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "/usr/bin/python3",
        "-B",
        "-c",
        code,
    ]
    p = subprocess.run(words, capture_output=True, text=True, cwd="/")
    if "No module named" in p.stderr:
        pytest.skip("a user without rights cannot read this folder")
    assert p.stdout == "{}\n", p.stderr


# -- QMP -------------------------------------------------------------------------------------------


class Monitor(threading.Thread):
    """A QMP server: a greeting, answers, an event in between; or silence."""

    def __init__(self, path, answers, *, greet=True):
        super().__init__(daemon=True)
        self.answers, self.greet = answers, greet
        self.asked = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(1)
        self.start()

    def run(self):
        while True:
            try:
                link, _ = self.socket.accept()
            except OSError:
                return
            if not self.greet:
                self.asked.append("connected")
                time.sleep(30)
            file = link.makefile("rwb", buffering=0)
            file.write(b'{"QMP": {"version": {}, "capabilities": []}}\r\n')
            for line in file:
                command = json.loads(line)["execute"]
                self.asked.append(command)
                file.write(b'{"event": "RESUME", "timestamp": {}}\r\n')
                if command == "qmp_capabilities":
                    answer = {"return": {}}
                elif command in self.answers:
                    answer = {"return": self.answers[command]}
                else:
                    answer = {"error": {"class": "CommandNotFound", "desc": ""}}
                file.write(json.dumps(answer).encode() + b"\r\n")


@pytest.fixture
def short():
    """A folder with a short path: a socket's path may have 108 bytes."""
    import tempfile

    path = pathlib.Path(tempfile.mkdtemp(prefix="qv-"))
    yield path
    shutil.rmtree(path)


def answered(counters, pid):
    """The next new `v` lines, once QMP was asked in the background."""
    return wait_for(lambda: told(counters, pid), 5, 0.05)


def test_qmp_says_what_names_do_not(qemu, counters, short):
    q = qemu("-qmp", f"unix:{short}/qmp,server=on,wait=off")
    vcpu, io, other = q.thread(), q.thread(), q.thread()
    monitor = Monitor(short / "qmp", {
        "query-name": {"name": "web"},
        "query-cpus-fast": [{"cpu-index": 0, "thread-id": vcpu, "target": "x86_64"}, {"cpu-index": 1}, 7],
        "query-iothreads": [{"id": "a-long-name-of-an-iothread", "thread-id": io, "poll-max-ns": 0}],
    })  # fmt: skip
    assert told(counters, q.pid)[vcpu] == ("-", "-", "-", "-")
    assert answered(counters, q.pid) == {
        q.pid: ("emulator", "-", "qmp", "web"),
        vcpu: ("vcpu", "0", "qmp", "web"),
        io: ("iothread", "a-long-name-of-an-iothread", "qmp", "web"),
        other: ("-", "-", "-", "web"),
    }
    questions = ["qmp_capabilities", "query-name", "query-cpus-fast", "query-iothreads"]
    assert monitor.asked[:4] == questions
    assert "query-cpus" not in monitor.asked, "it would stop the vCPUs"
    plugged = q.thread()
    monitor.answers["query-cpus-fast"].append({"cpu-index": 5, "thread-id": plugged})
    assert told(counters, q.pid)[plugged] == ("-", "-", "-", "web")
    assert answered(counters, q.pid) == {plugged: ("vcpu", "5", "qmp", "web")}


def test_qmp_is_not_asked_where_names_tell_everything(qemu, counters, short):
    monitor = Monitor(short / "qmp", {})
    q = qemu("-name", "guest=web,debug-threads=on", "-qmp", f"unix:{short}/qmp,server=on")
    q.thread("CPU 0/KVM")
    for _ in range(5):
        told(counters, q.pid)
    assert monitor.asked == [] and counters.servers.qmp_query.thread is None


def test_qmp_that_tells_nothing_is_asked_more_and_more_seldom(qemu, counters, short):
    monitor = Monitor(short / "qmp", {})
    q = qemu("-qmp", f"unix:{short}/qmp,server=on")
    for _ in range(40):
        told(counters, q.pid)
        if counters.servers.qmp_query.thread is not None:
            counters.servers.qmp_query.thread.join(5)
    asked = monitor.asked.count("qmp_capabilities")
    assert 4 <= asked <= 8, "after 1, 2, 4, 8, 16, 16 ticks, not every time"


def test_a_monitor_that_somebody_else_holds_costs_no_tick(qemu, counters, short, monkeypatch):
    ask, asked_for = qmp.query, threading.Event()
    monkeypatch.setattr(qmp, "query", lambda *words: asked_for.wait(60) and ask(*words))
    monitor = Monitor(short / "qmp", {}, greet=False)
    q = qemu("-name", "guest=web", "-qmp", f"unix:{short}/qmp,server=on")
    tid = q.thread()
    assert told(counters, q.pid)[tid] == ("-", "-", "-", "web")
    assert counters.servers.qmp_query.thread.is_alive(), "asked in the background"
    asked_for.set()
    assert wait_for(lambda: monitor.asked, 5)
    counters.servers.qmp_query.thread.join(5)
    assert told(counters, q.pid) == {}
    with pytest.raises((qmp.NoAnswerError, OSError)):
        qmp.query(str(short / "qmp"), q.pid)


@needs_root
def test_another_users_socket_is_told_nothing(qemu, short):
    """A command line can name any socket, and we may be root."""
    if not shutil.which("setpriv") or not os.path.exists("/usr/bin/python3"):
        pytest.skip("setpriv or /usr/bin/python3 is not there (apt install util-linux python3)")
    short.chmod(0o777)
    code = (
        "import socket,sys;s=socket.socket(socket.AF_UNIX);s.bind(sys.argv[1]);s.listen(1);"
        "print(flush=True);c,_=s.accept();print(repr(c.recv(99)),flush=True)"
    )
    words = [
        "setpriv",
        "--reuid=65534",
        "--clear-groups",
        "/usr/bin/python3",
        "-c",
        code,
        short / "s",
    ]
    other = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd="/")
    try:
        if other.stdout.readline() != "\n":
            pytest.skip("nobody cannot listen here")
        q = qemu("-qmp", f"unix:{short}/s")
        with pytest.raises(qmp.NoAnswerError, match="another user"):
            qmp.query(str(short / "s"), q.pid)
        assert other.stdout.readline() == "b''\n", "not a word was sent"
    finally:
        other.kill()
        other.communicate()


def test_qmp_that_answers_with_half_characters(qemu, counters, short):
    """They ended the whole recording."""
    q = qemu("-qmp", f"unix:{short}/qmp")
    Monitor(
        short / "qmp",
        {
            "query-name": {"name": "\ud800" + "x" * 1000},
            "query-cpus-fast": [],
            "query-iothreads": [{"id": "\ud800", "thread-id": q.pid}],
        },
    )
    answer = qmp.query(str(short / "qmp"), q.pid)
    assert answer["name"].encode() == b"?" + b"x" * 254
    assert answer["iothreads"][q.pid].encode() == b"?"


def test_qmp_that_nests_without_end(qemu, short, monkeypatch):
    def deep(path, pid):
        raise RecursionError

    monkeypatch.setattr(qmp, "query", deep)
    asker = qmp.BackgroundQuery()
    asker._run(1, "x")
    assert asker.take_answer(1) == (True, None)


@needs_root
def test_who_started_a_process_with_roots_rights():
    """As su and its like, which anybody may call by the name of qemu-kvm, with a socket of root's."""
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv")
    words = ["setpriv", "--ruid=65534", "cat"]
    other = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/")
    try:
        other.stdin.write(b"\n")
        other.stdin.flush()
        assert other.stdout.readline() == b"\n"
        assert pathlib.Path(f"/proc/{other.pid}").stat().st_uid == 0
        assert qmp.Connection.real_uid(other.pid) == 65534
    finally:
        other.kill()
        other.communicate()


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (["-qmp", "unix:/a/b,server=on,wait=off"], "/a/b"),
        (["--qmp", "unix:/a,,b,server"], "/a,b"),
        (["-qmp", "tcp:localhost:4444"], None),
        (["-chardev", "socket,id=m,path=/p,server=on", "-mon", "chardev=m,mode=control"], "/p"),
        (["-chardev", "socket,id=m,path=/p", "-mon", "m,mode=control"], "/p"),
        (["-chardev", "socket,id=m,path=/p", "-mon", "chardev=m,mode=readline"], None),
        (["-chardev", "socket,id=m,fd=23", "-mon", "chardev=m,mode=control"], None),
        (["-qmp"], None),
        ([], None),
    ],
)
def test_the_socket_that_a_command_line_names(arguments, path):
    assert qmp.socket_path(arguments) == path


def test_a_relative_path_is_the_processes_own(qemu, short):
    monitor = Monitor(short / "qmp", {"query-name": {"name": "web"}})
    before = os.getcwd()  # noqa: PTH109
    os.chdir(short)
    try:
        q = qemu("-qmp", "unix:qmp,server")
    finally:
        os.chdir(before)
    assert qmp.query("qmp", q.pid) == {"name": "web", "vcpus": {}, "iothreads": {}}
    assert monitor.asked[0] == "qmp_capabilities"


# -- vhost -----------------------------------------------------------------------------------------


def test_a_vhost_kernel_thread_belongs_to_its_qemu():
    """Before Linux 6.4 it is a kernel thread; no such thread can be made here, so the map is asked."""
    servers = qemu_threads.VirtualServers("/nowhere")
    early = servers.classify(705, b"vhost-812", b"")
    assert isinstance(early, qemu_threads.VhostThread)
    here = {705: (b"44", b"vhost-812")}
    assert servers.new_lines(early, here) == [b"v 705 705 44 vhost 812 thread -\n"]
    machine = servers.classify(812, b"qemu-kvm", b"qemu-kvm -name guest=web")
    machine.name = "web"
    assert servers.new_lines(early, here) == [b"v 705 705 44 vhost 812 thread web\n"]
    assert servers.new_lines(early, here) == []
    servers.write_all_again()
    assert servers.new_lines(early, here) == [b"v 705 705 44 vhost 812 thread web\n"]
    assert servers.classify(7, b"vhost-7", b"") is None, "nobody is its own"
    assert servers.classify(8, b"vhost-x", b"") is None


def test_an_operator_who_asks_for_a_guest_gets_its_vhost_threads(monkeypatch):
    names = {812: b"qemu-kvm\n", 705: b"vhost-812\n", 9: b"vhost-9\n"}
    monkeypatch.setattr(
        procfs, "read_start", lambda path, size=0: names.get(int(path.split("/")[2]))
    )
    monkeypatch.setattr(procfs, "command_line", lambda pid: b"x guest=web," if pid == 812 else b"")
    m = procfs.Matcher("guest=web[, ]")
    assert m.matches_pid(705) is True and m.matches_pid(812) is True and m.matches_pid(9) is False


def test_a_new_piece_tells_everything_again(qemu, counters):
    q = qemu("-name", "guest=web")
    counters.sample([q.pid])
    counters.write_all_again()
    text = counters.sample([q.pid]).decode()
    assert f"\nc {q.pid} " in text and f"\nv {q.pid} {q.pid} " in text
    text = counters.sample([q.pid]).decode()
    assert "\nc " not in text and "\nv " not in text and f"\np {q.pid} " in text
