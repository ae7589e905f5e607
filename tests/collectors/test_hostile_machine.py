# ruff: noqa: PTH208
"""A recorded machine that is hostile: what it sends must not reach anything on the client.

A stand-in for ssh runs each command here; for a hostile machine it answers the request for the logs
with an archive of the test's own.
"""

import gzip
import io
import json
import os
import pathlib
import socket
import stat
import subprocess
import sys
import tarfile

import pytest
from conftest import needs_root, needs_top
from test_record_experiment import plan_for, record

STAND_IN = """#!{python}
import os, sys
command = sys.argv[-1]
if os.path.exists({hostile!r} + ".py"):
    exec(open({hostile!r} + ".py").read())
if os.path.exists({hostile!r}) and ("send_recording.py" in command or " -cf - ." in command):
    with open({hostile!r}, "rb") as f:
        sys.stdout.buffer.write(f.read())
    sys.exit(0)
os.execvp("sh", ["sh", "-c", command])
"""


@pytest.fixture
def client(folder):
    """A plan whose guest is reached by the stand-in; `send` says what the guest sends."""
    tools = folder / "bin"
    tools.mkdir()
    hostile = folder / "hostile.tar"
    ssh = tools / "ssh"
    ssh.write_text(STAND_IN.format(python=sys.executable, hostile=str(hostile)))
    ssh.chmod(0o755)
    plan = plan_for(folder, ["true"])
    plan["before_s"] = plan["after_s"] = 0
    plan["roles"]["web"].update(
        via="ssh", destination="root@guest", remote_dir=str(folder / "remote"), iotop="proc"
    )
    plan["roles"]["host"]["iotop"] = "proc"
    env = dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}", TMPDIR=str(folder))

    def run(members=()):
        if members:
            with tarfile.open(hostile, "w", format=tarfile.GNU_FORMAT) as archive:
                for member, data in members:
                    archive.addfile(member, io.BytesIO(data))
        return record(folder, plan, env=env)

    run.plan = plan
    run.hostile = hostile
    run.web = folder / "first" / "r1" / "web"
    return run


def member(name, data=b"", kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data)
    return info, data


LOG = b"#T 1 1 0 b\ncpu 1 2 3\n#END SIGTERM\n"


@needs_top
def test_an_honest_machine_is_recorded(client, folder):
    p = client()
    assert p.returncode == 0, p.stderr
    assert {"facts.json", "access.log"} <= {
        n.split(".zst")[0].split(".gz")[0] for n in os.listdir(client.web)
    }
    assert not list(folder.glob("remote/*")), "what was copied is taken away"


@needs_top
@pytest.mark.parametrize("kind", ["link", "hard link", "link and through it", "client's own log"])
def test_links_of_a_machine_are_not_followed(client, folder, kind):
    """At first sight a log, really the client's file: read into the run, or written through."""
    precious = folder / "precious"
    precious.write_text("the client's secret\n")
    link = member("tasks.log", kind=tarfile.SYMTYPE, link=str(precious))
    members = {
        "link": [link],
        "hard link": [member("tasks.log", kind=tarfile.LNKTYPE, link=str(precious))],
        "link and through it": [
            member("x", kind=tarfile.SYMTYPE, link=str(folder)),
            member("x/precious", b"overwritten\n"),
        ],
        "client's own log": [member("access.log", kind=tarfile.SYMTYPE, link=str(precious))],
    }[kind]
    p = client([*members, member("top.log", LOG)])
    assert precious.read_text() == "the client's secret\n"
    assert p.returncode == 1 and "refused" in p.stderr
    assert {"top.log.zst", "top.log.gz"} & set(os.listdir(client.web)), "what is right is kept"
    for path in client.web.rglob("*"):
        assert not path.is_symlink()
        assert b"the client's secret" not in unpacked(path)


def unpacked(path):
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-qdc", path], stdout=subprocess.PIPE, check=True).stdout
    return path.read_bytes()


