"""The populations 0 ≤ n ≤ N of several closed classes, ordered by their total, so that recursions become arrays.

A recursion over populations needs n − 1_c, which has one customer less. All n with the same total |n| form a layer and
depend only on the layer |n| − 1, so that one array operation computes a whole layer. There are |N| layers and
Π (N_c + 1) populations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.network.arrays import Counts


def lattice_size(populations: Counts) -> int:
    """Π (N_c + 1), as a Python integer, which cannot overflow."""
    return math.prod(int(n) + 1 for n in populations)


def max_layer_size(populations: Counts) -> int:
    """Upper bound of the populations with one total: Π (N_c + 1) / (max N_c + 1)."""
    return lattice_size(populations) // (int(populations.max(initial=0)) + 1)


@dataclass(frozen=True)
class Lattice:
    """All populations up to ``populations``, shape (C,), each ≥ 1."""

    populations: Counts

    @property
    def shape(self) -> tuple[int, ...]:
        """(N_1 + 1, …, N_C + 1)."""
        return tuple(int(n) + 1 for n in self.populations)

    @cached_property
    def _grid(self) -> Counts:
        totals = np.zeros(self.shape, np.int32)
        for c, n in enumerate(self.shape):
            totals += np.arange(n, dtype=np.int32).reshape((-1,) + (1,) * (len(self.shape) - c - 1))
        return totals.ravel()

    @cached_property
    def order(self) -> Counts:
        """Flat (C order) index of each population, sorted by total, shape (L,)."""
        totals = self._grid
        if totals[-1] < 2**15:  # NumPy sorts 16-bit integers by radix
            totals = totals.astype(np.int16)
        return np.argsort(totals, kind="stable")

    @cached_property
    def rank(self) -> Counts:
        """Place of each flat index in ``order``: its inverse permutation."""
        rank = np.empty(len(self.order), np.int64)
        rank[self.order] = np.arange(len(rank))
        return rank

    @cached_property
    def starts(self) -> Counts:
        """Layer t is ``order[starts[t]:starts[t + 1]]``, shape (|N| + 2,)."""
        return np.concatenate(([0], np.cumsum(np.bincount(self._grid))))

    @cached_property
    def numbers(self) -> NDArray[np.int32]:
        """n_c in order, shape (C, L)."""
        return np.stack([a.astype(np.int32) for a in np.unravel_index(self.order, self.shape)])

    @cached_property
    def predecessors(self) -> Counts:
        """Place of n − 1_c in order, and L (absent) where n_c = 0; shape (C, L)."""
        length = len(self.order)
        strides = [math.prod(self.shape[c + 1 :]) for c in range(len(self.shape))]
        return np.stack(
            [
                np.where(self.numbers[c] > 0, self.rank[self.order - stride], length)
                for c, stride in enumerate(strides)
            ]
        )
