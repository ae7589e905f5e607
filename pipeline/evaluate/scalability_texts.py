"""Sentences of the Universal Scalability Law, of sweeps over populations and of consolidation."""

NO_DEGREES_OF_FREEDOM = "three points and three parameters: nothing is left to estimate the scatter"


def too_few_levels(levels: int, needed: int) -> str:
    """The Universal Scalability Law cannot be fitted."""
    verb = "is" if levels == 1 else "are"
    return f"the law has three parameters and needs {needed} different N; there {verb} {levels}"


def not_numbers(name: str) -> str:
    """An argument that is not made of numbers."""
    return f"{name}: not numbers"


def not_of_one_length(name: str, shape: tuple[int, ...], size: int | None) -> str:
    """An argument of another shape than the others."""
    needed = "one number per point is" if size is None else f"{size} points are"
    return f"{name}: shape {shape}, but {needed} needed"


def not_positive(name: str, row: int, value: float) -> str:
    """A number that must be positive."""
    return f"{name}, point {row}: {value:g} is not above 0"


LAW = "Universal Scalability Law"
CLOSED_NETWORK = "closed network"
"""Models of a sweep, beside the host model."""

ALL_LEVELS = "all levels"
LOW_LEVELS = "low levels"
STUDY_LEVELS = "levels not held out"
"""Which levels a model was fitted to."""

NO_RUN_ALONE = "no run with one of the virtual servers loaded that a model can be fitted to"
SATURATED = "the model predicts saturation: R has no steady state"


def no_model(reason: str) -> str:
    """A series without the prediction of the host model."""
    return f"no model of one virtual server: {reason}"
