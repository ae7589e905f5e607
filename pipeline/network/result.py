"""What a method hands back, and its JSON form (design, section 7)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from pipeline.network.arrays import Array
from pipeline.network.model import Network


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
        if self.throughput is not None:
            of_class = {"throughput": self.throughput, "response_time": self.response_times}
            of_station = {
                "utilization": self.utilizations,
                "queue_length": self.queue_lengths,
                "residence_time": self.residence_times,
            }
            of_class, of_station = of_class | self.class_figures, of_station | self.station_figures
            names = [one.name for one in self.network.classes]
            document["classes"] = {name: _present(of_class, c) for c, name in enumerate(names)}
            document["stations"] = {
                station.name: {name: _present(of_station, (k, c)) for c, name in enumerate(names)}
                for k, station in enumerate(self.network.stations)
            }
        if self.knee is not None and math.isfinite(self.knee):
            document["knee"] = self.knee
        if self.simulation:
            document["simulation"] = self.simulation
        document["warnings"] = list(self.warnings)
        return document


def _present(figures: dict[str, Array], place: Any) -> dict[str, float]:
    values = {name: float(table[place]) for name, table in figures.items()}
    return {name: value for name, value in values.items() if math.isfinite(value)}
