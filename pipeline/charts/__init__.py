"""Charts: pure functions from a frame to an Altair chart, and drawings. Short, because it only imports.

:mod:`theme`             colours, renderer, MIME bundle of a chart
:mod:`titles`            titles, alternative text, the chart without data
:mod:`downsample`        fewer points for a line
:mod:`marks`             marks that several charts share
:mod:`timeline`          CPU time, disks and throughput over time
:mod:`utilization`       utilization of the stations
:mod:`residence_time`    components of the response time
:mod:`response_time`     the model's variants against the client
:mod:`server_comparison` one virtual server on two physical servers
:mod:`factors`           effects, variation, half-normal and interaction plots
:mod:`single_queue`      R of one open queue over its arrival rate
:mod:`population`        a closed system over its population
:mod:`scalability`       errors of models of a sweep over populations
:mod:`holdout`           predictions over loads, demands over runs and over time
:mod:`learned`           errors of learned predictors and the queueing model
:mod:`what_if`           R and X over the load, with sliders
:mod:`drawing`           shapes and texts as SVG
:mod:`diagrams`          the queueing network of a virtual server
:mod:`influence_diagram` Figure 1 with the effects of a designed experiment
:mod:`paper_figures`     the paper's Figures 1 to 5
:mod:`teaching`          live figures of the lessons
"""

from pipeline import jsonschema_import  # noqa: F401 - before Altair
from pipeline.charts.downsample import min_max_downsample
from pipeline.charts.factors import (
    factor_effects,
    factor_half_normal,
    factor_interaction,
    factor_variation,
)
from pipeline.charts.holdout import (
    demand_changes,
    demand_runs,
    demand_track,
    demand_vs_neighbour_cpu,
    predictions,
)
from pipeline.charts.influence_diagram import influence_diagram
from pipeline.charts.learned import learning_curves, predictor_errors
from pipeline.charts.paper_figures import FIGURES as PAPER_FIGURES
from pipeline.charts.paper_figures import figure1, figure2, figure3, figure4, figure5
from pipeline.charts.paper_texts import STEPS as VIRTIO_STEPS
from pipeline.charts.paper_texts import VIRTIO_FIGURE
from pipeline.charts.paper_texts import caption as paper_caption
from pipeline.charts.population import over_population
from pipeline.charts.residence_time import residence_time
from pipeline.charts.response_time import model_against_client, ratio_strip, variants
from pipeline.charts.scalability import sweep_errors
from pipeline.charts.server_comparison import server_comparison
from pipeline.charts.single_queue import single_queue
from pipeline.charts.teaching import (
    arrivals,
    audit,
    closed,
    closed_what_if,
    cpu_views,
    example_requests,
    interaction,
    littles_law,
    one_queue,
    repetitions,
    variants_beside_client,
    where_time_goes,
)
from pipeline.charts.theme import alt_text_of, enable, json_ready, mime_bundle, with_theme
from pipeline.charts.timeline import Panel, timeline, timelines, top_n
from pipeline.charts.titles import empty_chart
from pipeline.charts.utilization import utilization
from pipeline.charts.what_if import what_if
from pipeline.charts.what_if_controls import WhatIfSpec

__all__ = [
    "PAPER_FIGURES",
    "VIRTIO_FIGURE",
    "VIRTIO_STEPS",
    "Panel",
    "WhatIfSpec",
    "alt_text_of",
    "arrivals",
    "audit",
    "closed",
    "closed_what_if",
    "cpu_views",
    "demand_changes",
    "demand_runs",
    "demand_track",
    "demand_vs_neighbour_cpu",
    "empty_chart",
    "enable",
    "example_requests",
    "factor_effects",
    "factor_half_normal",
    "factor_interaction",
    "factor_variation",
    "figure1",
    "figure2",
    "figure3",
    "figure4",
    "figure5",
    "influence_diagram",
    "interaction",
    "json_ready",
    "learning_curves",
    "littles_law",
    "mime_bundle",
    "min_max_downsample",
    "model_against_client",
    "one_queue",
    "over_population",
    "paper_caption",
    "predictions",
    "predictor_errors",
    "ratio_strip",
    "repetitions",
    "residence_time",
    "server_comparison",
    "single_queue",
    "sweep_errors",
    "timeline",
    "timelines",
    "top_n",
    "utilization",
    "variants",
    "variants_beside_client",
    "what_if",
    "where_time_goes",
    "with_theme",
]
