"""Texts of the quality checks: names, rules, messages, flags and reasons, and of the cross-checks of two sources."""

from __future__ import annotations

from pipeline.units import format_short

FLAG_PREFIX = "failed check: "
"""How a flag of a failed check begins."""

# -- rules of a result ---------------------------------------------------------------------------------------

RULE_EXACT = "passed: within the tolerance; failed: outside"
RULE_BOUNDS = "passed: the whole interval is within the tolerance; failed: none of it is; inconclusive: a part is"
RULE_LIMIT = "passed: the lower bound is at most the limit plus its tolerance; failed: it is above"
RULE_CROSS_CHECK = (
    "passed: all pairs differ by at most 2 %; failed: a pair differs by more than 2 % beyond its resolution; "
    "inconclusive: a pair differs by more than 2 %, within its resolution"
)


def rule_equivalence(confidence: float, level: float) -> str:
    """Rule of a number with a random error."""
    return (
        f"passed: the {100 * confidence:g} % interval is within the tolerance; failed: the value is outside and "
        f"p < {level:g}; inconclusive: otherwise"
    )


# -- reasons why a check is not evaluated --------------------------------------------------------------------

NOT_MEASURED = "not measured"
NO_CLIENT_SUMMARY = "the client's summary is missing"
NO_COMPLETIONS = "the client's summary has no number of completed requests"
NO_REQUESTS_BEGUN = "the client's log has no number of requests begun"
NO_ERROR_COUNT = "the client's log has no number of errors"
NO_CONNECTION_TIMES = "the client's log has no connection times"
NO_RESPONSE_TIMES = "the client's log has no response times over time"
NO_THROUGHPUT_OR_RESPONSE = "the client's throughput or response time is missing"
NO_COUNT = "one of the two counts is missing"
NO_POPULATION = "run.json: the population is missing"
NO_UTILIZATION = "a utilization is missing"
NO_DEMAND = "R_cpu without background is missing"
NO_QEMU_TIME = "CPU time of a QEMU is missing"
NO_RATE = "the offered or the achieved rate is missing"
NO_CPU_TICKS = "/proc/stat: no increase in the window"
FEW_SECONDS = "too few whole seconds with arrivals"
TIMES = "times of the logs"
UNKNOWN_OFFSET = "clock offset to the client is unknown"
ONE_OFFSET = "clock offset was measured once only"
NO_CROSS_CHECK = "no pair of sources"
UNKNOWN_COMPLETION_TIMES = "completion times are unknown"
TOO_SHORT = "the load is too short"
NO_COMPLETIONS_IN_WINDOW = "a window has no completed request"
NO_LINE_IN_WINDOW = "a window has no interval line of the client"


def few_windows(count: int, required: int) -> str:
    """Reason: a load with too few windows for a test."""
    return f"{TOO_SHORT}: {count} windows, {required} required"


# -- flow balance, Little's law, utilization -----------------------------------------------------------------

CLIENT_FLOW = "flow balance at the client"
SERVER_FLOW = "flow balance between client and server"
LITTLES_LAW = "Little's law at the client"
DISK_NAMES = {"vdisk": "guest's disk", "disk": "host's disk"}
GUEST_CPU = "guest's CPU"


def requests_completed(begun: int, completed: int) -> str:
    """Message of the flow balance at the client."""
    return f"{begun:,} requests begun, {completed:,} completed"


def requests_completed_flag(begun: int, completed: int) -> str:
    """Flag of the flow balance at the client."""
    return f"{completed:,} of {begun:,} requests completed"


def requests_logged(counted: float, logged: float) -> str:
    """Message of the flow balance between client and server."""
    return f"{counted:,.0f} requests in the client's log, {logged:,.0f} in the server's log"


def requests_logged_flag(counted: float, logged: float) -> str:
    """Flag of the flow balance between client and server."""
    return f"the server logged {logged:,.0f} of {counted:,.0f} requests"


def customers(
    rate: float, response_s: float, think_s: float, customers: float, threads: int
) -> str:
    """Message of Little's law for a closed load."""
    response, think = (format_short(1e3 * seconds, 4) for seconds in (response_s, think_s))
    return (
        f"X (R + Z) = {format_short(rate, 4)}/s × ({response} + {think}) ms = {format_short(customers, 4)}, "
        f"{threads} threads"
    )


def customers_flag(customers: float, threads: int) -> str:
    """Flag of Little's law for a closed load."""
    return f"X (R + Z) = {format_short(customers, 4)} with {threads} threads"