@needs_top
@pytest.mark.parametrize(
    "name",
    [
        "{folder}/planted.log",
        "../planted.log",
        "a/../../../planted.log",
        ".profile",
        "run.json",
        "top.log\n",
    ],
)
def test_other_names_than_those_of_a_recording_are_refused(client, folder, name):
    p = client([member(name.format(folder=folder), b"planted\n")])
    assert not list(folder.rglob("planted.log")) and not list(folder.rglob(".profile"))
    assert p.returncode == 1 and "refused: not a file of a recording" in p.stderr
    run = json.loads((client.web.parent / "run.json").read_text())
    assert run["format"] == "queuevisor-run/1"
    assert os.listdir(client.web) == ["access.log.zst"] or os.listdir(client.web) == [
        "access.log.gz"
    ]


@needs_top
@pytest.mark.parametrize(
    "kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_devices_pipes_and_folders_are_refused(client, kind):
    info, data = member("top.log", kind=kind)
    info.devmajor, info.devminor = 1, 5  # /dev/zero
    p = client([(info, data), member("tasks.log", LOG)])
    assert p.returncode == 1 and "refused: not a regular file" in p.stderr
    for path in client.web.iterdir():
        assert stat.S_ISREG(path.lstat().st_mode)


@needs_top
def test_huge_members_are_not_taken(client):
    client.plan["most_mb"] = 1
    p = client([member("tasks.log", LOG), member("top.log", bytes(1_200_000))])
    assert p.returncode == 1 and "exceeds the limit" in p.stderr
    assert sum(path.stat().st_size for path in client.web.iterdir()) < 100_000
    assert any(n.startswith("tasks.log") for n in os.listdir(client.web)), (
        "what came before is kept"
    )


@needs_top
def test_a_member_that_only_says_that_it_is_huge(client, folder):
    """2^60 bytes by its header, a handful in truth: nothing is allocated for what is only said."""
    info, _ = member("top.log")
    info.size = 1 << 60
    client.hostile.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + b"x" * 512)
    p = client()
    assert p.returncode == 1 and "exceeds the limit" in p.stderr


@needs_top
@pytest.mark.parametrize(
    "data",
    [b"", b"no archive at all" * 100, bytes(range(256)) * 8],
    ids=["nothing", "text", "bytes"],
)
def test_what_is_no_archive(client, data):
    client.hostile.write_bytes(data)
    p = client()
    assert p.returncode == 1 and "Traceback" not in p.stderr
    assert "fetched completely" in p.stderr


@needs_top
def test_facts_that_are_no_facts(client):
    """Deep nesting, huge numbers, no object, control characters: no traceback, nothing on the terminal."""
    for text in (
        b"[" * 100_000,
        b"[1]",
        b'{"hostname": "\\u001b]0;x\\u0007", "tools": 3}',
        b"\xff\xfe",
    ):
        p = client([member("facts.json", text), member("tasks.log", LOG)])
        assert p.returncode == 1 and "Traceback" not in p.stderr
        assert "\x1b" not in p.stderr and "\x07" not in p.stderr
        subprocess.run(["rm", "-r", str(client.web.parent)], check=True)


@needs_top
@pytest.mark.parametrize(
    "text",
    [
        b'{"hostname": "\\ud800", "boot_id": "b"}',
        b'{"hostname": NaN, "boot_id": "b", "tools": {"top": Infinity, "x": 1e999}}',
        b'{"boot_id": "b", "tools": {"a": {"a": {"a": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}}}}",
    ],
    ids=["half a character", "no numbers", "deep"],
)
def test_facts_that_run_json_cannot_hold(client, text):
    """They made run.json unreadable, or lost what all the machines had recorded."""
    p = client([member("facts.json", text), member("tasks.log", LOG)])
    assert p.returncode == 1 and "nothing recorded" not in p.stderr
    run = json.loads((client.web.parent / "run.json").read_text(), parse_constant=pytest.fail)
    assert run["roles"]["web"]["boot_id"] == "b"


@needs_top
def test_a_machine_that_says_nothing_or_too_much(client, folder):
    """No words at a start that lacked something ended in a traceback; others looked like ours."""
    (folder / "hostile.tar.py").write_text("if ' start --out' in command: sys.exit(1)\n")
    p = client()
    assert p.returncode == 1 and "Traceback" not in p.stderr
    subprocess.run(["rm", "-r", str(client.web.parent)], check=True)
    (folder / "hostile.tar.py").write_text(
        "if ' start --out' in command:\n"
        "    print('a\\x1b[31m\\rrecorded: /x\\nrecorded: /y')\n"
        "    sys.exit(1)\n"
    )
    p = client()
    assert "\x1b" not in p.stderr and "\r" not in p.stderr
    assert "recorded: /y" in p.stderr and "\nrecorded: /y" not in p.stderr


