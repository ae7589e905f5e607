"""How Jupyter shows a study and a run: a short table; every text is escaped, because names come from files."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import polars as pl

from pipeline.api import texts
from pipeline.measure.clients import client_result
from pipeline.measure.virtual_server import value_or_reason
from pipeline.units import format_short

if TYPE_CHECKING:
    from pipeline.api.run import RunData
    from pipeline.api.study import StudyData


def study_html(data: StudyData) -> str:
    """Title of the study, and its number of runs by server and kind of load."""
    runs = data.runs
    counts = (
        runs.with_columns(kind=pl.col("kind").fill_null(texts.SEVERAL_LOADS))
        .group_by("server", "kind", maintain_order=True)
        .agg(runs=pl.len(), held_out=pl.col("held_out").sum(), problems=pl.col("problems").sum())
    )
    rows = [[str(value) for value in row] for row in counts.iter_rows()]
    title = f"{data.study.title} ({data.study.name})"
    return _table(title, texts.study_extent(runs.height), texts.STUDY_HEADINGS, rows)


def run_html(data: RunData) -> str:
    """Each load of the run with R and X as its client measured them; the model's usability where it was computed."""
    usable: dict[str, str] = {}
    if "model_results" in vars(data):  # computing it takes seconds
        usable = dict(data.model_results.select("virtual_server", "usable").iter_rows())
    rows = []
    for vs in data.loaded:
        result = value_or_reason(lambda vs=vs: client_result(data.counters(vs.name).client()))
        response, rate = "–", "–"
        if not isinstance(result, str):
            if result.response_time_mean_s is not None:
                response = f"{format_short(1e3 * result.response_time_mean_s)} ms"
            if result.throughput_per_s is not None:
                rate = f"{format_short(result.throughput_per_s)} /s"
        load = texts.workload_text(vs.workload)
        rows.append([data.title(vs.name), load, response, rate, usable.get(vs.name, "–")])
    window = data.run.window
    length = "" if window is None else texts.run_length(window.duration_s)
    return _table(data.run.id, length, texts.RUN_HEADINGS, rows)


def _table(title: str, below: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in headings)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows
    )
    return (
        f"<p><strong>{escape(title)}</strong>{escape(below)}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
