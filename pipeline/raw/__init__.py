"""Raw runs on disk: find them, read their manifests, list their logs and problems.

A raw run is a folder ``data/raw/<study>/<server>/<run>/`` (docs/reference/raw-run.md). This package does
not parse logs; all that it writes are checksums. Problems of a run are listed by ``problems()``, one sentence each, and
are never exceptions; ``RawRunError`` is raised where a folder or run does not exist.

Sentences start with the file, relative to the folder of the run (or study), so that they do not depend on
where the run is.

:mod:`study`    studies, and finding runs by name
:mod:`study_manifest`  what study.json says of servers and of designed experiments
:mod:`run`      one run: run.json, logs, problems
:mod:`run_manifest`  what run.json says
:mod:`facts`    what facts.json says
:mod:`checksums`  SHA-256 of logs and facts.json, in run.json
:mod:`manifest` typed access to JSON manifests
:mod:`records`  records of a run, and kinds of logs
:mod:`logs`     logs of a run on disk, segments of rotated logs
:mod:`texts`    problems and errors

Example
-------
>>> from pipeline import raw
>>> for run in raw.find_runs("data/raw", study="kvm-case-study"):   # doctest: +SKIP
...     print(run.id, run.window.duration_s, [log.name for log in run.logs()], run.problems())
"""

from pipeline.raw.checksums import find_differences, hash_files, sha256, write_checksums
from pipeline.raw.logs import log_kind, strip_compression_suffix
from pipeline.raw.manifest import pattern_problem
from pipeline.raw.records import (
    CLIENT,
    FACTS_FORMAT,
    HOST,
    INFERRED,
    RUN_FORMAT,
    STUDY_FORMAT,
    Log,
    LogInfo,
    RawRunError,
    Role,
    VirtualServer,
    Window,
    Workload,
    is_safe_name,
)
from pipeline.raw.run import Run, keeps_sql, read_run
from pipeline.raw.study import (
    Study,
    check_study_names,
    find_run,
    find_runs,
    find_studies,
    find_study,
    find_unreadable_folders,
    nearest,
    read_study,
    select_runs,
)
from pipeline.raw.study_manifest import BRANCHES, Factor, FactorRun

__all__ = [
    "BRANCHES",
    "CLIENT",
    "FACTS_FORMAT",
    "HOST",
    "INFERRED",
    "RUN_FORMAT",
    "STUDY_FORMAT",
    "Factor",
    "FactorRun",
    "Log",
    "LogInfo",
    "RawRunError",
    "Role",
    "Run",
    "Study",
    "VirtualServer",
    "Window",
    "Workload",
    "check_study_names",
    "find_differences",
    "find_run",
    "find_runs",
    "find_studies",
    "find_study",
    "find_unreadable_folders",
    "hash_files",
    "is_safe_name",
    "keeps_sql",
    "log_kind",
    "nearest",
    "pattern_problem",
    "read_run",
    "read_study",
    "select_runs",
    "sha256",
    "strip_compression_suffix",
    "write_checksums",
]
