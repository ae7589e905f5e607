"""Equations (1) to (10) and section IV of the paper, one function an equation.

Source: Yang and Lan, "A Performance Evaluation Model for Virtual Servers in KVM-based Virtualized System".
Equations 1 and 7 are sums over what the logs list: ``measure.processes.total_cpu_time`` (processes) and
``measure.disks.total_bytes`` (tasks). Every function takes floats or NumPy arrays and works element by element,
so that an interval goes through an equation as the array ``[value, low, high]``: each equation grows with its
uncertain inputs.

Symbols: T is the length of the experiment (s); λ_total the COUNT of user requests in it (the paper uses λ for a
rate in section IV and for a count in equations 2 and 10); t1 is before and t2 after the experiment. Where the
paper leaves a choice, each reading is a function or a named option here; ``docs/background/variants.md`` says
what they mean. A quantity that does not exist (0/0, a queue at utilization 1) is NaN or infinity, and no
function raises for it: the ledger says why a number is missing.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Number = float | NDArray[np.float64]

SECTOR_BYTES = 512
"""Sectors of /sys/block/*/stat have 512 bytes whatever the device says (Documentation/block/stat.rst)."""

DemandReading = Literal["service-demand", "as-printed", "per-operation"]
Denominator = Literal["own", "total"]
SumReading = Literal["as-printed", "nested"]

DEMAND_READINGS: tuple[DemandReading, ...] = ("service-demand", "as-printed", "per-operation")
DENOMINATORS: tuple[Denominator, ...] = ("own", "total")
SUM_READINGS: tuple[SumReading, ...] = ("as-printed", "nested")


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Number:
    """``numerator / denominator``; NaN for 0/0, infinity for x/0, without a warning."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(np.asarray(numerator, float), np.asarray(denominator, float))


def relative_error(modelled: ArrayLike, measured: ArrayLike) -> Number:
    """(modelled − measured) / measured: 0.1 is ten percent too much."""
    return ratio(np.asarray(modelled, float) - np.asarray(measured, float), measured)


# -- section V: the measured quantities ------------------------------------------------------------------


def cpu_residence_time(cpu_time_s: ArrayLike, requests: ArrayLike) -> Number:
    """Equation 2: R_cpu = T_cpu / λ_total (s a request). It has no queueing: R_cpu is a service demand."""
    return ratio(cpu_time_s, requests)


def disk_utilization(busy_s: ArrayLike, window_s: ArrayLike) -> Number:
    """Equation 3: U_disk,total = T_disk / T, the fraction of the window with a request in flight.

    ``busy_s``: growth of io_ticks (field 10 of /sys/block/DEV/stat) in seconds.
    """
    return ratio(busy_s, window_s)


def bytes_read(sectors_before: ArrayLike, sectors_after: ArrayLike) -> Number:
    """Equation 4: Read_disk,total (bytes) from the sectors read before and after.

    As printed the equation takes t1 (before) minus t2 (after), which is negative; this is after minus before.
    """
    return (np.asarray(sectors_after, float) - np.asarray(sectors_before, float)) * SECTOR_BYTES


def bytes_written(sectors_before: ArrayLike, sectors_after: ArrayLike) -> Number:
    """Equation 5: Write_disk,total (bytes); after minus before, as in equation 4."""
    return bytes_read(sectors_before, sectors_after)


def bytes_moved(read_bytes: ArrayLike, written_bytes: ArrayLike) -> Number:
    """Equation 6: IO_disk,total = Read_disk,total + Write_disk,total (bytes)."""
    return np.asarray(read_bytes, float) + np.asarray(written_bytes, float)


def server_share(io_req_bytes: ArrayLike, io_total_bytes: ArrayLike) -> Number:
    """The ratio IO_disk,req / IO_disk,total of equation 8, as it is: write-back can make it exceed 1.

    iotop charges a write when the page is dirtied, the disk when it is flushed. Nothing moved by nobody is a
    share of 0; bytes of the server on a disk that moved none is infinity.
    """
    share = ratio(io_req_bytes, io_total_bytes)
    nothing = (np.asarray(io_req_bytes, float) == 0) & (np.asarray(io_total_bytes, float) == 0)
    return np.where(nothing, 0.0, share)[()]


def server_disk_utilization(share: ArrayLike, disk_utilization_total: ArrayLike) -> Number:
    """Equation 8: U_disk,req = IO_disk,req / IO_disk,total × U_disk,total, with the ratio bounded by 1."""
    return np.minimum(np.asarray(share, float), 1.0) * np.asarray(disk_utilization_total, float)


def disk_demand(
    server_utilization: ArrayLike,
    reading: DemandReading,
    *,
    requests_per_s: ArrayLike,
    operations_per_s: ArrayLike,
    share: ArrayLike,
) -> Number:
    """Equation 9: D_disk,req = U_disk,req / X, in one of three readings.

    ``service-demand``: X is X_req, user requests a second: time at the disk per user request (s). This is the
    Service Demand Law (Denning and Buzen 1978), and the only reading that adds up with R_cpu.
    ``as-printed``: X is X_disk,total, completed disk operations a second.
    ``per-operation``: X is the server's own operations a second, the disk's operations times the server's share
    of the bytes (nobody counts operations per process): mean busy time of one disk operation.
    """
    if reading == "service-demand":
        return ratio(server_utilization, requests_per_s)
    if reading == "as-printed":
        return ratio(server_utilization, operations_per_s)
    if reading == "per-operation":
        own = np.minimum(np.asarray(share, float), 1.0) * np.asarray(operations_per_s, float)
        return ratio(server_utilization, own)
    raise ValueError(
        f"no reading of equation 9 is called {reading!r}; there are {', '.join(DEMAND_READINGS)}"
    )


def cpu_utilization(
    cpu_time_s: ArrayLike, window_s: ArrayLike, processors: ArrayLike = 1
) -> Number:
    """Ours, the Utilization Law per processor: U_cpu = T_cpu / (m T), with m processors."""
    return ratio(cpu_time_s, np.asarray(window_s, float) * np.asarray(processors, float))


def throughput(requests: ArrayLike, window_s: ArrayLike) -> Number:
    """Equation 10, first half: X_req = λ_total / T (requests a second)."""
    return ratio(requests, window_s)


def disk_residence_time(demand_s: ArrayLike, utilization: ArrayLike) -> Number:
    """Equation 10, second half: R_disk,req = D_disk,req / (1 − U) (s); infinite from utilization 1 on.

    ``utilization``: the server's own U_disk,req as printed (denominator ``own``), or U_disk,total
    (``total``): in an open network with several classes every class waits for all of them.
    """
    demand, busy = np.broadcast_arrays(np.asarray(demand_s, float), np.asarray(utilization, float))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(busy < 1, demand / (1 - busy), np.where(demand > 0, np.inf, demand))[()]


def response_time(
    cpu_s: ArrayLike, virtual_disk_s: ArrayLike, physical_disk_s: ArrayLike, reading: SumReading
) -> Number:
    """Section IV: R_req of a request with I/O (s), in one of two readings.

    ``as-printed``: R_cpu + R_vdisk + R_disk. ``nested``: R_cpu + max(R_vdisk, R_disk), because the time that the
    guest sees at its disk contains the time at the host's.
    """
    cpu, virtual, physical = (
        np.asarray(part, float) for part in (cpu_s, virtual_disk_s, physical_disk_s)
    )
    if reading == "as-printed":
        return cpu + virtual + physical
    if reading == "nested":
        return cpu + np.maximum(virtual, physical)
    raise ValueError(
        f"no reading of R_req is called {reading!r}; there are {', '.join(SUM_READINGS)}"
    )


def virtualization_share(virtual_disk_s: ArrayLike, physical_disk_s: ArrayLike) -> Number:
    """max(0, R_vdisk − R_disk) (s): what the virtualization layer itself adds at the disk, reading ``nested``."""
    return np.maximum(np.asarray(virtual_disk_s, float) - np.asarray(physical_disk_s, float), 0.0)


def closed_stations(
    cpu_s: ArrayLike, virtual_disk_s: ArrayLike, physical_disk_s: ArrayLike
) -> NDArray[np.float64]:
    """Demands (s) of the paper's closed network, stations last: the CPU, the physical disk, the layer above it.

    The guest's time at its disk is the time at the host's disk and in the layer, never less than the host's.
    """
    layer = virtualization_share(virtual_disk_s, physical_disk_s)
    return np.stack((np.asarray(cpu_s, float), np.asarray(physical_disk_s, float), layer), axis=-1)


def without_background(
    used: ArrayLike, idle_used: ArrayLike, idle_s: ArrayLike, window_s: ArrayLike
) -> Number:
    """Growth of a counter in the window less what an idle machine would have added: used − idle rate × T.

    Ours (the paper records the before-state and does not say what it is for). Never below 0.
    """
    idle = ratio(idle_used, idle_s) * np.asarray(window_s, float)
    return np.maximum(np.asarray(used, float) - idle, 0.0)


# -- equation 10 backwards -------------------------------------------------------------------------------


def demand_from_residence_time(residence_time_s: ArrayLike, throughput_per_s: ArrayLike) -> Number:
    """Equation 10 solved for D with U = X D: D = R / (1 + X R) (s a request).

    What a published residence time implies, under the reading service-demand with its own denominator.
    """
    residence = np.asarray(residence_time_s, float)
    return residence / (1 + np.asarray(throughput_per_s, float) * residence)


def utilization_from_demand(demand_s: ArrayLike, throughput_per_s: ArrayLike) -> Number:
    """The Utilization Law (Denning and Buzen 1978): U = X D."""
    return np.asarray(throughput_per_s, float) * np.asarray(demand_s, float)


def population_from_response_time(
    response_time_s: ArrayLike, throughput_per_s: ArrayLike, think_time_s: ArrayLike = 0.0
) -> Number:
    """Little's law for a closed system: N = X (R + Z)."""
    return np.asarray(throughput_per_s, float) * (
        np.asarray(response_time_s, float) + np.asarray(think_time_s, float)
    )
