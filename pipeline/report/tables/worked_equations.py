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


def _line(entry: Entry, numbers: LedgerView, variant: str) -> str:
    row = numbers.of_equation(entry, variant) or {"value": None, "equation": None}
    value = _number(entry, row["value"])
    if row["equation"] == "MVA":
        return rf"{entry.latex} = {value} \quad\text{{(mean value analysis)}}"
    formula = entry.corrected if variant == CORRECTED and entry.corrected else entry.formula

    def number(match: re.Match[str]) -> str:
        symbol = match["symbol"]
        of_it = (
            numbers.row(symbol, background=KEPT) if match["kept"] else numbers.row(symbol, variant)
        )
        return _number(CATALOGUE[symbol], of_it["value"])

    in_names = _SYMBOL.sub(lambda match: CATALOGUE[match["symbol"]].latex, formula)
    in_numbers = _SYMBOL.sub(number, formula)
    steps = dict.fromkeys((in_names, in_numbers, value))
    # the background is taken off the quantity itself
    name = "" if f"<{entry.symbol}:kept>" in formula else f"{entry.latex} = "
    return name + " = ".join(steps)


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
