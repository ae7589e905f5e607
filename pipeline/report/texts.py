"""Texts of the report's pages: titles of callouts, names of rows, and sentences that hold numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline.units import format_percent, format_short

# -- one run -----------------------------------------------------------------------------------------------

NO_WARNINGS = (
    "all logs are present",
    "all lines were read",
    "no gap in the sampling",
    "cross-checks agree",
)
UNBOUNDED_RESPONSE = "infinite: the load exceeds the CPU's capacity"
NO_REASON = "no reason given"
MODEL_CHECKS = {"yes": "passed", "with caveats": "passed with warnings", "no": "failed"}
"""Answer of a verdict → its text on the page."""


def model_check_title(virtual_server: str, result: str) -> str:
    """Title of the callout at the head of a run's page."""
    return f"Model check of the {virtual_server} for this run: {result}"


def rejected_lines(count: int) -> str:
    """Warning: lines of logs that were not read."""
    return f"{count:,} {'line' if count == 1 else 'lines'} could not be read (see the table below)"


def sampling_gap(longest_s: float) -> str:
    """Warning: a long step between two snapshots."""
    return f"a gap of {longest_s:.1f} s"


def sampling_slow(median_s: float, requested_s: float) -> str:
    """Warning: snapshots are rarer than requested."""
    return f"one snapshot per {median_s:.1f} s, requested: one per {requested_s:g} s"


NO_ROWS = "no rows"
FEW_SNAPSHOTS = "fewer than two snapshots in the window"


def unknown_clock(role: str) -> str:
    """Warning: a clock without an offset."""
    return f"clock offset of {role} to the client is unknown"


def same_machine(names: Sequence[str]) -> str:
    """Virtual servers whose machine is the host."""
    return f"{' and '.join(names)} are one machine (equal boot_id): guest and host are not compared"


ACCELERATORS = {"kvm": "kvm (hardware)", "tcg": "tcg (emulation: no guest mode, no KVM exits)"}
SPACINGS = {"even": "evenly spaced", "poisson": "Poisson stream"}
NO_LOAD = "no load in this run"


def closed_load(threads: int | None, think_time_s: float, request: str) -> str:
    """A closed load of ``run.json``."""
    return f"closed: {threads} threads, think time {think_time_s:g} s, {request}s"


def open_load(rate: str, request: str, spacing: str) -> str:
    """An open load of ``run.json``."""
    return f"open: {rate} {request}s/s" + (f", {spacing}" if spacing else "")


NO_CLIENT_TIME = "The client's response time is missing: the model cannot be checked here."


def missing_variant(variant: str) -> str:
    """A variant without R_req."""
    return f"**{variant}**: missing."


def variant_vs_client(variant: str, model_s: float, client_s: float, is_inside: bool) -> str:
    """R_req of a variant compared with the client's response time."""
    ratio = model_s / client_s
    size = f"{format_short(ratio)} times" if ratio >= 1 else f"{format_short(ratio * 100)} % of"
    where = "within" if is_inside else "outside"
    return (
        f"**{variant}**: {format_short(model_s * 1e3)} ms, {size} the client's {format_short(client_s * 1e3)} ms. "
        f"The client's time is {where} the resolution interval."
    )


def little(threads: int, throughput_per_s: float, response_s: float, client_s: float) -> str:
    """Little's law for a closed load."""
    return (
        f"Little's law, R = N/X − Z, needs no model: {threads} threads and {format_short(throughput_per_s)} requests/s "
        f"give R = {format_short(response_s * 1e3)} ms; the client measured {format_short(client_s * 1e3)} ms."
    )


def logged_times(row: dict) -> str:
    """Response times in the server's own log; ``row``: of ``RunData.logged_response_times``."""
    percentiles = ", ".join(
        f"{name[1:-3]} %: {format_short(row[name])} ms"
        for name in row
        if name[0] == "p" and name[1:3].isdigit()
    )
    return (
        f"The server's own log has {row['requests']:,} requests with a response time: mean "
        f"{format_short(row['mean_ms'])} ms; percentiles {percentiles}; resolution {row['resolution_ms']:g} ms. "
        "These times contain neither the network nor the wait for the server to accept the connection."
    )


