"""The course: ten lessons with checked answers.

:mod:`question` what a lesson asks, as data; :mod:`lessons` the ten
:mod:`given` what right answers are computed from; :mod:`runs` the table of all runs; :mod:`hosts` simulated hosts
:mod:`number` answers as people write them; :mod:`judge` the verdict; :mod:`check` what notebooks call
:mod:`session` a lesson opened on a study
:mod:`blanks`, :mod:`student` the student's copy of a solved notebook

Notebooks use ``open_lesson``. Short, because it only imports that, and when it is first used: reports need no IPython.
"""

from __future__ import annotations

from typing import Any

__all__ = ["open_lesson"]


def __getattr__(name: str) -> Any:
    if name == "open_lesson":
        from pipeline.course.session import open_lesson

        return open_lesson
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
