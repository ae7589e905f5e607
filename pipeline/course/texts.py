"""What the course says to a student: verdicts, hints that hold for every question, and errors."""

from __future__ import annotations

BLANK = "replace the three dots by your answer and run the cell again"
UNCHECKED = "this host has no value here, so the answer is not checked"
RIGHT = "right"
NOT_YET = "not yet"
NOT_FINITE = "that is not a finite number; was something divided by zero?"

MILLISECONDS = "1,000 times the right answer: milliseconds; the answer is in seconds"
MICROSECONDS = "1,000,000 times the right answer: microseconds; the answer is in seconds"
NANOSECONDS = "1,000,000,000 times the right answer: nanoseconds; the answer is in seconds"
DIVIDED_1000 = "1/1,000 of the right answer: it was in seconds already"
PERCENT = "100 times the right answer: a percentage; the answer is a ratio"
DIVIDED_100 = "1/100 of the right answer: it was a ratio already"
TIMES_1000 = "1,000 times the right answer: a time in milliseconds was used as seconds"
DIVIDED_1000_1 = "1/1,000 of the right answer: a time in milliseconds was used as seconds"
PER_MILLISECOND = "1/1,000 of the right answer: per millisecond; the answer is per second"
PER_MINUTE = "60 times the right answer: per minute; the answer is per second"
SECTORS = "1/512 of the right answer: sectors; a sector has 512 bytes"
TIMES_512 = "512 times the right answer: it was in bytes already"
SECTORS_4096 = "8 times the right answer: /sys/block counts sectors of 512 bytes, not of 4,096"
KIBIBYTES = "1/1,024 of the right answer: KiB; the answer is in bytes"
TIMES_1024 = "1,024 times the right answer: K was applied twice"
KILO = "1,000 and 1,024 were exchanged: K of iotop is 1,024 bytes"
MEGABYTES = "1/1,000,000 of the right answer: MB; the answer is in bytes"
NEGATIVE = "the negative of the right answer: a growth is after minus before"
TWICE = "twice the right answer: is a part included two times?"
HALF = "half of the right answer: is one of two parts missing?"
RECIPROCAL = "the reciprocal of the right answer: the quotient is upside down"
COMPLEMENT = "1 minus the right answer: the other part of the whole"

HOW_TO_WRITE = {
    "s": "12.5 ms or 0.0125",
    "1": "0.529 or 52.9 %",
    "1/s": "14.6",
    "B": "22,487,040 or 21.4 MiB",
}
"""Unit → examples of how a number may be written."""


def not_a_number(unit: str) -> str:
    """An answer that cannot be read."""
    return f"a number is expected, such as {HOW_TO_WRITE.get(unit, '12.5')}"


def not_a_number_type(name: str) -> str:
    """An answer of another type."""
    return f"a number is expected, not {name}"


def not_yet(hint: str) -> str:
    """A wrong answer with its hint."""
    return hint if hint == NOT_YET else f"{NOT_YET}: {hint}"


def exactly(number: str) -> str:
    """The exact value after a rounded right answer."""
    return f"; exactly {number}"


def follows_from(key: str) -> str:
    """An error carried forward."""
    return f"this follows from your {key}, which is not right yet; correct that first"


def and_also(hint: str, unit: str) -> str:
    """A slip in another unit."""
    return f"{hint}; and in another unit: {unit}"


def given_number(symbol: str, meaning: str, unit: str) -> str:
    """The answer is a given number."""
    return f"that is {symbol}, {meaning}{'' if unit == '1' else f' ({unit})'}"


def other_answer(key: str) -> str:
    """The answer is that of another question."""
    return f"that is {key}, the answer to another question"


def combination(formula: str) -> str:
    """The answer is a product or quotient of two numbers of the lesson."""
    return f"that is {formula}"


def close(relative: float) -> str:
    """An answer that is near the right one."""
    return f"close, {abs(relative):.1%} too {'large' if relative > 0 else 'small'}".replace(
        "%", " %"
    )


def ratio(times: float) -> str:
    """An answer that resembles nothing."""
    return f"{times:.3g} times the right answer"


def unchosen(letters: str) -> str:
    """A choice that is no option."""
    return f"choose one of {letters}"


def out_of_place(step: str, reason: str) -> str:
    """The first step of an order that is out of place."""
    return f"{step!r} does not stand there" + (f": {reason}" if reason else "")


ORDER_IS_NOT_THE_STEPS = "give each of the steps once"
KEPT = "kept"
"""Of a prediction or a text."""
NO_PREDICTION = "no prediction"
NO_VALUE = "no value on this host"


def prediction(key: str, own: str, value: str) -> str:
    """A prediction beside the value."""
    return f"{key}: you predicted {own}; it is {value}"


def unknown_question(key: str, keys: list[str]) -> str:
    """A key that the lesson does not have."""
    return f"no such question: {key!r}; choose from {', '.join(keys)}"


def unmatched_marks(source: str) -> str:
    """``# answer`` without ``# end``, or the reverse."""
    return f"`# answer` and `# end` do not match:\n{source}"


def answer_without_use(body: str) -> str:
    """An answer of which nothing is read afterwards."""
    return f"nothing that this answer assigns is read afterwards:\n{body}"


# -- simulated hosts for a class

HOST_TITLE = "A simulated host for one student"
SERVER_TITLES = {
    "first": "The stronger server, simulated",
    "second": "The weaker server, simulated",
}


def no_load_in_name(run: str) -> str:
    """A run of a lesson whose name says no load that a host can be simulated with."""
    return (
        f"run {run!r}: the name says no load; expected web-026-poisson-3, db-16-a or both-005-16-a"
    )


def unsafe_study_name(name: str) -> str:
    """A folder whose name cannot be that of a study."""
    return f"{name!r} is not a valid name of a study: use letters, digits, ., _ and -"


def folder_not_empty(folder: object) -> str:
    """A folder that has something in it already."""
    return f"{folder} exists and is not empty; choose a new folder"


def inside_handout(teacher: object, out: object) -> str:
    """The teacher's folder would be handed out."""
    return f"{teacher} is inside {out}, which is handed out; choose another folder for the teacher"


NO_NAMES = "no names: a class needs at least one"


def repeated_name(name: str) -> str:
    """A name that is twice in the list of a class."""
    return f"{name!r} is in the list of names more than once"
