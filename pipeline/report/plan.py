"""The pages of a study: which there are, which of them apply to it, and which runs each of them reads."""

from __future__ import annotations

import difflib
import fnmatch
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline import api
from pipeline.files import ROOT
from pipeline.report import batch_texts as texts
from pipeline.report.lessons import COURSE, KEYS, lesson_names, lesson_needs, roles_of_lesson

COMPARE = "compare_servers"
VALIDATE = "validate_model"
PUBLISHED = "published"
INFLUENCE = "influence_factors"
SCALABILITY = "scalability"
LEARNED = "learned_predictor"
PUBLISHED_STUDIES = "published_studies"
WHAT_IF = "what_if"
RUN_REPORT = "run_report"


def notebook_names(notebooks: Path) -> list[str]:
    """The notebooks of a report in the order of the index page; the lessons are those in the folder."""
    main = [COMPARE, VALIDATE, PUBLISHED, INFLUENCE, SCALABILITY, LEARNED, PUBLISHED_STUDIES]
    return [*main, *lesson_names(notebooks), WHAT_IF, RUN_REPORT]


@dataclass(frozen=True)
class Page:
    """A page to render: a notebook and its parameters."""

    notebook: str
    study: str
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """``notebook``, with ``/server/run`` or ``/server/virtual server``: matched by ``only``."""
        return "/".join([self.notebook, *self._run])

    @property
    def stem(self) -> str:
        """The page's file name without ``.html``."""
        return "-".join([self.notebook.replace("/", "-"), *self._run])

    @property
    def about(self) -> str:
        """Study, and server and run or virtual server of a page about one."""
        return " · ".join([self.study, *self._run])

    @property
    def run(self) -> str:
        """``server / run``, or ``server / virtual server``, of a page about one; empty for the others."""
        return " / ".join(self._run)

    @property
    def _run(self) -> list[str]:
        return [self.parameters[key] for key in KEYS if key in self.parameters]


# -- which pages apply -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Recorded:
    """A study, its runs, and the folder of the notebooks."""

    study: api.Study
    runs: Sequence[api.Run]
    notebooks: Path

    def alone(self, server: str, virtual_server: str) -> list[api.Run]:
        """Runs on ``server`` with a load on that virtual server and on no other."""
        return [
            run for run in self.runs if run.server == server and _loaded(run) == [virtual_server]
        ]

    def servers_compared(self, virtual_server: str) -> list[str]:
        """Servers with the case study's run of a virtual server, alone on its host."""
        name = self.study.case_study[virtual_server]
        return [
            server
            for server in self.study.servers
            if any(run.run == name for run in self.alone(server, virtual_server))
        ]


def _loaded(run: api.Run) -> list[str]:
    return [name for name, vs in run.virtual_servers.items() if vs.workload is not None]


def _compare_needs(recorded: _Recorded) -> str | None:
    if len(recorded.study.servers) < 2:
        return texts.NEEDS_TWO_SERVERS
    counts = [len(recorded.servers_compared(vs)) for vs in recorded.study.case_study]
    return None if max(counts, default=0) > 1 else texts.NEEDS_COMMON_RUN


def _validate_needs(recorded: _Recorded) -> str | None:
    names = {f"{run.server}/{run.run}" for run in recorded.runs}
    return None if names & set(recorded.study.held_out) else texts.NEEDS_HELD_OUT


def _published_needs(recorded: _Recorded) -> str | None:
    from pipeline.evaluate import published

    raw = recorded.study.path.parent
    if not (raw / published.FOLDER / "tables.csv").is_file():
        return texts.NEEDS_PUBLISHED
    printed = set(published.read_tables(raw)["server", "virtual_server"].rows())
    names = [(s, vs) for s in recorded.study.servers for vs in recorded.study.case_study]
    return None if printed & set(names) else texts.NEEDS_PUBLISHED_NAMES


def _influence_needs(recorded: _Recorded) -> str | None:
    planned = {(run.server, run.run) for run in recorded.study.factor_runs}
    is_recorded = any((run.server, run.run) in planned for run in recorded.runs)
    return None if is_recorded else texts.NEEDS_FACTORS


def _published_studies_needs(recorded: _Recorded) -> str | None:
    from pipeline.evaluate import published, published_studies

    folder = recorded.study.path.parent / published.FOLDER
    if not all((folder / name).is_file() for name in published_studies.FILES):
        return texts.NEEDS_PUBLISHED_STUDIES
    return _published_needs(recorded)