CPU_STATIONS = {
    "qemu": "QEMU and vhost, all threads",
    "vcpu_threads": "vCPU threads",
    "vcpu": "of these: in guest mode, R_vcpu",
    "kvm": "of these: outside guest mode, R_kvm",
    "emulator": "main loop and helper threads",
    "iothread": "I/O threads",
    "worker": "worker threads",
    "vhost": "vhost threads",
    "ended": "threads that exited between two snapshots",
    "guest_steal": "steal time, guest's counter",
    "host_steal": "steal time, host's counter",
}
"""Stations of ``demands.host_cpu`` on a page."""


def guest_cpu_use(cpus: float, used_cpus: float, demand_s: float) -> str:
    """CPU limit of all guests, what they used, and what a request used."""
    return (
        f"CPU limit of all guests: {_cpus(cpus)}; used on average: {format_short(used_cpus)}. "
        f"This guest used {format_short(demand_s * 1e3)} ms per request."
    )


def cpu_wait(wait_s: float) -> str:
    """The wait for a CPU with Poisson arrivals."""
    return f" With Poisson arrivals a request would wait {format_short(wait_s * 1e3)} ms for a CPU (M/M/m)."


UNSTABLE_CPU_QUEUE = " With Poisson arrivals the queue for the CPU would be unstable (M/M/m)."


def _cpus(count: float) -> str:
    return f"{format_short(count)} CPU" + ("s" if count > 1 else "")


# -- two servers -------------------------------------------------------------------------------------------

DEMANDS = {
    "D_guest_cpu": "CPU time of its processes in the guest",
    "D_host_cpu": "CPU time of its whole virtual machine",
    "D_vdisk": "time at the guest disk",
    "D_disk": "time at the host disk",
}
"""Service demands on a page."""


def response_speed_up(virtual_server: str, speed_up: str) -> str:
    """Speed-up of a server: ratio of the client's response times."""
    return f"{virtual_server}: response time at the client: {speed_up}"


NO_CLIENT_RATIO = "No virtual server has a response time of the client on both servers."


def speed_up(better: str, worse: str, ratio: float, low: float | None, high: float | None) -> str:
    """Which server is faster and by how much, for ``ratio`` = time on ``worse`` / time on ``better``."""
    if low is None or high is None:
        faster, factor = (better, ratio) if ratio >= 1 else (worse, 1 / ratio)
        return f"{faster} is faster, speed-up {format_short(factor, 2)}× (no interval)"
    if low <= 1 <= high:
        return (
            f"no significant difference, speed-up of {better} {format_short(low, 2)}–{format_short(high, 2)}×"
            " (95 % CI)"
        )
    faster = better if low > 1 else worse
    low, high = (low, high) if low > 1 else (1 / high, 1 / low)
    return f"{faster} is faster, speed-up {format_short(low, 2)}–{format_short(high, 2)}× (95 % CI)"


def rank_answer(passed: int, count: int, low: float, high: float) -> str:
    """What the paper's test shows."""
    return (
        f"{passed} of {count} variants of the equations rank the servers like the paper, with response times from "
        f"{format_short(low)} to {format_short(high)} times the client's: the ranking does not show which is right."
    )


def published_answer(ratios: Sequence[float], below: int, servers: int) -> str:
    """Whether the published numbers are consistent, by the closed workload's Little's law and bounds."""
    factors = " and ".join(format_short(ratio) for ratio in ratios)
    return (
        f"The published numbers contradict each other: the database's throughput requires response times {factors} "
        f"times the sum of the published parts, and is below the lower bound for its threads on {below} of {servers} "
        "servers."
    )


def largest_ratio(virtual_server: str, source: str, part: str, ratio: float, whole: float) -> str:
    """A line of Markdown: where two servers differ most."""
    return (
        f"- {virtual_server}, {source}: largest ratio at {part} ({format_short(ratio)}); "
        f"whole request {format_short(whole)}."
    )


def nothing_to_rank(virtual_server: str) -> str:
    """No variant has a value on both servers."""
    return f"No variant of the {virtual_server} has a value on both servers."


def passed_rank_test(passed: int, count: int, virtual_server: str) -> str:
    """How many variants pass the paper's test, as Markdown without a full stop."""
    return f"**{passed} of {count}** variants of the {virtual_server}'s response time pass the test"


