"""The queueing network of one virtual server of a run with its numbers, and the headroom of its stations."""

from __future__ import annotations

import polars as pl

from pipeline.api import CORRECTED, VARIANTS, LedgerView, RunData
from pipeline.api.response_time import model_result
from pipeline.api.stations import HOST_CPU, HOST_DISK, df_stations, stations
from pipeline.charts.diagrams import NetworkNumbers, queueing_network
from pipeline.charts.drawing import Drawing
from pipeline.report import run_texts
from pipeline.report.tables.summary import load_label


def network(data: RunData, virtual_server: str) -> Drawing:
    """The queueing network of the paper's Figure 5 with the times of the host model and the measured utilizations."""
    server = data.run.virtual_servers[virtual_server]
    model, numbers = model_result(data, virtual_server), LedgerView(data.ledger, virtual_server)
    utilizations = {
        s.kind: s.utilization for s in stations(data) if s.virtual_server in (None, virtual_server)
    }
    operations = numbers.value("X_vdisk_total", background=VARIANTS[CORRECTED]["background"])
    requests = numbers.value("X_req")
    response_s = numbers.value("R_client")
    is_closed = server.workload is not None and server.workload.kind == "closed"
    return queueing_network(
        NetworkNumbers(
            load=load_label(server)[0] or "",
            cpu_ms=model["R_cpu_ms"],
            cpu_wait_ms=model["R_cpu_wait_ms"],
            cpu_utilization=utilizations.get(HOST_CPU),
            layer_ms=model["R_layer_ms"],
            is_layer_in_cpu_time=is_closed and model["R_cpu_ms"] is not None,
            disk_ms=model["R_disk_ms"],
            disk_wait_ms=model["R_disk_wait_ms"],
            disk_utilization=utilizations.get(HOST_DISK),
            operations=operations / requests if operations is not None and requests else None,
            response_ms=model["R_ms"],
            client_ms=None if response_s is None else response_s * 1e3,
        ),
        title=run_texts.network_title(data.title(virtual_server)),
    )


def network_caption(data: RunData, virtual_server: str) -> str:
    """What the numbers of :func:`network` are, as Markdown."""
    workload = data.run.virtual_servers[virtual_server].workload
    return run_texts.network_caption(is_closed=workload is not None and workload.kind == "closed")


def df_headroom(data: RunData) -> pl.DataFrame:
    """``df_stations`` with ``headroom``: how many times the load fits at constant service demands, null if full."""
    headroom = pl.Series("headroom", [s.headroom for s in stations(data)], dtype=pl.Float64)
    return df_stations(data).with_columns(headroom)
