"""Sentences of the index page and of ``queuevisor report``: what pages need, and how many are complete."""

from __future__ import annotations

from collections.abc import Sequence

NEEDS_TWO_SERVERS = "two servers"
NEEDS_COMMON_RUN = "a run of the case study on two servers, with the same virtual server under load"
NEEDS_HELD_OUT = "held-out loads (held_out in study.json)"
NEEDS_PUBLISHED = "the paper's numbers (published/ in the folder of the raw runs)"
NEEDS_FACTORS = (
    "recorded runs of a designed experiment (factors, and levels of runs, in study.json)"
)
NEEDS_SWEEP = (
    "a closed load at four populations or more on one virtual server alone, "
    "or equal open loads on one, two or more virtual servers of the same software"
)
NEEDS_PUBLISHED_STUDIES = (
    "the numbers of other publications (published/ in the folder of the raw runs)"
)
NEEDS_PUBLISHED_NAMES = "a server and a virtual server with the names of the paper's tables"

QUESTIONS = {
    "run_report": "How much does a server do, what is full, does more load fit, and is the model right about it?",
    "what_if": "What happens under more load, on other hardware, or beside a neighbour?",
    "compare_servers": "How much better is one server than the other?",
    "validate_model": "How well does the model predict loads that it was not fitted to?",
    "published": "What does the paper print, and is it consistent?",
    "influence_factors": "Which factors change the response time and the demands, and by how much?",
    "scalability": "How does throughput grow with the threads, or with more virtual servers on the host?",
    "learned_predictor": "Does a predictor that is learned from runs do better than the queueing model?",
    "published_studies": "What have others measured under KVM, and does the model hold there?",
    "course/": "How does one learn this by hand, from raw logs to a model that is tested?",
}
"""Notebook → the question that its pages answer, in the order of the index page; the lessons are one entry."""
RUN_TABLE = "the table of runs, and the page of each run"
COURSE_TITLE = "The course"


def needs_runs(runs: Sequence[tuple[str, str, str]]) -> str:
    """Runs of a lesson are missing: server, run and virtual server of each."""
    server, run, virtual_server = runs[0]
    more = f", and {counted(len(runs) - 1, 'more run')}" if len(runs) > 1 else ""
    return f"the run {server}/{run} with {virtual_server}{more}"


def needs_fitted_run(server: str, virtual_server: str) -> str:
    """No model can be fitted to a virtual server."""
    return f"a run on {server} with a load on {virtual_server} alone that is not held out"


def needs_qemu(virtual_server: str) -> str:
    """The host's share of a virtual server is unknown: its server runs without QEMU, or was not named."""
    return f"qemu_process of {virtual_server} in run.json: the model is one of a virtual server and its host"


def needs(page: str, what: str) -> str:
    """Why a page does not apply to a study."""
    return f"{page} needs {what}"


def lessons_need(count: int) -> str:
    """Why several lessons of the course do not apply to a study."""
    return f"{count} lessons of the course need runs that the study does not have"


def no_page(pattern: str, pages: Sequence[str]) -> str:
    """Error: ``--only`` matches nothing."""
    return f"no page matches {pattern!r}; choose from {', '.join(pages) or 'none'}"


def no_such_run(study: str, name: str, choices: Sequence[str]) -> str:
    """Error: a server or run that the study does not have."""
    return f"no pages of {study}/{name}; choose from {', '.join(choices[:8]) or 'none'}"


def counted(count: int, noun: str) -> str:
    """``1 page``, ``8 pages``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def failed_lessons(count: int) -> str:
    """Lessons whose notebook failed."""
    return counted(count, "lesson")


def duration(minutes: int) -> str:
    """``45 min``, ``2 h``, ``10 h 45 min``."""
    hours, rest = divmod(minutes, 60)
    return " ".join([*([f"{hours} h"] if hours else []), *([f"{rest} min"] if rest else [])])


def status(failed: int, damaged: int, total: int, noun: str = "page") -> str:
    """How many pages failed, have problems in their input, are complete."""
    if not failed and not damaged:
        return f"{counted(total, noun)}, all complete"
    parts = [(failed, "failed"), (damaged, "with input problems")]
    counts = [f"{count:,} {what}" for count, what in parts if count]
    return f"{counted(total, noun)}: {', '.join(counts)}, {total - failed - damaged:,} complete"
