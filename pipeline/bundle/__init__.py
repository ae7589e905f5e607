"""The raw run on disk: find it, read its manifests, say which logs it has and what is wrong.

A raw run is a folder ``data/raw/<study>/<server>/<run>/`` (docs/reference/raw-run.md). Nothing here
parses a log and nothing here writes. What is wrong with a run is told by ``problems()``, one
sentence each, and never stops the rest; ``BundleError`` is kept for a question that cannot be
answered (no such folder, no such run).

Sentences begin with the file, relative to the run's (or study's) folder, so that the same run gives
the same sentences wherever it lies.

Example
-------
>>> from pipeline import bundle
>>> for run in bundle.runs("data/raw", study="kvm-case-study"):   # doctest: +SKIP
...     print(run.id, run.window.duration_s, [log.name for log in run.logs()], run.problems())
"""

from pipeline.bundle.records import (
    CLIENT,
    FACTS_FORMAT,
    HOST,
    RUN_FORMAT,
    STUDY_FORMAT,
    BundleError,
    Log,
    Role,
    VirtualServer,
    Window,
    Workload,
    is_plain,
)
from pipeline.bundle.run import Run, kind_of
from pipeline.bundle.study import Study, get, named_study, problems, runs, select, studies

__all__ = [
    "CLIENT",
    "FACTS_FORMAT",
    "HOST",
    "RUN_FORMAT",
    "STUDY_FORMAT",
    "BundleError",
    "Log",
    "Role",
    "Run",
    "Study",
    "VirtualServer",
    "Window",
    "Workload",
    "get",
    "is_plain",
    "kind_of",
    "named_study",
    "problems",
    "runs",
    "select",
    "studies",
]
