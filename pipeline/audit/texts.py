"""Sentences of the auditor."""

from __future__ import annotations

UNKNOWN = "unknown name"
NO_CHECK = "no check uses it"
NOTHING_TO_CHECK = (
    "no check can be made: the columns that it needs are not there or have no unit; "
    "name them as in docs/how-to/audit-a-table.md, or give --column 'NAME=R_ms'"
)
LEDGER_HAS_ITS_NAMES = "a ledger has its own names and values: leave --column and --set out"


def unknown(nearest: str) -> str:
    """A name that is like one of the vocabulary."""
    return f"{UNKNOWN}; like {nearest}"


def no_unit(example: str) -> str:
    """A time or a rate without a unit."""
    return f"its unit is missing; name it for example {example}"


def wrong_unit(quantity: str, unit: str) -> str:
    """A unit that the quantity cannot have."""
    return f"{quantity} cannot be in {unit}"


def same_quantity(first: str) -> str:
    """A second column of the same quantity."""
    return f"the same quantity as {first}, which is checked"


def not_a_number(path: str, line: int, column: str, text: str) -> str:
    """Error: text in a column of numbers."""
    shown = text if len(text) <= 40 else text[:40] + "…"
    return f"{path}:{line}: column {column!r}: a number is expected, not {shown!r}"


def no_such_column(name: str, names: list[str]) -> str:
    """Error: ``--column`` names a column that the table does not have."""
    return f"--column: the table has no column {name!r}; it has {', '.join(names)}"


def bad_assignment(option: str, text: str) -> str:
    """Error: an option without its equals sign."""
    return f"{option} {text!r}: use {option} 'NAME=VALUE'"


def bad_name(option: str, name: str, reason: str) -> str:
    """Error: a name that the vocabulary does not have."""
    return f"{option}: {name!r}: {reason}"


def bad_number(option: str, name: str, text: str) -> str:
    """Error: a value that is not a number."""
    return f"{option} {name}: {text!r} is not a number"


def no_common_column(first: str, second: str) -> str:
    """Error: two tables without a column in common."""
    return f"{second}: no column in common with {first}"


def not_unique(path: str, columns: str) -> str:
    """Error: two rows of the joined table for one of the first."""
    return f"{path}: several rows with the same {columns}"


def ledger_without_choices(column: str) -> str:
    """Error: rows of a ledger with the same key."""
    return f"rows of the ledger differ in a column that is not there ({column}); export it with all columns"


def unit_factor(text: str) -> str:
    """A ratio of two sides that is a ratio of units."""
    return f"units: the sides differ by {text}"


def percent(name: str) -> str:
    """A utilization above 1 without a unit."""
    return f"name it {name}_percent if it is a percentage; divide it by the number of servers if it counts busy ones"


def summary(height: int, checks: int, findings: int, rows: int) -> str:
    """What was checked, and what was not in order."""

    def count(number: int, noun: str) -> str:
        return f"{number:,} {noun}{'' if number == 1 else 's'}"

    result = f"{count(findings, 'finding')} in {count(rows, 'row')}" if findings else "no finding"
    return f"{count(height, 'row')}, {count(checks, 'check')}: {result}"
