"""Studies, and finding runs by name."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from pipeline.raw import texts
from pipeline.raw.logs import folder_problem
from pipeline.raw.manifest import (
    ManifestReader,
    abbreviate,
    format_issue,
    json_path,
    json_quote,
    read_json,
)
from pipeline.raw.records import STUDY_FORMAT, RawRunError, is_safe_name
from pipeline.raw.run import Run, read_run
from pipeline.raw.study_manifest import (
    Factor,
    FactorRun,
    drop_invalid_values,
    read_factor_runs,
    read_factors,
)

LOAD_KEYS = ("kind", "rate_per_s", "arrivals", "population", "think_time_s")
"""What study.json and run.json both say about a load."""


@dataclass(frozen=True)
class Study:
    """One study on disk. ``manifest`` is the content of study.json ({} if it cannot be read)."""

    name: str
    path: Path
    manifest: dict[str, Any] = field(repr=False, compare=False)
    manifest_issues: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def title(self) -> str:
        """Its title, or its name."""
        title = self.manifest.get("title")
        return title if isinstance(title, str) and title else self.name

    @property
    def servers(self) -> list[str]:
        """Recorded servers (folders) in the order of study.json, others by name."""
        return self._in_manifest_order("servers", _subfolders(self.path)[0])

    def title_of(self, virtual_server: str) -> str:
        """Title of a virtual server within a sentence, from study.json, or its name."""
        title = self.entry("virtual_servers", virtual_server).get("title")
        if not isinstance(title, str) or not title:
            return virtual_server
        return title[0].lower() + title[1:] if title[1:2].islower() else title

    def ordered(self, virtual_servers: Iterable[str]) -> list[str]:
        """``virtual_servers`` without repetition, in the order of study.json, others by name."""
        return self._in_manifest_order("virtual_servers", set(virtual_servers))

    def entry(self, key: str, name: str) -> dict[str, Any]:
        """Entry of study.json for one of its ``servers``, ``virtual_servers`` …; {} if there is none."""
        value = self.section(key).get(name)
        return value if isinstance(value, dict) else {}

    def section(self, key: str) -> dict[str, Any]:
        """The object under ``key`` of study.json; {} if it is missing or not an object."""
        value = self.manifest.get(key)
        return value if isinstance(value, dict) else {}

    def _in_manifest_order(self, key: str, names: Iterable[str]) -> list[str]:
        rank = {name: number for number, name in enumerate(self.section(key))}
        return sorted(names, key=lambda name: (rank.get(name, len(rank)), name))

    @property
    def held_out(self) -> tuple[str, ...]:
        """``server/run`` of the runs that no model is fitted to."""
        value = self.manifest.get("held_out")
        return (
            tuple(name for name in value if isinstance(name, str))
            if isinstance(value, list)
            else ()
        )

    @property
    def case_study(self) -> dict[str, str]:
        """Virtual server → the run of Tables I and II."""
        value = self.section("case_study")
        return {key: run for key, run in value.items() if isinstance(run, str)}

    def purpose(self, server: str, run: str) -> str | None:
        """Purpose of a run by study.json: ``case-study``, ``load-sweep``, ``factors``."""
        section = self.entry("runs", server).get(run)
        purpose = section.get("purpose") if isinstance(section, dict) else None
        return purpose if isinstance(purpose, str) else None

    @cached_property
    def factors(self) -> dict[str, Factor]:
        """Influence factors of its designed experiments, by name."""
        return read_factors(self.manifest)

    @cached_property
    def factor_runs(self) -> list[FactorRun]:
        """The planned runs of its designed experiments, recorded or not."""
        return read_factor_runs(self.manifest)

    def runs(self, server: str | None = None, run: str | None = None) -> list[Run]:
        """The runs of the study, by name."""
        return list(self._each_run(server, run))

    def _each_run(self, server: str | None = None, run: str | None = None) -> Iterator[Run]:
        for folder in sorted(_subfolders(self.path)[0]):
            if server in (None, folder):
                for name in sorted(_subfolders(self.path / folder)[0]):
                    if run in (None, name):
                        yield read_run(self.name, folder, name, self.path / folder / name)

    def find_run(self, name: str) -> Run:
        """The run ``server/run``; ``RawRunError``, with the nearest names, if there is none."""
        server, _, run = name.partition("/")
        for each in self.runs(server, run):
            return each
        names = [f"{each.server}/{each.run}" for each in self.runs()]
        raise RawRunError(texts.unknown_run(json_quote(name), _hint(name, names, names)), self.path)

    def problems(self) -> list[str]:
        """Problems of the study itself, without those of its runs."""
        issues = list(self.manifest_issues)
        if folder_problem(self.path):
            return issues
        top = self.manifest
        reader = ManifestReader("study.json", issues)
        if top:
            if top.get("format") != STUDY_FORMAT:
                issues.append(format_issue("study.json", top, STUDY_FORMAT))
            value = reader.safe_name(top, "", "study", required=True)
            if value is not None and value != self.name:
                reader.add_issue(
                    "study", texts.differs_from_folder(json_quote(value), json_quote(self.name))
                )
            reader.get(
                top, "", "keep_sql", False, "true or false", lambda value: isinstance(value, bool)
            )
            for key in ("servers", "virtual_servers", "workloads", "runs", "case_study"):
                reader.object(top, "", key, required=key in ("servers", "virtual_servers"))
            reader.get(top, "", "held_out", False, texts.NAMES, _are_texts)
            reader.texts(top, "", "case_study")
            self._compare_plan(reader)
        servers, unsafe = _subfolders(self.path)
        issues += [f"{json_quote(name)}: {texts.UNSAFE_FOLDER}" for name in unsafe]
        present = set()
        for server in sorted(servers):
            runs, unsafe = _subfolders(self.path / server)
            present |= {f"{server}/{run}" for run in runs}
            issues += [f"{server}/{json_quote(name)}: {texts.UNSAFE_FOLDER}" for name in unsafe]
        unreadable = [server for server in servers if folder_problem(self.path / server)]
        planned = [
            f"{server}/{run}"
            for server in self.section("runs")
            if server not in unreadable
            for run, entry in self.entry("runs", server).items()
            # a designed experiment plans its runs in advance; its page counts those not recorded
            if not (isinstance(entry, dict) and "levels" in entry)
        ]
        for key, names in (("runs", planned), ("held_out", self.held_out)):
            if lost := [
                name
                for name in names
                if name not in present and name.split("/")[0] not in unreadable
            ]:
                reader.add_issue(key, texts.lists_missing_runs(abbreviate(lost)))
        for server, run in self.case_study.items():
            if not unreadable and not any(f"{where}/{run}" in present for where in servers):
                reader.add_issue(
                    json_path("case_study", server), texts.missing_run(json_quote(run))
                )
        return list(dict.fromkeys(issues))

    def _compare_plan(self, reader: ManifestReader) -> None:
        """What study.json plans for its runs against what their run.json have."""
        for run in self._each_run():
            accelerator = self.entry("servers", run.server).get("accelerator")
            if accelerator is not None and run.accelerator not in (None, accelerator):
                reader.add_issue(
                    f"{json_path('servers', run.server)}.accelerator",
                    texts.other_in_run_of(
                        json_quote(accelerator), run.run, json_quote(run.accelerator)
                    ),
                )
            entry = self.entry("runs", run.server).get(run.run)
            loads = entry.get("load") if isinstance(entry, dict) else None
            for name, load in loads.items() if isinstance(loads, dict) else ():
                server = run.virtual_servers.get(name)
                work = None if server is None else server.workload
                where = f"{json_path(json_path('runs', run.server), run.run)}.load.{name}"
                if not isinstance(load, dict):
                    reader.add_issue(where, texts.must_be(texts.OBJECT, json_quote(load)))
                    continue
                for key in LOAD_KEYS:
                    planned, recorded = load.get(key), getattr(work, key, None)
                    if planned is not None and recorded is not None and planned != recorded:
                        message = texts.other_in_run(json_quote(planned), json_quote(recorded))
                        reader.add_issue(f"{where}.{key}", message)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _subfolders(path: Path) -> tuple[list[str], list[str]]:
    """Folders of ``path`` with safe names, and with unsafe names; hidden ones are ignored."""
    if folder_problem(path):
        return [], []  # of find_unreadable_folders
    folders = filter(os.path.isdir, path.iterdir())
    names = sorted(folder.name for folder in folders if not folder.name.startswith("."))
    return [n for n in names if is_safe_name(n)], [n for n in names if not is_safe_name(n)]


def find_studies(raw: Path | str) -> list[Study]:
    """Find studies: folders with a study.json, or with a run.

    A folder without either (``published/``) is none.

    Parameters
    ----------
    raw : path
        Usually data/raw.

    Returns
    -------
    list of Study
        By name.

    Raises
    ------
    RawRunError
        If there is no such folder, or it cannot be read.
    """
    raw = Path(raw)
    if problem := folder_problem(raw):
        exists = os.path.lexists(raw) and not raw.is_file()
        raise RawRunError(problem if exists else texts.NO_RAW_FOLDER, raw)
    studies = []
    for name in _subfolders(raw)[0]:
        if is_study(raw / name):
            studies.append(read_study(raw / name))
    return studies


def is_study(folder: Path) -> bool:
    """Whether a folder has a study.json, or a run with a run.json."""
    # lexists: a folder that cannot be searched is none, and no error
    return os.path.lexists(folder / "study.json") or any(
        os.path.lexists(folder / server / run / "run.json")
        for server in chain(*_subfolders(folder))
        for run in chain(*_subfolders(folder / server))
    )


def find_unreadable_folders(raw: Path | str, ids: Iterable[str] = ()) -> list[str]:
    """Folders of studies and servers without the right to list or to search them, whose runs are not found.

    ``ids`` as in :func:`select_runs`: with them only folders whose runs they could name. One sentence per folder,
    which begins with its path.
    """
    raw = Path(raw)
    selectors = [_normalize_id(raw, each).rstrip("/").split("/") for each in ids]
    sentences = []
    for study in _subfolders(raw)[0]:
        for folder in (study, *(f"{study}/{name}" for name in _subfolders(raw / study)[0])):
            is_named = any(all(map(fnmatchcase, folder.split("/"), each)) for each in selectors)
            if (is_named or not selectors) and (problem := folder_problem(raw / folder)):
                sentences.append(f"{raw / folder}: {problem}")
    return sentences


def read_study(path: Path) -> Study:
    """The study in a folder; without a study.json its ``manifest`` is empty, which is no problem."""
    if not os.path.lexists(path / "study.json"):
        return Study(path.name, path, {})
    manifest, issues = read_json(path / "study.json", "study.json", path)
    drop_invalid_values(manifest, issues)
    return Study(path.name, path, manifest, tuple(issues))


def find_study(raw: Path | str, name: str) -> Study:
    """The study of that name; ``RawRunError``, with the existing names, the nearest first, if there is none."""
    studies = {study.name: study for study in find_studies(raw)}
    if name not in studies:
        raise RawRunError(texts.unknown_study(name, nearest(name, studies)), raw)
    return studies[name]


def nearest(name: str | None, names: Iterable[str]) -> list[str]:
    """``names`` with those first that are most like a misspelt one."""
    every = list(names)
    return list(dict.fromkeys([*difflib.get_close_matches(name or "", every, cutoff=0.4), *every]))


def check_study_names(raw: Path | str) -> list[str]:
    """Problems of ``raw`` itself: studies with unsafe names."""
    unsafe = [name for name in _subfolders(Path(raw))[1] if is_study(Path(raw) / name)]
    return [f"{json_quote(name)}: {texts.UNSAFE_STUDY}" for name in unsafe]


def find_runs(
    raw: Path | str, study: str | None = None, server: str | None = None, run: str | None = None
) -> list[Run]:
    """Find runs.

    Parameters
    ----------
    raw : path
        Usually data/raw.
    study, server, run : str, optional
        Restrict the result to that name.

    Returns
    -------
    list of Run
        By study, server and run.

    Raises
    ------
    RawRunError
        If there is no folder ``raw``.
    """
    return [
        each_run
        for each_study in find_studies(raw)
        if study in (None, each_study.name)
        for each_run in each_study.runs(server, run)
    ]


def find_run(raw: Path | str, study: str, server: str, run: str) -> Run:
    """The run of that name; ``RawRunError``, with the nearest names, if there is none."""
    runs = find_runs(raw, study, server, run)
    if not runs:
        raise _unknown_run_error(f"{study}/{server}/{run}", [r.id for r in find_runs(raw)], raw)
    return runs[0]


def select_runs(raw: Path | str, ids: Iterable[str] = ()) -> list[Run]:
    """Select runs by their ids.

    Parameters
    ----------
    raw : path
        Usually data/raw.
    ids : iterable of str
        ``study/server/run``, ``study/server``, ``study``, or a path below ``raw``; each name may be a pattern
        (``study/server/db-*``). Without ids all runs are selected.

    Returns
    -------
    list of Run
        Each once, by name.

    Raises
    ------
    RawRunError
        If an id matches no run, with the nearest names.
    """
    selectors = list(ids)
    if (runs := _runs_at(Path(raw), selectors)) is not None:
        return runs
    all_ids = {run.id: run for run in find_runs(raw)}
    chosen: set[str] = set()
    for run_id in selectors:
        matches = set(_matching_ids(_normalize_id(raw, run_id), all_ids))
        if not matches:
            if unreadable := find_unreadable_folders(raw, [run_id]):
                raise RawRunError(unreadable[0])
            raise _unknown_run_error(run_id, list(all_ids), raw)
        chosen |= matches
    return [run for name, run in all_ids.items() if not selectors or name in chosen]


def _runs_at(raw: Path, ids: list[str]) -> list[Run] | None:
    """The runs of full ids, read by their paths alone; None where an id is not that of a run's folder."""
    runs: dict[tuple[str, ...], Run] = {}
    for run_id in ids:
        names = tuple(_normalize_id(raw, run_id).rstrip("/").split("/"))
        parents = raw, raw / names[0], raw.joinpath(*names[:2])
        is_id = len(names) == 3 and all(map(is_safe_name, names)) and is_study(parents[1])
        # listed, as a file system may ignore case
        if not is_id or not all(
            n in _subfolders(p)[0] for p, n in zip(parents, names, strict=True)
        ):
            return None
        runs[names] = read_run(*names, raw.joinpath(*names))
    return [runs[names] for names in sorted(runs)] or None


