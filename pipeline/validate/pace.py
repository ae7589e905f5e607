"""How fast the machine was in a run, told by neighbours that had no load.

The same request takes more CPU time in one run than in another where something outside of this machine takes part of
what its processor shares: the last cache, first of all. No counter of the machine says so. But a virtual server
without a load does the same little work every second of every run (timers, daemons, collectors), so the CPU time of
its QEMU is a clock that runs slow when the machine does. In the runs that a model is fitted to, how a demand goes with
the neighbours' CPU time is a slope on logarithmic scales; a prediction for another run then asks that run's neighbours
how fast the machine was, and nothing of the virtual server that it is about.

Open loads only. Under a closed load that takes all the CPU there is, a neighbour's work is interrupted the more the
longer the queue is, and its clock tells that, too: tried on the recorded study, it made the weaker server's predictions
worse (docs/background/is-the-model-true.md, section 11).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.demands.curve import fit_curve
from pipeline.validate.observation import Observation

Array = NDArray[np.float64]

PACED = ("cpu", "before", "vdisk")
"""Curves that hold CPU time. The guest's disk does: what QEMU makes of a request."""
LEAST_RUNS = 6
"""Fewer cannot tell the pace from the load."""
BEYOND = 2.0
"""Standard errors by which a slope must be above 0."""
ROUNDS = 5


@dataclass(frozen=True)
class Pace:
    """Slopes of demands in the neighbours' CPU time; none where it tells nothing."""

    reference_cpus: float = 1.0
    """The neighbours' CPUs in the runs of the fit, their geometric mean."""
    slopes: Mapping[str, float] = field(default_factory=dict)

    def factors(self, others_cpu: float) -> dict[str, float]:
        """How many times as long each demand takes as at the fit's mean pace."""
        if others_cpu <= 0:
            return dict.fromkeys(self.slopes, 1.0)
        slower = others_cpu / self.reference_cpus
        return {name: slower**slope for name, slope in self.slopes.items()}


UNPACED = Pace()
"""The pace of the machine is not known, or tells nothing."""


def fit_pace(
    observations: Sequence[Observation],
    demands: Mapping[str, Array],
    requests: Array,
    utilizations: Array,
    *,
    load_dependent: bool = True,
) -> Pace:
    """The slopes in these runs. ``demands``: curve → (runs, draws), the estimate first, seconds.

    A slope is fitted in turn with the demand's curve (:mod:`pipeline.demands.curve`) and kept if it is beyond chance.
    """
    others = np.array([one.others_cpu for one in observations])
    told = all(one.load.kind == "open" and one.alone for one in observations) and (others > 0).all()
    if not told or len(observations) < LEAST_RUNS or np.ptp(others) == 0:
        return UNPACED
    reference = float(np.exp(np.log(others).mean()))
    slower = np.log(others / reference)
    slopes = {}
    for name in PACED:
        demand = demands[name][:, :1]
        if (demand <= 0).any():
            continue
        slope = error = 0.0
        for _ in range(ROUNDS):
            curve = fit_curve(
                demand * np.exp(-slope * slower)[:, None],
                requests,
                utilizations,
                load_dependent=load_dependent,
            )
            said = np.array(
                [curve.at(n, u)[0] for n, u in zip(requests, utilizations, strict=True)]
            )
            away = np.log(demand[:, 0] / said)
            slope = float(away @ slower / (slower @ slower))
            left = away - slope * slower
            freedom = len(left) - len(curve.terms) - 1
            error = float(np.sqrt(left @ left / max(freedom, 1) / (slower @ slower)))
        if slope > BEYOND * error:
            slopes[name] = slope
    return Pace(reference, slopes)
