"""Reports: notebooks run by papermill and converted to pages that open offline, and an index page.

:mod:`plan`        which pages a study has, and the runs that each reads
:mod:`build`       render the pages that changed, write index and glossary
:mod:`unchanged`   the key of a page: a hash of all that it is made from
:mod:`parameters`  parameters of a notebook
:mod:`execute`     run one notebook
:mod:`page`        an executed notebook as one HTML page
:mod:`index`       the index page, and the page of the course
:mod:`course_index` what the page of the course lists
:mod:`lessons`     the lessons of the course, and the runs that each reads
:mod:`show`        output of notebooks: figures, tables, key figures, callouts
:mod:`tables`      the tables and sentences of the pages
:mod:`headings`    headings of columns, with units
:mod:`texts`       titles, labels and sentences of the pages
:mod:`batch_texts` sentences of the index page and of the command

Notebooks import ``show``, ``tables``, ``texts`` and ``headings``, which need neither papermill nor nbconvert. The names
below are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

TIMEOUT_S = 1800.0
"""Longest time of one notebook."""

_MODULES = {
    "Page": "plan",
    "Status": "index",
    "UnknownParameter": "parameters",
    "choose_pages": "plan",
    "page_result": "build",
    "plan_pages": "plan",
    "plan_study": "plan",
    "render": "build",
    "render_studies": "build",
    "runs_of": "plan",
    "status_of": "index",
    "write_index": "index",
}

__all__ = sorted(["TIMEOUT_S", *_MODULES])


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"pipeline.report.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
