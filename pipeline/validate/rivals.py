"""Which predictors stand side by side, by name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pipeline.validate import predictors
from pipeline.validate.host_fit import fit_host
from pipeline.validate.observation import Observation
from pipeline.validate.predictors import CALIBRATED, LOGS_ONLY, Fitted, Predictor

OPEN, CLOSED = ("open",), ("closed",)
BOTH = ("open", "closed")

OURS, OURS_CALIBRATED, LINE = "host", "host, calibrated", "straight line"


def _host(observations: Sequence[Observation], **switches: bool) -> Fitted:
    return fit_host(observations, **switches).with_run_scatter().predict


PREDICTORS: tuple[Predictor, ...] = (
    Predictor(
        "as printed", "the paper as printed", LOGS_ONLY, BOTH, predictors.fit_as_printed
    ),
    Predictor(
        "nested", "the paper, guest's disk time containing the host's", LOGS_ONLY, BOTH,
        predictors.fit_nested,
    ),
    Predictor("open", "open network of the host's CPU and disk", LOGS_ONLY, OPEN, predictors.fit_open),
    Predictor(
        "open, variability", "the same with the arrivals' measured variability", LOGS_ONLY, OPEN,
        predictors.fit_open_variability,
    ),
    Predictor(
        "closed", "closed network of the paper's stations", LOGS_ONLY, CLOSED, predictors.fit_closed
    ),
    Predictor(
        "closed, host CPU", "closed network of the host's CPUs and disk", LOGS_ONLY, CLOSED,
        predictors.fit_closed_host,
    ),
    Predictor(OURS, "our model of the host", LOGS_ONLY, BOTH, _host),
    Predictor(
        OURS_CALIBRATED, "our model, its form fitted to the client's times at the fitted loads",
        CALIBRATED, OPEN, partial(_host, calibrated=True),
    ),
    Predictor(
        LINE, "a straight line through what the client measured", CALIBRATED, BOTH, predictors.fit_line
    ),
)  # fmt: skip

WITHOUT: tuple[tuple[str, dict[str, bool], tuple[str, ...]], ...] = (
    ("complete", {}, BOTH),
    ("demand that does not depend on the load", {"load_dependent": False}, BOTH),
    ("all work before the reply", {"after_reply": False}, OPEN),
    ("arrivals taken for Poisson", {"variability": False}, OPEN),
    ("arrivals of a known sequence taken for any", {"sequence": False}, OPEN),
    ("a quota taken for a slower CPU", {"quota": False}, CLOSED),
)
"""The corrections of our model, each left out in turn, and the loads that it is for."""
