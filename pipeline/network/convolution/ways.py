"""What a way to hold G has to be able to do; :mod:`line` and :mod:`layers` have two each."""

from __future__ import annotations

from typing import Protocol

from pipeline.network.arrays import Array

ENOUGH = 1e-250
"""G(N) above this: what underflowed on the way cannot matter."""


class Way(Protocol):
    """How G is held and multiplied: on a line or in layers, plain or as logarithms."""

    def base(self) -> Array:
        """The delays' part of G."""
        ...

    def is_single(self, k: int) -> bool:
        """Whether station k is folded in by :meth:`with_singles`."""
        ...

    def with_singles(self, g: Array, stations: list[int]) -> Array:
        """Fold in single-server stations."""
        ...

    def with_station(self, g: Array, k: int) -> Array:
        """Fold in any station."""
        ...

    def ratios(self, g: Array) -> Array | None:
        """G(N − 1_c) / G(N), (C,); None if too much has underflowed."""
        ...

    def queue_at_single(self, k: int, g: Array) -> Array:
        """Q_kc from G itself, (C,)."""
        ...

    def queue_at(self, k: int, without: Array, g: Array) -> tuple[Array, Array]:
        """Q_kc and P(n customers at k) from G without station k."""
        ...
