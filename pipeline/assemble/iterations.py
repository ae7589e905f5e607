"""Lengths of iotop's iterations where its log prints no times and a busy machine delayed it.

The rates of an iteration are means over its length, so the bytes of all iterations add up to what the disk counted
between two readings. Of all lengths with that sum, and with the load's length as their own sum, those that are closest
to equal are taken (least squares).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MIN_ITERATIONS = 3
MIN_LENGTH = 0.2
"""Of the mean length: with a shorter iteration the two sums contradict each other."""
LOADED = 0.25
"""An iteration belongs to the load at this share of the load's rate."""


def loaded_iterations(rates: Array) -> tuple[int, int]:
    """The iterations with the load: the numbers of the snapshots at its start and at its end.

    Parameters
    ----------
    rates : array
        Bytes per second of each iteration, which ends with the snapshot of its number; the first is none.

    Returns
    -------
    first, last : int
        The part with the largest excess over a quarter of the rate of a byte's iteration.

    Examples
    --------
    >>> loaded_iterations(np.array([9.0, 0.0, 0.1, 5.0, 0.0, 6.0, 0.2]))
    (2, 5)
    """
    of_interest = rates[1:]
    total = float(of_interest.sum())
    if total <= 0:
        return 0, len(rates) - 1
    excess = of_interest - LOADED * float((of_interest**2).sum()) / total
    sums = np.concatenate([[0.0], np.cumsum(excess)])
    gains = sums - np.minimum.accumulate(sums)
    last = int(np.argmax(gains))
    return int(np.argmin(sums[: last + 1])), last


def iteration_lengths_s(rates: Array, length_s: float, counted_bytes: float) -> Array | None:
    """Lengths that add up to ``length_s``, and with the rates to ``counted_bytes``.

    Parameters
    ----------
    rates : array
        Bytes per second of the iterations with the load.
    length_s : float
        Length of the load.
    counted_bytes : float
        Bytes that the disk counted in it.

    Returns
    -------
    array or None
        None with fewer than three iterations, or where the sums contradict each other.

    Examples
    --------
    >>> iteration_lengths_s(np.array([2.0, 4.0, 3.0]), 6.0, 19.0).round(6).tolist()
    [1.5, 2.5, 2.0]
    """
    if len(rates) < MIN_ITERATIONS:
        return None
    mean_s, spread = length_s / len(rates), rates - rates.mean()
    variation = float((spread**2).sum())
    missing = counted_bytes - mean_s * float(rates.sum())
    lengths_s = mean_s + (missing / variation if variation > 0 else 0.0) * spread
    return lengths_s if lengths_s.min() >= MIN_LENGTH * mean_s else None


def snapshot_times_s(
    rates: Array, window: tuple[float, float], counted_bytes: float, log: tuple[float, float] | None
) -> Array | None:
    """Times of all snapshots of a log of iotop.

    Parameters
    ----------
    rates : array
        Bytes per second of each iteration; the first is none.
    window : tuple of float
        Start and end of the load, seconds since 1970 by the clock of the machine.
    counted_bytes : float
        Bytes that the disks of the machine counted in it.
    log : tuple of float or None
        Start and end of another log that was recorded along with this one.

    Returns
    -------
    array or None
        None where the lengths cannot be inferred.
    """
    first, last = loaded_iterations(rates)
    lengths_s = iteration_lengths_s(
        rates[first + 1 : last + 1], window[1] - window[0], counted_bytes
    )
    if lengths_s is None:
        return None
    typical_s = float(np.median(lengths_s))
    before_s, after_s = first * typical_s, (len(rates) - 1 - last) * typical_s
    if log is not None:
        before_s = max(window[0] - log[0], 0.0) or before_s
        after_s = max(log[1] - window[1], 0.0) or after_s
    return np.concatenate(
        [
            np.linspace(window[0] - before_s, window[0], first, endpoint=False),
            window[0] + np.concatenate([[0.0], np.cumsum(lengths_s)]),
            np.linspace(window[1] + after_s, window[1], len(rates) - 1 - last, endpoint=False)[
                ::-1
            ],
        ]
    )
