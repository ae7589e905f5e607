"""Which thread works for which virtual server: fake libvirt folders, fake QMP sockets, real threads."""

import os
import shutil
import subprocess
import threading

import pytest
import qemu_threads
import qmp

from ..helpers import needs_root, wait_for
from .fake_qemu import Monitor, new_v_lines, v_lines_after_qmp


def test_roles_from_thread_names_and_command_line(qemu, counters):
    q = qemu("-name", "guest=web,debug-threads=on")
    roles = {
        "CPU 0/KVM": ("vcpu", "0"), "CPU 11/TCG": ("vcpu", "11"), "IO iothread1": ("iothread", "iothread1"),
        "worker": ("worker", "-"), f"vhost-{q.pid}": ("vhost", str(q.pid)), "iou-wrk-77": ("worker", "-"),
        "call_rcu": ("emulator", "-"), "-": ("-", "-"),
    }  # fmt: skip
    tids = {q.thread(name): name for name in roles}
    got = new_v_lines(counters, q.pid)
    assert got.pop(q.pid) == ("emulator", "-", "command", "web")
    for tid, name in tids.items():
        by = "-" if name == "-" else "thread"
        assert got.pop(tid) == (*roles[name], by, "web"), name
    assert got == {}
    assert new_v_lines(counters, q.pid) == {}, "written once"


def test_vcpu_plugged_in_and_worker_that_ends(qemu, counters):
    q = qemu("-name", "guest=web,debug-threads=on")
    worker = q.thread("worker")
    new_v_lines(counters, q.pid)
    vcpu = q.thread("CPU 1/KVM")
    assert new_v_lines(counters, q.pid) == {vcpu: ("vcpu", "1", "thread", "web")}
    q.end(worker)
    text = counters.sample([q.pid]).decode()
    assert f"t {q.pid} {worker} " not in text and f"t {q.pid} {vcpu} " in text
    again = q.thread("worker")
    assert new_v_lines(counters, q.pid) == {again: ("worker", "-", "thread", "web")}


def test_restarted_virtual_server_is_a_new_process(qemu, counters):
    old = qemu("-name", "guest=web")
    assert new_v_lines(counters, old.pid)[old.pid][3] == "web"
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
def test_name_from_the_command_line(qemu, counters, arguments, server):
    q = qemu(*arguments)
    by = "-" if server == "-" else "command"
    assert new_v_lines(counters, q.pid) == {q.pid: ("emulator", "-", by, server)}


def test_only_qemu_has_lines(qemu, counters):
    q = qemu("-name", "guest=web", name="vi", program="vi")
    assert new_v_lines(counters, q.pid) == {}
    assert counters.servers.processes == {}
    kvm = qemu("-name", "guest=web", name="qemu-kvm", program="/usr/libexec/qemu-kvm")
    renamed = qemu("-name", "guest=db,process=db", name="db", program="/usr/bin/qemu-system-x86_64")
    assert {v[3] for v in new_v_lines(counters, kvm.pid, renamed.pid).values()} == {"web", "db"}


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


def test_name_and_vcpus_from_libvirts_files(qemu, counters):
    q = qemu("-m", "512")
    first, helper = q.thread(), q.thread()
    (counters.folder / "web.pid").write_text(f"{q.pid}\n")
    (counters.folder / "other.pid").write_text("not a number")
    status(counters.folder, q.pid, {0: first})
    assert new_v_lines(counters, q.pid) == {
        q.pid: ("emulator", "-", "libvirt", "web"),
        first: ("vcpu", "0", "libvirt", "web"),
        helper: ("-", "-", "-", "web"),
    }
    plugged = q.thread()
    status(counters.folder, q.pid, {0: first, 1: plugged})
    assert new_v_lines(counters, q.pid) == {plugged: ("vcpu", "1", "libvirt", "web")}
    shutil.rmtree(counters.folder)
    assert new_v_lines(counters, q.pid) == {}, "roles are kept"


def test_libvirts_name_has_priority(qemu, counters):
    q = qemu("-name", "guest=alias")
    assert new_v_lines(counters, q.pid)[q.pid][2:] == ("command", "alias")
    (counters.folder / "web.pid").write_text(str(q.pid))
    assert new_v_lines(counters, q.pid) == {q.pid: ("emulator", "-", "libvirt", "web")}


