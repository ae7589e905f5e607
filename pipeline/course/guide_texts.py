"""Sentences of the instructor's guide and of the exam bank."""

from __future__ import annotations

BEFORE = "Before it, ask the class"
SURPRISE = "What happens"
QUESTIONS = (
    "In the order of the notebook. An answer within the tolerance, or rounded to three figures, is right. The numbers "
    "in the tables are what typical mistakes give on this study, with the hint that the notebook then shows."
)
OPENING = "The opening question; everybody writes the prediction down before anything is computed"
SURPRISE_STEP = "The question before the surprise, a show of hands, then the cell that shows it"
CLOSING = "What the books say; the task on a host that nobody has seen goes home"
GOOD_ANSWER = "A good answer"
NOTE = "Shown with a right answer"
RIGHT = "Right"
RIGHT_OPTION = "right"
NO_VALUE = "no value"
NOTHING = "The numbers of this study answer none of this lesson's questions without a computer."
GIVEN = "Given"
EXAM_TITLE = "Exam questions"
SOLUTIONS = "Solutions"


def printed(notebook: str, study: str) -> str:
    """Where a page comes from."""
    return (
        f"Printed by `make docs` from the questions of the lesson, with the numbers of `{study}`. "
        f"Notebook: `{notebook}` in notebooks/course."
    )


def work(count: int, minutes: float) -> str:
    """The step in which the questions are answered."""
    return f"{count} questions in pairs, {minutes:.0f} minutes each on the mean"


def predicted(value: str) -> str:
    """A prediction is not judged."""
    return f"A prediction: kept, not judged. Measured or computed: {value}."


def tolerance(relative: float) -> str:
    """How exact an answer must be."""
    return "exact" if relative == 0 else f"tolerance {relative:.2%}".replace("%", " %")


def exam_intro(study: str, command: str) -> str:
    """The beginning of the exam bank."""
    return (
        f"Questions to answer on paper, with a calculator, on the numbers of `{study}`; the solutions are at the "
        "end. The questions after the tables of given numbers are those of the lessons that need nothing else. "
        f"`{command}` prints the same for another study, such as a simulated host: a new exam each year."
    )
