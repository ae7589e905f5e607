"""The raw run on disk: find it, read its manifests, say which logs it has and what is wrong.

A raw run is a folder ``data/raw/<study>/<server>/<run>/`` (docs/reference/raw-run.md). Nothing here
parses a log and nothing here writes. What is wrong with a run is told by ``problems()``, one
sentence each, and never stops the rest; ``RawRunError`` is kept for a question that cannot be
answered (no such folder, no such run).

Sentences begin with the file, relative to the run's (or study's) folder, so that the same run gives
the same sentences wherever it lies.

Example
-------
>>> from pipeline import raw
>>> for run in raw.find_runs("data/raw", study="kvm-case-study"):   # doctest: +SKIP
...     print(run.id, run.window.duration_s, [log.name for log in run.logs()], run.problems())
"""

from pipeline.raw.logs import log_kind
from pipeline.raw.records import (
    CLIENT,
    FACTS_FORMAT,
    HOST,
    RUN_FORMAT,
    STUDY_FORMAT,
    Log,
    RawRunError,
    Role,
    VirtualServer,
    Window,
    Workload,
    is_safe_name,
)
from pipeline.raw.run import Run
from pipeline.raw.study import (
    Study,
    check_study_names,
    find_run,
    find_runs,
    find_studies,
    find_study,
    select_runs,
)

__all__ = [
    "CLIENT",
    "FACTS_FORMAT",
    "HOST",
    "RUN_FORMAT",
    "STUDY_FORMAT",
    "Log",
    "RawRunError",
    "Role",
    "Run",
    "Study",
    "VirtualServer",
    "Window",
    "Workload",
    "check_study_names",
    "find_run",
    "find_runs",
    "find_studies",
    "find_study",
    "is_safe_name",
    "log_kind",
    "select_runs",
]