def _normalize_id(raw: Path | str, run_id: str) -> str:
    prefix = Path(raw).as_posix().rstrip("/") + "/"
    return run_id.removeprefix("./").removeprefix(prefix.removeprefix("./"))


def _matching_ids(selector: str, all_ids: Iterable[str]) -> Iterator[str]:
    """Ids whose first names are those of ``selector``, which may be patterns."""
    patterns = selector.rstrip("/").split("/")
    for run_id in all_ids:
        names = run_id.split("/")
        if len(patterns) <= len(names) and all(map(fnmatchcase, names, patterns)):
            yield run_id


def _unknown_run_error(run_id: str, all_ids: list[str], raw: Path | str) -> RawRunError:
    names = list(
        dict.fromkeys(n for i in all_ids for n in (i, i.rsplit("/", 1)[0], i.split("/")[0]))
    )
    return RawRunError(texts.unknown_run(json_quote(run_id), _hint(run_id, names, all_ids)), raw)


def _hint(name: str, names: list[str], runs: list[str]) -> str:
    """Which of ``names`` are the nearest to a misspelt one; if none is near, how many ``runs`` there are."""
    similar = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    if similar:
        return texts.nearest_names(similar)
    return texts.number_of_runs(len(runs), runs[0]) if runs else texts.NO_RUNS
