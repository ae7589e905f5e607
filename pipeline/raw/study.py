"""Studies, and finding runs by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.raw import texts
from pipeline.raw.manifest import (
    ManifestReader,
    abbreviate,
    format_issue,
    json_path,
    json_quote,
    read_json,
)
from pipeline.raw.records import STUDY_FORMAT, RawRunError, is_safe_name
from pipeline.raw.run import Run


@dataclass(frozen=True)
class Study:
    """One study on disk. ``manifest`` is study.json as it stands ({} if it cannot be read)."""

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
        """The servers that were recorded (folders), in study.json's order, then by name."""
        return self._in_manifest_order("servers", _subfolders(self.path)[0])

    def title_of(self, virtual_server: str) -> str:
        """A virtual server in words, for the middle of a sentence: its title in study.json, or its name."""
        title = self.entry("virtual_servers", virtual_server).get("title")
        if not isinstance(title, str) or not title:
            return virtual_server
        return title[0].lower() + title[1:] if title[1:2].islower() else title

    def ordered(self, virtual_servers: Iterable[str]) -> list[str]:
        """``virtual_servers`` in study.json's order, others after them by name; each once."""
        return self._in_manifest_order("virtual_servers", set(virtual_servers))

    def entry(self, key: str, name: str) -> dict[str, Any]:
        """What study.json says of one of its ``servers``, ``virtual_servers`` …; {} where it says nothing."""
        value = self.section(key).get(name)
        return value if isinstance(value, dict) else {}

    def section(self, key: str) -> dict[str, Any]:
        """What study.json has under ``key``, by name; {} where that is not there or no object."""
        value = self.manifest.get(key)
        return value if isinstance(value, dict) else {}

    def _in_manifest_order(self, key: str, names: Iterable[str]) -> list[str]:
        rank = {name: number for number, name in enumerate(self.section(key))}
        return sorted(names, key=lambda name: (rank.get(name, len(rank)), name))

    @property
    def held_out(self) -> tuple[str, ...]:
        """``server/run`` of the runs that no model may be fitted to."""
        value = self.manifest.get("held_out")
        return (
            tuple(name for name in value if isinstance(name, str))
            if isinstance(value, list)
            else ()
        )

    @property
    def case_study(self) -> dict[str, str]:
        """Virtual server → the run whose numbers fill Tables I and II."""
        value = self.section("case_study")
        return {key: run for key, run in value.items() if isinstance(run, str)}

    def purpose(self, server: str, run: str) -> str | None:
        """What study.json says a run is for: ``case-study`` or ``load-sweep``."""
        section = self.entry("runs", server).get(run)
        purpose = section.get("purpose") if isinstance(section, dict) else None
        return purpose if isinstance(purpose, str) else None

    def runs(self, server: str | None = None, run: str | None = None) -> list[Run]:
        """The study's runs in the order of their names."""
        found = []
        for where in sorted(_subfolders(self.path)[0]):
            if server in (None, where):
                for name in sorted(_subfolders(self.path / where)[0]):
                    if run in (None, name):
                        path = self.path / where / name
                        manifest, issues = read_json(path / "run.json", "run.json", path)
                        found.append(Run(self.name, where, name, path, manifest, tuple(issues)))
        return found

    def problems(self) -> list[str]:
        """What is wrong with the study itself; what is wrong with a run is told by the run."""
        issues = list(self.manifest_issues)
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
            for key in ("servers", "virtual_servers", "workloads", "runs", "case_study"):
                reader.object(top, "", key, required=key in ("servers", "virtual_servers"))
        servers, unsafe = _subfolders(self.path)
        issues += [f"{json_quote(name)}: {texts.UNSAFE_FOLDER}" for name in unsafe]
        present = set()
        for server in sorted(servers):
            runs, unsafe = _subfolders(self.path / server)
            present |= {f"{server}/{run}" for run in runs}
            issues += [f"{server}/{json_quote(name)}: {texts.UNSAFE_FOLDER}" for name in unsafe]
        planned = [f"{k}/{run}" for k in self.section("runs") for run in self.entry("runs", k)]
        for key, names in (("runs", planned), ("held_out", self.held_out)):
            if lost := [name for name in names if name not in present]:
                reader.add_issue(key, texts.lists_missing_runs(abbreviate(lost)))
        for server, run in self.case_study.items():
            if not any(f"{where}/{run}" in present for where in servers):
                reader.add_issue(
                    json_path("case_study", server), texts.missing_run(json_quote(run))
                )
        return list(dict.fromkeys(issues))


