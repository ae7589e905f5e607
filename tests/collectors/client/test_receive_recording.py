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


def archive_of(*members):
    """The bytes of a tar archive, whatever its members are."""
    data = b""
    for info, content in members:
        data += info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)
    return data + bytes(1024)


@pytest.fixture
def receive(tmp_path):
    """Receive an archive's bytes; the refused members, with the folder of what was accepted."""
    folder = tmp_path / "folder" / "web"
    folder.mkdir(parents=True)

    def receive_bytes(data, max_bytes=1 << 30):
        return receive_recording.receive(io.BytesIO(data), str(folder), max_bytes)

    receive_bytes.folder = folder
    return receive_bytes


@pytest.mark.parametrize("kind", ["link", "hard link", "link and through it", "client's own log"])
def test_links_are_refused(receive, tmp_path, kind):
    """A link could read the client's files into the run, or write to them."""
    client_file = tmp_path / "precious"
    client_file.write_text("the client's secret\n")
    link = member("tasks.log", kind=tarfile.SYMTYPE, link=str(client_file))
    members = {
        "link": [link],
        "hard link": [member("tasks.log", kind=tarfile.LNKTYPE, link=str(client_file))],
        "link and through it": [
            member("x", kind=tarfile.SYMTYPE, link=str(tmp_path)),
            member("x/precious", b"overwritten\n"),
        ],
        "client's own log": [member("access.log", kind=tarfile.SYMTYPE, link=str(client_file))],
    }[kind]
    refused = receive(archive_of(*members, member("top.log", LOG)))
    assert client_file.read_text() == "the client's secret\n"
    assert len(refused) == len(members)
    assert os.listdir(receive.folder) == ["top.log"], "valid files are kept"
    assert (receive.folder / "top.log").read_bytes() == LOG


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
def test_other_names_are_refused(receive, tmp_path, name):
    (reason,) = receive(archive_of(member(name.format(folder=tmp_path), b"planted\n")))
    assert "refused: not a file of a recording" in reason and "\n" not in reason
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_devices_pipes_and_folders_are_refused(receive, kind):
    info, data = member("top.log", kind=kind)
    info.devmajor, info.devminor = 1, 5  # /dev/zero
    (reason,) = receive(archive_of((info, data), member("tasks.log", LOG)))
    assert "refused: not a regular file" in reason
    assert [stat.S_ISREG(path.lstat().st_mode) for path in receive.folder.iterdir()] == [True]


def test_large_members_are_refused(receive):
    members = [member("tasks.log", LOG), member("top.log", bytes(1_200_000))]
    with pytest.raises(receive_recording.ArchiveError, match="exceeds the limit"):
        receive(archive_of(*members), max_bytes=1_000_000)
    assert os.listdir(receive.folder) == ["tasks.log"], "files before it are kept"


def test_size_in_a_header_allocates_nothing(receive):
    """2^60 bytes by its header, 512 in fact."""
    info, _ = member("top.log")
    info.size = 1 << 60
    with pytest.raises(receive_recording.ArchiveError, match="exceeds the limit"):
        receive(info.tobuf(tarfile.GNU_FORMAT) + b"x" * 512)


@pytest.mark.parametrize(
    "data",
    [b"", b"no archive at all" * 100, bytes(range(256)) * 8],
    ids=["nothing", "text", "bytes"],
)
def test_not_an_archive(receive, data):
    with pytest.raises(receive_recording.ArchiveError):
        receive(data)
    assert os.listdir(receive.folder) == []


@needs_top
def test_hostile_archive_over_the_fake_ssh(fake_machine, folder):
    """The recorder names what it refused, keeps the rest, and ends with exit code 1."""
    client_file = folder / "precious"
    client_file.write_text("the client's secret\n")
    link = member("tasks.log", kind=tarfile.SYMTYPE, link=str(client_file))
    p = fake_machine([link, member("run.json", b"{}"), member("top.log", LOG)])
    assert p.returncode == 1 and "refused: not a file of a recording" in p.stderr
    assert "refused: not a regular file" in p.stderr
    run = json.loads((fake_machine.web.parent / "run.json").read_text())
    assert run["format"] == "queuevisor-run/1"
    assert {"top.log.zst", "top.log.gz"} & set(os.listdir(fake_machine.web))
    for path in fake_machine.web.rglob("*"):
        assert not path.is_symlink()
        assert b"the client's secret" not in decompress(path)


@needs_top
def test_no_archive_over_the_fake_ssh(fake_machine):
    fake_machine.archive_path.write_bytes(b"no archive at all" * 100)
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