NO_CLIENT_TO_COMPARE = "; there is no client's time to compare them with."


def variants_vs_client(low: float, high: float, near: int, count: int) -> str:
    """How far variants lie from the client's response time."""
    return (
        f". They range from {format_short(low)} to {format_short(high)} times the client's response time, a factor of "
        f"{format_short(high / low)}; {near} of {count} lie within a quarter of it on both servers."
    )


# -- evaluation --------------------------------------------------------------------------------------------

FITTED, HELD_OUT = "fitted", "held out"
"""Role of a run in a fit."""
STATIONS = {
    "guest_cpu": "CPU, server's processes in the guest",
    "host_cpu": "CPU, whole QEMU on the host",
    "vdisk": "guest disk",
    "disk": "host disk",
}
DEMAND_STATIONS = {"host_cpu": "CPU", "disk": "disk"}
SWEEPS = {"even": "even arrivals", "poisson": "Poisson", "closed": "threads"}
"""Kind of load of a sweep → its name in tables."""


def demand_and_rate(cpu: int, cpu_not: int, disk: int, disk_not: int) -> str:
    """In how many sweeps the demand at a station depends on the load."""
    if not cpu + cpu_not + disk + disk_not:
        return "No virtual server was run alone under enough loads of one kind to test this."
    return (
        f"That a demand does not depend on the load is refuted for the CPU in {cpu} of {cpu + cpu_not} sweeps, for "
        f"the disk in {disk} of {disk + disk_not}."
    )


TOO_FEW_RUNS = "Too few fitted runs to estimate the variation between runs: no study can be drawn."


def bootstrap(
    mean_outside: float, loads: int, studies: int, none_outside: float, recorded: int
) -> str:
    """Outcomes of studies drawn from a correct model compared with this study's."""
    return (
        f"If the model were correct, {format_short(mean_outside, 2)} of these {loads} loads would be outside tolerance "
        f"on average over {studies} drawn studies, and none in {format_percent(none_outside, sign=False)} of them; in "
        f"this study: {recorded}."
    )


def linear_baseline_is_better(deployment: str, linear: float, model: float) -> str:
    """The linear baseline has a lower mean error of R."""
    return (
        f"{deployment}: mean error of R over the held-out loads {format_percent(linear, sign=False)}, host model "
        f"{format_percent(model, sign=False)}"
    )


def drift(drift_per_s: float) -> str:
    """A demand that changes within a run."""
    return (
        f"random-walk drift {format_short(drift_per_s * 1e3)} ms/√s, more than sampling variation"
    )


NO_DRIFT = "no drift beyond sampling variation"


def calibration(
    deployment: str,
    saturated_s: float,
    cold_start_s: float | None,
    wake_up_s: float | None,
    run_sd: float,
) -> str:
    """The load curve of a virtual server's CPU demand, and how much runs differ from it."""
    text = f"{deployment}: CPU demand on the host {format_short(saturated_s * 1e3)} ms"
    if cold_start_s is not None:
        text += f", plus {format_short(cold_start_s)} s per run (cold start)"
    if wake_up_s is not None:
        text += (
            f", plus up to {format_short(wake_up_s * 1e3)} ms per request on an idle host (wake-up)"
        )
    return text + f"; runs vary by {format_percent(run_sd, sign=False)}."


def calibrated_scv(service_scv: float, arrival_scv_gain: float) -> str:
    """What was calibrated for an open load."""
    return (
        f" Calibrated: c² of the service times {format_short(service_scv)}, gain of even arrivals "
        f"{format_short(arrival_scv_gain)}."
    )


def holdout_answer(within: int, scored: int, attributed: int, outside: int) -> str:
    """How many held-out loads the host model predicts."""
    return (
        f"The host model predicts {within} of {scored} held-out loads within tolerance (R within 15 %); "
        f"{attributed} more are explained by what those runs' logs show, {outside} are outside tolerance."
    )


def median_error(error: float) -> str:
    """Error of R over the scored loads."""
    return f"The median error of R is {format_percent(error, sign=False)}."


NOTHING_HELD_OUT = "No held-out load can be scored in this study: the model is not evaluated."