def _subfolders(path: Path) -> tuple[list[str], list[str]]:
    """Folders of ``path`` with plain names, and the others; hidden ones are nobody's."""
    try:
        names = sorted(e.name for e in path.iterdir() if e.is_dir() and not e.name.startswith("."))
    except OSError:
        return [], []
    return [n for n in names if is_safe_name(n)], [n for n in names if not is_safe_name(n)]


def find_studies(raw: Path | str) -> list[Study]:
    """The studies in ``raw``: its folders that have a study.json, by name."""
    raw = Path(raw)
    if not raw.is_dir():
        raise RawRunError(texts.NO_RAW_FOLDER, raw)
    found = []
    for name in _subfolders(raw)[0]:
        if (raw / name / "study.json").exists():
            manifest, issues = read_json(raw / name / "study.json", "study.json", raw / name)
            found.append(Study(name, raw / name, manifest, tuple(issues)))
    return found


def find_study(raw: Path | str, name: str) -> Study:
    """The study of that name; ``RawRunError`` tells which there are."""
    known = {study.name: study for study in find_studies(raw)}
    if name not in known:
        raise RawRunError(texts.unknown_study(name, list(known)), raw)
    return known[name]


def check_study_names(raw: Path | str) -> list[str]:
    """What is wrong with ``raw`` itself: studies whose names are not plain."""
    return [
        f"{json_quote(name)}: {texts.UNSAFE_STUDY}"
        for name in _subfolders(Path(raw))[1]
        if (Path(raw) / name / "study.json").exists()
    ]


def find_runs(
    raw: Path | str, study: str | None = None, server: str | None = None, run: str | None = None
) -> list[Run]:
    """The runs in ``raw`` of that study, server and name (None: all), by study, server and run."""
    return [
        found
        for known in find_studies(raw)
        if study in (None, known.name)
        for found in known.runs(server, run)
    ]


def find_run(raw: Path | str, study: str, server: str, run: str) -> Run:
    """One run; ``RawRunError`` that names the nearest if it is not there."""
    found = find_runs(raw, study, server, run)
    if not found:
        raise _unknown_run_error(f"{study}/{server}/{run}", [r.id for r in find_runs(raw)], raw)
    return found[0]


def select_runs(raw: Path | str, ids: Iterable[str] = ()) -> list[Run]:
    """The runs that ``ids`` name, each once, by name; all of them if there are no ids.

    An id is ``study/server/run``, or the beginning of one: ``study``, ``study/server``,
    ``study/server/db-``. A path below ``raw`` does too. An id that names no run is an error that
    tells the nearest.
    """
    all_ids = {run.id: run for run in find_runs(raw)}
    chosen: set[str] = set()
    none = True
    for wanted in ids:
        none = False
        hits = set(_matching_ids(_normalize_id(raw, wanted), all_ids))
        if not hits:
            raise _unknown_run_error(wanted, list(all_ids), raw)
        chosen |= hits
    return [run for name, run in all_ids.items() if none or name in chosen]


def _normalize_id(raw: Path | str, wanted: str) -> str:
    inside = Path(raw).as_posix().rstrip("/") + "/"
    return wanted.removeprefix("./").removeprefix(inside.removeprefix("./"))


def _matching_ids(wanted: str, all_ids: Iterable[str]) -> Iterator[str]:
    whole = wanted.rstrip("/")
    names = list(all_ids)
    exact = [name for name in names if name == whole or name.startswith(whole + "/")]
    if exact or not whole or wanted.endswith("/"):
        yield from exact if whole else ()
    else:
        yield from (name for name in names if name.startswith(whole))


def _unknown_run_error(wanted: str, all_ids: list[str], raw: Path | str) -> RawRunError:
    names = list(
        dict.fromkeys(n for i in all_ids for n in (i, i.rsplit("/", 1)[0], i.split("/")[0]))
    )
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4)
    if not all_ids:
        hint = texts.NO_RUNS
    elif near:
        hint = texts.nearest_names(near)
    else:
        hint = texts.number_of_runs(len(all_ids), all_ids[0])
    return RawRunError(texts.unknown_run(json_quote(wanted), hint), raw)
