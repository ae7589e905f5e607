"""Studies, and finding runs by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.raw.manifest import Reader, at, format_fault, listed, quoted, read_json
from pipeline.raw.records import STUDY_FORMAT, RawRunError, is_safe_name
from pipeline.raw.run import Run


@dataclass(frozen=True)
class Study:
    """One study on disk. ``manifest`` is study.json as it stands ({} if it cannot be read)."""

    name: str
    path: Path
    manifest: dict[str, Any] = field(repr=False, compare=False)
    manifest_faults: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def title(self) -> str:
        """Its title, or its name."""
        title = self.manifest.get("title")
        return title if isinstance(title, str) and title else self.name

    @property
    def servers(self) -> list[str]:
        """The servers that were recorded (folders), in study.json's order, then by name."""
        return self._ranked("servers", _subfolders(self.path)[0])

    def title_of(self, virtual_server: str) -> str:
        """A virtual server in words, for the middle of a sentence: its title in study.json, or its name."""
        title = self.entry("virtual_servers", virtual_server).get("title")
        if not isinstance(title, str) or not title:
            return virtual_server
        return title[0].lower() + title[1:] if title[1:2].islower() else title

    def ordered(self, virtual_servers: Iterable[str]) -> list[str]:
        """``virtual_servers`` in study.json's order, others after them by name; each once."""
        return self._ranked("virtual_servers", set(virtual_servers))

    def entry(self, key: str, name: str) -> dict[str, Any]:
        """What study.json says of one of its ``servers``, ``virtual_servers`` …; {} where it says nothing."""
        said = self.planned(key).get(name)
        return said if isinstance(said, dict) else {}

    def planned(self, key: str) -> dict[str, Any]:
        """What study.json has under ``key``, by name; {} where that is not there or no object."""
        said = self.manifest.get(key)
        return said if isinstance(said, dict) else {}

    def _ranked(self, key: str, names: Iterable[str]) -> list[str]:
        rank = {name: number for number, name in enumerate(self.planned(key))}
        return sorted(names, key=lambda name: (rank.get(name, len(rank)), name))

    @property
    def held_out(self) -> tuple[str, ...]:
        """``server/run`` of the runs that no model may be fitted to."""
        said = self.manifest.get("held_out")
        return (
            tuple(name for name in said if isinstance(name, str)) if isinstance(said, list) else ()
        )

    @property
    def case_study(self) -> dict[str, str]:
        """Virtual server → the run whose numbers fill Tables I and II."""
        said = self.planned("case_study")
        return {key: run for key, run in said.items() if isinstance(run, str)}

    def purpose(self, server: str, run: str) -> str | None:
        """What study.json says a run is for: ``case-study`` or ``load-sweep``."""
        planned = self.entry("runs", server).get(run)
        purpose = planned.get("purpose") if isinstance(planned, dict) else None
        return purpose if isinstance(purpose, str) else None

    def runs(self, server: str | None = None, run: str | None = None) -> list[Run]:
        """The study's runs in the order of their names."""
        found = []
        for where in sorted(_subfolders(self.path)[0]):
            if server in (None, where):
                for name in sorted(_subfolders(self.path / where)[0]):
                    if run in (None, name):
                        path = self.path / where / name
                        manifest, faults = read_json(path / "run.json", "run.json", path)
                        found.append(Run(self.name, where, name, path, manifest, tuple(faults)))
        return found

    def problems(self) -> list[str]:
        """What is wrong with the study itself; what is wrong with a run is told by the run."""
        faults = list(self.manifest_faults)
        top = self.manifest
        read = Reader("study.json", faults)
        if top:
            if top.get("format") != STUDY_FORMAT:
                faults.append(format_fault("study.json", top, STUDY_FORMAT))
            said = read.name_of(top, "", "study", need=True)
            if said is not None and said != self.name:
                read.fault("study", f"is {quoted(said)}, but the folder says {quoted(self.name)}")
            for key in ("servers", "virtual_servers", "workloads", "runs", "case_study"):
                read.object(top, "", key, need=key in ("servers", "virtual_servers"))
        servers, strange = _subfolders(self.path)
        faults += [f"{quoted(name)}: not a plain name; the folder is not read" for name in strange]
        there = set()
        for server in sorted(servers):
            runs, strange = _subfolders(self.path / server)
            there |= {f"{server}/{run}" for run in runs}
            faults += [
                f"{server}/{quoted(name)}: not a plain name; the folder is not read"
                for name in strange
            ]
        planned = [f"{k}/{run}" for k in self.planned("runs") for run in self.entry("runs", k)]
        for key, says, names in (("runs", "plans", planned), ("held_out", "names", self.held_out)):
            if lost := [name for name in names if name not in there]:
                read.fault(key, f"{says} what is not there: {listed(lost)}")
        for server, run in self.case_study.items():
            if not any(f"{where}/{run}" in there for where in servers):
                read.fault(at("case_study", server), f"names {quoted(run)}, which is not there")
        return list(dict.fromkeys(faults))


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
        raise RawRunError("no such folder of raw runs", raw)
    found = []
    for name in _subfolders(raw)[0]:
        if (raw / name / "study.json").exists():
            manifest, faults = read_json(raw / name / "study.json", "study.json", raw / name)
            found.append(Study(name, raw / name, manifest, tuple(faults)))
    return found


