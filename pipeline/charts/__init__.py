"""Charts: one pure function a figure (``figures``), our theme and renderer (``theme``), thinning (``thin``)."""

from pipeline.charts.figures import (
    disk_timeline,
    largest,
    model_against_client,
    nothing,
    number,
    readings,
    residence,
    server_comparison,
    short,
    single_queue,
    strip,
    timeline,
    utilization,
)
from pipeline.charts.theme import alternative_text, clean, enable, picture, themed
from pipeline.charts.thin import envelope

__all__ = [
    "alternative_text",
    "clean",
    "disk_timeline",
    "enable",
    "envelope",
    "largest",
    "model_against_client",
    "nothing",
    "number",
    "picture",
    "readings",
    "residence",
    "server_comparison",
    "short",
    "single_queue",
    "strip",
    "themed",
    "timeline",
    "utilization",
]