def connections(by_lifetimes: float, by_parts: float) -> str:
    """Message and flag of Little's law for an open load."""
    return (
        f"open connections: {format_short(by_lifetimes, 4)} by their lifetimes, "
        f"{format_short(by_parts, 4)} by connect and response times"
    )


def utilization_law(where: str) -> str:
    """Name of a check of the Utilization Law."""
    return f"U = X D at the {where}"


def utilization_parts(whole: float, requests: float, background: float) -> str:
    """Message of the Utilization Law: shares of a station's time."""
    percent = [
        format_short(100 * share, 3)
        for share in (whole, requests, background, whole - requests - background)
    ]
    return (
        f"utilization {percent[0]} % = {percent[1]} % requests (X·D) + {percent[2]} % background + "
        f"{percent[3]} % unattributed"
    )


def unattributed(where: str, share: float) -> str:
    """Flag of the Utilization Law."""
    return f"{format_short(100 * share)} % of the {where} time is not attributed to requests or background"


UTILIZATION_BOUNDS = {
    "U_vcpu": ("U ≤ 1 of the server's processes", "CPU of the guest, server's processes"),
    "U_vdisk_total": ("U ≤ 1 at the guest's disk", "guest's disk"),
    "U_disk_total": ("U ≤ 1 at the host's disk", "host's disk"),
}
"""Quantity → name of its check, and the station."""
HOST_CPU_BOUND = ("U ≤ 1 at the host's CPU limit", "host's CPU limit")


def utilization(where: str, value: float) -> str:
    """Message and flag of a utilization."""
    return f"{where}: utilization {format_short(100 * value, 4)} %"


# -- the load ------------------------------------------------------------------------------------------------

ARRIVAL_RATE = "arrivals achieved"
ARRIVAL_VARIABILITY = "arrivals' variability"
CLIENT_ERRORS = "errors at the client"
ARRIVALS = {"even": "even spacing", "poisson": "a Poisson stream"}


def achieved_rate(achieved: float, offered: float, digits: int = 4) -> str:
    """Message and flag of the achieved rate."""
    return f"{format_short(achieved, digits)} of {format_short(offered, digits)} offered requests per second"


def dispersion(value: float, low: float, high: float, seconds: int, requested: str) -> str:
    """Message of the variability of arrivals."""
    return (
        f"index of dispersion {format_short(value)} over {seconds} s (95 %: {format_short(low)} to "
        f"{format_short(high)}); requested: {requested} (Poisson 1, even 0). R = D / (1 − U) assumes 1"
    )


def dispersion_flag(value: float, requested: str) -> str:
    """Flag of the variability of arrivals."""
    return f"index of dispersion of arrivals {format_short(value)}, requested: {requested}"


def errors(count: int, attempts: int, kinds: dict[str, int]) -> str:
    """Message of the errors at the client."""
    by_kind = ", ".join(f"{kind}: {number:,}" for kind, number in kinds.items())
    return f"{count:,} errors in {attempts:,} requests" + (f" ({by_kind})" if by_kind else "")


def errors_flag(count: int) -> str:
    """Flag of the errors at the client."""
    return f"{count:,} errors at the client"


# -- steady state --------------------------------------------------------------------------------------------


def steady(quantity: str) -> str:
    """Name of a check of steady state."""
    return f"steady {quantity}"


def change(relative: float) -> str:
    """The change of the second half against the first, a share of it."""
    return f"{100 * relative:+.3g} %" if abs(relative) < float("inf") else "from 0"


def halves(first: float, second: float, relative: float, p: float, windows: int, unit: str) -> str:
    """Message of a check of steady state; both means in ``unit``."""
    return (
        f"first half {format_short(first, 4)}, second half {format_short(second, 4)} {unit} "
        f"({change(relative)}, p = {p:.2g}, {windows} windows)"
    )


def halves_flag(quantity: str, relative: float) -> str:
    """Flag of a check of steady state."""
    return f"{quantity} {change(relative)} in the second half"


# -- clocks and recording ------------------------------------------------------------------------------------

RECORDING = "recording"
LOGS_COMPLETE = "every log is complete, and no manifest is contradicted by the logs"


def times_inferred(uncertainty_s: float | None, *, has_times: bool) -> str:
    """Why the clocks of a run that was made by ``queuevisor import`` are not checked."""
    what = "place of the load's window" if has_times else "inferred from logs without exact times"
    inferred = f"{what} inferred" if has_times else what
    error = "" if uncertainty_s is None else f" to ± {uncertainty_s:.1f} s"
    return f"{inferred}{error}: numbers over time are approximate"


def clock(machine: str) -> str:
    """Name of the check of a clock's offset."""
    return f"clock of the {machine}"


