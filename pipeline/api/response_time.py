"""Response time of one virtual server in one run: the model's components by variant, and the client's."""

from __future__ import annotations

import polars as pl

from pipeline.api.run import RunData
from pipeline.ledger.catalogue import AS_PRINTED, CORRECTED
from pipeline.ledger.lookup import LedgerView
from pipeline.tables import floats, of_rows, texts

ENDS = ("value", "low", "high")


def df_residence(data: RunData, virtual_server: str) -> pl.DataFrame:
    """Residence times for ``charts.residence_time``: ``stack``, ``component``, ``value_ms``.

    One stack for each of the two variants, then the client's response time. In the corrected variant the host disk's
    time is part of the guest disk's; the difference is the virtualization layer's own time (R_vdisk − R_disk).
    """
    numbers = LedgerView(data.ledger, virtual_server)

    def milliseconds(name: str, variant: str | None) -> float | None:
        value = numbers.value(name, variant)
        return None if value is None else value * 1e3

    rows: list[tuple[str, str, float | None]] = [
        (AS_PRINTED, name, milliseconds(name, AS_PRINTED))
        for name in ("R_cpu", "R_vdisk", "R_disk")
    ]
    virtual, physical = milliseconds("R_vdisk", CORRECTED), milliseconds("R_disk", CORRECTED)
    layer = None if virtual is None or physical is None else max(0.0, virtual - physical)
    rows += [
        (CORRECTED, "R_cpu", milliseconds("R_cpu", CORRECTED)),
        (CORRECTED, "R_vdisk − R_disk", layer),
        (CORRECTED, "R_disk", physical),
    ]
    rows.append(("client", "as measured", milliseconds("R_client", None)))
    return of_rows(rows, texts("stack", "component") | floats("value_ms"))


def df_model_vs_client(data: RunData, virtual_server: str) -> pl.DataFrame:
    """Rows of ``charts.model_against_client``: ``source``, ``value``, ``low``, ``high`` (ms), ``is_client``."""
    numbers = LedgerView(data.ledger, virtual_server)
    rows = []
    for source, quantity, variant, is_client in (
        ("client", "R_client", None, True),
        (AS_PRINTED, "R_req", AS_PRINTED, False),
        (CORRECTED, "R_req", CORRECTED, False),
    ):
        row = numbers.row(quantity, variant)
        ends = [None if row[k] is None else row[k] * 1e3 for k in ENDS]
        rows.append((source, *ends, is_client))
    return of_rows(rows, texts("source") | floats(*ENDS) | {"is_client": pl.Boolean})
