"""Sentences of the solver that a user reads: warnings of a solution, notes on approximations, losses of an export.

Errors about a model are raised where they are found, with the place in the model file.
"""

from __future__ import annotations

from collections.abc import Sequence

APPROXIMATION = "; an approximation"
ARRIVALS_AS_POISSON_LOAD_DEPENDENT = "arrivals taken as Poisson at a load-dependent station"
ARRIVALS_AS_POISSON_CLOSED = "open arrivals taken as Poisson in a mixed network"
FCFS_UNEQUAL_AS_PS = "FCFS with different service times is taken as PS, an approximation"
FCFS_SCV_IGNORED = "service_scv is ignored at a load-dependent FCFS station"
NO_ROUTING = "arrival_scv of a class is used at every station: the model has no routing"
NOT_PRODUCT_FORM = "the network is not of product form (FCFS)"
BOUNDS_SCV_IGNORED = "service_scv is ignored: the bounds assume exponential service times"
ONLY_ASYMPTOTIC = "only asymptotic bounds: the balanced, geometric and proportional ones hold for single servers only"


def station_text(name: str, text: str) -> str:
    """A warning about one station."""
    return f"station {name!r}: {text}"


def all_classes_open(method: str) -> str:
    """An approximation of closed classes was requested for an open network."""
    return f"no class is closed: solved as an open network, {method} does not apply"


def scv_insensitive(discipline: str) -> str:
    """``service_scv`` has no effect under this discipline."""
    return f"service_scv has no effect: means under {discipline} do not depend on it"


def empty_class(name: str) -> str:
    """A closed class of population 0."""
    return f"class {name!r} has no customers: its times are given as 0"


def too_large(reason: object) -> str:
    """Why the exact solution was not computed."""
    return f"too large for the exact solution: {reason}"


def solved_approximately(reason: str, method: str) -> str:
    """The approximation that was used instead of the exact solution, and why."""
    return f"{reason}; solved approximately by {method}"


def fcfs_approximation(has_unequal_times: bool, uses_work: bool) -> str:
    """How an FCFS station beyond product form is approximated in a network with closed classes."""
    times = "different service times" if has_unequal_times else "non-exponential service times"
    rule = "waiting time from the work found on arrival" if uses_work else "taken as PS"
    return f"FCFS with {times}: {rule}, an approximation"


def slow_convergence(method: str, iterations: int, residual: float) -> str:
    """The iteration was stopped with a small residual."""
    return f"{method}: stopped after {iterations} iterations (residual {residual:.1e})"


def not_converged(method: str, iterations: int, residual: float) -> str:
    """The iteration did not reach a usable residual."""
    return f"{method} did not converge (residual {residual:.1e} after {iterations} iterations)"


def pollaczek_khinchine_note(name: str, has_poisson_arrivals: bool, has_unequal_times: bool) -> str:
    """Formula and assumptions of M/G/1 at a station of an open network."""
    note = f"station {name!r}: M/G/1 by Pollaczek and Khinchine"
    if not has_poisson_arrivals:
        return (
            note
            + ", arrivals taken as Poisson although other stations or repeated visits disturb them"
        )
    if has_unequal_times:
        return note + " over FCFS classes with different service times"
    return note


def gi_m_1_note(name: str, arrival_scv: float) -> str:
    """Formula and assumptions of GI/M/1 at a station of an open network."""
    shape = (
        "evenly spaced arrivals (D/M/1)"
        if arrival_scv == 0
        else "gamma-distributed interarrival times"
    )
    return f"station {name!r}: GI/M/1, solved exactly for {shape}, c² = {arrival_scv:.6g}"


def gg_m_note(name: str, servers: int, authors: str, arrival_scv: float) -> str:
    """Formula of G/G/m at a station of an open network."""
    return f"station {name!r}: G/G/{servers} by {authors}, arrivals' c² = {arrival_scv:.6g}"


def overloaded(name: str, utilization: float, remedies: Sequence[str]) -> str:
    """A station that open classes overload, and the rates that it can carry."""
    return (
        f"station {name!r} is overloaded (utilization {utilization:.6g}); "
        f"largest sustainable rate: {'; '.join(remedies)}"
    )


def nearly_saturated(name: str) -> str:
    """A simulated station close to utilization 1."""
    return f"station {name!r} is nearly saturated: the run may be too short to reach steady state"


def no_completions(name: str) -> str:
    """A class without a completion in any replication."""
    return f"class {name!r}: no customer arrived or finished; its times are given as 0"


def too_few_completions(name: str) -> str:
    """A class without a completion in some replication."""
    return f"class {name!r}: too few customers for a confidence interval"


def think_time_as_delay(station: str) -> str:
    """JMVA has no think time."""
    return f"think times are written as the delay station {station!r}: JMT's response times include them"


def times_truncated(name: str, written: int, population: int) -> str:
    """JMVA lists a load-dependent station's service times for each number of customers."""
    return f"station {name!r}: service times are listed for {written} of {population} customers"


def multipliers_truncated(name: str, written: int) -> str:
    """Rate multipliers beyond the population are not in the exported list."""
    return f"station {name!r}: rate_multipliers beyond {written} customers"


def load_dependent_open(name: str) -> str:
    """JMVA restricts load-dependent stations to closed classes."""
    return f"station {name!r}: JMVA has no load-dependent stations for open classes"


NOT_IN_JMVA = {
    "arrival_scv": "JMVA takes arrivals as Poisson, arrival_scv {:g}",
    "scheduling": "JMVA has no scheduling, {}",
    "service_scv": "JMVA takes service times as exponential, service_scv {:g}",
}


def not_imported(item: str) -> str:
    """Something in a JMVA file that the model file has no place for."""
    return f"not imported from JMVA: {item}"
