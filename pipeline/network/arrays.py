"""The arrays that networks are solved with, as annotations name them, and division where nothing divides nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]


def quotient(a: Array, b: Array, otherwise: float = 0.0) -> Array:
    """``a / b`` where ``b`` is above 0, ``otherwise`` elsewhere; they broadcast to one of the two's shape."""
    a, b = np.broadcast_arrays(a, b)
    return np.divide(a, b, out=np.full(a.shape, otherwise), where=b > 0)
