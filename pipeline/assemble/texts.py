"""Sentences about logs that were recorded by hand: how a value was inferred, what is needed, what is wrong."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

GIVEN = "as given"
OWN_TIMES = "printed in the log"
AT_WINDOW_ENDS = "the first reading is taken to be at the start of the window, the last at its end"
BEFORE_LOAD = "before the load, as far as every log goes back"
SPREAD_OVER_WINDOW = "readings without times, spread evenly over the window"
QEMU_BY_NAME = "the QEMU of that name in the host's logs"
QEMU_BY_BYTES = "the QEMU that moved as many bytes as iotop counts in the guest"
ANY_QEMU = "the only QEMU; the host's logs do not show its name"
CPUS_BY_TASKS = "by tasks.log"
CPUS_BY_LINES = "top prints a line for each"

WHICH_DATE = "the logs have a time of day but no date: first day, YYYY-MM-DD"
WHICH_ZONE = "time zone of the machines, an IANA name such as Europe/Berlin"
HOW_LARGE = "number of CPUs of the host"
NO_GUEST = "no guest: give --guest NAME FILE…"
NO_CLIENT = "no client's report: requests and response time are missing, and with them every number per request"
NO_HOST = "no logs of the host: its numbers are missing"
BOTH_ENDS = "the client's report does not say how long the load was: give --start and --end"
REVERSED_WINDOW = "--end is not after --start"


def no_logs_in(folder: Path) -> str:
    """Error: a folder without a log."""
    return f"{folder}: no logs in this folder (top.log, iotop.log, block.log, …)"


def ignored(reason: str) -> str:
    """Note: a file of a folder that is left out."""
    return f"left out: {reason}"


def given_twice(path: Path) -> str:
    """Error: one file in two places."""
    return f"{path}: given twice"


def wrong_role(path: Path, name: str, option: str, options: str) -> str:
    """Error: a client's report among the host's logs, and the like."""
    return f"{path}: {name} given with {option}; it belongs to {options}"


def no_summary(path: Path) -> str:
    """Note: a client that was stopped."""
    return (
        f"{path.name}: the report is not complete: no number of requests, and no number per request"
    )


def several_reports(path: Path, count: int) -> str:
    """Note: more than one run of the load generator in a file."""
    return f"{path.name}: {count} reports; the last one is used"


def client_errors(path: Path, count: int) -> str:
    """Note: requests that failed."""
    return f"{path.name}: {count} errors"


def bad_workload(text: str) -> str:
    """Error: a value of --workload."""
    return f"--workload {text}: use closed:CLIENTS or open:RATE, for example closed:16, open:5, open:5:poisson"


def bad_moment(text: str) -> str:
    """Error: a value of --start or --end."""
    return f"{text}: not a time; use HH:MM:SS, or 2015-06-01T14:03:20"


def bad_iotop(text: str) -> str:
    """Error: a value of --iotop."""
    return f"--iotop {text}: use HH:MM:SS/SECONDS, for example 14:03:20/1"


def bad_out(path: Path) -> str:
    """Error: a folder for the run that is not below a study and a server."""
    return f"{path}: must end in STUDY/SERVER/RUN, each of letters, digits, '.', '_' and '-'"


def bad_pattern(option: str, pattern: str, problem: str) -> str:
    """Error: a regular expression that cannot select processes."""
    return f"{option}: {pattern} {problem}"


def exists(path: Path) -> str:
    """Error: a run that exists."""
    return f"{path}: exists; raw runs are not overwritten"


def not_written(path: Path, error: OSError) -> str:
    """Error: the operating system refuses to write."""
    return f"{path}: not written: {error.strerror or error}"


def in_folder(folder: Path, issue: str) -> str:
    """Error: a study.json that cannot be read."""
    return f"{folder}/{issue}"


def study_lacks(path: Path, lacking: Iterable[tuple[str, str]]) -> str:
    """Error: a study.json without the run's server or virtual server."""
    keys = ", ".join(f"{key}.{name}" for key, name in lacking)
    return f"{path}: has no {keys}; add it (as {{}}), or use the names that are there"


def unknown_machine(option: str, name: str, names: Iterable[str]) -> str:
    """Error: an option for a guest that has no logs."""
    return f"{option} {name}: no logs of {name!r} are given; choose from {', '.join(names)}"


def no_match(option: str, name: str, pattern: str) -> str:
    """Error: a pattern that no process matches."""
    return f"{option} {name}={pattern}: no process in the logs matches"


