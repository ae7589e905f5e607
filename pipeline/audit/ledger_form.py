"""The ledger's long form (``queuevisor ledger --format csv``): each equation against the rows of its inputs.

A value may depend on choices (catalogue): the inputs of a row are those with the same choices. Values of the closed
model (equation MVA) are no value of an equation, and are lhs out. The equations are compared by value: low and high
of a result follow from those of its inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import equations as eq
from pipeline.audit import texts
from pipeline.audit.columns import AuditError, Columns, Values, read_numbers
from pipeline.audit.result import Audit, evaluate
from pipeline.audit.rules import AT_MOST_1, Rule, Side
from pipeline.audit.vocabulary import Key
from pipeline.ledger.catalogue import AS_PRINTED, CATALOGUE, CHOICES, KEPT, SERVICE
from pipeline.tables.read_csv import CsvTexts

Array = NDArray[np.float64]

REQUIRED = ("quantity", "value", "unit")
KEYS = ("study", "server", "run", "virtual_server")
MVA = "MVA"
PER_SUBJECT = ("T_cpu_process", "IO_vdisk_task", "IO_disk_task")
"""Quantities with one row per process or task."""
LINE = "line in the file"


@dataclass(frozen=True)
class Equation:
    """``result`` = ``function`` of ``inputs``, for rows with the choices ``only``.

    ``fixed``: input → choices that it has whatever those of the result. ``function`` gets the result's choices as
    keywords if ``choices`` says so.
    """

    result: str
    inputs: tuple[str, ...]
    function: Callable[..., Any]
    formula: str
    only: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, dict[str, str]] = field(default_factory=dict)


def is_ledger(table: CsvTexts) -> bool:
    """Whether a table has the ledger's long form: its columns, and one of its quantities."""
    has_columns = set(REQUIRED) <= set(table.frame.columns)
    return has_columns and table.frame["quantity"].is_in(list(CATALOGUE)).any()


def audit_ledger(table: CsvTexts, tolerance: float) -> Audit:
    """Check a ledger in long form.

    Raises
    ------
    AuditError
        If two rows differ in a column that the table does not have.
    TableError
        If a value is not a number.
    """
    rows = _read(table)
    total = Audit(rows.height)
    parts = [
        evaluate(columns, rules, tolerance)
        for columns, rules in (*_equations(rows), *_bounds(rows))
        if columns.height
    ]
    total.count = sum(part.count for part in parts)
    total.row_count = pl.concat(part.findings["line"] for part in parts).n_unique()
    total.findings = pl.concat([total.findings, *(part.findings for part in parts)])
    total.checks = pl.concat([total.checks, *(part.checks for part in parts)])
    read_as = dict.fromkeys((*KEYS, *CHOICES), "key") | {
        name: name for name in (*REQUIRED, "low", "high", "equation")
    }
    total.columns = pl.DataFrame(
        [(name, read_as.get(name, ""), "") for name in table.frame.columns],
        schema=total.columns.schema,
        orient="row",
    )
    return total


def _read(table: CsvTexts) -> pl.DataFrame:
    """Rows with a value, as ``value``, ``half`` (of the last printed digit), ``low``, ``high``, keys and choices."""
    frame = table.frame
    value, half = read_numbers(table, "value", is_count=False)
    bounds = [
        read_numbers(table, name, is_count=False)[0] if name in frame.columns else np.full(frame.height, np.nan)
        for name in ("low", "high")
    ]  # fmt: skip
    optional = [*KEYS, *CHOICES, "equation", "subject", "variant"]
    rows = frame.select(
        "quantity", "unit",
        *(name if name in frame.columns else pl.lit(None, pl.String).alias(name) for name in optional),
    ).with_columns(
        table.lines.alias(LINE), pl.Series("value", value), pl.Series("half", half),
        pl.Series("low", bounds[0]), pl.Series("high", bounds[1]),
    )  # fmt: skip
    is_exact = pl.col("unit").is_in(["requests", "bytes", "operations"]) & (pl.col("value") % 1 == 0)  # fmt: skip
    return rows.filter(pl.col("value").is_finite()).with_columns(
        pl.when(is_exact).then(0.0).otherwise("half").alias("half")
    )


