"""Charts of one run, by the functions of :mod:`pipeline.charts` from the frames of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import charts
from pipeline.api import texts
from pipeline.api.response_time import df_model_vs_client, df_residence
from pipeline.api.run import RunData
from pipeline.api.stations import df_stations
from pipeline.api.timeline import (
    STEP_S,
    df_completions,
    df_disks,
    df_server_cpu,
    df_spans,
    df_threads,
)

if TYPE_CHECKING:
    import altair as alt


class RunPlots:
    """Altair charts of one run, as ``run.plot``; the renderer and the theme of the reports are switched on.

    ``virtual_server`` is the one to show; by default the first with a load.

    Examples
    --------
    >>> import pipeline as qv
    >>> run = qv.open_run("kvm-case-study/first/db-16-a")
    >>> run.plot.residence_time().to_dict()["title"]["text"]
    "Where a request's time goes: database server"
    """

    def __init__(self, run: RunData):
        charts.enable()
        self._run = run

    def utilization(self) -> alt.LayerChart | alt.Chart:
        """Utilization of every station under the load, background included."""
        return charts.utilization(df_stations(self._run), title=texts.UTILIZATION)

    def residence_time(self, virtual_server: str | None = None) -> alt.LayerChart | alt.Chart:
        """Components of the response time in both variants, next to the client's."""
        name = self._run.virtual_server(virtual_server)
        title = texts.response_parts(self._run.title(name))
        return charts.residence_time(df_residence(self._run, name), title=title)

    def response_time(self, virtual_server: str | None = None) -> alt.LayerChart | alt.Chart:
        """Response time in both variants, and as the client measured it."""
        name = self._run.virtual_server(virtual_server)
        title = texts.models_vs_client(self._run.title(name))
        return charts.model_against_client(df_model_vs_client(self._run, name), title=title)

    def throughput(self, virtual_server: str | None = None) -> alt.LayerChart | alt.Chart:
        """Completed requests per second, by the logs of the client and of the server."""
        name = self._run.virtual_server(virtual_server)
        return charts.timeline(
            df_completions(self._run, name), value="value", axis=texts.RATE_AXIS,
            title=texts.throughput(self._run.title(name)), spans=df_spans(self._run), legend="source",
        )  # fmt: skip

    def server_cpu(self, virtual_server: str | None = None) -> alt.LayerChart | alt.Chart:
        """CPU of the server's processes in the guest over time, by top."""
        name = self._run.virtual_server(virtual_server)
        return charts.timeline(
            charts.top_n(df_server_cpu(self._run, name), "value"), value="value", axis=texts.CPU_AXIS,
            title=texts.server_cpu(self._run.title(name), STEP_S), spans=df_spans(self._run),
            legend="process",
        )  # fmt: skip

    def threads(
        self, virtual_server: str | None = None, *, step_s: float = STEP_S
    ) -> alt.LayerChart | alt.Chart:
        """CPU of QEMU's threads on the host over time, means over ``step_s`` seconds."""
        name = self._run.virtual_server(virtual_server)
        return charts.timeline(
            charts.top_n(df_threads(self._run, name, step_s), "value"), value="value",
            axis=texts.CPU_AXIS, title=texts.threads(self._run.title(name), step_s),
            spans=df_spans(self._run), legend="thread",
        )  # fmt: skip

    def disks(self, virtual_server: str | None = None) -> alt.VConcatChart | alt.Chart:
        """Utilization and queue length of the guest's disk and of the host's disk under it, over time."""
        name = self._run.virtual_server(virtual_server)
        title = texts.disks(self._run.title(name))
        panels = time_panels(self._run, name)[3:]
        return charts.timelines(panels, title=title, spans=df_spans(self._run))

    def timeline(self, virtual_server: str | None = None) -> alt.VConcatChart | alt.Chart:
        """Throughput, CPU and disks over the time of the run, on one time axis."""
        name = self._run.virtual_server(virtual_server)
        title = texts.over_time(self._run.title(name))
        panels = time_panels(self._run, name)
        return charts.timelines(
            panels, title=title, spans=df_spans(self._run), hint=texts.ZOOM_HINT
        )


def time_panels(data: RunData, virtual_server: str) -> list[charts.Panel]:
    """Panels of ``charts.timelines``: throughput, CPU in the guest and on the host, the disks and their queues."""
    workload = data.run.virtual_servers[virtual_server].workload
    request = (workload and workload.request) or "request"
    disks = df_disks(data, virtual_server)
    work, guest, host, utilization, queue = texts.panel_titles(request, STEP_S)
    return [
        charts.Panel(df_completions(data, virtual_server), work),
        charts.Panel(charts.top_n(df_server_cpu(data, virtual_server), "value"), guest),
        charts.Panel(charts.top_n(df_threads(data, virtual_server), "value"), host),
        charts.Panel(disks, utilization, "utilization", top=1.0, percent=True),
        charts.Panel(disks, queue, "queue_length"),
    ]
