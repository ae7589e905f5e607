"""A URL and the folder that mirrors a part of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from pipeline.errors import Error
from pipeline.files import write_atomically, write_text
from pipeline.storage import texts

try:
    import fcntl
except ImportError:  # pragma: no cover - not on Windows
    fcntl = None  # type: ignore[assignment]

CACHE = "QUEUEVISOR_CACHE"
"""Environment variable: the folder of the mirrors. What is in it can be fetched again."""
ORIGIN = ".origin"
"""Folder of a mirror with its URL and what was fetched; hidden, so that it is no study."""
VERSION_KEYS = (
    "ETag", "etag", "md5Hash", "generation", "LastModified", "last_modified", "updated", "mtime", "created",
)  # fmt: skip
"""Keys of fsspec's ``info`` by which drivers tell one content of a file from another; the first that there is."""

Listing = dict[str, list[Any]]
"""Name below the URL → size in bytes, and a text that changes with the content."""


class StorageError(Error):
    """A storage that cannot be reached, or refuses."""


def cache_folder() -> Path:
    """The folder of the mirrors: QUEUEVISOR_CACHE, else queuevisor in the user's folder of caches."""
    if own := os.environ.get(CACHE):
        return Path(own).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(base if base else Path.home() / ".cache", "queuevisor")


def open_mirror(url: str) -> Mirror:
    """The mirror of a URL, which is made if there is none.

    Raises
    ------
    StorageError
        fsspec or the driver of the protocol is not installed, or the folder of the mirrors cannot be written.
    """
    url = url.rstrip("/")
    folder = cache_folder() / hashlib.sha256(url.encode()).hexdigest()[:16]
    mirror = Mirror(url, folder)
    mirror.file_system  # noqa: B018 - a missing driver is an error here
    try:
        (folder / ORIGIN).mkdir(parents=True, exist_ok=True)
        if not (folder / ORIGIN / "url").exists():
            write_text(folder / ORIGIN / "url", url)
    except OSError as error:
        raise StorageError(texts.no_cache(folder, error)) from error
    _mirror_in.cache_clear()
    return mirror


def mirror_of(folder: Path) -> Mirror | None:
    """The mirror in a folder; None for a folder that is none."""
    return _mirror_in(folder.absolute())


@lru_cache(64)
def _mirror_in(folder: Path) -> Mirror | None:
    try:
        return Mirror((folder / ORIGIN / "url").read_text(encoding="utf-8"), folder)
    except (OSError, ValueError):
        return None


class Mirror:
    """A URL and the folder of this machine that holds a part of it."""

    def __init__(self, url: str, folder: Path):
        self.url, self.folder = url, folder

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise StorageError(texts.no_fsspec(self.url)) from error
        try:
            file_system, root = url_to_fs(self.url)
        except ImportError as error:
            raise StorageError(texts.no_driver(self.url, error)) from error
        except Exception as error:  # a driver's own; a wrong protocol is a ValueError
            raise StorageError(texts.not_reached(self.url, error)) from error
        return file_system, root.rstrip("/")

    @property
    def file_system(self) -> Any:
        """fsspec's file system of the URL."""
        return self._opened[0]

    def _path(self, name: str) -> str:
        return f"{self._opened[1]}/{name}" if name else self._opened[1]

    @contextlib.contextmanager
    def _reaching(self, name: str = "") -> Iterator[None]:
        """Turn what a driver raises into a StorageError; a file that is missing stays a FileNotFoundError."""
        try:
            yield
        except (FileNotFoundError, StorageError):
            raise
        except Exception as error:
            where = f"{self.url}/{name}" if name else self.url
            raise StorageError(texts.not_reached(where, error)) from error

    def list(self, prefix: str = "") -> Listing:
        """The files at the URL whose names begin with the folder ``prefix``; none where there is no such folder."""
        root = self._path("")
        with self._reaching(prefix):
            self.file_system.invalidate_cache()
            try:
                entries = self.file_system.find(self._path(prefix), detail=True)
            except FileNotFoundError:
                return {}
        names = {path[len(root) :].lstrip("/"): info for path, info in entries.items()}
        return {
            name: [info.get("size"), _version(info)]
            for name, info in sorted(names.items())
            if not any(part in ("", ".", "..", ORIGIN) for part in name.split("/"))
        }

    def read(self, name: str) -> bytes | None:
        """The content of a file at the URL; None if it is missing."""
        with self._reaching(name):
            try:
                return self.file_system.cat_file(self._path(name))
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        """Store a small file at the URL."""
        with self._reaching(name):
            self._make_parent(name)
            self.file_system.pipe_file(self._path(name), content)

    def store(self, name: str) -> None:
        """Store a file of the folder at the URL."""
        with self._reaching(name):
            self._make_parent(name)
            self.file_system.put_file(str(self.folder / name), self._path(name))

    def _make_parent(self, name: str) -> None:
        self.file_system.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)

    def get(self, name: str) -> None:
        """Fetch a file into the folder: whole or not at all. ``FileNotFoundError`` if it is missing at the URL."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._reaching(name), write_atomically(path) as part:
            self.file_system.get_file(self._path(name), str(part))

    def remove(self, names: Iterable[str]) -> None:
        """Remove files at the URL, where they exist."""
        for name in names:
            with self._reaching(name), contextlib.suppress(FileNotFoundError):
                self.file_system.rm_file(self._path(name))

    def fetch(self, prefix: str = "", *, has_logs: bool, also: Iterable[str] = ()) -> Listing:
        """Make the folder's files below ``prefix`` those of the URL; what has not changed is not fetched again.

        Parameters
        ----------
        prefix : str
            Name of a folder below the URL; empty for all.
        has_logs : bool
            Without, a log that was not fetched is an empty file: enough to list runs, and not to read them.
        also : iterable of str
            Further files.

        Returns
        -------
        dict
            Listing of these files at the URL.
        """
        group = f"{prefix.replace('/', ' ')}{' logs' if has_logs else ''}".strip() or "all"
        with self._locked(group):
            listing = self.list(prefix)
            for name in also:
                listing |= {n: s for n, s in self.list(name).items() if n == name}
            state = self.folder / ORIGIN / f"{group}.json"
            fetched = _read_state(state)
            for name, status in listing.items():
                path = self.folder / name
                if has_logs or is_manifest(name):
                    if fetched.get(name) != status or _size(path) != status[0]:
                        self.get(name)
                elif not path.exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.touch()
            self._remove_others(prefix, listing)
            write_text(state, json.dumps(listing))
        return listing

    def _remove_others(self, prefix: str, listing: Mapping[str, Any]) -> None:
        """Remove files of the folder that are no longer at the URL."""
        for path in sorted((self.folder / prefix).rglob("*"), reverse=True):
            name = path.relative_to(self.folder).as_posix()
            if name.startswith(ORIGIN) or name in listing:
                continue
            if path.is_dir():
                with contextlib.suppress(OSError):  # not empty
                    path.rmdir()
            else:
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked(self, group: str) -> Iterator[None]:
        """Several workers of one machine share the folder."""
        with (self.folder / ORIGIN / f"{group}.lock").open("a") as file:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def is_manifest(name: str) -> bool:
    """Whether a file of a raw folder is small: a manifest, or beside the runs of a study."""
    return name.endswith(".json") or name.count("/") < 3


def _version(info: Mapping[str, Any]) -> str:
    return next((str(info[key]) for key in VERSION_KEYS if info.get(key) is not None), "")


def _read_state(path: Path) -> Listing:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