def find_study(raw: Path | str, name: str) -> Study:
    """The study of that name; ``RawRunError`` tells which there are."""
    known = {study.name: study for study in find_studies(raw)}
    if name not in known:
        there = ", ".join(known) or "none"
        raise RawRunError(f"no study is called {name!r}; there are {there}", raw)
    return known[name]


def check_study_names(raw: Path | str) -> list[str]:
    """What is wrong with ``raw`` itself: studies whose names are not plain."""
    return [
        f"{quoted(name)}: not a plain name; the study is not read"
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
        raise _unknown(f"{study}/{server}/{run}", [r.id for r in find_runs(raw)], raw)
    return found[0]


def select_runs(raw: Path | str, ids: Iterable[str] = ()) -> list[Run]:
    """The runs that ``ids`` name, each once, by name; all of them if there are no ids.

    An id is ``study/server/run``, or the beginning of one: ``study``, ``study/server``,
    ``study/server/db-``. A path below ``raw`` does too. An id that names no run is an error that
    tells the nearest.
    """
    every = {run.id: run for run in find_runs(raw)}
    chosen: set[str] = set()
    none = True
    for wanted in ids:
        none = False
        hits = set(_matching(_normal(raw, wanted), every))
        if not hits:
            raise _unknown(wanted, list(every), raw)
        chosen |= hits
    return [run for name, run in every.items() if none or name in chosen]


def _normal(raw: Path | str, wanted: str) -> str:
    inside = Path(raw).as_posix().rstrip("/") + "/"
    return wanted.removeprefix("./").removeprefix(inside.removeprefix("./"))


def _matching(wanted: str, every: Iterable[str]) -> Iterator[str]:
    whole = wanted.rstrip("/")
    names = list(every)
    exact = [name for name in names if name == whole or name.startswith(whole + "/")]
    if exact or not whole or wanted.endswith("/"):
        yield from exact if whole else ()
    else:
        yield from (name for name in names if name.startswith(whole))


def _unknown(wanted: str, every: list[str], raw: Path | str) -> RawRunError:
    names = list(dict.fromkeys(n for i in every for n in (i, i.rsplit("/", 1)[0], i.split("/")[0])))
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4)
    if not every:
        hint = "there are no runs there"
    elif near:
        hint = f"the nearest: {', '.join(near)}"
    else:
        hint = f"there are {len(every)} runs, the first is {every[0]}"
    return RawRunError(f"no run is called {quoted(wanted)}; {hint}", raw)
