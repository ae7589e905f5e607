"""Texts of measured quantities: reasons why one is missing, and flags of one that is there."""

from __future__ import annotations

from collections.abc import Sequence

# Reasons: clocks, windows, snapshots
NO_WINDOW = "run.json: the window of the load is missing"
NO_IDLE_BASELINE = "no idle baseline"
SHORT_IDLE_BASELINE = "the idle baseline is shorter than two windows"
FEW_SNAPSHOTS = "fewer than two snapshots with a time"
FEW_IDLE_SNAPSHOTS = "fewer than two snapshots in the idle baseline"
NO_SNAPSHOT_IN_WINDOW = "no snapshots in the window"
EMPTY_SPAN = "the span has no length"
TIMES_DESCEND = "the snapshots of the log are not in the order of their times"

# Reasons: client and server logs
NO_CLIENT_LOG = "the client's log is missing"
NO_CLIENT_SUMMARY = "the client's log has no summary"
NO_COMPLETIONS = "the client's summary has no number of completed requests"
NO_INTERVAL_LINES = "the client's log has no interval lines"
NO_REQUEST_COMPLETED = "no request was completed"
NO_LOGGED_TIME = "the server's log has no response time in the window"
NO_TIMED_REQUEST = "the server's log has no request with a time"

# Reasons: the machine
NO_HOST = "no host was recorded"
NO_CPU_LINE = "tasks.log has no line of all CPUs"

# Flags
COMPLETIONS_FROM_SERVER_LOG = "completion times taken from the server log"
UNIFORM_COMPLETIONS = "completion times unknown: completions spread uniformly"
NO_STEAL = "emulation has no steal clock in the guest"
NO_HALT_COUNTERS = "tasks.log has no halt counters of this QEMU"
BUSY_EXCEEDS_QUEUE = "io_ticks exceeds time_in_queue: io_ticks is sampled by this kernel"


def unknown_clock(role: str) -> str:
    """Reason: times of a machine cannot be brought to the client's clock."""
    return f"clock offset of {role} to the client is unknown"


def no_rows(role: str, table: str) -> str:
    """Reason: a table has no rows of a machine."""
    log = " (tasks.log)" if table in ("task_processes", "tasks", "cpus") else ""
    return f"{role} has no rows of {table}{log}"


def no_fact(role: str, key: str) -> str:
    """Reason: a key that facts.json should have."""
    return f"facts.json of {role}: {key} is missing"


def no_key(server: str, key: str) -> str:
    """Reason: a key that run.json should have of a virtual server."""
    return f"run.json: {key} of {server} is missing"


def no_process(role: str, pattern: str) -> str:
    """Reason: a pattern without a match."""
    return f"no process of {role} matches `{pattern}`"


def no_device(device: str) -> str:
    """Reason: a disk without counters."""
    return f"no statistics of {device}"


def counter_fell(name: str) -> str:
    """Reason: a counter that decreased."""
    return f"{name} decreased: it was reset or replaced"


def few_readings(name: str) -> str:
    """Reason: a counter with fewer than two readings."""
    return f"fewer than two readings of {name}"


def not_covered(name: str) -> str:
    """Reason: readings that end inside a span."""
    return f"the readings of {name} do not cover the span"


def late_start(seconds: float) -> str:
    """Flag or reason: a log that begins inside the window."""
    return f"the log begins {seconds:.1f} s after the window"


def early_end(seconds: float) -> str:
    """Flag or reason: a log that ends inside the window."""
    return f"the log ends {seconds:.1f} s before the window"


def lower_bounds(reasons: Sequence[str]) -> tuple[str, ...]:
    """Flags: why an increase is a lower bound."""
    return tuple(f"{reason}: a lower bound" for reason in reasons)


def beyond_window(seconds: float) -> str:
    """Flag: snapshots that span more than the window."""
    return f"the nearest snapshot is {seconds:.1f} s outside the window: an upper bound"


def short_of_baseline(span_s: float, baseline_s: float) -> str:
    """Flag: an idle baseline of which a part has no snapshots."""
    return f"the log covers {span_s:.1f} of {baseline_s:.1f} s of the idle baseline"


def _snapshots(count: int) -> str:
    return "1 snapshot is missing" if count == 1 else f"{count} snapshots are missing"


def missing_at_ends(count: int) -> str:
    """Flag: snapshots missing next to an end of the window."""
    return f"{_snapshots(count)} at the ends of the window: the increase is over another time"


def rates_missing(share: float) -> str:
    """Flag: a part of the window without rates, for which those of the next snapshot stand."""
    return f"no rates for {share:.1%} of the window: those of the next snapshot are used"


def unseen_processes(count: int) -> str:
    """Flag: a sum over processes that start and exit, in a log with gaps."""
    return f"{_snapshots(count)}: processes that started and exited meanwhile are not counted: a lower bound"


def paused(seconds: float) -> str:
    """Flag: snapshots that are farther apart than the collector or tool takes them."""
    return f"no snapshot for {seconds:.1f} s within the window"


def log_in_window(log: str) -> str:
    """Name of the check whether a log stands for the load's window."""
    return f"log in the load's window: {log}"


def clock_stepped(role: str, seconds: float) -> str:
    """Flag: a clock that was set while a log was recorded."""
    return f"the clock of {role} was set by {seconds:+.1f} s: times by its monotonic clock"


def restarted(role: str) -> str:
    """Reason: a log with two boots of a machine."""
    return f"{role} was restarted within the log"


def too_fast(name: str, cpus: float) -> str:
    """Flag: more CPU time than the machine has."""
    return f"{name} increases by more than {cpus:g} CPU{'' if cpus == 1 else 's'} can give: a wrong reading"


def too_many_sectors(name: str) -> str:
    """Flag: more bytes per operation than a block device transfers in one."""
    return f"{name} increases by more than its operations can transfer: a wrong reading"


def _exited(processes: int) -> str:
    return "1 process exited" if processes == 1 else f"{processes} processes exited"


def exited(processes: int) -> str:
    """Flag: processes that exited, a lower bound."""
    return f"{_exited(processes)} during the window; CPU time after their last sample is missing"


def wrapped(name: str) -> str:
    """Flag: a 32-bit counter that was continued."""
    return f"{name} wrapped at 2^32 ms"


def several_summaries(count: int) -> str:
    """Flag: a client log with more than one summary."""
    return f"{count} summaries in the client's log: the last one is used"


def client_errors(count: int) -> str:
    """Flag: requests that failed at the client."""
    return f"{count} errors at the client"
