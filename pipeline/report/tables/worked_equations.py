"""The equations with a run's numbers, as LaTeX: formula, numbers, result."""

from __future__ import annotations

import re

from pipeline.api import CATALOGUE, CORRECTED, KEPT, VARIANTS, Entry, LedgerView, RunData
from pipeline.units import format_short

_SYMBOL = re.compile(r"<(?P<symbol>\w+)(?P<kept>:kept)?>")


def equation_rows(data: RunData, virtual_server: str) -> list[tuple[str, str, str, str]]:
    """The equations (1) to (10) and that of section IV with the numbers of one virtual server.

    Each row: the equation's number, its formula, and numbers and result of the two variants, all as LaTeX. A quantity
    that is counted has its symbol as formula. A corrected variant with another formula is a row of its own.
    """
    numbers = LedgerView(data.ledger, virtual_server)
    rows = []
    for equation in ORDER:
        for entry in CATALOGUE.values():
            if entry.equation != equation or not entry.shown or entry.symbol in INPUTS:
                continue
            number = {"6": "4–6", "8": "7, 8"}.get(equation, equation)
            printed, corrected = (_worked(entry, numbers, variant) for variant in VARIANTS)
            if equation == "8":  # as printed, its numbers show what the share is
                rows.append((number, _named(entry, entry.corrected), printed, corrected))
            elif entry.corrected and not corrected.endswith(MVA):
                name = f"{entry.latex}'" if f"<{entry.symbol}:kept>" in entry.corrected else ""
                rows.append((number, _named(entry, entry.formula), printed, ""))
                rows.append((number, _named(entry, entry.corrected, name), "", corrected))
            else:
                rows.append((number, _named(entry, entry.formula), printed, corrected))
    return rows


def equations_markdown(data: RunData, virtual_server: str) -> str:
    """:func:`equation_rows` as a Markdown table."""
    lines = [
        f"| ({number}) ${formula}$ | {' | '.join(side and f'${side}$' for side in sides)} |"
        for number, formula, *sides in equation_rows(data, virtual_server)
    ]
    return "\n".join([f"| equation | {' | '.join(VARIANTS)} |", "|---|---|---|", *lines])


INPUTS = (
    *("lambda_total", "T", "T_vdisk", "T_disk"),
    *("share_vdisk", "share_disk", "X_vdisk_total", "X_disk_total"),
)
"""Quantities that stand within other equations only."""
ORDER = ("1", "2", "3", "6", "8", "9", "10", "IV")
"""Equations 4 and 5 are the terms of 6, and 7 is a term of 8."""


def _named(entry: Entry, formula: str, name: str = "") -> str:
    """A formula in symbols after the quantity's own symbol, or that alone."""
    name = name or entry.latex
    symbols = _SYMBOL.sub(_latex_name, formula)
    if entry.equation == "6":  # terms of the same disk
        symbols = re.sub(r"_\{[^{}]*\}", "", symbols)
    return f"{name} = {symbols}" if formula else name


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


MVA = r"\text{(MVA)}"


def _worked(entry: Entry, numbers: LedgerView, variant: str) -> str:
    """Numbers in the formula of a variant, and the result; without the numbers where they add nothing."""
    row = numbers.of_equation(entry, variant) or {"value": None, "equation": None}
    value = _number(entry, row["value"])
    if row["equation"] == "MVA":
        return rf"{value}\;{MVA}"
    formula = entry.corrected if variant == CORRECTED and entry.corrected else entry.formula

    def number(match: re.Match[str]) -> str:
        symbol = match["symbol"]
        if match["kept"]:
            of_it = numbers.row(symbol, background=KEPT)
        else:
            of_it = numbers.row(symbol, variant)
            if of_it.get("equation") == "MVA":  # a result of the closed model enters no equation
                of_it = numbers.row(symbol)
        return _number(CATALOGUE[symbol], of_it["value"])

    in_numbers = _without_fractions(_SYMBOL.sub(number, formula))
    is_net_of_itself = f"<{entry.symbol}:kept>" in formula  # its background is no row of the ledger
    if is_net_of_itself or not _SYMBOL.search(formula):
        return value
    units = set(_UNIT.findall(in_numbers))
    if len(units) == 1 and units >= set(_UNIT.findall(value)):
        in_numbers = _UNIT.sub("", in_numbers)  # one unit, that of the result: stated once
    return f"{in_numbers} = {value}"


_UNIT = re.compile(r"\\,\\text\{[^}]*\}")


# -- numbers in LaTeX ------------------------------------------------------------------------------------


def _number(entry: Entry, value: float | None) -> str:
    """A value with its unit: times per request in ms, bytes in MB."""
    unit, factor = {
        "s": ("ms", 1e3) if entry.symbol[:2] in ("R_", "D_") else ("s", 1.0),
        "bytes": ("MB", 1e-6),
        "requests/s": ("/s", 1.0),
        "operations/s": ("/s", 1.0),
    }.get(entry.unit, ("", 1.0))
    text = format_short(None if value is None else value * factor)
    if text == "–":
        return "?"
    text = re.sub(r"e([+-])0*(\d+)", lambda m: rf"\cdot 10^{{{m[1].lstrip('+')}{m[2]}}}", text)
    return text.replace(",", "{,}") + (rf"\,\text{{{unit}}}" if unit else "")
