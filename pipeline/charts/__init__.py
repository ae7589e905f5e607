"""Charts: one pure function a figure (``figures``, ``over_time``), our theme (``theme``), thinning (``thin``)."""

from pipeline.charts.downsample import envelope
from pipeline.charts.figures import (
    model_against_client,
    readings,
    residence,
    server_comparison,
    single_queue,
    strip,
    utilization,
)
from pipeline.charts.holdout import demand_runs, demand_track, pace, predictions
from pipeline.charts.theme import alternative_text, clean, enable, picture, themed
from pipeline.charts.timeline import disk_timeline, largest, timeline
from pipeline.charts.titles import nothing
from pipeline.charts.what_if import Asked, what_if

__all__ = [
    "Asked",
    "alternative_text",
    "clean",
    "demand_runs",
    "demand_track",
    "disk_timeline",
    "enable",
    "envelope",
    "largest",
    "model_against_client",
    "nothing",
    "pace",
    "picture",
    "predictions",
    "readings",
    "residence",
    "server_comparison",
    "single_queue",
    "strip",
    "themed",
    "timeline",
    "utilization",
    "what_if",
]
