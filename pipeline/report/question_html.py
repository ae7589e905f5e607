"""The questions of a lesson's page: boxes for answers, which ``templates/lesson.js`` judges in the browser.

``check`` of a lesson's notebook emits each question as data (``pipeline.course.check.QUESTION_MIME``). The script
judges as ``pipeline.course.judge`` does; what it needs of that module is handed over by ``judge_policy``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline import jsonschema_import  # noqa: F401 - before nbformat  # isort: skip
from nbformat import NotebookNode

from pipeline.course import judge, number
from pipeline.course import texts as course_texts
from pipeline.course.check import QUESTION_MIME
from pipeline.report import texts
from pipeline.report.show import json_for_script

Inline = Callable[[str], str]
"""Markdown of one line to HTML."""

_SOLVES = re.compile(r"^[ \t]*# answer[ \t]*$|\bcheck\.so_far\(", re.MULTILINE)
"""Code that shows answers: the lines of one, or the table of all."""
_ITEM = re.compile(r"\s*(?:[-*]|\d+\.) ")


def judge_policy() -> dict[str, Any]:
    """What the script needs to judge as ``judge`` does: units, tolerances, texts."""
    return {
        "scales": number.SCALES,
        "unitFactors": judge.UNIT_FACTORS,
        "slipTolerance": judge.SLIP_TOLERANCE,
        "factorTolerance": judge.FACTOR_TOLERANCE,
        "twoFigures": judge.TWO_FIGURES,
        "threeFigures": judge.THREE_FIGURES,
        "close": judge.CLOSE,
        "maxFigures": judge.MAX_FIGURES,
        "howToWrite": course_texts.HOW_TO_WRITE,
        "texts": {
            name: value
            for name, value in vars(course_texts).items()
            if name.isupper() and isinstance(value, str)
        },
    }


def with_questions(cells: Sequence[NotebookNode], inline: Inline) -> list[NotebookNode]:
    """The cells of a lesson; those with questions have their boxes in the metadata, for the template.

    ``question`` is the HTML of a cell's boxes. ``solution`` tells whether its code and output are folded. A prediction,
    and what reveals it, have none: with ``unsolved`` the code is left out, and so is the output of ``check``.
    """
    marked = []
    shown: set[tuple[str, str]] = set()
    for cell in cells:
        questions = [
            output.data[QUESTION_MIME]
            for output in cell.get("outputs", [])
            if QUESTION_MIME in output.get("data", {})
        ]
        kinds = {question["kind"] for question in questions}
        unsolved = bool(kinds) and kinds <= {"prediction", "reveal"}
        boxes = {(q["key"], "" if q["kind"] != "reveal" else "reveal"): q for q in questions}
        metadata = NotebookNode(
            cell.metadata,
            question="".join(
                question_html(question, inline)
                for name, question in boxes.items()
                if name not in shown
            ),
            unsolved=unsolved,
            solution=not unsolved
            and (
                bool(questions)
                or "solution" in cell.metadata.get("tags", [])
                or (cell.cell_type == "code" and bool(_SOLVES.search(cell.source)))
            ),
        )
        shown |= set(boxes)
        if marked and questions:
            marked[-1] = _without_choices(marked[-1], questions)
        marked.append(NotebookNode(cell, metadata=metadata))
    return marked


def _without_choices(cell: NotebookNode, questions: Sequence[Mapping[str, Any]]) -> NotebookNode:
    """The text above a box without the list of options or steps, which the box has."""
    listed = tuple(
        text for q in questions for text in (*q.get("options", {}).values(), *q.get("steps", ()))
    )
    if cell.cell_type != "markdown" or not listed:
        return cell
    lines = [
        line
        for line in cell.source.splitlines()
        if not (_ITEM.match(line) and line.rstrip().endswith(listed))
    ]
    return NotebookNode(cell, source="\n".join(lines))


def question_html(question: Mapping[str, Any], inline: Inline) -> str:
    """The box of one question, with its data for the script."""
    key = html.escape(question["key"], quote=True)
    if question["kind"] == "reveal":
        return (
            f'<p class="reveal" data-key="{key}" data-value="{html.escape(_value(question))}">'
            f"{html.escape(texts.revealed(question['key'], None, _value(question)))}</p>"
        )
    name = f"answer-{key}"
    fields = {"choice": _choice, "order": _order, "open": _open}.get(question["kind"], _number)
    button = texts.KEEP if question["kind"] in ("open", "prediction") else texts.CHECK
    return (
        f'<form class="question" data-key="{key}" data-kind="{html.escape(question["kind"])}" autocomplete="off">'
        f'<script type="application/json">{json_for_script(question)}</script>'
        f"{fields(question, name, inline)}"
        f'<p class="judged"><button type="submit">{button}</button> '
        f'<output for="{name}" aria-live="polite"></output></p></form>'
    )


def _value(question: Mapping[str, Any]) -> str:
    if question["right"] is None:
        return course_texts.NO_VALUE
    return texts.with_unit(question["right"], question["unit"])


def _number(question: Mapping[str, Any], name: str, inline: Inline) -> str:
    is_prediction = question["kind"] == "prediction"
    label = texts.PREDICTION if is_prediction else texts.ANSWER
    unit = (
        ""
        if question["unit"] == "1"
        else f' <span class="unit">{html.escape(question["unit"])}</span>'
    )
    return (
        f'<label for="{name}">{label} <code>{html.escape(question["key"])}</code></label> '
        f'<input id="{name}" spellcheck="false" autocapitalize="off">{unit}'
    )


def _choice(question: Mapping[str, Any], name: str, inline: Inline) -> str:
    options = "".join(
        f'<label><input type="radio" name="{name}" value="{html.escape(letter, quote=True)}"> '
        f"<span><b>{html.escape(letter)}</b> {inline(text)}</span></label>"
        for letter, text in question["options"].items()
    )
    return f'<fieldset id="{name}">{_legend(question)}{options}</fieldset>'


def _order(question: Mapping[str, Any], name: str, inline: Inline) -> str:
    steps = "".join(
        f'<li data-step="{html.escape(step, quote=True)}"><span>{inline(step)}</span> '
        f"{_move('up', '↑', texts.EARLIER, step)}{_move('down', '↓', texts.LATER, step)}</li>"
        for step in question["steps"]
    )
    return f'<fieldset id="{name}">{_legend(question)}<ol>{steps}</ol></fieldset>'


def _move(direction: str, arrow: str, label: str, step: str) -> str:
    label = html.escape(f"{label}: {step}", quote=True)
    return f'<button type="button" class="{direction}" aria-label="{label}">{arrow}</button>'


def _open(question: Mapping[str, Any], name: str, inline: Inline) -> str:
    label = f"{texts.ANSWER} <code>{html.escape(question['key'])}</code>"
    return f'<label for="{name}">{label}</label> <textarea id="{name}" rows="4"></textarea>'


def _legend(question: Mapping[str, Any]) -> str:
    return f"<legend>{texts.ANSWER} <code>{html.escape(question['key'])}</code></legend>"