def no_disk(role: str, device: str, names: Iterable[str]) -> str:
    """Error: a disk without statistics."""
    return f"--disk: {role} has no statistics of {device}; choose from {', '.join(names)}"


def two_reports(name: str) -> str:
    """Error: two client's reports for a guest."""
    return f"two client's reports for {name}: import each as a run of its own"


def devices_misfit(path: Path, lines: int, count: int) -> str:
    """Error: a number of lines that is no multiple of the devices."""
    return f"{path}: {lines} lines are no whole number of snapshots of {count} devices (--devices)"


# -- how a value was inferred ---------------------------------------------------------------------------------


def requests_of(log: str) -> str:
    """A signal: requests in the server's log."""
    return f"requests in the {log} log"


def cpu_of(pattern: str, role: str) -> str:
    """A signal: CPU time."""
    return f"CPU time of {pattern} on {role}"


def window_reason(length_s: float, tool: str, signal: str, uncertainty_s: float) -> str:
    """How a window was inferred."""
    return f"{length_s:.1f} s by {tool}'s report; place by {signal}, ± {uncertainty_s:.1f} s"


def by_rise(signal: str, interval_s: float) -> str:
    """How iotop's clock was inferred."""
    return f"{signal} rises with the load, {interval_s:.3g} s per iteration"


def by_count(count: int, interval_s: float) -> str:
    """How iotop's clock was inferred."""
    return f"{count} iterations of {interval_s:.3g} s, started with top"


def with_uncertainty(reason: str, uncertainty_s: float) -> str:
    """A reason and the uncertainty of a time."""
    return f"{reason}, ± {uncertainty_s:.1f} s" if uncertainty_s else reason


def read_in(path: Path) -> str:
    """How a value was inferred: it is in a file."""
    return f"in {path.name}"


def program(name: str, cpu_s: float, count: int) -> str:
    """A program and its CPU time."""
    return f"{name}: {seconds(cpu_s)} of CPU time, {count} process{'es' if count != 1 else ''}"


def only_qemu(name: str) -> str:
    """How a QEMU was inferred."""
    return f"the only other QEMU in the host's logs is {name}"


def cpus_by_ratio(ratio: float) -> str:
    """How a number of CPUs was inferred."""
    return f"CPU time of all processes is {ratio:.2f} times the machine's share"


def disk_growth(bytes_moved: float, busy_s: float) -> str:
    """How a disk was inferred."""
    return f"moved {bytes_moved / 1e6:.3g} MB, busy for {seconds(busy_s)}"


def offset_reason(offset_s: float, uncertainty_s: float | None) -> str:
    """How a clock's offset was inferred."""
    if uncertainty_s is None:
        return "assumed; no rise of CPU time to compare"
    how = "within what the rise of CPU time shows" if offset_s == 0 else "by the rise of CPU time"
    return f"{how}, ± {uncertainty_s:.1f} s"


# -- subjects and values --------------------------------------------------------------------------------------


def server_processes_of(name: str) -> str:
    """Subject: the processes of a server."""
    return f"server processes of {name}"


def qemu_of(name: str) -> str:
    """Subject: the QEMU of a guest."""
    return f"QEMU of {name}"


def workload_of(name: str) -> str:
    """Subject: the load on a guest."""
    return f"workload of {name}"


def window_of(name: str) -> str:
    """Subject: the window of a load."""
    return f"load on {name}"


def clock_of(role: str) -> str:
    """Subject: the clock of a machine."""
    return f"clock of {role}"


def disks_of(name: str) -> str:
    """Subject: both disks of a guest."""
    return f"disks of {name}"


def virtual_disk_of(name: str) -> str:
    """Subject: the virtual disk of a guest."""
    return f"virtual disk of {name}"


def host_disk_of(name: str) -> str:
    """Subject: the host's disk under a guest."""
    return f"host disk of {name}"


def cpu_time_of(name: str) -> str:
    """Subject: CPU time of a server in its window."""
    return f"CPU time of {name}'s server in the window"


def seconds(value: float) -> str:
    """A duration with its unit."""
    return f"{value:.3g} s"


def moment(time_s: float, tz: str) -> str:
    """A local time with its date."""
    return f"{dt.datetime.fromtimestamp(time_s, ZoneInfo(tz)):%Y-%m-%d %H:%M:%S}"


