"""Open stations beyond product form: uneven or bursty arrivals and services, FCFS with unlike classes.

Each station is taken alone, as the superposition of its classes' streams (Whitt, The Queueing Network Analyzer,
1983, sections 4.1 and 4.3): c_a² = Σ (Λ_c/Λ) c_c², where a class with V < 1 visits has 1 + V (c² − 1) left.
The model file knows no routing, so every station sees a class's own c²: what passing other stations does to it is
not known, which is one reason why the answer is marked as approximate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.network.arrays import Array, Flags
from pipeline.network.gg1 import (
    allen_cunneen,
    gi_m_1,
    interarrival_transform,
    kingman_bound,
    kramer_langenbach_belz,
    pollaczek_khinchine,
)
from pipeline.network.model import Network


@dataclass(frozen=True)
class StationAnswer:
    """One station's wait, for all classes."""

    method: str
    waiting_times: Array
    """Seconds a customer: wait before service at FCFS, slow-down beyond the demand otherwise, (C,)."""
    bound: Array
    """Kingman's bound of the same, (C,)."""
    is_exact: bool
    note: str


def is_general(network: Network, k: int) -> bool:
    """Whether station ``k`` of an open network is beyond product form."""
    station = network.stations[k]
    if station.kind != "queue" or not _here(network, k).any():
        return False
    fcfs = station.scheduling == "fcfs"
    return is_bursty(network, k) or (
        fcfs and (station.service_scv != 1 or unlike_classes(network, k))
    )


def is_bursty(network: Network, k: int) -> bool:
    """Whether some class comes to station ``k`` from outside, and not as a Poisson stream."""
    scv = np.array([c.arrival_scv for c in network.classes])
    return bool(np.any(scv[_here(network, k)] != 1))


def unlike_classes(network: Network, k: int) -> bool:
    """Whether classes that come to station ``k`` differ in service time a visit."""
    times = network.service_times[k][_here(network, k)]
    return len(times) > 1 and float(times.max()) > float(times.min()) * (1 + 1e-9)


def _here(network: Network, k: int) -> Flags:
    active = (network.rates > 0) | (network.populations > 0)
    return (network.demands[k] > 0) & active


def answer(network: Network, k: int) -> StationAnswer:
    """Wait at station ``k``, by the best formula that fits; its load is below its servers."""
    station = network.stations[k]
    here = _here(network, k)
    visits = np.ones(len(here)) if network.visits is None else network.visits[k]
    times = network.service_times[k]
    flow = np.where(here, network.rates * visits, 0.0)
    total = float(flow.sum())
    mean = float(flow @ times) / total
    shared = station.scheduling != "fcfs"
    unlike = unlike_classes(network, k)
    service_scv = 1.0 if shared else station.service_scv
    if unlike and not shared:
        square = float(flow @ (times * times)) * (1 + service_scv) / total
        service_scv = max(square / mean**2 - 1, 0.0)
    streams = np.array([c.arrival_scv for c in network.classes])
    thinned = np.where(visits < 1, 1 + visits * (streams - 1), streams)
    arrival_scv = float(flow @ thinned) / total
    m, name = station.servers, f"station {station.name!r}"
    arguments = (total, mean, m, arrival_scv, service_scv)
    is_exact = False
    if arrival_scv == 1 and m == 1:
        method = "Pollaczek-Khinchine"
        wait = float(pollaczek_khinchine(total, mean, service_scv))
        alone = _stands_alone(network, k)
        is_exact = alone and not unlike
        note = f"{name}: M/G/1 by Pollaczek and Khinchine"
        if not alone:
            note += ", as if its arrivals were Poisson behind and beside other stations"
        elif unlike:
            note += " over FCFS classes with different service times"
    elif m == 1 and service_scv == 1 and arrival_scv < 1 and np.count_nonzero(here) == 1:
        method = "GI/M/1"
        wait = gi_m_1(interarrival_transform(total, arrival_scv), total, mean)
        shape = "gamma-distributed times between arrivals"
        if arrival_scv == 0:
            shape = "evenly spaced arrivals (D/M/1)"
        note = f"{name}: GI/M/1, solved exactly for {shape}, c² = {arrival_scv:.6g}"
    elif arrival_scv < 1:
        method = "Krämer-Langenbach-Belz"
        wait = float(kramer_langenbach_belz(*arguments))
        note = f"{name}: G/G/{m} by Krämer and Langenbach-Belz, arrivals' c² = {arrival_scv:.6g}"
    else:
        method = "Allen-Cunneen"
        wait = float(allen_cunneen(*arguments))
        note = f"{name}: G/G/{m} by Allen and Cunneen, arrivals' c² = {arrival_scv:.6g}"
    if not is_exact:
        note += "; an approximation"
    bound = float(kingman_bound(*arguments))
    per_visit = visits * (times / mean if shared else 1.0)
    per_visit = np.where(network.demands[k] > 0, per_visit, 0.0)
    return StationAnswer(method, wait * per_visit, bound * per_visit, is_exact, note)


def _stands_alone(network: Network, k: int) -> bool:
    """Whether station ``k`` surely sees Poisson arrivals: nothing but delays beside it, one visit each."""
    beside = any(
        i != k and s.kind != "delay" and _here(network, i).any()
        for i, s in enumerate(network.stations)
    )
    once = network.visits is None or bool(np.all(network.visits[k][_here(network, k)] <= 1))
    return not beside and once