@needs_root
def test_role_is_unknown_where_the_status_file_cannot_be_read(qemu, tmp_path):
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
    argv = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "/usr/bin/python3",
        "-B",
        "-c",
        code,
    ]
    p = subprocess.run(argv, capture_output=True, text=True, cwd="/")
    if "No module named" in p.stderr:
        pytest.skip("a user without rights cannot read this folder")
    assert p.stdout == "{}\n", p.stderr


def test_roles_from_qmp(qemu, counters, short_folder):
    q = qemu("-qmp", f"unix:{short_folder}/qmp,server=on,wait=off")
    vcpu, io, helper = q.thread(), q.thread(), q.thread()
    monitor = Monitor(short_folder / "qmp", {
        "query-name": {"name": "web"},
        "query-cpus-fast": [{"cpu-index": 0, "thread-id": vcpu, "target": "x86_64"}, {"cpu-index": 1}, 7],
        "query-iothreads": [{"id": "a-long-name-of-an-iothread", "thread-id": io, "poll-max-ns": 0}],
    })  # fmt: skip
    assert new_v_lines(counters, q.pid)[vcpu] == ("-", "-", "-", "-")
    assert v_lines_after_qmp(counters, q.pid) == {
        q.pid: ("emulator", "-", "qmp", "web"),
        vcpu: ("vcpu", "0", "qmp", "web"),
        io: ("iothread", "a-long-name-of-an-iothread", "qmp", "web"),
        helper: ("-", "-", "-", "web"),
    }
    questions = ["qmp_capabilities", "query-name", "query-cpus-fast", "query-iothreads"]
    assert monitor.commands[:4] == questions
    assert "query-cpus" not in monitor.commands, "it would stop the vCPUs"
    plugged = q.thread()
    monitor.answers["query-cpus-fast"].append({"cpu-index": 5, "thread-id": plugged})
    first = new_v_lines(counters, q.pid)[plugged]
    if first != ("vcpu", "5", "qmp", "web"):  # a query was under way when the thread was plugged
        assert first == ("-", "-", "-", "web")
        assert v_lines_after_qmp(counters, q.pid) == {plugged: ("vcpu", "5", "qmp", "web")}


def test_qmp_is_not_used_where_names_are_sufficient(qemu, counters, short_folder):
    monitor = Monitor(short_folder / "qmp", {})
    q = qemu("-name", "guest=web,debug-threads=on", "-qmp", f"unix:{short_folder}/qmp,server=on")
    q.thread("CPU 0/KVM")
    for _ in range(5):
        new_v_lines(counters, q.pid)
    assert monitor.commands == [] and counters.servers.qmp_query.thread is None


def test_interval_between_fruitless_qmp_queries_doubles(qemu, counters, short_folder):
    monitor = Monitor(short_folder / "qmp", {})
    q = qemu("-qmp", f"unix:{short_folder}/qmp,server=on")
    for _ in range(40):
        new_v_lines(counters, q.pid)
        if counters.servers.qmp_query.thread is not None:
            counters.servers.qmp_query.thread.join(5)
    queries = monitor.commands.count("qmp_capabilities")
    assert 4 <= queries <= 8, "after 1, 2, 4, 8, 16, 16 ticks, not every time"


def test_busy_monitor_delays_no_tick(qemu, counters, short_folder, monkeypatch):
    real_query, may_answer = qmp.query, threading.Event()
    monkeypatch.setattr(qmp, "query", lambda *argv: may_answer.wait(60) and real_query(*argv))
    monitor = Monitor(short_folder / "qmp", {}, greet=False)
    q = qemu("-name", "guest=web", "-qmp", f"unix:{short_folder}/qmp,server=on")
    tid = q.thread()
    assert new_v_lines(counters, q.pid)[tid] == ("-", "-", "-", "web")
    assert counters.servers.qmp_query.thread.is_alive(), "runs in the background"
    may_answer.set()
    assert wait_for(lambda: monitor.commands, 5)
    counters.servers.qmp_query.thread.join(5)
    assert new_v_lines(counters, q.pid) == {}
    with pytest.raises((qmp.NoAnswerError, OSError)):
        qmp.query(str(short_folder / "qmp"), q.pid)


def test_vhost_kernel_thread_belongs_to_its_qemu():
    """Before Linux 6.4 it is a kernel thread; the test cannot create one, so VirtualServers is called."""
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
    assert servers.classify(7, b"vhost-7", b"") is None, "not a vhost thread of its own"
    assert servers.classify(8, b"vhost-x", b"") is None
