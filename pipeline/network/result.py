"""The solution of a network, and its JSON form."""

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
    """X, customers per second, (C,)."""
    response_times: Array | None = None
    """R, seconds, without think time, (C,)."""
    utilizations: Array | None = None
    """Per server; mean number at a delay; P(busy), divided by load, at a load-dependent station; (K, C)."""
    queue_lengths: Array | None = None
    """Q, customers, (K, C)."""
    residence_times: Array | None = None
    """R_k, seconds per customer, (K, C)."""
    extra_by_station: dict[str, Array] = field(default_factory=dict)
    """Further results by name, (K, C), NaN where there is none."""
    extra_by_class: dict[str, Array] = field(default_factory=dict)
    """Further results by name, (C,), NaN where there is none."""
    bounds: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    knee: float | None = None
    """N*, customers, of one closed class."""
    simulation: dict[str, Any] = field(default_factory=dict)
    """Seeds, replications, lengths; empty for analytic methods."""
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; results that are NaN or infinite are left out."""
        document: dict[str, Any] = {
            "method": self.method,
            "exact": self.exact,
            "classes": {},
            "stations": {},
            "bounds": self.bounds,
        }
        if self.throughput is not None:
            by_class = {"throughput": self.throughput, "response_time": self.response_times}
            by_station = {
                "utilization": self.utilizations,
                "queue_length": self.queue_lengths,
                "residence_time": self.residence_times,
            }
            by_class, by_station = (
                by_class | self.extra_by_class,
                by_station | self.extra_by_station,
            )
            names = [c.name for c in self.network.classes]
            document["classes"] = {
                name: _finite_values(by_class, c) for c, name in enumerate(names)
            }
            document["stations"] = {
                station.name: {
                    name: _finite_values(by_station, (k, c)) for c, name in enumerate(names)
                }
                for k, station in enumerate(self.network.stations)
            }
        if self.knee is not None and math.isfinite(self.knee):
            document["knee"] = self.knee
        if self.simulation:
            document["simulation"] = self.simulation
        document["warnings"] = list(self.warnings)
        return document


def _finite_values(tables: dict[str, Array], index: Any) -> dict[str, float]:
    values = {name: float(table[index]) for name, table in tables.items()}
    return {name: value for name, value in values.items() if math.isfinite(value)}
