"""The table of equations: numbers of the ledger, in both variants, with their units."""

import re

import pytest

from pipeline import api
from pipeline.report.tables.worked_equations import equation_rows, equations_markdown
from pipeline.units import format_short


@pytest.fixture(scope="module")
def data(known) -> api.RunData:
    return api.open_run(known.run.path, processed=known.processed)


@pytest.fixture(scope="module")
def name(data) -> str:
    return data.loaded[0].name


def number(latex: str) -> float:
    """The number after the last equality sign."""
    return float(re.search(r"-?[\d.,{}]+", latex.split("=")[-1])[0].replace("{,}", ""))


def test_every_equation_has_a_row(data, name):
    numbers = [row[0] for row in equation_rows(data, name)]
    assert list(dict.fromkeys(numbers)) == ["1", "2", "3", "4–6", "7, 8", "9", "10", "IV"]


def test_results_are_the_ledger_s(data, name):
    view = api.LedgerView(data.ledger, name)
    rows = equation_rows(data, name)
    for symbol, latex, factor, unit in (
        ("R_cpu", "R_{cpu}", 1e3, "ms"),
        ("D_disk_req", "D_{disk,req}", 1e3, "ms"),
        ("X_req", "X_{req}", 1.0, "/s"),
        ("IO_disk_total", "IO_{disk,total}", 1e-6, "MB"),
        ("R_req", "R_{req}", 1e3, "ms"),
    ):
        own = [row for row in rows if row[1].startswith(f"{latex} ")]
        for column, variant in ((2, api.AS_PRINTED), (3, api.CORRECTED)):
            (shown,) = [row[column] for row in own if row[column]]
            row = view.of_equation(api.CATALOGUE[symbol], variant)
            assert format_short(number(shown)) == format_short(
                float(format_short(row["value"] * factor).replace(",", ""))
            ), symbol
            assert rf"\text{{{unit}}}" in shown


def test_the_numbers_of_equation_9_give_its_result(data, name):
    """Corrected: the disk's utilization over the measured throughput, also of a closed load."""
    for row in equation_rows(data, name):
        if row[0] == "9" and row[3]:
            above, below = (number(part) for part in row[3].split("=")[0].split(" / "))
            assert 1e3 * above / below == pytest.approx(number(row[3]), rel=0.02)


def test_it_is_a_table_of_three_columns(data, name):
    lines = equations_markdown(data, name).splitlines()
    assert len(lines) == 2 + len(equation_rows(data, name))
    assert {line.count("|") for line in lines} == {4}
