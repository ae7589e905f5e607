"""What a lesson asks: questions with computed right answers and computed slips, and the lesson that holds them.

Everything here is data. A right answer and a slip are functions of a :class:`pipeline.course.given.Given`, so that one
table of questions holds for the recorded study and for any simulated host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.course.given import Given

Value = Callable[["Given"], float]
"""A number computed from what is given; raises ``NoValue`` where a run has none."""

Slip = tuple[Value, str]
"""The value that a wrong method gives, and a hint that names the method."""

THREE_FIGURES = 0.005
"""Relative tolerance of an answer: it is right to three significant figures."""


@dataclass(frozen=True)
class Question:
    """A number that a lesson asks for.

    Examples
    --------
    >>> Question("U", "Utilization of the disk", lambda g: g.value("B") / g.value("T"), unit="1").tolerance
    0.005
    """

    key: str
    """The textbook's symbol: ``X``, ``D_vdisk``."""
    ask: str
    """The question, word for word as in the notebook; without numbers of a host."""
    right: Value
    unit: str = "s"
    """Of the right answer: ``s``, ``1/s``, ``B``, ``1`` for a ratio or a number."""
    tolerance: float = THREE_FIGURES
    """Largest relative error of a right answer; 0 for a count."""
    slips: tuple[Slip, ...] = ()
    needs: tuple[str, ...] = ()
    """Keys of earlier questions that ``right`` takes by ``Given.answer``."""
    note: str = ""
    """Shown with a right answer."""
    points: int = 1


@dataclass(frozen=True)
class Choice:
    """A question with lettered options, and the reason why each of the others is wrong."""

    key: str
    ask: str
    options: Mapping[str, str]
    right: str
    reasons: Mapping[str, str]
    note: str = ""
    points: int = 1


@dataclass(frozen=True)
class Order:
    """Steps that are to be put into their order."""

    key: str
    ask: str
    steps: tuple[str, ...]
    """In the right order."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Step → why it can stand neither earlier nor later."""
    note: str = ""
    points: int = 1


@dataclass(frozen=True)
class OpenQuestion:
    """A question that is answered by a text; kept for the teacher, not judged."""

    key: str
    ask: str
    answer: str
    """What a good answer contains; printed in the instructor's guide only."""
    points: int = 1


@dataclass(frozen=True)
class Prediction:
    """A number that is estimated before it is computed; kept, shown again later, not judged."""

    key: str
    ask: str
    right: Value
    unit: str = "s"


AnyQuestion = Question | Choice | Order | OpenQuestion | Prediction


@dataclass(frozen=True)
class Quantity:
    """A number that a lesson gives."""

    symbol: str
    value: Value
    unit: str
    meaning: str


@dataclass(frozen=True)
class Lesson:
    """One lesson: its runs, what it gives, what it asks, and what its teacher needs."""

    number: int
    name: str
    """File name of its notebook: ``02_three_laws``."""
    title: str
    opening: str
    """The question that the lesson begins with."""
    minutes: int
    outcomes: tuple[str, ...]
    runs: Mapping[str, str]
    """Role → ``server/run/virtual server``."""
    quantities: tuple[Quantity, ...]
    questions: tuple[AnyQuestion, ...]
    """In the order of the notebook."""
    surprise: str
    before_surprise: str
    """What the teacher asks before it."""
    stuck: str
    """What to do if a group is stuck."""
    books: tuple[str, ...]
    exam: tuple[tuple[str, str], ...]
    """Questions and answers."""
    families: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name → runs of a family, in order."""

    def question(self, key: str) -> AnyQuestion:
        """The question of that key.

        Raises
        ------
        KeyError
            The lesson has none.
        """
        return next((q for q in self.questions if q.key == key), None) or self._unknown(key)

    def _unknown(self, key: str) -> AnyQuestion:
        raise KeyError(f"lesson {self.number} asks no {key!r}")