def _scalability_needs(recorded: _Recorded) -> str | None:
    from pipeline.evaluate.consolidation import software_of
    from pipeline.evaluate.scalability import MIN_SWEEP_LEVELS

    populations: dict[tuple, set] = defaultdict(set)
    counts: dict[tuple, set] = defaultdict(set)
    for run in recorded.runs:
        loads = {
            (run.server, software_of(name), vs.workload.kind, vs.workload.rate_per_s)
            for name, vs in run.virtual_servers.items()
            if vs.workload is not None
        }
        loaded = _loaded(run)
        if len(loaded) == 1 and run.virtual_servers[loaded[0]].workload.kind == "closed":
            population = run.virtual_servers[loaded[0]].workload.population
            populations[run.server, loaded[0]].add(population)
        elif len(loads) == 1 and loaded:
            counts[min(loads, key=str)].add(len(loaded))
    has_sweep = any(len(levels) >= MIN_SWEEP_LEVELS for levels in populations.values())
    has_series = any(len(each) > 1 for each in counts.values())
    return None if has_sweep or has_series else texts.NEEDS_SWEEP


NEEDS: dict[str, Callable[[_Recorded], str | None]] = {
    COMPARE: _compare_needs,
    VALIDATE: _validate_needs,
    PUBLISHED: _published_needs,
    INFLUENCE: _influence_needs,
    SCALABILITY: _scalability_needs,
    LEARNED: _validate_needs,
    PUBLISHED_STUDIES: _published_studies_needs,
}
"""Notebook → what it needs that a study does not have, None if nothing."""


def _what_if_needs(recorded: _Recorded, server: str, virtual_server: str) -> str | None:
    held_out = set(recorded.study.held_out)
    fitted = [
        run
        for run in recorded.alone(server, virtual_server)
        if f"{run.server}/{run.run}" not in held_out
    ]
    if not fitted:
        return texts.needs_fitted_run(server, virtual_server)
    has_qemu = any(run.virtual_servers[virtual_server].qemu_process for run in fitted)
    return None if has_qemu else texts.needs_qemu(virtual_server)


# -- plan ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """The pages of a study."""

    pages: list[Page]
    """Every page that can be rendered, in the order of the index page."""
    default: list[Page]
    """Those of ``queuevisor report STUDY``."""
    not_applicable: dict[str, str]
    """Page id → what the page needs that the study does not have."""

    @property
    def not_applicable_sentences(self) -> list[str]:
        """What each page needs that the study does not have; one sentence for all lessons."""
        lessons = [page for page in self.not_applicable if page.startswith(COURSE)]
        sentences = [
            texts.needs(page, what)
            for page, what in self.not_applicable.items()
            if len(lessons) < 2 or page not in lessons
        ]
        return sentences if len(lessons) < 2 else [*sentences, texts.lessons_need(len(lessons))]


def plan_study(
    study: api.Study,
    *,
    notebooks: Path = ROOT / "notebooks",
    parameters: Mapping[str, Any] | None = None,
    runs: Sequence[api.Run] | None = None,
) -> Plan:
    """Plan every page of a study.

    Parameters
    ----------
    study
    notebooks
        Folder of the notebooks; those that it does not have are left out.
    parameters
        Further parameters of every notebook.
    runs
        The runs of the study, read from its folder if None.
    """
    recorded = _Recorded(study, study.runs() if runs is None else runs, notebooks)
    case = set(study.case_study.values())
    in_case = {run.id for run in recorded.runs if run.run in case}
    plan = Plan([], [], {})
    for name in notebook_names(notebooks):
        if not (notebooks / f"{name}.ipynb").exists():
            continue
        for keys, is_default, needs in _instances(recorded, name, in_case):
            page = Page(name, study.name, keys | dict(parameters or {}))
            if needs is not None:
                plan.not_applicable[page.id] = needs
                continue
            plan.pages.append(page)
            if is_default:
                plan.default.append(page)
    return plan


def _instances(
    recorded: _Recorded, notebook: str, in_case: set[str]
) -> Iterator[tuple[dict[str, str], bool, str | None]]:
    """Parameters of each page of a notebook, whether it is a default page, and what it needs."""
    study = recorded.study
    if notebook == RUN_REPORT:
        for run in recorded.runs:
            is_default = run.id in in_case or not (in_case or study.factor_runs)
            yield {"server": run.server, "run": run.run}, is_default, None
    elif notebook == WHAT_IF:
        names = [name for name in study.case_study if name in study.section("virtual_servers")]
        for server in study.servers:
            for name in names:
                keys = {"server": server, "virtual_server": name}
                yield keys, True, _what_if_needs(recorded, server, name)
    elif notebook.startswith(COURSE):
        yield {}, True, lesson_needs(notebook, recorded.notebooks, study, recorded.runs)
    else:
        yield {}, True, NEEDS[notebook](recorded) if notebook in NEEDS else None


