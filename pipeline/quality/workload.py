"""Checks of the load against the plan: arrival rate, variability of arrivals, errors at the client."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

import numpy as np

from pipeline.distributions import (
    chi2_probability,
    chi2_quantile,
    chi2_tail,
    normal_quantile,
    normal_tail,
)
from pipeline.ledger.catalogue import ALL
from pipeline.ledger.lookup import LedgerView
from pipeline.measure.arrivals import count_dispersion, counts_per_second
from pipeline.quality import texts
from pipeline.quality.check import (
    CONFIDENCE,
    RULE_EQUIVALENCE,
    Check,
    equivalence_result,
    exact_result,
    not_evaluated,
)
from pipeline.raw import VirtualServer, Window

MAX_RATE_ERROR = 0.02
"""Share of the offered rate by which the achieved rate may differ."""
MAX_ERROR_SHARE = 0.001
"""Share of requests that may fail."""
MAX_DISPERSION_ERROR = 0.5
"""Allowed difference of the index of dispersion from that of the requested stream: halfway to the other stream."""
MIN_SECONDS = 20
"""Fewer whole seconds give no useful variance."""


def check_arrival_rate(
    server: VirtualServer, numbers: LedgerView, trace_rate_per_s: float | None = None
) -> Iterator[Check]:
    """The rate of completions against the rate that the client was to offer (open workloads).

    ``trace_rate_per_s``: the rate of the client's arrival trace, where it has one and the server's log matches it
    (``measure.arrivals``): then the offered rate is not random.
    """
    work, name, dependents = server.workload, texts.ARRIVAL_RATE, (ALL,)
    if work is None or work.kind != "open":
        return
    offered = work.rate_per_s
    achieved = numbers.value("X_client")
    achieved = numbers.value("X_req") if achieved is None else achieved
    count = numbers.value("lambda_total")
    if not offered or achieved is None:
        yield not_evaluated(name, texts.NO_RATE, dependents, blocking=True)
        return
    offered = trace_rate_per_s or offered
    tolerance = offered * MAX_RATE_ERROR
    result, rule = exact_result(achieved, offered, tolerance), texts.RULE_EXACT
    low = high = p = None
    if work.arrivals == "poisson" and count and trace_rate_per_s is None:
        # The count itself is random: its standard deviation is the square root of its mean.
        error = achieved / sqrt(count)
        low, high = (
            normal_quantile(end) * error + achieved
            for end in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
        )
        p = 2 * normal_tail(abs(achieved - offered) / error)
        result = equivalence_result(achieved, low, high, p, offered, tolerance)
        rule = RULE_EQUIVALENCE
    yield Check(
        name, result, texts.achieved_rate(achieved, offered), dependents, achieved, offered, tolerance,
        "requests/s", texts.achieved_rate(achieved, offered, 3), blocking=True,
        low=low, high=high, p=p, rule=rule,
    )  # fmt: skip


def check_arrival_variability(
    server: VirtualServer, at_ns: np.ndarray | str, window: Window
) -> Iterator[Check]:
    """Index of dispersion of the arrivals in whole seconds against that of the requested stream (open workloads).

    ``at_ns``: times of the requests in the server's own log, by its clock, or why there are none. The variance of the
    count in a second over its mean is 1 for a Poisson stream and tends to the squared coefficient of variation of the
    gaps for any renewal stream: near 0 if they are even. For a Poisson stream n − 1 times it is χ² with n − 1 degrees
    of freedom (Cox and Lewis 1966).
    """
    work, name, dependents = server.workload, texts.ARRIVAL_VARIABILITY, ("R_vdisk", "R_disk")
    if work is None or work.kind != "open" or work.arrivals not in ("even", "poisson"):
        return
    if isinstance(at_ns, str):
        yield not_evaluated(name, at_ns, dependents)
        return
    counts = counts_per_second(at_ns, window)
    if len(counts) < MIN_SECONDS or counts.mean() == 0:
        yield not_evaluated(name, texts.FEW_SECONDS, dependents)
        return
    degrees = len(counts) - 1
    dispersion = count_dispersion(counts)
    low, high = (
        float(dispersion * degrees / chi2_quantile(end, degrees))
        for end in ((1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2)
    )
    is_even, requested = work.arrivals == "even", texts.ARRIVALS[work.arrivals]
    expected = 0.0 if is_even else 1.0
    # Even arrivals have no variance to test against: the test is against the tolerance.
    squares = dispersion * degrees / (MAX_DISPERSION_ERROR if is_even else 1.0)
    above = chi2_tail(squares, degrees)
    p = above if is_even else 2 * min(above, chi2_probability(squares, degrees))
    yield Check(
        name, equivalence_result(dispersion, low, high, p, expected, MAX_DISPERSION_ERROR),
        texts.dispersion(dispersion, low, high, len(counts), requested), dependents,
        dispersion, expected, MAX_DISPERSION_ERROR, "1", texts.dispersion_flag(dispersion, requested),
        low=low, high=high, p=p, rule=RULE_EQUIVALENCE,
    )  # fmt: skip


def check_client_errors(client: dict | None) -> Check:
    """Errors at the client; ``client`` is its summary row."""
    name, dependents = texts.CLIENT_ERRORS, (ALL,)
    if client is None:
        return not_evaluated(name, texts.NO_CLIENT_SUMMARY, dependents)
    count = client["errors"]
    if count is None:
        return not_evaluated(name, texts.NO_ERROR_COUNT, dependents)
    attempts = client["connections"] or (client["completions"] or 0) + count
    tolerance = MAX_ERROR_SHARE * attempts
    kinds = {
        column.removeprefix("errors_").replace("_", " "): value
        for column, value in client.items()
        if column.startswith("errors_") and value
    }
    return Check(
        name, exact_result(count, 0, tolerance), texts.errors(count, attempts, kinds), dependents,
        float(count), 0.0, tolerance, "requests", texts.errors_flag(count), blocking=True,
    )  # fmt: skip
