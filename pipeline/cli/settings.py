"""Where a command finds and puts things."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Folders that every command shares."""

    raw: Path
    processed: Path