def _share_of(demand: str) -> dict[str, str]:
    """Choice ``demand`` of equation 8 for one of equation 9."""
    return {"demand": SERVICE if demand == SERVICE else AS_PRINTED}


def _all_equations() -> Iterator[Equation]:
    yield Equation("X_req", ("lambda_total", "T"), eq.throughput, "X_req = lambda_total / T")
    yield Equation(
        "R_cpu", ("T_cpu", "lambda_total"), eq.cpu_residence_time, "R_cpu = T_cpu / lambda_total"
    )
    yield Equation(
        "D_qemu",
        ("T_qemu", "lambda_total"),
        eq.cpu_residence_time,
        "D_qemu = T_qemu / lambda_total",
    )
    yield Equation("U_qemu", ("T_qemu", "T"), eq.ratio, "U_qemu = T_qemu / T")
    yield Equation("N_client", ("X_client", "R_client"), np.multiply, "N_client = X_client R_client")  # fmt: skip
    for d in ("vdisk", "disk"):
        u_total, u_req, share, demand = f"U_{d}_total", f"U_{d}_req", f"share_{d}", f"D_{d}_req"
        yield Equation(u_total, (f"T_{d}", "T"), eq.disk_utilization, f"{u_total} = T_{d} / T")
        reads, writes, both = (f"{what}_{d}_total" for what in ("Read", "Write", "IO"))
        yield Equation(both, (reads, writes), np.add, f"{both} = {reads} + {writes}")
        yield Equation(
            share, (f"IO_{d}_req", both), eq.server_share, f"{share} = IO_{d}_req / {both}", {"demand": AS_PRINTED}
        )  # fmt: skip
        yield Equation(
            u_req,
            (share, u_total),
            eq.server_disk_utilization,
            f"{u_req} = min({share}, 1) {u_total}",
        )
        yield Equation(
            demand, (u_req, "X_req"), eq.ratio, f"{demand} = {u_req} / X_req", {"demand": SERVICE}
        )
        operations = f"X_{d}_total"
        yield Equation(
            demand, (u_req, operations), eq.ratio, f"{demand} = {u_req} / {operations}", {"demand": AS_PRINTED}
        )  # fmt: skip
        yield Equation(
            demand, (u_req, operations, share), _per_operation, f"{demand} = {u_req} / ({operations} {share})",
            {"demand": "per-operation"}, {name: _share_of("per-operation") for name in (u_req, share)},
        )  # fmt: skip
        for variant in CHOICES["demand"]:
            fixed = {u_req: _share_of(variant)}
            yield Equation(
                f"R_{d}", (demand, u_req), eq.disk_residence_time, f"R_{d} = {demand} / (1 - {u_req})",
                {"demand": variant, "denominator": "own"}, fixed,
            )  # fmt: skip
            yield Equation(
                f"R_{d}", (demand, u_total), eq.disk_residence_time, f"R_{d} = {demand} / (1 - {u_total})",
                {"demand": variant, "denominator": "total"}, {u_total: {"background": KEPT}},
            )  # fmt: skip
    parts = ("R_cpu", "R_vdisk", "R_disk")
    yield Equation("R_req", parts, _sum, "R_req = R_cpu + R_vdisk + R_disk", {"sum": "sum"})
    yield Equation("R_req", parts, _nested, "R_req = R_cpu + max(R_vdisk, R_disk)", {"sum": "nested"})  # fmt: skip


def _per_operation(u: Array, operations: Array, share: Array) -> Any:
    return eq.disk_demand(
        u, "per-operation", requests_per_s=operations, operations_per_s=operations, share=share
    )


def _sum(cpu: Array, vdisk: Array, disk: Array) -> Any:
    return eq.response_time(cpu, vdisk, disk, variant="as-printed")


def _nested(cpu: Array, vdisk: Array, disk: Array) -> Any:
    return eq.response_time(cpu, vdisk, disk, variant="nested")