def test_what_is_refused_is_counted_not_kept(tmp_path):
    import tracemalloc

    import receive_recording

    more = io.BytesIO(tarfile.TarInfo("x" * 90).tobuf(tarfile.GNU_FORMAT) * 5000 + bytes(1024))
    tracemalloc.start()
    refused = receive_recording.receive(more, str(tmp_path), 1 << 30)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 200_000
    assert len(refused) == receive_recording.MAX_REFUSED + 1
    assert refused[-1] == f"{5000 - receive_recording.MAX_REFUSED} more were refused"


def test_files_are_bounded_and_a_log_has_one_form(tmp_path, monkeypatch):
    import receive_recording

    monkeypatch.setattr(receive_recording, "MAX_FILES", 3)
    names = [
        "top.log",
        "top.log.gz",
        "top.00001.log",
        "top.00001.log.zst",
        "tasks.log",
        "block.log",
    ]
    names.append("iotop.\u0661\u0661\u0661\u0661\u0661.log")
    data = b"".join(tarfile.TarInfo(n).tobuf(tarfile.GNU_FORMAT) for n in names) + bytes(1024)
    refused = receive_recording.receive(io.BytesIO(data), str(tmp_path), 1 << 20)
    assert sorted(os.listdir(tmp_path)) == ["tasks.log", "top.00001.log", "top.log"]
    assert ["duplicate" in r for r in refused] == [True, True, False, False]
    assert "not a file of a recording" in refused[-1]


def test_a_clock_that_answers_without_end():
    """It filled the memory for ten seconds."""
    import resource

    import clock_offset

    code = "import os\nwhile True: os.write(1, b'1\\n' * 30000)"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clock_offset.measure_offset([sys.executable, "-c", code])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50000  # KiB


