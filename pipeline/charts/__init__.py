"""Charts: one pure function per figure, one module per subject; theme, titles, downsampling."""

from pipeline.charts.downsample import min_max_downsample
from pipeline.charts.holdout import demand_runs, demand_track, demand_vs_neighbour_cpu, predictions
from pipeline.charts.residence_time import residence_time
from pipeline.charts.response_time import model_against_client, ratio_strip, variants
from pipeline.charts.server_comparison import server_comparison
from pipeline.charts.single_queue import single_queue
from pipeline.charts.theme import alt_text_of, enable, json_ready, mime_bundle, with_theme
from pipeline.charts.timeline import disk_timeline, timeline, top_n
from pipeline.charts.titles import empty_chart
from pipeline.charts.utilization import utilization
from pipeline.charts.what_if import WhatIfSpec, what_if

__all__ = [
    "WhatIfSpec",
    "alt_text_of",
    "demand_runs",
    "demand_track",
    "demand_vs_neighbour_cpu",
    "disk_timeline",
    "empty_chart",
    "enable",
    "json_ready",
    "mime_bundle",
    "min_max_downsample",
    "model_against_client",
    "predictions",
    "ratio_strip",
    "residence_time",
    "server_comparison",
    "single_queue",
    "timeline",
    "top_n",
    "utilization",
    "variants",
    "what_if",
    "with_theme",
]
