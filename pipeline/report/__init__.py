"""Reports: notebooks run by papermill and converted to pages that open offline, and an index page.

:mod:`build`    plan the pages of a study, run their notebooks, write pages and index
:mod:`execute`  run one notebook
:mod:`page`     an executed notebook as one HTML page
:mod:`show`     output of notebooks: figures, tables, key figures, callouts
:mod:`tables`   the tables and sentences of the pages
:mod:`headings` headings of columns, with units
:mod:`texts`    titles, labels and sentences

Notebooks import ``show``, ``tables``, ``texts`` and ``headings``, which need neither papermill nor nbconvert. Short,
because the names below need both and are imported when first used.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Page", "UnknownParameter", "plan_pages", "render", "render_studies", "write_index"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from pipeline.report import build

        return getattr(build, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
