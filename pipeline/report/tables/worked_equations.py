"""The equations with a run's numbers, as LaTeX: formula, numbers, result."""

from __future__ import annotations

import re

from pipeline.api import CATALOGUE, CORRECTED, KEPT, VARIANTS, Entry, LedgerView, RunData
from pipeline.units import format_short

_SYMBOL = re.compile(r"<(?P<symbol>\w+)(?P<kept>:kept)?>")


def worked(data: RunData, equation: str) -> list[tuple[str, str]]:
    """(label, LaTeX with numbers) for each loaded virtual server, variant and quantity of an equation.

    ``equation``: one of the paper's (1 to 10, or IV). A missing number is a question mark; the table of the equation
    gives the reason. Raises ``ValueError`` for an equation without a formula.
    """
    entries = [e for e in CATALOGUE.values() if e.equation == equation and e.formula]
    if not entries:
        raise ValueError(f"equation {equation} has no line of its own")
    lines = []
    for vs in data.loaded:
        numbers = LedgerView(data.ledger, vs.name)
        for variant in VARIANTS:
            for entry in entries:
                disk = next((d for d in ("vdisk", "disk") if f"_{d}" in entry.symbol), "")
                where = {"vdisk": "guest disk", "disk": "host disk"}.get(disk, "")
                name = vs.name if len(data.loaded) > 1 else ""
                label = ", ".join(filter(None, (name, variant, where)))
                lines.append((label, _line(entry, numbers, variant)))
    return lines


def equation_rows(data: RunData, virtual_server: str) -> list[tuple[str, str, str, str]]:
    """The equations (1) to (10) and that of section IV with the numbers of one virtual server, a row per quantity.

    Each row: the equation's number, its formula as LaTeX, and numbers and result of the two variants as LaTeX. A
    quantity that is counted has its symbol as formula. Where the corrected variant has another formula, its cell begins
    with it.
    """
    numbers = LedgerView(data.ledger, virtual_server)
    rows = []
    for entry in CATALOGUE.values():
        if not (entry.shown and entry.is_of_the_paper) or entry.symbol in INPUTS:
            continue
        sides = []
        for variant in VARIANTS:
            names, *steps = _steps(entry, numbers, variant)
            is_other = variant == CORRECTED and bool(entry.corrected) and len(steps) > 1
            sides.append(" = ".join([names, *steps] if is_other else steps))
        formula = _SYMBOL.sub(_latex_name, entry.formula)
        rows.append(
            (
                entry.equation,
                f"{entry.latex} = {formula}" if formula else entry.latex,
                *(_without_fractions(side) for side in sides),
            )
        )
    return sorted(rows, key=lambda row: ORDER.index(row[0]))


def equations_markdown(data: RunData, virtual_server: str) -> str:
    """:func:`equation_rows` as a Markdown table."""
    lines = [
        f"| ({number}) | ${formula}$ | {' | '.join(f'${side}$' for side in sides)} |"
        for number, formula, *sides in equation_rows(data, virtual_server)
    ]
    return "\n".join([f"| | formula | {' | '.join(VARIANTS)} |", "|---|---|---|---|", *lines])


INPUTS = (
    *("lambda_total", "T", "T_vdisk", "T_disk"),
    *("share_vdisk", "share_disk", "X_vdisk_total", "X_disk_total"),
)
"""Quantities that stand within other equations only."""
ORDER = (*map(str, range(1, 11)), "IV")


def _latex_name(match: re.Match[str]) -> str:
    return CATALOGUE[match["symbol"]].latex


_GROUP = r"\{((?:[^{}]|\{[^{}]*\})*)\}"
_FRACTION = re.compile(rf"\\frac{_GROUP}{_GROUP}")


def _without_fractions(latex: str) -> str:
    """``\\frac{a}{b - c}`` as ``a / (b - c)``, so that a row of a table stays low."""

    def flat(match: re.Match[str]) -> str:
        below = match[2]
        return f"{match[1]} / ({below})" if re.search(r" [-+] ", below) else f"{match[1]} / {below}"

    return _FRACTION.sub(flat, latex)


def _line(entry: Entry, numbers: LedgerView, variant: str) -> str:
    names, *steps = _steps(entry, numbers, variant)
    if len(steps) == 1 and steps[0].endswith(MVA):
        return f"{entry.latex} = {steps[0]}"
    formula = entry.corrected if variant == CORRECTED and entry.corrected else entry.formula
    # the background is taken off the quantity itself
    name = "" if f"<{entry.symbol}:kept>" in formula else f"{entry.latex} = "
    return name + " = ".join(dict.fromkeys((names, *steps)))


MVA = r"\quad\text{(mean value analysis)}"


def _steps(entry: Entry, numbers: LedgerView, variant: str) -> list[str]:
    """Formula, numbers in it, and result of an equation in a variant; without the numbers where they add nothing."""
    row = numbers.of_equation(entry, variant) or {"value": None, "equation": None}
    value = _number(entry, row["value"])
    formula = entry.corrected if variant == CORRECTED and entry.corrected else entry.formula
    names = _SYMBOL.sub(_latex_name, formula)
    if row["equation"] == "MVA":
        return [names, f"{value} {MVA}"]

    def number(match: re.Match[str]) -> str:
        symbol = match["symbol"]
        if match["kept"]:
            row = numbers.row(symbol, background=KEPT)
        else:
            row = numbers.row(symbol, variant)
            if row.get("equation") == "MVA":  # a result of the closed model enters no equation
                row = numbers.row(symbol)
        return _number(CATALOGUE[symbol], row["value"])

    in_numbers = _SYMBOL.sub(number, formula)
    return [names, value] if in_numbers in (names, value, "") else [names, in_numbers, value]


# -- numbers in LaTeX ------------------------------------------------------------------------------------


def _number(entry: Entry, value: float | None) -> str:
    """A value with its unit: times per request in ms, bytes in MB."""
    unit, factor = {
        "s": ("ms", 1e3) if entry.symbol[:2] in ("R_", "D_") else ("s", 1.0),
        "bytes": ("MB", 1e-6),
        "requests/s": ("/s", 1.0),
        "operations/s": ("/s", 1.0),
    }.get(entry.unit, ("", 1.0))
    text = format_short(None if value is None else value * factor, 4)
    if text == "–":
        return "?"
    text = re.sub(r"e([+-])0*(\d+)", lambda m: rf"\cdot 10^{{{m[1].lstrip('+')}{m[2]}}}", text)
    return text.replace(",", "{,}") + (rf"\,\text{{{unit}}}" if unit else "")
