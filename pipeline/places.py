"""Where a notebook finds the project, whether it is run from the project's root or from notebooks/."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The project that this package is installed from: data/ and notebooks/ are below it."""


def project_path(path: str | Path, start: Path | None = None) -> Path:
    """``path`` as it is if absolute, else below the nearest folder upwards of ``start`` that has it.

    ``start`` is the working folder by default; where nothing upwards has the path, the project's root counts.
    """
    path = Path(path)
    if path.is_absolute():
        return path
    start = Path.cwd() if start is None else start
    for folder in (start, *start.parents):
        if (folder / path).exists():
            return folder / path
    return ROOT / path
