"""Paths of the project."""

from pathlib import Path

from pipeline.files import project_path


def test_a_notebook_finds_the_project_from_its_root_and_from_below(tmp_path):
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "notebooks" / "course").mkdir(parents=True)
    for start in (tmp_path, tmp_path / "notebooks", tmp_path / "notebooks" / "course"):
        assert project_path("data/raw", start) == tmp_path / "data" / "raw"
    assert project_path("/elsewhere", tmp_path) == Path("/elsewhere")
    assert project_path("data/nowhere", tmp_path).is_absolute()
