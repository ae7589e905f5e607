"""A raw folder and tables in fsspec's memory file system, which has the interface of object storage in one process."""

from __future__ import annotations

from pathlib import Path


def upload(folder: Path, url: str) -> None:
    """Store every file of a folder at a URL, as ``aws s3 sync`` does."""
    from fsspec.core import url_to_fs

    file_system, root = url_to_fs(url)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = f"{root}/{path.relative_to(folder).as_posix()}"
            file_system.makedirs(name.rpartition("/")[0], exist_ok=True)
            file_system.pipe_file(name, path.read_bytes())


def contents(url: str) -> dict[str, bytes]:
    """Name → content of every file at a URL."""
    from fsspec.core import url_to_fs

    file_system, root = url_to_fs(url)
    return {
        path[len(root) :].lstrip("/"): file_system.cat_file(path) for path in file_system.find(root)
    }
