"""What a loaded neighbour does to a virtual server beyond the CPU time that it takes.

Two guests share caches, and on an emulator its tables: a request costs more CPU time beside a busy neighbour than
alone, which no law of queueing says. And less or more of that time may be in the reply's way than when it is alone,
since the kernel favours whoever slept. Both are learned from runs in which the neighbours had loads and that are not
held out, and are 1 where there are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.validate.host_fit import (
    CURVES,
    best_shape,
    explain,
    own_demands,
    steady,
    utilization,
)
from pipeline.validate.host_model import HostModel, Shape
from pipeline.validate.observation import Observation

BEYOND = 2.0
"""Standard errors by which the CPU demand must have moved: runs differ from each other in any case."""


def in_company(model: HostModel, runs: Sequence[Observation]) -> HostModel:
    """The model of a virtual server, fitted to runs with its load alone, for runs in which the neighbours have loads.

    ``runs``: this virtual server's, with its neighbours loaded; those held out are not looked at. If the CPU demand is
    moved beyond what single runs of one load differ by, the model's ``scatter``, all demands are: each by the
    geometric mean of what it was in these runs over what the model says of their load. The work before the reply is
    calibrated with the runs' own demands (open loads). Raises ``Unmeasured``.
    """
    used = steady([one for one in runs if one.load.kind == "open" and not one.held_out])
    if not used:
        return model
    factors = {name: moved(model, used, name) for name in CURVES}
    chance = BEYOND * model.scatter / np.sqrt(len(used))
    curves = {}
    if abs(np.log(factors["cpu"])) > chance:
        curves = {name: getattr(model, name).times(factor) for name, factor in factors.items()}
    return replace(model, **curves, shape=_calibrated(model, used))


def moved(model: HostModel, runs: Sequence[Observation], name: str) -> float:
    """By what factor a demand, one of ``CURVES``, is larger in these runs than the model says.

    Raises ``Unmeasured``.
    """
    curve = getattr(model, name)
    logs = []
    for one in runs:
        said = float(curve.at(one.estimate.completions, utilization(one))[0])
        found = float(own_demands(one)[name][0])
        if said > 0 and found > 0:
            logs.append(np.log(found / said))
    return float(np.exp(np.mean(logs))) if logs else 1.0


def _calibrated(model: HostModel, runs: Sequence[Observation]) -> Shape:
    """How much of the work is before the reply, for which the runs' own demands meet the client's times best."""
    models = [explain(one, model).estimate_only() for one in runs]
    bounds = {"before_factor": (model.shape.before_factor, 0.2, 2.0)}
    return best_shape(model.shape, bounds, models, runs)
