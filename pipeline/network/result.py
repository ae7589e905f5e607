"""What a method hands back, and its JSON form (design, section 7)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.network.model import Network

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Solution:
    """A solved network; K stations, C classes, in the model's order."""

    network: Network
    method: str
    exact: bool
    throughput: Array | None = None
    """X, customers a second, (C,)."""
    response_times: Array | None = None
    """R, seconds, without think time, (C,)."""
    utilizations: Array | None = None
    """Per server; the mean number at a delay; P(someone there), shared, at a load-dependent station; (K, C)."""
    queue_lengths: Array | None = None
    """Q, customers, (K, C)."""
    residence_times: Array | None = None
    """R_k, seconds a customer, (K, C)."""
    station_figures: dict[str, Array] = field(default_factory=dict)
    """More figures, (K, C), NaN where there is none."""
    class_figures: dict[str, Array] = field(default_factory=dict)
    """More figures, (C,), NaN where there is none."""
    bounds: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    knee: float | None = None
    """N*, customers, of one closed class."""
    simulation: dict[str, Any] = field(default_factory=dict)
    """Seeds, replications, lengths; empty unless simulated."""
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; nothing in it is NaN or infinite."""
        document: dict[str, Any] = {
            "method": self.method,
            "exact": self.exact,
            "classes": {},
            "stations": {},
            "bounds": self.bounds,
        }
        if self.throughput is not None and self.response_times is not None:
            for c, one in enumerate(self.network.classes):
                document["classes"][one.name] = {
                    "throughput": float(self.throughput[c]),
                    "response_time": float(self.response_times[c]),
                } | _present(self.class_figures, c)
            for k, station in enumerate(self.network.stations):
                document["stations"][station.name] = {
                    one.name: self._cell(k, c) for c, one in enumerate(self.network.classes)
                }
        if self.knee is not None and math.isfinite(self.knee):
            document["knee"] = self.knee
        if self.simulation:
            document["simulation"] = self.simulation
        document["warnings"] = list(self.warnings)
        return document

    def _cell(self, k: int, c: int) -> dict[str, float]:
        assert self.utilizations is not None
        assert self.queue_lengths is not None
        assert self.residence_times is not None
        return {
            "utilization": float(self.utilizations[k, c]),
            "queue_length": float(self.queue_lengths[k, c]),
            "residence_time": float(self.residence_times[k, c]),
        } | _present(self.station_figures, (k, c))


def _present(figures: dict[str, Array], place: Any) -> dict[str, float]:
    values = {name: float(table[place]) for name, table in figures.items()}
    return {name: value for name, value in values.items() if math.isfinite(value)}
