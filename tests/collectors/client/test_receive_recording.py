"""Archives of a machine that is not trusted: links, names, sizes, types."""

import io
import json
import os
import stat
import tarfile
import tracemalloc

import pytest
import receive_recording

from ..helpers import decompress, needs_top
from .archives import LOG, member


@needs_top
@pytest.mark.parametrize("kind", ["link", "hard link", "link and through it", "client's own log"])
def test_links_are_refused(fake_machine, folder, kind):
    """A link could read the client's files into the run, or write to them."""
    client_file = folder / "precious"
    client_file.write_text("the client's secret\n")
    link = member("tasks.log", kind=tarfile.SYMTYPE, link=str(client_file))
    members = {
        "link": [link],
        "hard link": [member("tasks.log", kind=tarfile.LNKTYPE, link=str(client_file))],
        "link and through it": [
            member("x", kind=tarfile.SYMTYPE, link=str(folder)),
            member("x/precious", b"overwritten\n"),
        ],
        "client's own log": [member("access.log", kind=tarfile.SYMTYPE, link=str(client_file))],
    }[kind]
    p = fake_machine([*members, member("top.log", LOG)])
    assert client_file.read_text() == "the client's secret\n"
    assert p.returncode == 1 and "refused" in p.stderr
    assert {"top.log.zst", "top.log.gz"} & set(os.listdir(fake_machine.web)), "valid files are kept"
    for path in fake_machine.web.rglob("*"):
        assert not path.is_symlink()
        assert b"the client's secret" not in decompress(path)


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
def test_other_names_are_refused(fake_machine, folder, name):
    p = fake_machine([member(name.format(folder=folder), b"planted\n")])
    assert not list(folder.rglob("planted.log")) and not list(folder.rglob(".profile"))
    assert p.returncode == 1 and "refused: not a file of a recording" in p.stderr
    run = json.loads((fake_machine.web.parent / "run.json").read_text())
    assert run["format"] == "queuevisor-run/1"
    assert os.listdir(fake_machine.web) == ["access.log.zst"] or os.listdir(fake_machine.web) == [
        "access.log.gz"
    ]


@needs_top
@pytest.mark.parametrize(
    "kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_devices_pipes_and_folders_are_refused(fake_machine, kind):
    info, data = member("top.log", kind=kind)
    info.devmajor, info.devminor = 1, 5  # /dev/zero
    p = fake_machine([(info, data), member("tasks.log", LOG)])
    assert p.returncode == 1 and "refused: not a regular file" in p.stderr
    for path in fake_machine.web.iterdir():
        assert stat.S_ISREG(path.lstat().st_mode)


@needs_top
def test_large_members_are_refused(fake_machine):
    fake_machine.plan["most_mb"] = 1
    p = fake_machine([member("tasks.log", LOG), member("top.log", bytes(1_200_000))])
    assert p.returncode == 1 and "exceeds the limit" in p.stderr
    assert sum(path.stat().st_size for path in fake_machine.web.iterdir()) < 100_000
    assert any(n.startswith("tasks.log") for n in os.listdir(fake_machine.web)), (
        "files before it are kept"
    )


@needs_top
def test_size_in_a_header_allocates_nothing(fake_machine, folder):
    """2^60 bytes by its header, 512 in fact."""
    info, _ = member("top.log")
    info.size = 1 << 60
    fake_machine.archive_path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + b"x" * 512)
    p = fake_machine()
    assert p.returncode == 1 and "exceeds the limit" in p.stderr


@needs_top
@pytest.mark.parametrize(
    "data",
    [b"", b"no archive at all" * 100, bytes(range(256)) * 8],
    ids=["nothing", "text", "bytes"],
)
def test_not_an_archive(fake_machine, data):
    fake_machine.archive_path.write_bytes(data)
    p = fake_machine()
    assert p.returncode == 1 and "Traceback" not in p.stderr
    assert "fetched completely" in p.stderr


def test_list_of_refused_members_is_limited(tmp_path):

    archive = io.BytesIO(tarfile.TarInfo("x" * 90).tobuf(tarfile.GNU_FORMAT) * 5000 + bytes(1024))
    tracemalloc.start()
    refused = receive_recording.receive(archive, str(tmp_path), 1 << 30)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 200_000
    assert len(refused) == receive_recording.MAX_REFUSED + 1
    assert refused[-1] == f"{5000 - receive_recording.MAX_REFUSED} more were refused"


def test_number_of_files_is_limited_and_a_log_is_accepted_once(tmp_path, monkeypatch):

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
