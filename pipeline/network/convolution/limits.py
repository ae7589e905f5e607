"""What an exact solution may take: refused before it begins, not given up in the middle."""

from __future__ import annotations

from pipeline.network.arrays import Counts
from pipeline.network.lattice import size

MOST_WORK = 4_000_000_000
"""Multiplications that are tried, at about a thousand million a second."""
CALL = 20_000
"""Multiplications that could be done while an array operation is being started."""
MOST_CELLS = 12_000_000
"""Classes times populations of a lattice: 8 bytes each, a few times."""


class TooLargeError(ValueError):
    """Exact solution would take too much time or memory."""


def lattice_cells(populations: Counts) -> int:
    """Classes times Π (N_c + 1)."""
    return len(populations) * size(populations)


def guard_lattice(populations: Counts) -> None:
    """Refuse a lattice that would not fit."""
    cells = lattice_cells(populations)
    if cells > MOST_CELLS:
        raise TooLargeError(
            f"the lattice of populations has {cells:.3g} cells, more than {MOST_CELLS:.3g}"
        )


def guard(work: float, memory: float) -> None:
    """Refuse what would take too long or too much memory."""
    if work > MOST_WORK:
        raise TooLargeError(f"it would take {work:.3g} multiplications, more than {MOST_WORK:.3g}")
    if memory > MOST_CELLS:
        raise TooLargeError(
            f"it would take {memory:.3g} numbers in memory, more than {MOST_CELLS:.3g}"
        )
