"""Status of a run's files in the file system: a file whose status has not changed since it was hashed is not read.

::

    data/processed/.manifest/study=<study>/server=<server>/run=<run>/file_status.json

The status is size, time of the last write, time of the last change and inode (``st_size``, ``st_mtime_ns``,
``st_ctime_ns``, ``st_ino``), as in the index of git. A file that was changed shortly before its status was read may be
changed again without another status, as the times of file systems have a granularity (git calls such an entry racy):
its status is stored as null, and the file is hashed again the next time.

The file belongs to one machine; it is not a part of the run's tables. Without it, or with another one, files are read.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.files import read_regular_file
from pipeline.raw import Run

NAME = "file_status.json"
FORMAT = "queuevisor-file-status/1"
MIN_AGE_NS = 2 * 10**9
"""Age of a file whose status tells it from what is written next: the coarsest file system, FAT, has 2 s."""
STUDY = "../../study.json"
"""The study's manifest, by its path below the folder of the run."""

Status = tuple[int, ...] | None
"""Of a file (see above), or mode, owner and group of a folder; None where the file is too young."""


@dataclass(frozen=True)
class FileStatus:
    """The files of a run as they were when it was ingested under ``key``, by the code ``code``.

    ``files`` are all entries of the run's folder and of the folders in it, ``hashes`` the SHA-256 of those that its
    tables come from, ``tables`` the files of the stored tables.
    """

    key: str
    code: str
    files: Mapping[str, Status]
    hashes: Mapping[str, str]
    tables: Mapping[str, Status] = field(default_factory=dict)

    def hashes_of(self, files: Mapping[str, Status] | None) -> dict[str, str]:
        """The hashes of those files whose status is still the same."""
        return {
            name: digest
            for name, digest in self.hashes.items()
            if files and files.get(name) is not None and files[name] == self.files.get(name)
        }

    def is_of(self, files: Mapping[str, Status] | None, code: str) -> bool:
        """Whether these are the files, none was added, removed or changed, and the code is the same."""
        return files == self.files and code == self.code and None not in self.files.values()

    def text(self) -> str:
        """As it is stored."""
        value = {
            "format": FORMAT,
            "key": self.key,
            "code": self.code,
            "files": self.files,
            "hashes": self.hashes,
            "tables": self.tables,
        }
        return json.dumps(value) + "\n"


def status_of(status: os.stat_result, now_ns: int | None = None) -> Status:
    """The status of a file; None if it is younger than ``MIN_AGE_NS`` at ``now_ns``."""
    if now_ns is not None and max(status.st_mtime_ns, status.st_ctime_ns) > now_ns - MIN_AGE_NS:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def list_files(run: Run) -> dict[str, Status] | None:
    """The status of every entry of a run's folder and of the folders in it, and of the study's manifest.

    Read before the files are: a later change of a file gives it another status. None where a folder cannot be listed,
    or a link leads to files whose status this is not.
    """
    now_ns = time.time_ns()
    files: dict[str, Status] = {}
    try:
        study = run.path.parent.parent / "study.json"
        if os.path.lexists(study):
            if study.is_symlink():
                return None
            files[STUDY] = status_of(study.stat(), now_ns)
        pending = [(str(run.path), "")]
        while pending:
            folder, prefix = pending.pop()
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        return None
                    status = entry.stat(follow_symlinks=False)
                    if not prefix and entry.is_dir(follow_symlinks=False):
                        pending.append((entry.path, f"{entry.name}/"))
                        files[f"{entry.name}/"] = status.st_mode, status.st_uid, status.st_gid
                    else:
                        files[prefix + entry.name] = status_of(status, now_ns)
    except OSError:
        return None
    return files


def list_tables(processed: Path, partition: Path, manifest: Mapping[str, Any]) -> dict[str, Status]:
    """The status of the stored files of the tables in a manifest; {} if one is missing."""
    name = os.path.join(partition, f"{manifest['key']}.parquet")  # noqa: PTH118 - faster
    try:
        return {
            table: status_of(os.lstat(os.path.join(processed, table, name)))  # noqa: PTH118
            for table in manifest["tables"]
        }
    except OSError:
        return {}


def read_status(folder: Path) -> FileStatus | None:
    """The stored status in the folder of a run's manifest; None if there is none that can be used."""
    try:
        value = json.loads(read_regular_file(folder / NAME))
        if value["format"] != FORMAT:
            return None
        return FileStatus(
            value["key"],
            value["code"],
            {
                name: None if status is None else tuple(status)
                for name, status in value["files"].items()
            },
            dict(value["hashes"]),
            {name: tuple(status) for name, status in value["tables"].items()},
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
