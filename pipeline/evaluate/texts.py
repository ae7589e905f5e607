"""Words of the evaluation that a user reads: outcomes, predictors, sources, notes, reasons for a missing value."""

from __future__ import annotations

from pipeline.factors.texts import BEYOND_NOISE, INCONCLUSIVE, WITHIN_NOISE

VERDICTS = (BEYOND_NOISE, INCONCLUSIVE, WITHIN_NOISE)
"""Of an effect of a designed experiment."""

WITHIN_TOLERANCE = "within tolerance"
ATTRIBUTED = "attributed to inputs"
OUTSIDE_TOLERANCE = "outside tolerance"
NOT_SCORED = "not scored"

HOST_MODEL = "host"
HOST_MODEL_CALIBRATED = "host, calibrated"
LINEAR = "linear baseline"

COMPLETE = "complete"
WITHOUT = {
    "load_dependent": "demand independent of the load",
    "split_reply_work": "all work before the reply",
    "use_arrival_scv": "arrivals taken as Poisson",
    "use_arrival_trace": "arrival trace not used",
    "quota_as_budget": "CPU quota as a slower CPU",
}
"""Switch of ``HostModel`` → the model without that correction."""

UNBOUNDED = "predicted R is infinite: the load exceeds the capacity"
NO_STEADY_STATE = "with its own demands the run is saturated: it has no steady state"
SOURCES = {
    "published": "published",
    "as-printed": "recorded here, as-printed",
    "corrected": "recorded here, corrected",
    "client": "recorded here, by the client",
    "demands": "recorded here, demands",
}
"""Where a value comes from: the paper, a variant of the ledger, the client, the service demands."""

PRINTED_WITHOUT_INTERVAL = "published without an interval"
RUN_VARIATION_UNKNOWN = "one run on each server: the variation from run to run is unknown"
RUN_VARIATION_NOT_INCLUDED = "one run on each server: the variation from run to run is not included"

PREDICTED = "predicted"
GIVEN_DEMAND = "predicted given the demand"
NOT_IN_MODEL = "not known to the model"
NOT_MEASURED = "predicted, not measured"
SMALL = "below 5 %"
NO_PREDICTION = "no prediction"

NOT_RECORDED = "not recorded"
NO_LOAD = "the virtual server has no load in this run"
NO_DEMAND = "no demand"
NOT_ABOVE_BACKGROUND = "the use under load is not above that of the idle baseline"
NO_REPLICATION = "no run of this load"
NOT_POSITIVE = "the value of one run is too small to measure"
TOO_FEW_RUNS = "too few runs to estimate their variation"
NO_DISK_MECHANISM = "the resources in study.json do not describe the disk's mechanism"
NOTHING_CHECKED = "no check was evaluated"

REFUTED = "refuted"
NOT_REFUTED = "not refuted"
NOT_TESTED = "not tested"
"""Verdicts on a demand that is claimed to be independent of the load."""
FELTER = "Felter et al."


def too_few_levels(levels: int) -> str:
    """Too few levels of the load, or runs, to test a slope."""
    return f"fewer than {levels} loads, or too few runs, in batches with several loads"


def demands_left_out(runs: int) -> str:
    """Runs without a logarithm of their demand."""
    noun = "run" if runs == 1 else "runs"
    return f"left out: {runs} {noun} whose demand is missing or too small to measure"


def not_estimable(runs: int, planned: int) -> str:
    """Effects that the recorded runs do not separate."""
    return f"the {runs} runs with a value ({planned} planned) do not separate the effects"


def saturated_runs(saturated: int, runs: int) -> str:
    """Some replications of a load were saturated."""
    return f"the server was saturated in {saturated} of {runs} runs"


def model_error(relative_error: float) -> str:
    """The relative error of R of a single run."""
    return f"the modelled response time differs by {100 * relative_error:+.3g} %"


def check_not_evaluated(check: str, message: str) -> str:
    """A blocking check without a result."""
    return f"{check} not evaluated: {message}"


def no_resources(server: str) -> str:
    """study.json lacks the resources of a server."""
    return f"study.json does not state the disk of {server}"


def no_cpu_quota(server: str) -> str:
    """study.json lacks the CPU quota of a server."""
    return f"study.json does not state the CPU quota of {server}"


NO_STATION_MISSING = "no station missing"
STATION_MISSING = "a station is missing"
CPU_LIMITS = "the CPU limits the throughput"
UNDECIDED = "not decided"
"""Outcomes of ``missing_station.judge_stations``."""

CRITERION_LITTLE = "N = X R: largest relative difference"
CRITERION_X = "model of the CPU: largest relative error of X"
CRITERION_R = "model of the CPU: largest relative error of R"
CRITERION_CPU = "CPU utilization at the highest level"
CRITERION_FIT = "limiting station fitted to X(N): largest relative error of X"
CRITERION_SLOWER = "lower limit of its demand over the CPU time per transaction and processor"

WRONG_QUEUE = (
    "ρ P(wait) (1 − ρ) is printed for ρ P(wait) / (1 − ρ); E[n] = E[nq] + m ρ does not hold"
)
WRONG_LITTLE = "N = X R does not hold"
ONE_PRINTED_VALUE = "the source prints one value without its spread"


# -- learned predictors ------------------------------------------------------------------------------------------

NO_SCIKIT_LEARN = (
    "scikit-learn is not installed, which learned predictors need: pip install 'queuevisor[learn]'"
)
FEATURES = {
    "load_per_cpu": "arrivals per second or threads, per CPU of the server (logarithm)",
    "is_poisson": "whether arrivals are a Poisson stream (open loads)",
    "think_time_s": "think time (closed loads), seconds",
    "cpus": "CPUs that the guests of the server may use together (logarithm)",
    "memory_bytes": "memory of the virtual server (logarithm)",
    "disk_service_ms": "mean service time of the server's disk by its mechanism (logarithm)",
}
"""Feature of a learned predictor → what it is."""
WITHIN_RANGE = "held-out loads within range"
BEYOND_RANGE = "held-out loads beyond range"
HELD_OUT_LOADS = "held-out loads"
QUEUEING = "queueing model"


def other_server(source: str, target: str) -> str:
    """Setting: the runs of one server predict the loads of another."""
    return f"{source} → {target} server"


def load_of(load: str, virtual_server: str, server: str) -> str:
    """A load of a virtual server on a server."""
    return f"{load} of {virtual_server} on {server}"
