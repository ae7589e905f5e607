"""Equations (1) to (10) and section IV of the paper, one function per equation.

Source: Yang and Lan, "A Performance Evaluation Model for Virtual Servers in KVM-based Virtualized System".
Equations 1 and 7 are sums over log records: ``measure.processes.total_cpu_time`` (processes) and
``measure.disks.total_bytes`` (tasks). Every function takes floats or NumPy arrays and works element by element, so
that an interval is propagated as the array ``[value, low, high]``: each equation is non-decreasing in its uncertain
inputs.

Symbols: T is the length of the experiment (s); λ_total the COUNT of user requests in it (the paper uses λ for a
rate in section IV and for a count in equations 2 and 10); t1 is before and t2 after the experiment. Where the
paper is ambiguous, each variant is a function or a named option here (``docs/background/variants.md``). An undefined
quantity (0/0, a queue at utilization 1) is NaN or infinity and raises no error: the ledger gives the reason.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Number = float | NDArray[np.float64]

SECTOR_BYTES = 512
"""Bytes per sector in /sys/block/*/stat, for every device (Documentation/block/stat.rst)."""

DemandVariant = Literal["service-demand", "as-printed", "per-operation"]
Denominator = Literal["own", "total"]
SumVariant = Literal["as-printed", "nested"]

DEMAND_VARIANTS: tuple[DemandVariant, ...] = ("service-demand", "as-printed", "per-operation")
DENOMINATORS: tuple[Denominator, ...] = ("own", "total")
SUM_VARIANTS: tuple[SumVariant, ...] = ("as-printed", "nested")


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Number:
    """``numerator / denominator``; NaN for 0/0, infinity for x/0, without a warning."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(np.asarray(numerator, float), np.asarray(denominator, float))


def relative_error(modelled: ArrayLike, measured: ArrayLike) -> Number:
    """(modelled − measured) / measured: 0.1 is 10 % too high."""
    return ratio(np.asarray(modelled, float) - np.asarray(measured, float), measured)


# -- section V: the measured quantities ------------------------------------------------------------------


def cpu_residence_time(cpu_time_s: ArrayLike, requests: ArrayLike) -> Number:
    """Equation 2: R_cpu = T_cpu / λ_total (s per request). It contains no queueing: R_cpu is a service demand."""
    return ratio(cpu_time_s, requests)


def disk_utilization(busy_s: ArrayLike, window_s: ArrayLike) -> Number:
    """Equation 3: U_disk,total = T_disk / T, the fraction of the window with a request in flight.

    ``busy_s``: increase of io_ticks (field 10 of /sys/block/DEV/stat) in seconds.
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


def bytes_transferred(read_bytes: ArrayLike, written_bytes: ArrayLike) -> Number:
    """Equation 6: IO_disk,total = Read_disk,total + Write_disk,total (bytes)."""
    return np.asarray(read_bytes, float) + np.asarray(written_bytes, float)


def server_share(io_req_bytes: ArrayLike, io_total_bytes: ArrayLike) -> Number:
    """The ratio IO_disk,req / IO_disk,total of equation 8, unbounded: write-back can make it exceed 1.

    iotop counts a write when the page is dirtied, the disk when it is flushed. 0/0 is a share of 0; bytes of the
    server with none at the disk are infinity.
    """
    share = ratio(io_req_bytes, io_total_bytes)
    is_zero = (np.asarray(io_req_bytes, float) == 0) & (np.asarray(io_total_bytes, float) == 0)
    return np.where(is_zero, 0.0, share)[()]


def server_disk_utilization(share: ArrayLike, disk_utilization_total: ArrayLike) -> Number:
    """Equation 8: U_disk,req = IO_disk,req / IO_disk,total × U_disk,total, with the ratio capped at 1."""
    return np.minimum(np.asarray(share, float), 1.0) * np.asarray(disk_utilization_total, float)


def disk_demand(
    server_utilization: ArrayLike,
    variant: DemandVariant,
    *,
    requests_per_s: ArrayLike,
    operations_per_s: ArrayLike,
    share: ArrayLike,
) -> Number:
    """Equation 9: D_disk,req = U_disk,req / X, in one of three variants.

    Parameters
    ----------
    server_utilization : array_like
        U_disk,req.
    variant : {"service-demand", "as-printed", "per-operation"}
        ``service-demand``: X is X_req, user requests per second: time at the disk per user request, the only variant
        that can be added to R_cpu. ``as-printed``: X is X_disk,total, completed disk operations per second.
        ``per-operation``: X is the server's own operations per second, the disk's operations times the server's share
        of the bytes (there is no count of operations per process): mean busy time of one disk operation.
    requests_per_s, operations_per_s : array_like
        X_req and X_disk,total.
    share : array_like
        IO_disk,req / IO_disk,total.

    Returns
    -------
    float or ndarray
        Seconds per request or per operation.

    Raises
    ------
    ValueError
        For an unknown variant.

    References
    ----------
    The Service Demand Law: Denning and Buzen, Computing Surveys 10 (1978) 225.

    Examples
    --------
    >>> float(disk_demand(0.1, "service-demand", requests_per_s=5, operations_per_s=50, share=1))
    0.02
    """
    if variant == "service-demand":
        return ratio(server_utilization, requests_per_s)
    if variant == "as-printed":
        return ratio(server_utilization, operations_per_s)
    if variant == "per-operation":
        own = np.minimum(np.asarray(share, float), 1.0) * np.asarray(operations_per_s, float)
        return ratio(server_utilization, own)
    raise ValueError(
        f"variant of equation 9 must be one of {', '.join(DEMAND_VARIANTS)} (got {variant!r})"
    )


def cpu_utilization(
    cpu_time_s: ArrayLike, window_s: ArrayLike, processors: ArrayLike = 1
) -> Number:
    """Our addition, the Utilization Law per processor: U_cpu = T_cpu / (m T) with m processors."""
    return ratio(cpu_time_s, np.asarray(window_s, float) * np.asarray(processors, float))


def throughput(requests: ArrayLike, window_s: ArrayLike) -> Number:
    """Equation 10, first half: X_req = λ_total / T (requests per second)."""
    return ratio(requests, window_s)


def disk_residence_time(demand_s: ArrayLike, utilization: ArrayLike) -> Number:
    """Equation 10, second half: R_disk,req = D_disk,req / (1 − U) (s); infinite for U ≥ 1.

    ``utilization``: the server's own U_disk,req as printed (denominator ``own``), or U_disk,total
    (``total``): in an open network with several classes every class waits for the customers of all classes.
    """
    demand, busy = np.broadcast_arrays(np.asarray(demand_s, float), np.asarray(utilization, float))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(busy < 1, demand / (1 - busy), np.where(demand > 0, np.inf, demand))[()]


def response_time(
    cpu_s: ArrayLike, virtual_disk_s: ArrayLike, physical_disk_s: ArrayLike, variant: SumVariant
) -> Number:
    """Section IV: R_req of a request with I/O (s), in one of two variants.

    ``as-printed``: R_cpu + R_vdisk + R_disk. ``nested``: R_cpu + max(R_vdisk, R_disk), because the residence time at
    the guest's disk includes the time at the host's disk.
    """
    cpu, virtual, physical = (
        np.asarray(part, float) for part in (cpu_s, virtual_disk_s, physical_disk_s)
    )
    if variant == "as-printed":
        return cpu + virtual + physical
    if variant == "nested":
        return cpu + np.maximum(virtual, physical)
    raise ValueError(f"variant of R_req must be one of {', '.join(SUM_VARIANTS)} (got {variant!r})")


def virtualization_share(virtual_disk_s: ArrayLike, physical_disk_s: ArrayLike) -> Number:
    """max(0, R_vdisk − R_disk) (s): time added by the virtualization layer at the disk, variant ``nested``."""
    return np.maximum(np.asarray(virtual_disk_s, float) - np.asarray(physical_disk_s, float), 0.0)


def closed_stations(
    cpu_s: ArrayLike, virtual_disk_s: ArrayLike, physical_disk_s: ArrayLike
) -> NDArray[np.float64]:
    """Demands of the stations of the paper's closed network: CPU, physical disk, virtualization layer.

    The time at the guest's disk is split into the time at the host's disk and in the layer.

    Parameters
    ----------
    cpu_s, virtual_disk_s, physical_disk_s : array_like, shape (…)
        Demands at the CPU, the guest's disk and the host's disk, seconds per request.

    Returns
    -------
    ndarray, shape (…, 3)
        Seconds per request, stations on the last axis.

    References
    ----------
    Yang and Lan, section IV.

    Examples
    --------
    >>> closed_stations(0.004, 0.010, 0.002).tolist()
    [0.004, 0.002, 0.008]
    """
    layer = virtualization_share(virtual_disk_s, physical_disk_s)
    return np.stack((np.asarray(cpu_s, float), np.asarray(physical_disk_s, float), layer), axis=-1)


def net_of_background(
    used: ArrayLike, idle_used: ArrayLike, idle_s: ArrayLike, window_s: ArrayLike
) -> Number:
    """Increase of a counter in the window net of the idle baseline: max(0, used − idle rate × T).

    Our addition: the paper records the state before the experiment without using it.
    """
    idle = ratio(idle_used, idle_s) * np.asarray(window_s, float)
    return np.maximum(np.asarray(used, float) - idle, 0.0)


# -- equation 10 inverted ----------------------------------------------------------------------------------


def demand_from_residence_time(residence_time_s: ArrayLike, throughput_per_s: ArrayLike) -> Number:
    """Equation 10 solved for D with U = X D: D = R / (1 + X R) (s per request).

    The demand implied by a published residence time, variant service-demand with its own denominator.
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