def clock_drift(machine: str) -> str:
    """Name of the check of a clock's drift."""
    return f"clock of the {machine}, drift"


def offset_uncertainty(offset_ms: float, load_s: float, step_s: float) -> str:
    """Message of a clock's offset."""
    of_load, of_step = (format_short(1e-3 * offset_ms / base * 100, 2) for base in (load_s, step_s))
    return f"offset known to ± {format_short(offset_ms)} ms, {of_load} % of the load and {of_step} % of a sampling step"


def offset_uncertainty_flag(machine: str, offset_ms: float) -> str:
    """Flag of a clock's offset."""
    return f"clock offset of the {machine} known to ± {format_short(offset_ms)} ms only"


def drift(drift_ms: float, uncertainty_ms: float) -> str:
    """Message of a clock's drift."""
    return (
        f"offset changed by {format_short(drift_ms)} ms during the run (each offset known to ± "
        f"{format_short(uncertainty_ms, 2)} ms)"
    )


def drift_flag(machine: str, drift_ms: float) -> str:
    """Flag of a clock's drift."""
    return f"clock of the {machine} drifted by {format_short(drift_ms)} ms"


def recording(file: str) -> str:
    """Name of the check of one file of a run."""
    return f"{RECORDING}: {file}"


def recording_flag(file: str, problem: str) -> str:
    """Flag of a file with a problem."""
    return f"{file}: {problem}".replace("; ", ", ")


# -- sources that agree --------------------------------------------------------------------------------------


def sources_agree(quantity: str) -> str:
    """Name of a check of redundant sources."""
    return f"sources agree: {quantity}"


def sources_disagree(quantity: str) -> str:
    """Flag of a check of redundant sources."""
    return f"{quantity}: sources disagree"


def pairs_compared(pairs: int, within_resolution: int) -> str:
    """Message of a check of redundant sources without a disagreement."""
    return f"pairs compared: {pairs}; differing by more than 2 %, within resolution: {within_resolution}"


def pair(quantity: str, source_a: str, source_b: str, message: str) -> str:
    """A cross-check in one line."""
    return f"{quantity} ({source_a} vs. {source_b}): {message}"


CAUSE_UNKNOWN = "cause unknown"
NO_TIMES = "the other log has no times"
NO_SUCH_PROCESS = "top has no such process in the window"
NO_CPU_PERCENT = "top has no %Cpu line in the window"
NO_TASK_COUNT = "top has no count of tasks in the window"
NO_BYTE_COUNTERS = "tasks.log has no byte counters of these processes (no permission to read them)"
NO_TOTALS = "iotop has no such total in the window"
NO_DELAYS = "tasks.log has no delays (delay accounting is off)"
DELAY_SINCE_BOOT = (
    "a thread waited when delay accounting was switched on: its delay counts from boot"
)
TOP_SUBSET = "top recorded some of the machine's processes only"
IOTOP_SUBSET = "iotop's rows were limited to some of the machine's tasks"
UNKNOWN_SUBSET = "whether the log has all of the machine's tasks is not recorded"
BLOCK_SUBSET = "block.log has some of the machine's disks only"
NO_DEVICE_TREE = "facts.json: block_devices is missing"

CAUSE_DIRTY_PAGES = (
    "a write is charged to a task when its page is dirtied, to the disk when it is flushed"
)
CAUSE_JIFFIES = (
    "io_ticks counts a whole jiffy for a shorter operation, and is sampled by Linux 5.0 to 6.9"
)
CAUSE_DELAYS = (
    "a thread's delay ends when it runs again, so it includes waiting for a CPU; threads that wait for one page "
    "each count it; since Linux 6.5 sleeping in io_uring counts, too"
)

