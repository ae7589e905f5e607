"""Audit of a table of measurements or of a model's results: which rows break a law, by how much, what reconciles them.

:mod:`vocabulary`  names and units of columns
:mod:`columns`     a table's numbers with the intervals of their printed digits
:mod:`rules`       what must hold in a row
:mod:`ledger_form` the same for the ledger in long form
:mod:`result`      evaluation and findings, :mod:`reconcile` what would make the sides agree
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.audit import texts
from pipeline.audit.columns import AuditError, join, parse_assignments, read_columns
from pipeline.audit.ledger_form import audit_ledger, is_ledger
from pipeline.audit.result import TOLERANCE, Audit, evaluate
from pipeline.audit.rules import all_rules
from pipeline.tables.read_csv import read_csv_texts

__all__ = ["TOLERANCE", "Audit", "AuditError", "audit_table", "parse_assignments"]


def audit_table(
    path: Path | str,
    *,
    join_with: Path | str | None = None,
    names: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
    tolerance: float = TOLERANCE,
) -> Audit:
    """Check what must hold between the columns of a CSV file.

    Parameters
    ----------
    path : path
        CSV file with a header; names of columns as in docs/how-to/audit-a-table.md. Or a ledger in long form.
    join_with : path, optional
        A second CSV file, whose columns are added to the rows that agree in the columns of both.
    names : mapping, optional
        Own name of a column → name of the vocabulary, for example ``{"latency": "R_ms"}``.
    constants : mapping, optional
        Name of the vocabulary → value in every row, for example ``{"Z_s": "0", "model": "M/M/1"}``.
    tolerance : float
        Relative tolerance of laws between measured numbers, beyond their printed digits.

    Returns
    -------
    Audit

    Raises
    ------
    TableError
        If a file cannot be read.
    AuditError
        If an argument cannot be used, or no check can be made.

    Examples
    --------
    >>> import polars as pl, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "closed.csv"
    >>> _ = path.write_text("N,X_per_s,R_ms\\n261,15976,32.484\\n261,15976,16.34\\n")
    >>> audit_table(path).findings.select("line", "formula", pl.col("ratio").round(3)).rows()
    [(2, 'N = X (R + Z)', 0.503)]
    """
    table = read_csv_texts(path)
    if join_with is not None:
        table = join(table, read_csv_texts(join_with))
    if is_ledger(table):
        if names or constants:
            raise AuditError(f"{path}: {texts.LEDGER_HAS_ITS_NAMES}")
        audit = audit_ledger(table, tolerance)
    else:
        columns = read_columns(table, names, constants)
        audit = evaluate(columns, all_rules(columns), tolerance)
    if not (audit.checks["check"] != "not negative").any():
        raise AuditError(f"{path}: {texts.NOTHING_TO_CHECK}")
    return audit
