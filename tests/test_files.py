"""Paths of the project, and which files are read."""

import errno
import os
import socket
from pathlib import Path

import pytest

from pipeline.files import create_folder, open_regular, project_path, read_regular_file


def test_a_notebook_finds_the_project_from_its_root_and_from_below(tmp_path):
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "notebooks" / "course").mkdir(parents=True)
    for start in (tmp_path, tmp_path / "notebooks", tmp_path / "notebooks" / "course"):
        assert project_path("data/raw", start) == tmp_path / "data" / "raw"
    assert project_path("/elsewhere", tmp_path) == Path("/elsewhere")
    assert project_path("data/nowhere", tmp_path).is_absolute()


def test_only_a_regular_file_of_bounded_size_is_read(tmp_path):
    regular, pipe = tmp_path / "a.json", tmp_path / "pipe"
    regular.write_bytes(b"12345")
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket"))  # its path has at most 107 characters
    assert read_regular_file(regular, 5) == b"12345"
    for path, number in (
        (pipe, errno.EINVAL),
        ("/dev/zero", errno.EINVAL),
        (tmp_path, errno.EISDIR),
        (tmp_path / "socket", errno.EINVAL),
    ):
        with pytest.raises(OSError) as caught:
            read_regular_file(path)
        assert caught.value.errno == number
    with pytest.raises(OSError, match="larger than") as caught:
        read_regular_file(regular, 4)
    assert caught.value.errno == errno.EFBIG


def test_a_pipe_that_the_process_was_started_with_is_read():
    reader, writer = os.pipe()
    os.write(writer, b"text")
    os.close(writer)
    try:
        with open_regular(f"/dev/fd/{reader}") as file:
            assert file.read() == b"text"
    finally:
        os.close(reader)


def test_a_folder_appears_when_it_is_complete(tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "new", tmp_path / "empty"):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(KeyboardInterrupt), create_folder(folder) as part:
            (part / "a").write_text("x")
            raise KeyboardInterrupt
        assert sorted(tmp_path.rglob("*")) == before
        with create_folder(folder) as part:
            (part / "first").mkdir()
            assert not (folder / "first").exists()
        assert [file.name for file in folder.iterdir()] == ["first"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["empty", "new"]
