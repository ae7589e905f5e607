"""Texts of the ledger: reasons for a missing number, and flags of a number.

Short, because most reasons are those of :mod:`pipeline.measure`.
"""

from __future__ import annotations

# Reasons
ONE_ROW_PER_SUBJECT = "one row per subject"
UNDEFINED = "undefined (0/0)"
INFINITE = "infinite: utilization ≥ 1"
NO_POPULATION = "run.json: the population is missing"

# Flags
UTILIZATION_ABOVE_1 = "utilization above 1"
BACKGROUND_ABOVE_LOAD = "background rate ≥ rate under load: net value set to 0"
STARTED_IN_WINDOW = "started during the window; full CPU time counted"
EXITED_IN_WINDOW = "exited during the window; CPU time after the last sample is missing"
TIMES_INFERRED = "times inferred"
WINDOW_INFERRED = "window inferred"
INFERRED_FLAGS = (TIMES_INFERRED, WINDOW_INFERRED)
NO_UPPER_BOUND = "the interval has no upper bound: utilization may be 1"


def share_capped(share: float) -> str:
    """Flag: more bytes by iotop than the disk counted."""
    return f"share capped at 1 (iotop reports {share:.2f}× the disk's bytes)"


def neighbour_not_modelled(name: str) -> str:
    """Flag: a closed model of one virtual server while another one has a load."""
    return f"the load on {name} at the same time is not in the closed model"


def not_printed(quantity: str) -> str:
    """Reason: a number that the load generator does not report."""
    return f"the client's log has no {quantity}"


def process_subject(pid: int, generation: int) -> str:
    """Subject of a process: its pid, with a number if the pid was used again."""
    return f"pid {pid}" + (f" generation {generation + 1}" if generation else "")