def _equations(rows: pl.DataFrame) -> Iterator[tuple[Columns, list[Rule]]]:
    """Each equation, with one row per value of its result."""
    by_equation = rows.filter(
        pl.col("equation").ne_missing(MVA), ~pl.col("quantity").is_in(PER_SUBJECT)
    )
    parts = {
        name[0]: part for name, part in by_equation.partition_by("quantity", as_dict=True).items()
    }
    for equation in _all_equations():
        if not {equation.result, *equation.inputs} <= set(parts):
            continue
        joined = parts[equation.result].filter(
            *(pl.col(name) == value for name, value in equation.only.items())
        )
        for number, symbol in enumerate(equation.inputs):
            joined = _join(joined, parts[symbol], symbol, equation.fixed.get(symbol, {}), number)
        columns = _columns(joined)
        keys = [Key(symbol) for symbol in (equation.result, *equation.inputs)]
        for key, suffix in zip(keys, ("", *map(str, range(len(equation.inputs)))), strict=True):
            columns.values[key] = _values(joined, key.symbol, suffix)
        rhs = Side(equation.function, tuple(keys[1:]))
        name = CATALOGUE[equation.result].equation
        name = f"equation {name}" if CATALOGUE[equation.result].is_of_the_paper else name
        yield columns, [Rule(name, equation.formula, "=", Side(np.asarray, (keys[0],)), rhs)]


def _join(
    results: pl.DataFrame, inputs: pl.DataFrame, symbol: str, fixed: dict[str, str], number: int
) -> pl.DataFrame:
    """``results`` with the input's value and half digit, for the same run and choices."""
    choices = [name for name in CATALOGUE[symbol].choices if name in CHOICES]
    inputs = inputs.filter(*(pl.col(name) == value for name, value in fixed.items()))
    on = [*KEYS, *(name for name in choices if name not in fixed)]
    if inputs.select(pl.struct(on).is_duplicated().any()).item():
        raise AuditError(texts.ledger_without_choices(", ".join((*KEYS, *choices))))
    columns = inputs.select(
        *on, pl.col("value").alias(f"value{number}"), pl.col("half").alias(f"half{number}")
    )
    return results.join(columns, on=on, how="inner", nulls_equal=True, maintain_order="left")


def _columns(rows: pl.DataFrame) -> Columns:
    columns = Columns(rows.height, rows[LINE].to_list())
    columns.models = [None] * rows.height
    names = ["run", "virtual_server", *CHOICES]
    columns.labels = [
        " ".join(text for text in row if text) for row in rows.select(names).iter_rows()
    ]
    return columns


def _values(rows: pl.DataFrame, name: str, suffix: str = "") -> Values:
    value, half = (rows[column + suffix].to_numpy() for column in ("value", "half"))
    bounds = np.stack([value, value - half, value + half])
    return Values(name, "", bounds, np.ones(rows.height))


def _bounds(rows: pl.DataFrame) -> Iterator[tuple[Columns, list[Rule]]]:
    """low ≤ value ≤ high; utilizations at most 1; nothing but errors and differences negative."""
    value = Key("value")
    for name, relation in (("low", "low <= value"), ("high", "value <= high")):
        part = rows.filter(pl.col(name).is_not_nan())
        columns = _columns(part)
        columns.values[value] = _values(part, "value")
        bound = Key(name)
        limits = part[name].to_numpy()
        columns.values[bound] = Values(name, "", np.stack([limits] * 3), np.ones(part.height))
        lhs, rhs = (bound, value) if name == "low" else (value, bound)
        yield (
            columns,
            [
                Rule(
                    "interval",
                    relation,
                    "<=",
                    Side(np.asarray, (lhs,)),
                    Side(np.asarray, (rhs,)),
                )
            ],
        )
    part = rows.filter(pl.col("quantity").str.starts_with("U_") & (pl.col("unit") == "1"))
    columns = _columns(part)
    columns.values[value] = _values(part, "value")
    at_most = part["low"].to_numpy()
    columns.values[value].bounds[1] = np.fmin(columns.values[value].bounds[1], at_most)
    yield (
        columns,
        [
            Rule(
                AT_MOST_1,
                "U <= 1",
                "<=",
                Side(np.asarray, (value,)),
                Side(lambda: np.array(1.0), ()),
            )
        ],
    )
    part = rows.filter(~pl.col("quantity").str.starts_with("error_"))
    columns = _columns(part)
    columns.values[value] = _values(part, "value")
    yield columns, [
        Rule("not negative", "0 <= value", "<=", Side(lambda: np.array(0.0), ()), Side(np.asarray, (value,)))
    ]  # fmt: skip
