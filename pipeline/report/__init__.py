"""Reports: notebooks run by papermill, made into pages that open offline, and an index page of them all.

Notebooks import ``show``, ``tables``, ``texts`` and ``headings``, which need neither papermill nor nbconvert; the names
below do, and are imported when first used.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Page", "UnknownParameter", "plan_pages", "render", "render_studies", "write_index"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from pipeline.report import build

        return getattr(build, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
