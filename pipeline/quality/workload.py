"""Was the load what the plan asked for: arrivals achieved, their variability, errors at the client."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

import numpy as np
from scipy import stats

from pipeline.ledger.catalogue import ALL
from pipeline.ledger.lookup import LedgerView
from pipeline.measure.arrivals import count_dispersion, counts_per_second
from pipeline.quality.check import (
    CONFIDENCE,
    RULE_EQUIVALENCE,
    RULE_EXACT,
    Check,
    equivalence_result,
    exact_result,
    not_evaluated,
    words,
)
from pipeline.raw import VirtualServer, Window

ACHIEVED = 0.02
"""Share of the offered rate that may be missing."""
ERRORS = 0.001
"""Share of requests that may fail."""
DISPERSION = 0.5
"""By how much the index of dispersion may differ from that of the stream that was asked for: halfway to the other."""
MIN_SECONDS = 20
"""With fewer whole seconds there is no variance to speak of."""


def check_arrival_rate(
    server: VirtualServer, numbers: LedgerView, sequence_rate_per_s: float | None = None
) -> Iterator[Check]:
    """The rate of completions against the rate that the client was to offer (open workloads).

    ``sequence_rate_per_s``: the rate of the client's fixed sequence of arrivals, where it has one and the server's log
    is of it (``client_arrivals``): then nothing about the offered rate is random.
    """
    work, name, dependents = server.workload, "arrivals achieved", (ALL,)
    if work is None or work.kind != "open":
        return
    offered = work.rate_per_s
    achieved = numbers.value("X_client")
    achieved = numbers.value("X_req") if achieved is None else achieved
    count = numbers.value("lambda_total")
    if not offered or achieved is None:
        yield not_evaluated(
            name, "the offered or the achieved rate is missing", dependents, blocking=True
        )
        return
    offered = sequence_rate_per_s or offered
    allowed = offered * ACHIEVED
    result, rule = exact_result(achieved, offered, allowed), RULE_EXACT
    low = high = p = None
    if work.arrivals == "poisson" and count and sequence_rate_per_s is None:
        # The count itself is random: its standard deviation is the square root of its mean.
        error = achieved / sqrt(count)
        low, high = (float(end) for end in stats.norm.interval(CONFIDENCE, achieved, error))
        p = float(2 * stats.norm.sf(abs(achieved - offered) / error))
        result, rule = (
            equivalence_result(achieved, low, high, p, offered, allowed),
            RULE_EQUIVALENCE,
        )
    yield Check(
        name, result,
        f"{words(achieved)} of {words(offered)} requests per second that were offered",
        dependents, achieved, offered, allowed, "requests/s",
        f"arrivals {words(achieved, 3)} of {words(offered, 3)} a second offered", blocking=True,
        low=low, high=high, p=p, rule=rule,
    )  # fmt: skip


def check_arrival_variability(
    server: VirtualServer, at_ns: np.ndarray | str, window: Window
) -> Iterator[Check]:
    """Index of dispersion of the arrivals in whole seconds, against what the plan says of them (open workloads).

    ``at_ns``: times of the requests in the server's own log, on its own whole seconds, or why there are none. The
    variance of the count in a second over its mean is 1 for a Poisson stream and tends to the squared coefficient
    of variation of the gaps for any renewal stream: near 0 if they are even. Of a Poisson stream n − 1 times it is χ²
    with n − 1 degrees of freedom (Cox and Lewis 1966).
    """
    work, name, dependents = server.workload, "arrivals' variability", ("R_vdisk", "R_disk")
    if work is None or work.kind != "open" or work.arrivals not in ("even", "poisson"):
        return
    if isinstance(at_ns, str):
        yield not_evaluated(name, at_ns, dependents)
        return
    counts = counts_per_second(at_ns, window)
    if len(counts) < MIN_SECONDS or counts.mean() == 0:
        yield not_evaluated(name, "too few whole seconds with arrivals", dependents)
        return
    degrees = len(counts) - 1
    dispersion = count_dispersion(counts)
    tails = stats.chi2.ppf([(1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2], degrees)
    low, high = (float(end) for end in dispersion * degrees / tails)
    even = work.arrivals == "even"
    expected, asked = (0.0, "evenly spaced") if even else (1.0, "a Poisson stream")
    # Even arrivals have no variance to test against: the test is against the most that is allowed.
    squares = dispersion * degrees / (DISPERSION if even else 1.0)
    above = float(stats.chi2.sf(squares, degrees))
    p = above if even else 2 * min(above, float(stats.chi2.cdf(squares, degrees)))
    yield Check(
        name, equivalence_result(dispersion, low, high, p, expected, DISPERSION),
        f"index of dispersion {words(dispersion, 3)} over {len(counts)} s (95 %: {words(low, 3)} to "
        f"{words(high, 3)}); a Poisson stream has 1, even spacing 0; asked for: {asked}. "
        "R = D / (1 − U) presumes a Poisson stream",
        dependents, dispersion, expected, DISPERSION, "1",
        f"arrivals' index of dispersion {words(dispersion, 3)}, asked for {asked}",
        low=low, high=high, p=p, rule=RULE_EQUIVALENCE,
    )  # fmt: skip


def check_client_errors(client: dict | None) -> Check:
    """Errors at the client; ``client`` is its summary row."""
    name, dependents = "errors at the client", (ALL,)
    count = None if client is None else client["errors"]
    if client is None or count is None:
        return not_evaluated(name, "the client does not say how many errors it had", dependents)
    tried = client["connections"] or (client["completions"] or 0) + count
    allowed = ERRORS * tried
    kinds = {
        name.removeprefix("errors_").replace("_", " "): value
        for name, value in client.items()
        if name.startswith("errors_") and value
    }
    told = ", ".join(f"{kind}: {value:,}" for kind, value in kinds.items())
    return Check(
        name, exact_result(count, 0, allowed),
        f"{count:,} errors in {tried:,} tries" + (f" ({told})" if told else ""), dependents,
        float(count), 0.0, allowed, "requests", f"{count:,} errors at the client", blocking=True,
    )  # fmt: skip
