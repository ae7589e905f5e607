"""A location: a folder, or a URL. It means the same on another machine, which a mirror's folder does not."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from pipeline.files import open_regular
from pipeline.storage.mirror import Mirror, mirror_of, open_mirror

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.")


def is_url(text: object) -> bool:
    """Whether a location is a URL.

    Examples
    --------
    >>> is_url("s3://bucket/raw"), is_url("data/raw")
    (True, False)
    """
    return _URL.match(str(text)) is not None


def local_folder(location: str) -> Path:
    """The folder of a location: of a URL, its mirror on this machine."""
    return open_mirror(location).folder if is_url(location) else Path(location)


def location_of(folder: Path) -> str:
    """The location of a folder: of a mirror, its URL; else its absolute path."""
    mirror = mirror_of(folder)
    return str(folder.absolute()) if mirror is None else mirror.url


def location_digest(location: str) -> str:
    """SHA-256 of the file at a location, as it is there now; empty if there is none, or it cannot be read."""
    if is_url(location):
        parent, _, name = location.rpartition("/")
        content = Mirror(parent, Path()).read(name)
        return "" if content is None else hashlib.sha256(content).hexdigest()
    try:
        with open_regular(location) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
