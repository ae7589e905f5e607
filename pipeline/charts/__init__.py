"""Charts: one pure function per figure, one module per subject; theme, titles, downsampling."""

from pipeline.charts.downsample import envelope
from pipeline.charts.holdout import demand_runs, demand_track, pace, predictions
from pipeline.charts.residence_time import residence
from pipeline.charts.response_time import model_against_client, readings, strip
from pipeline.charts.server_comparison import server_comparison
from pipeline.charts.single_queue import single_queue
from pipeline.charts.theme import alternative_text, clean, enable, picture, themed
from pipeline.charts.timeline import disk_timeline, largest, timeline
from pipeline.charts.titles import nothing
from pipeline.charts.utilization import utilization
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
