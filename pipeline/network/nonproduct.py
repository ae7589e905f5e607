"""Open stations beyond product form: non-Poisson arrivals, general service times, FCFS with unequal classes.

Each station is solved alone, as the superposition of its classes' streams (Whitt, The Queueing Network Analyzer,
1983, sections 4.1 and 4.3): c_a² = Σ (Λ_c/Λ) c_c², where a class with V < 1 visits keeps 1 + V (c² − 1) of its c².
The model file has no routing, so every station sees a class's own c². Passing other stations would change it, which
is one reason why the solution is marked as approximate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.network import texts
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
class StationWait:
    """The waiting times of all classes at one station."""

    method: str
    waiting_times: Array
    """Seconds per customer, (C,): wait before service under FCFS, residence time less demand otherwise."""
    bound: Array
    """Kingman's upper bound of the same, (C,)."""
    is_exact: bool
    note: str


def is_non_product_form(network: Network, k: int) -> bool:
    """Whether station ``k`` of an open network is beyond product form."""
    station = network.stations[k]
    if station.kind != "queue" or not _visiting_classes(network, k).any():
        return False
    is_fcfs = station.scheduling == "fcfs"
    return has_non_poisson_arrivals(network, k) or (
        is_fcfs and (station.service_scv != 1 or has_unequal_service_times(network, k))
    )


def has_non_poisson_arrivals(network: Network, k: int) -> bool:
    """Whether some class that visits station ``k`` has arrivals from outside that are not Poisson."""
    scv = np.array([c.arrival_scv for c in network.classes])
    return bool(np.any(scv[_visiting_classes(network, k)] != 1))


def has_unequal_service_times(network: Network, k: int) -> bool:
    """Whether the classes that visit station ``k`` differ in service time per visit."""
    times = network.service_times[k][_visiting_classes(network, k)]
    return len(times) > 1 and float(times.max()) > float(times.min()) * (1 + 1e-9)


def _visiting_classes(network: Network, k: int) -> Flags:
    active = (network.rates > 0) | (network.populations > 0)
    return (network.demands[k] > 0) & active


def station_wait(network: Network, k: int) -> StationWait:
    """Waiting times at station ``k`` by the most accurate formula that applies; its load is below its servers."""
    station = network.stations[k]
    is_visiting = _visiting_classes(network, k)
    visits = np.ones(len(is_visiting)) if network.visits is None else network.visits[k]
    times = network.service_times[k]
    class_rates = np.where(is_visiting, network.rates * visits, 0.0)
    rate = float(class_rates.sum())
    mean = float(class_rates @ times) / rate
    is_shared = station.scheduling != "fcfs"
    is_unequal = has_unequal_service_times(network, k)
    service_scv = 1.0 if is_shared else station.service_scv
    if is_unequal and not is_shared:
        mean_square = float(class_rates @ (times * times)) * (1 + service_scv) / rate
        service_scv = max(mean_square / mean**2 - 1, 0.0)
    class_scv = np.array([c.arrival_scv for c in network.classes])
    thinned_scv = np.where(visits < 1, 1 + visits * (class_scv - 1), class_scv)
    arrival_scv = float(class_rates @ thinned_scv) / rate
    m, name = station.servers, station.name
    arguments = (rate, mean, m, arrival_scv, service_scv)
    is_exact = False
    if arrival_scv == 1 and m == 1:
        method = "Pollaczek-Khinchine"
        wait = float(pollaczek_khinchine(rate, mean, service_scv))
        has_poisson_arrivals = _has_poisson_arrivals(network, k)
        is_exact = has_poisson_arrivals and not is_unequal
        note = texts.pollaczek_khinchine_note(name, has_poisson_arrivals, is_unequal)
    elif m == 1 and service_scv == 1 and arrival_scv < 1 and np.count_nonzero(is_visiting) == 1:
        method = "GI/M/1"
        wait = gi_m_1(interarrival_transform(rate, arrival_scv), rate, mean)
        note = texts.gi_m_1_note(name, arrival_scv)
    elif arrival_scv < 1:
        method = "Krämer-Langenbach-Belz"
        wait = float(kramer_langenbach_belz(*arguments))
        note = texts.gg_m_note(name, m, "Krämer and Langenbach-Belz", arrival_scv)
    else:
        method = "Allen-Cunneen"
        wait = float(allen_cunneen(*arguments))
        note = texts.gg_m_note(name, m, "Allen and Cunneen", arrival_scv)
    if not is_exact:
        note += texts.APPROXIMATION
    bound = float(kingman_bound(*arguments))
    waits_per_customer = visits * (times / mean if is_shared else 1.0)
    waits_per_customer = np.where(network.demands[k] > 0, waits_per_customer, 0.0)
    return StationWait(
        method, wait * waits_per_customer, bound * waits_per_customer, is_exact, note
    )


def _has_poisson_arrivals(network: Network, k: int) -> bool:
    """Whether arrivals at station ``k`` are certainly Poisson: all other stations are delays, one visit each."""
    has_other_queue = any(
        i != k and s.kind != "delay" and _visiting_classes(network, i).any()
        for i, s in enumerate(network.stations)
    )
    is_visited_once = network.visits is None or bool(
        np.all(network.visits[k][_visiting_classes(network, k)] <= 1)
    )
    return not has_other_queue and is_visited_once
