"""Types of the arrays that the solver takes and returns, and a division safe for 0/0.

Short, because every other module of the package imports it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]


def quotient(numerator: Array, denominator: Array, otherwise: float = 0.0) -> Array:
    """``numerator / denominator`` where the denominator is above 0, ``otherwise`` elsewhere.

    The arguments broadcast to the shape of one of the two.
    """
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    result = np.full(numerator.shape, otherwise)
    return np.divide(numerator, denominator, out=result, where=denominator > 0)