# -- what if -----------------------------------------------------------------------------------------------

BASELINE = "baseline"
HARDWARE_CHANGES = {
    "cpu_speed": "CPU speed 2×",
    "cpus": "CPU count 2×",
    "disk_speed": "disk speed 2×",
}
SATURATED = "saturated"
MISSED_EVERYWHERE = "missed at every load"
FEW_LOADS = "too few different loads to fit how the demand depends on the load"


def value_with_interval(value: float, low: float, high: float, *, is_bounded: bool) -> str:
    """``12.3 (10 to 15)``; ``12.3 (10 or more)`` where the upper limit is infinite."""
    upper = f"to {format_short(high)}" if is_bounded else "or more"
    return f"{format_short(value)} ({format_short(low)} {upper})"


def met_up_to(load: float) -> str:
    """The target is met on the whole curve."""
    return f"met up to {format_short(load)}"


def todays_load(load: str, response_s: float, is_met: bool) -> str:
    """R at the baseline load, and whether it meets the target."""
    met = "meets" if is_met else "misses"
    if not math.isfinite(response_s):
        return f"The baseline load, {load}, saturates it."
    return f"At the baseline load, {load}, R is {format_short(response_s * 1e3)} ms, which {met} the target."


def target_missed_everywhere(server: str, target_s: float) -> str:
    """No load meets the target."""
    return f"{server}: mean R ≤ {format_short(target_s * 1e3)} ms is missed at every load."


def target_met_everywhere(server: str, target_s: float, load: float, unit: str) -> str:
    """Every load of the curve meets the target."""
    target = f"{format_short(target_s * 1e3)} ms"
    return f"{server}: mean R ≤ {target} is met up to {format_short(load)} {unit}, the last load computed."


def capacity(server: str, target_s: float, load: str, unit: str) -> str:
    """The load up to which the target is met, with its interval."""
    target = f"{format_short(target_s * 1e3)} ms"
    return f"{server}: mean R ≤ {target} up to {load} {unit}, with the 95 % prediction interval in brackets."


def extrapolated(low: float, high: float, unit: str) -> str:
    """The capacity is a load outside those that the model was fitted to."""
    span = " to ".join(format_short(load) for load in dict.fromkeys((low, high)))
    return f"That load is outside the measured range ({span} {unit}): extrapolated."


def capacity_name(target_s: float) -> str:
    """Name of the key figure: the load up to which the target is met."""
    return f"capacity at R ≤ {format_short(target_s * 1e3)} ms"


def scenarios_caption(load: str, target_s: float) -> str:
    """Caption of the table of scenarios."""
    target = f"{format_short(target_s * 1e3)} ms"
    return f"R at {load}, and capacity for R ≤ {target}; in brackets the 95 % prediction interval"


def fitted_runs(runs: int, loads: Sequence[float], unit: str, seconds: float) -> str:
    """What a virtual server's model was fitted to, and the length of predicted loads."""
    span = " to ".join(format_short(load) for load in dict.fromkeys((loads[0], loads[-1])))
    return (
        f"fitted to {'1 run' if runs == 1 else f'{runs} runs'} ({span} {unit}); held-out runs excluded; each predicted "
        f"load lasts {format_short(seconds)} s, like the baseline load"
    )


def error_range(group: str, runs: int, median: float, low: float, high: float) -> str:
    """Errors of R in runs that the model was not fitted to."""
    return (
        f"{group} ({runs}): error of R: median {format_percent(median)}, range {format_percent(low)} to "
        f"{format_percent(high)}"
    )


# -- lessons -----------------------------------------------------------------------------------------------

ANSWER, PREDICTION = "Your answer", "Your prediction"
CHECK, KEEP = "Check", "Keep"
EARLIER, LATER = "Move up", "Move down"


def with_unit(value: float, unit: str) -> str:
    """A value of a lesson in the unit of its question."""
    return format_short(value, 4) + ("" if unit == "1" else f" {unit}")


def revealed(key: str, own: str | None, value: str) -> str:
    """A prediction beside the value; ``own`` is None if there is none."""
    return f"{key}: {f'you predicted {own}' if own else 'no prediction'}; it is {value}"
