"""QMP sockets: the one that the arguments name, of the same user, with any answer."""

import os
import pathlib
import shutil
import subprocess

import pytest
import qmp

from ..helpers import needs_root
from .fake_qemu import Monitor


@needs_root
def test_nothing_is_sent_to_the_socket_of_another_user(qemu, short_folder):
    """A command line can contain the path of any socket, and the collector may run as root."""
    if not shutil.which("setpriv") or not os.path.exists("/usr/bin/python3"):
        pytest.skip("setpriv or /usr/bin/python3 is not there (apt install util-linux python3)")
    short_folder.chmod(0o777)
    code = (
        "import socket,sys;s=socket.socket(socket.AF_UNIX);s.bind(sys.argv[1]);s.listen(1);"
        "print(flush=True);c,_=s.accept();print(repr(c.recv(99)),flush=True)"
    )
    argv = [
        "setpriv",
        "--reuid=65534",
        "--clear-groups",
        "/usr/bin/python3",
        "-c",
        code,
        short_folder / "s",
    ]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd="/")
    try:
        if process.stdout.readline() != "\n":
            pytest.skip("nobody cannot listen here")
        q = qemu("-qmp", f"unix:{short_folder}/s")
        with pytest.raises(qmp.NoAnswerError, match="another user"):
            qmp.query(str(short_folder / "s"), q.pid)
        assert process.stdout.readline() == "b''\n", "nothing was sent"
    finally:
        process.kill()
        process.communicate()


def test_unpaired_surrogates_in_answers(qemu, counters, short_folder):
    """An exception would end the recording."""
    q = qemu("-qmp", f"unix:{short_folder}/qmp")
    Monitor(
        short_folder / "qmp",
        {
            "query-name": {"name": "\ud800" + "x" * 1000},
            "query-cpus-fast": [],
            "query-iothreads": [{"id": "\ud800", "thread-id": q.pid}],
        },
    )
    answer = qmp.query(str(short_folder / "qmp"), q.pid)
    assert answer["name"].encode() == b"?" + b"x" * 254
    assert answer["iothreads"][q.pid].encode() == b"?"


def test_deeply_nested_answer(qemu, short_folder, monkeypatch):
    def deep(path, pid):
        raise RecursionError

    monkeypatch.setattr(qmp, "query", deep)
    background = qmp.BackgroundQuery()
    background._run(1, "x")
    assert background.take_answer(1) == (True, None)


@needs_root
def test_real_uid_of_a_set_uid_process():
    """Any user can run su under the name of qemu-kvm, with the path of a socket of root."""
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv")
    argv = ["setpriv", "--ruid=65534", "cat"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/")
    try:
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"\n"
        assert pathlib.Path(f"/proc/{process.pid}").stat().st_uid == 0
        assert qmp.Connection.real_uid(process.pid) == 65534
    finally:
        process.kill()
        process.communicate()


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
def test_socket_path(arguments, path):
    assert qmp.socket_path(arguments) == path


def test_relative_path_refers_to_the_folder_of_the_process(qemu, short_folder):
    monitor = Monitor(short_folder / "qmp", {"query-name": {"name": "web"}})
    before = os.getcwd()
    os.chdir(short_folder)
    try:
        q = qemu("-qmp", "unix:qmp,server")
    finally:
        os.chdir(before)
    assert qmp.query("qmp", q.pid) == {"name": "web", "vcpus": {}, "iothreads": {}}
    assert monitor.commands[0] == "qmp_capabilities"
