"""Response time of one virtual server in one run: the model's components by variant, and the client's."""

from __future__ import annotations

import polars as pl

from pipeline.api.run import RunData
from pipeline.ledger.catalogue import AS_PRINTED, CORRECTED
from pipeline.ledger.lookup import LedgerView
from pipeline.tables import floats, of_rows, texts

ENDS = ("value", "low", "high")


HOST_MODEL = "host model"
MODEL_PARTS = {
    "R_cpu": "R_cpu_ms",
    "waiting for the CPU": "R_cpu_wait_ms",
    "R_vdisk − R_disk": "R_layer_ms",
    "R_disk": "R_disk_ms",
    "waiting for the disk": "R_disk_wait_ms",
}
"""Component of ``charts.residence_time`` → its column in ``RunData.model_results``."""


def df_residence(data: RunData, virtual_server: str) -> pl.DataFrame:
    """Residence times for ``charts.residence_time``: ``stack``, ``component``, ``value_ms``.

    One stack each for the client's response time, the host model and the two variants of the paper's equations. In the
    corrected variant the host disk's time is part of the guest disk's; the difference is the virtualization layer's own
    time (R_vdisk − R_disk). The host model has that time in its CPU time if the load is closed.
    """
    numbers = LedgerView(data.ledger, virtual_server)

    def milliseconds(name: str, variant: str | None) -> float | None:
        value = numbers.value(name, variant)
        return None if value is None else value * 1e3

    rows: list[tuple[str, str, float | None]] = [
        ("client", "as measured", milliseconds("R_client", None))
    ]
    model = model_result(data, virtual_server)
    rows += [
        (HOST_MODEL, component, None if model[column] is None else round(model[column], 6))
        for component, column in MODEL_PARTS.items()
        if column != "R_layer_ms" or model[column] is not None
    ]
    rows += [
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
    return of_rows(rows, texts("stack", "component") | floats("value_ms"))


def model_result(data: RunData, virtual_server: str) -> dict:
    """The row of the host model of a virtual server, schema ``evaluate.single_run.SINGLE_RUN``."""
    return data.model_results.row(
        by_predicate=pl.col("virtual_server") == virtual_server, named=True
    )


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
