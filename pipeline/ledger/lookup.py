"""Numbers of a ledger frame, by quantity and variant or choices."""

from __future__ import annotations

import polars as pl

from pipeline.ledger.catalogue import CHOICES, VARIANTS, Entry


class LedgerView:
    """The ledger's numbers of one virtual server, without rows about one process or task.

    Parameters
    ----------
    ledger
        A run's ledger, form ``tables.LEDGER``.
    virtual_server
        Name of the virtual server.
    """

    def __init__(self, ledger: pl.DataFrame, virtual_server: str):
        own = ledger.filter(
            (pl.col("virtual_server") == virtual_server) & pl.col("subject").is_null()
        )
        self._rows: dict[str, list[dict]] = {}
        for row in own.iter_rows(named=True):
            self._rows.setdefault(row["quantity"], []).append(row)

    def rows_of(self, quantity: str) -> list[dict]:
        """All rows of a quantity, in the order of the ledger."""
        return self._rows.get(quantity, [])

    def find(self, quantity: str, variant: str | None = None, **choice: str) -> dict | None:
        """Find the row of a quantity; None where there is none.

        With ``variant`` the row of that variant, or the one that is the same in both. With choices (``background``
        …) the row with exactly those; without either the row without choices.
        """
        rows = self.rows_of(quantity)
        if variant is not None:
            of_it = [row for row in rows if row["variant"] == variant]
            if of_it:
                return of_it[0]
        wanted = tuple(choice.get(name) for name in CHOICES)
        for row in rows:
            if tuple(row[name] for name in CHOICES) == wanted and row["equation"] != "MVA":
                return row
        return None

    def of_equation(self, entry: Entry, variant: str) -> dict | None:
        """What a table of the equations shows of a quantity: by equation (2) a demand, also where MVA follows."""
        if entry.equation == "2" and entry.choices:
            return self.find(entry.symbol, **{k: VARIANTS[variant][k] for k in entry.choices})
        return self.find(entry.symbol, variant)

    def row(self, quantity: str, variant: str | None = None, **choice: str) -> dict:
        """The row; one without a value where there is none."""
        blank = {"value": None, "low": None, "high": None, "flags": None}
        return self.find(quantity, variant, **choice) or blank

    def value(self, quantity: str, variant: str | None = None, **choice: str) -> float | None:
        """The number; None where it is missing."""
        return self.row(quantity, variant, **choice)["value"]


def choice_text(row: dict) -> str:
    """How a row was computed, in a word: its variant, or its choices joined by `` / ``; empty without any."""
    return row["variant"] or " / ".join(row[name] for name in CHOICES if row[name])


def value_of(
    frame: pl.DataFrame, virtual_server: str, quantity: str, variant: str | None = None
) -> float | None:
    """One number of a ledger frame; None where it is missing or not there."""
    return LedgerView(frame, virtual_server).value(quantity, variant)