CPU_OF_SERVER = "CPU time of the server's processes"
CPU_OF_PROCESS = "CPU time of one process"
CPU_OF_QEMU = "CPU time of QEMU"
CPU_OF_MACHINE = "share of all CPUs that was busy"
CPU_OF_GUEST = "guest CPU time vs. QEMU CPU time on the host"
TASKS = "tasks"
DISK_BUSY = "busy time of the disk vs. time of its requests"
ACCESS_LOG, CLIENT_REPORT = "access.log", "client's report"
LOGGED_REQUESTS, LOGGED_MEAN = "requests with a logged response time", "mean response time"
TOP, TASK_COUNTERS = "top, TIME+", "task counters"
TOP_CPU, PROC_STAT = "top, %Cpu", "/proc/stat"
TOP_COUNT, TOP_ROWS = "top, its count", "top, its rows"
GUEST_STAT, QEMU_COUNTERS = "guest, /proc/stat", "host, task counters of QEMU"
IOTOP, PROC_IO = "iotop, rates × intervals", "task counters, /proc/PID/io"
IOTOP_TOTAL, IOTOP_ROWS, IOTOP_ACTUAL = "iotop, Total", "iotop, sum of its rows", "iotop, Actual"
BLOCK, GUEST_BLOCK, HOST_BLOCK = "block, sectors", "guest, block", "host, block"
IO_TICKS, TIME_IN_QUEUE = "block, io_ticks", "block, time_in_queue"
BLKIO_DELAY = "task counters, blkio delay"
SERVER_PROCESSES, QEMU = "the server's processes", "QEMU"
AGREEMENT_OF = {
    "T_cpu_process": "CPU time in the guest",
    "T_qemu": "CPU time of QEMU",
    "IO_vdisk_task": "bytes in the guest",
    "IO_disk_task": "bytes on the host",
    "T_vdisk": "guest's disk",
    "T_disk": "host's disk",
}
"""What sources measure → the quantity in the check that they agree."""


def bytes_of(direction: str, whose: str) -> str:
    """Quantity: bytes of processes, tasks or disks."""
    return f"bytes {direction} by {whose}"


def bytes_and_disk(direction: str, whose: str) -> str:
    """Quantity: bytes of processes, against their disk's."""
    return f"bytes {direction} by {whose} vs. by the disk"


def disk_bytes(direction: str) -> str:
    """Quantity: bytes of a disk."""
    return "bytes read from the disk" if direction == "read" else "bytes written to the disk"


def disk_wait(whose: str) -> str:
    """Quantity: time that threads waited for a disk."""
    return f"time {whose} waited for a disk vs. time of all its requests"


def no_delay_accounting(role: str) -> str:
    """Reason: a kernel without delays."""
    return f"delay accounting is off on {role}"


def _exited(processes: int) -> str:
    return "1 process exited" if processes == 1 else f"{processes} processes exited"


def exited_top(processes: int) -> str:
    """Cause: CPU time that top misses."""
    return (
        f"{_exited(processes)} during the window; top misses their CPU time after its last sample"
    )


def exited_iotop(processes: int) -> str:
    """Cause: bytes that iotop misses."""
    return f"{_exited(processes)} during the window; iotop misses their bytes after its last sample"


def unnamed_rows(amount_bytes: float) -> str:
    """Cause: bytes of threads without a name."""
    amount = (
        f"{amount_bytes / 1e6:.3g} MB" if amount_bytes >= 1e5 else f"{amount_bytes / 1e3:.3g} kB"
    )
    return f"{amount} are in rows of threads that exited before iotop read their names"


def slow_iotop(period_s: float, interval_s: float) -> str:
    """Cause: snapshots that come later than requested."""
    return (
        f"iotop took {period_s:.1f} s per snapshot (requested: {interval_s:g} s), so its bytes at each end are "
        "uncertain by that much"
    )


def paused_iotop(longest_s: float) -> str:
    """Cause: a gap between two snapshots."""
    return f"iotop paused for up to {longest_s:.1f} s; the interval of its next rates is unknown"


def no_steal_clock(quota: float | None) -> str:
    """Cause: a guest that counts stolen time as used."""
    limit = "" if quota is None else f" (all virtual servers together get {quota:g} CPU)"
    return (
        "the guest has no steal clock and counts the time in which its vCPU was stopped or waited for a CPU of "
        f"the host as used{limit}"
    )


def differing_rows(rows: int) -> str:
    """Cause: a table of top that differs from its count."""
    return f"up to {rows} rows of a snapshot are missing or duplicate"


NOT_LARGER = "not larger"
WITHIN_RESOLUTION = "within measurement resolution"


def percent(share: float | None) -> str:
    """A difference as a share of the reference, None if that is 0."""
    if share is None:
        return "reference is zero"
    return f"{100 * share:.3g} %" if share == 0 or share >= 1e-4 else "less than 0.01 %"


def difference(share: float | None, *, is_excess: bool) -> str:
    """Message: two values apart; ``is_excess``: of a value that may be smaller."""
    if share is None:
        return percent(share)
    return f"{'larger by' if is_excess else 'differ by'} {percent(share)}"


def beyond_resolution(share: float | None, tolerance: float) -> str:
    """Message: two intervals apart."""
    gap = "" if share is None else f" by {percent(share)}"
    return f"exceeds measurement resolution{gap} (tolerance {tolerance:.0%})".replace("%)", " %)")