@needs_top
def test_a_recording_is_for_its_owner_alone(client):
    p = client()
    assert p.returncode == 0, p.stderr
    run = client.web.parent
    for path in [run, *run.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


# -- the folder on the machine -----------------------------------------------------------------------


@needs_root
@needs_top
@pytest.mark.parametrize("theirs", ["the parent", "a link", "writable"])
def test_a_folder_that_another_user_made_first_is_not_used(client, folder, theirs):
    """/var/tmp/queuevisor used to be taken as it was found: who had made it could swap what root runs."""
    remote = folder / "remote"
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    if theirs == "a link":
        os.chown(elsewhere, 65534, 65534)
        remote.symlink_to(elsewhere)
    else:
        remote.mkdir()
        remote.chmod(0o777 if theirs == "writable" else 0o755)
        os.chown(remote, *((0, 0) if theirs == "writable" else (65534, 65534)))
    p = client()
    assert p.returncode == 2, p.stderr
    assert "belongs to user 65534" in p.stderr or "can be written to by others" in p.stderr
    assert not list(remote.iterdir()) and not list(elsewhere.iterdir())


@needs_top
def test_each_recording_has_a_folder_of_its_own_that_nobody_can_guess(client, folder):
    """A shared parent like /var/tmp will do, since only the owner of an entry can replace it there."""
    remote = folder / "remote"
    remote.mkdir()
    remote.chmod(0o1777)
    seen = folder / "seen"
    client.plan["loads"]["web"]["command"] = [
        "sh", "-c", f"ls -ld {remote}/* >{seen}; ls {remote}/*/agent >>{seen}",
    ]  # fmt: skip
    assert client().returncode == 0
    lines = seen.read_text().splitlines()
    assert lines[0].startswith("drwx------") and "queuevisor." in lines[0]
    assert "daemon.py" in lines
    assert not list(remote.iterdir()), "and it is taken away"


# -- the folder that an operator names ----------------------------------------------------------------


@needs_root
@pytest.mark.parametrize(
    ("mode", "owner", "word"),
    [
        (0o755, 65534, "belongs to user 65534"),
        (0o777, 0, "written to by others"),
        (0o1777, 0, "written to by others"),
    ],
)
def test_collect_refuses_a_folder_that_others_can_change(folder, mode, owner, word):
    from conftest import collect

    out = folder / "out"
    out.mkdir()
    out.chmod(mode)
    os.chown(out, owner, owner)
    # one that begins all the same ends by itself
    options = ("--interval", "0.3", "--only", "^qv-nobody$", "--seconds", "9")
    p = collect("start", "--out", out, *options)
    assert p.returncode == 2 and word in p.stderr
    assert not list(out.iterdir())
    below = collect("start", "--out", out / "new", *options)
    if mode & 0o1000:
        assert below.returncode in (0, 1), "below a sticky folder, as /tmp is, an own one is safe"
        assert stat.S_IMODE((out / "new").stat().st_mode) == 0o700
        assert collect("stop", "--out", out / "new").returncode == 0
    else:
        assert below.returncode == 2 and (out.name in below.stderr)


@needs_top
@pytest.mark.parametrize("name", ["collector.pid", "facts.json.tmp", "top.log", "tasks.log"])
def test_nothing_is_written_through_a_planted_link(folder, name):
    from conftest import collect

    precious = folder / "precious"
    precious.write_text("precious\n")
    out = folder / "out"
    out.mkdir()
    (out / name).symlink_to(precious)
    p = collect(
        "start", "--out", out, "--interval", "0.3", "--only", "^qv-nobody$", "--seconds", "1"
    )
    if name == "facts.json.tmp":  # another name than the one it takes: in nobody's way
        assert p.returncode in (0, 1)
        collect("stop", "--out", out)
    else:
        assert p.returncode == 2
    assert precious.read_text() == "precious\n"


@needs_root
def test_stop_does_not_end_the_process_that_another_user_names(folder):
    """Root's `stop` on a folder of somebody else, whose pid file names any process."""
    from conftest import collect, sleeper

    victim = sleeper()
    born = pathlib.Path(f"/proc/{victim.pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    pid = folder / "collector.pid"
    pid.write_text(f"{victim.pid} {born}\n")
    os.chown(pid, 65534, 65534)
    p = collect("stop", "--out", folder)
    assert p.returncode == 2 and "belongs to another user" in p.stderr
    assert victim.poll() is None
    victim.kill()
    victim.wait()


@needs_root
@pytest.mark.parametrize("word", ["status", "stop"])
def test_a_folder_of_another_user_is_not_looked_at(folder, word):
    """A pipe there held root for ever, a name spoke to the terminal, and a pid file could be swapped."""
    from conftest import collect

    out = folder / "out"
    out.mkdir()
    os.mkfifo(out / "collector.pid")
    (out / "\x1b]0;x\x07.log").write_text("")
    os.chown(out, 65534, 65534)
    p = collect(word, "--out", out, timeout=20)
    assert p.returncode == 2 and "belongs to user 65534" in p.stderr
    assert "\x1b" not in p.stdout + p.stderr


@needs_root
def test_no_folder_is_made_where_another_user_says(folder):
    from conftest import collect

    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    (folder / "link").symlink_to(elsewhere)
    os.chown(folder / "link", 65534, 65534, follow_symlinks=False)
    p = collect("start", "--out", folder / "link" / "new")
    assert p.returncode == 2 and "belongs to user 65534" in p.stderr
    assert not list(elsewhere.iterdir())


def test_a_group_that_others_share_is_not_trusted(monkeypatch):
    import grp
    import pwd

    import files

    user = pwd.struct_passwd(("me", "x", 1000, 100, "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: user)
    for name, members, own in (("users", [], None), ("me", ["you"], None), ("me", ["me"], 100)):
        group = grp.struct_group((name, "x", 100, members))
        monkeypatch.setattr(grp, "getgrgid", lambda gid, group=group: group)
        assert files.private_group(1000) == own


def test_a_socket_in_the_place_of_a_file(tmp_path):
    import files

    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(tmp_path / "facts.json"))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name in ("facts.json", "pipe", "link", ".", "none"):
        with pytest.raises(OSError):
            files.open_regular(tmp_path / name)
