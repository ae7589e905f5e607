"""Files are written whole or not at all, with the rights of new files."""

import os

import pytest

from pipeline import files


def test_a_file_gets_the_rights_of_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        files.write_text(tmp_path / "a.csv", "x\n")
    finally:
        os.umask(before)
    assert (tmp_path / "a.csv").stat().st_mode & 0o777 == 0o600


def test_a_failure_leaves_the_old_file(tmp_path):
    (tmp_path / "a.csv").write_text("old\n")
    with pytest.raises(ZeroDivisionError), files.write_atomically(tmp_path / "a.csv") as part:
        part.write_text("new")
        1 / 0  # noqa: B018
    assert (tmp_path / "a.csv").read_text() == "old\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