def span(start_s: float, end_s: float, tz: str) -> str:
    """A window in local time."""
    end = dt.datetime.fromtimestamp(end_s, ZoneInfo(tz))
    return f"{moment(start_s, tz)} to {end:%H:%M:%S} {tz}"


def offset(offset_s: float, reference: str) -> str:
    """A clock's offset."""
    return f"as {reference}'s" if offset_s == 0 else f"{offset_s:+.1f} s from {reference}'s"


def ticks(start_s: float, interval_s: float, tz: str) -> str:
    """Times of snapshots."""
    return f"first snapshot {moment(start_s, tz)}, then every {interval_s:.3f} s"


def workload(value: Mapping[str, Any]) -> str:
    """A workload."""
    if value["kind"] == "closed":
        return f"closed, {value['population']} client{'s' if value['population'] != 1 else ''}"
    return f"open, {value['rate_per_s']:g} requests/s" + (
        f", {value['arrivals']}" if "arrivals" in value else ""
    )


# -- what the logs do not say ---------------------------------------------------------------------------------


def which_servers(name: str) -> str:
    """Question: no server in a log of top."""
    return f"no process of {name} looks like a server's: regular expression of its name"


def which_qemu(name: str, choices: Iterable[str]) -> str:
    """Question: several QEMUs, or none."""
    names = ", ".join(choices)
    text = f"which QEMU on the host runs {name}: regular expression of its command line"
    return f"{text} (the logs show {names})" if names else text


def which_guest(path: Path) -> str:
    """Question: a client's report that several guests fit."""
    return f"{path.name}: which guest has this load"


def which_workload(path: Path) -> str:
    """Question: a client's report without rate and threads."""
    return f"{path.name} does not say the load: closed:CLIENTS or open:RATE"


def which_window(name: str) -> str:
    """Question: no rise of CPU time."""
    return f"the logs do not show when the load on {name} began: HH:MM:SS on the host"


def which_disk(name: str, names: Iterable[str]) -> str:
    """Question: several disks of the host."""
    return f"which disk of the host is under {name}: {', '.join(names)}"


def which_iotop_times(role: str) -> str:
    """Question: a log of iotop without times."""
    return f"when iotop on {role} printed its first snapshot, and its delay; or leave that log out"


def unequal_iterations(times_s: Sequence[float]) -> tuple[str, str]:
    """How iotop's iterations were inferred, and why."""
    lengths_s = [end - start for start, end in pairwise(times_s)]
    return (
        f"iterations of {min(lengths_s):.1f} to {max(lengths_s):.1f} s",
        "their bytes are those that the disk counted",
    )


def irregular_iotop(role: str, interval_s: float, share: float) -> str:
    """Question: a log of iotop without times, on a machine that delayed it."""
    return (
        f"with {interval_s:.3g} s per iteration iotop on {role} shows {100 * share:.0f} % of the bytes that its disk "
        "counted, so its iterations differ in length: give the mean, or leave that log out (iotop -t prints times)"
    )


def nameless_lines(path: Path, lines: int) -> str:
    """Question: counters without names."""
    return (
        f"{path.name} has {lines} lines without a device name: the names in the order of cat, "
        "as ls /sys/block | paste -sd, prints them on that machine"
    )


# -- notes ----------------------------------------------------------------------------------------------------


def without_top(name: str) -> str:
    """Note: no log of top of a guest."""
    return f"no log of top of {name}: its CPU time is missing"


def cpu_over_response(name: str, pattern: str, cpu_s: float, response_s: float) -> str:
    """Note: more CPU time per request than the request takes."""
    return (
        f"server processes of {name}: {pattern} uses {1e3 * cpu_s:.3g} ms of CPU time per request, more than the "
        f"client's mean response time of {1e3 * response_s:.3g} ms: check --server-processes, and what else they do"
    )


def outside(role: str, kind: str, covered: str) -> str:
    """Error or note: a window outside of a log."""
    return f"the load is not within the log of {kind} of {role} ({covered}): check --start, --end, --date and --tz"


def not_covered(role: str, kind: str, covered: str) -> str:
    """Note: a log that does not have the whole load."""
    return f"{role}: the log of {kind} has a part of the load only ({covered}): its numbers are missing"


def single_snapshot(role: str) -> str:
    """Note: counters that were saved once."""
    return (
        f"{role}: only one reading of the block counters; two are needed, before and after the load"
    )