def plan_pages(
    study: api.Study,
    only: str | Iterable[str] | None = None,
    *,
    server: str | None = None,
    run: str | None = None,
    notebooks: Path = ROOT / "notebooks",
    parameters: Mapping[str, Any] | None = None,
) -> list[Page]:
    """List the pages of a study.

    By default every notebook that applies once, ``run_report`` for the runs of the case study on every server (without
    a case study for all runs, unless they are those of a designed experiment), and ``what_if`` for each of its virtual
    servers on every server.

    Parameters
    ----------
    only
        A notebook (``published``), a run (``first/web-005-a``), or a pattern of page ids (``run_report/first/*``), or
        several of these; runs outside the case study can be named, too.
    server
        Only pages of this server: all of its runs, and its what-if pages.
    run
        Only the page of this run of ``server``.
    parameters
        Further parameters of every notebook.

    Raises
    ------
    ValueError
        ``only``, ``server`` or ``run`` matches no page.
    """
    plan = plan_study(study, notebooks=notebooks, parameters=parameters)
    return choose_pages(plan, study, only, server=server, run=run)


def choose_pages(
    plan: Plan,
    study: api.Study,
    only: str | Iterable[str] | None = None,
    *,
    server: str | None = None,
    run: str | None = None,
) -> list[Page]:
    """The pages of a plan that are wanted; parameters and errors as of ``plan_pages``."""
    pages, default = plan.pages, plan.default
    if server is not None:
        pages = [page for page in pages if page.parameters.get("server") == server]
        if run is not None:
            pages = [page for page in pages if page.parameters.get("run") == run]
        if not pages:
            names = sorted(
                f"{page.parameters['server']}/{page.parameters['run']}"
                for page in plan.pages
                if page.notebook == RUN_REPORT
            )
            name = server if run is None else f"{server}/{run}"
            choices = study.servers if run is None else difflib.get_close_matches(name, names)
            raise ValueError(texts.no_such_run(study.name, name, choices or names))
        default = pages
    if only is None:
        return default
    chosen: dict[str, Page] = {}
    for pattern in [only] if isinstance(only, str) else only:
        matching = [page for page in pages if _is_match(pattern, page, page in default)]
        if not matching:
            needs = [
                texts.needs(name, what)
                for name, what in plan.not_applicable.items()
                if _is_match(pattern, Page(name, study.name), True)
            ]
            raise ValueError("; ".join(needs) or texts.no_page(pattern, [p.id for p in default]))
        chosen |= {page.id: page for page in matching}
    return list(chosen.values())


def _is_match(pattern: str, page: Page, is_default: bool) -> bool:
    if pattern in (page.notebook, Path(page.notebook).name):
        return is_default
    return fnmatch.fnmatchcase(page.id, pattern) or page.id == f"{RUN_REPORT}/{pattern}"


# -- the runs of a page ----------------------------------------------------------------------------------


def runs_of(
    page: Page, study: api.Study, runs: Sequence[api.Run], *, notebooks: Path = ROOT / "notebooks"
) -> list[api.Run]:
    """The runs that a page is computed from, of all ``runs`` of its study."""
    if page.notebook == RUN_REPORT:
        key = (page.parameters["server"], page.parameters["run"])
        return [run for run in runs if (run.server, run.run) == key]
    if page.notebook in (PUBLISHED, PUBLISHED_STUDIES):
        return []
    if page.notebook.startswith(COURSE):
        named = {(server, run) for server, run, _ in roles_of_lesson(page.notebook, notebooks)}
        return [run for run in runs if (run.server, run.run) in named]
    if page.notebook == INFLUENCE:
        planned = {(run.server, run.run) for run in study.factor_runs}
        return [run for run in runs if (run.server, run.run) in planned]
    if page.notebook == COMPARE:  # replications count: runs with the same load
        case = set(study.case_study.values())
        loads = {load for run in runs if run.run in case for load in _loads(run)}
        return [run for run in runs if run.run in case or loads & set(_loads(run))]
    return list(runs)


def _loads(run: api.Run) -> list[tuple[str, Any]]:
    """The load on each virtual server, without its log and its time."""
    return [
        (name, replace(vs.workload, log=None, window=None, request=None))
        for name, vs in run.virtual_servers.items()
        if vs.workload is not None
    ]
