"""Models of works that the paper cites, as functions; reference numbers are the paper's.

[8] Menascé gives the slowdown by privileged instructions. A guest's privileged instruction traps, and the hypervisor
executes several instructions in its place: with a fraction f_p of privileged instructions and N_e instructions for
each, the guest executes S_v = f_p N_e + (1 − f_p) instructions for one of the bare machine. A CPU demand D of the bare
machine becomes S_v D (see :func:`pipeline.equations.cpu_residence_time`, which measures the product).

What it leaves out: instructions count alike, so cache misses, page-table walks and the switch between the modes of the
CPU are in N_e or nowhere; waiting for the hypervisor is no instruction. Of the two inputs a measured slowdown gives
one if the other is known, and never both.

Functions take floats or NumPy arrays and work element by element. Outside of its domain (f_p in [0, 1], N_e ≥ 1) a
result is NaN, without an error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Number = float | NDArray[np.float64]


def privileged_instruction_slowdown(
    privileged_fraction: ArrayLike, instructions_per_privileged: ArrayLike
) -> Number:
    """Slowdown of a guest's CPU by privileged instructions, S_v = f_p N_e + (1 − f_p).

    Parameters
    ----------
    privileged_fraction
        f_p, the fraction of instructions that are privileged, 0 to 1.
    instructions_per_privileged
        N_e, instructions that the hypervisor executes for a privileged one, 1 or more.

    Returns
    -------
    float or ndarray
        Instructions in the guest for one of the bare machine, 1 to N_e; NaN outside of the domain.

    References
    ----------
    Menascé, "Virtualization: Concepts, Applications, and Performance Modeling", CMG 2005, pages 407 to 414.

    Examples
    --------
    >>> privileged_instruction_slowdown(0.001, 500)
    1.499
    """
    fraction, cost = np.asarray(privileged_fraction, float), np.asarray(instructions_per_privileged)
    return _within(
        fraction * cost + (1 - fraction), (fraction >= 0) & (fraction <= 1) & (cost >= 1)
    )


def privileged_fraction_from_slowdown(
    slowdown: ArrayLike, instructions_per_privileged: ArrayLike
) -> Number:
    """The fraction of privileged instructions that a slowdown implies, f_p = (S_v − 1) / (N_e − 1).

    Parameters
    ----------
    slowdown
        S_v, CPU time under the hypervisor over CPU time on the bare machine.
    instructions_per_privileged
        N_e.

    Returns
    -------
    float or ndarray
        0 to 1. NaN where no fraction explains the slowdown (below 1 or above N_e), and for N_e = 1, where every
        fraction does.

    Examples
    --------
    >>> round(privileged_fraction_from_slowdown(1.5, 501), 6)
    0.001
    """
    slower, cost = np.asarray(slowdown, float), np.asarray(instructions_per_privileged, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _within((slower - 1) / (cost - 1), (slower >= 1) & (slower <= cost) & (cost > 1))


def instructions_from_slowdown(slowdown: ArrayLike, privileged_fraction: ArrayLike) -> Number:
    """The instructions for a privileged one that a slowdown implies, N_e = 1 + (S_v − 1) / f_p.

    Parameters
    ----------
    slowdown
        S_v, CPU time under the hypervisor over CPU time on the bare machine.
    privileged_fraction
        f_p.

    Returns
    -------
    float or ndarray
        1 or more. NaN for a slowdown below 1, and for f_p = 0, where no number explains one.

    Examples
    --------
    >>> round(instructions_from_slowdown(1.5, 0.001), 6)
    501.0
    """
    slower, fraction = np.asarray(slowdown, float), np.asarray(privileged_fraction, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _within(
            1 + (slower - 1) / fraction, (slower >= 1) & (fraction > 0) & (fraction <= 1)
        )


def _within(value: NDArray[np.float64], is_valid: NDArray[np.bool_]) -> Number:
    result = np.where(is_valid, value, np.nan)
    return result if result.ndim else float(result)
