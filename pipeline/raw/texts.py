"""Messages about raw runs: problems of manifests and folders, and errors."""

from __future__ import annotations

# Problems of a file or folder. pipeline.quality.recording recognizes missing files by ``MISSING``.
MISSING = "missing"
MISSING_SEGMENT = "missing: gap in the recording"
LINK_TO_ROLE = "link to the folder of another role; not read"
LINK_OUT = "link to a place outside its folder; not read"
NOT_A_FILE = "not a regular file; not read"
NOT_A_LOG = "not the name of a log; not read"
UNSAFE_FILE = "unsafe name; not read"
UNSAFE_FOLDER = "unsafe name; folder not read"
UNSAFE_STUDY = "unsafe name; study not read"
SEGMENTS_EXIST = "not read; segments of a rotated log exist too"

# Problems of a value
TOO_DEEP = "nested too deep"
IS_TOO_DEEP = "is nested too deep; left out"
NOT_UNICODE = "is not valid Unicode (half of a surrogate pair); left out"
NOT_FINITE = "is a number beyond the range of 64-bit floating point; left out"
IS_EMPTY = "is empty"
IS_MISSING = "is missing"
STRING = "a string"
OBJECT = "a JSON object"
DATE = "a date YYYY-MM-DD"
DEVICES = "a list of names of devices"
OBJECTS = "a list of JSON objects"
NUMBERS = "a list of whole numbers"
POWER_OF_2 = "a power of 2"
TIME_ZONE = "the name of a time zone"
DEVICE = "the name of a block device"
CLIENT_LOG = "a log of a load generator (httperf, sysbench)"
IS_NULL = "is null"
MATCHES_EVERYTHING = "matches the empty text, and so every process"
NAMES = "a list of names"
CPUS = "a list of different numbers of CPUs"
LEVELS = "a list of two different levels: texts of at most 64 characters, numbers, true or false"
BLOCK = "a whole number from 0 to 1000000, or a text of at most 64 characters"
NO_FACTOR = "is not a key of factors; left out"
SHA256 = "64 hexadecimal digits"
TIMES = "a list of nanoseconds since 1970"

# Differences between a file and its checksum
CHANGED = "differs from its checksum in run.json"
NOT_LISTED = "has no checksum in run.json, which has those of other files"
IS_UNREADABLE = "cannot be read"
LOST = "does not exist, but run.json has its checksum"

# Errors
NO_RAW_FOLDER = "folder of raw runs does not exist"
NO_RUNS = "the folder has no runs"


def not_readable(error: OSError) -> str:
    """Problem: the operating system refuses to read a file."""
    return f"cannot be read: {error.strerror or error}"


def not_utf8(byte: int) -> str:
    """Problem: a manifest with bytes that are no text."""
    return f"not UTF-8 text (byte {byte} of the file)"


def not_json(detail: object) -> str:
    """Problem: a manifest that is not JSON."""
    return f"not JSON: {detail}"


def no_checksums_written(run: str, problem: str) -> str:
    """Error: a run.json that cannot be changed."""
    return f"{run}: no checksums written: {problem}"


def more_issues(count: int) -> str:
    """Problem: more problems of one manifest than are listed."""
    return f"{count:,} more problems"


def duplicate_key(key: str) -> str:
    """Problem: a key twice in one object of a manifest."""
    return f"duplicate key {key} in one object"


def must_be(expected: str, value: str) -> str:
    """Problem: a value of another type or out of range."""
    return f"must be {expected} (got {value})"


def one_of(choices: tuple[str, ...]) -> str:
    """What a value with a fixed set of choices must be."""
    return f"one of {', '.join(choices)}"


def whole_number(low: int | None, high: int | None) -> str:
    """What an integer must be; None is no limit."""
    limits = ("" if low is None else f" from {low}") + ("" if high is None else f" to {high}")
    return f"a whole number{limits}"


def number(high: float, *, positive: bool) -> str:
    """What a number must be."""
    return f"a number {'above' if positive else 'from'} 0 to {high:g}"


def unsafe_name(name: str) -> str:
    """Problem: a name with other characters than letters, digits, dot, underscore and hyphen."""
    return f"is not a safe name: {name}"


def unsafe_key(name: str) -> str:
    """Problem: an object with such a name as a key."""
    return f"has an unsafe name: {name}"


def bad_pattern(reason: str) -> str:
    """Problem: a text that the engine for regular expressions does not compile."""
    return f"is not a valid regular expression: {reason}"


def longer_than(characters: int) -> str:
    """Reason: a text that is too long."""
    return f"longer than {characters:,} characters"


def too_many(count: int, limit: int) -> str:
    """Problem: more entries of an object than are read."""
    return f"has {count:,} entries; the first {limit:,} are read"


def long_window(length_s: float, limit_s: float) -> str:
    """Problem: a window that no recording spans."""
    return f"is {length_s:.4g} s long; at most {limit_s:.4g} s"


def outside_window(window: str) -> str:
    """Problem: a window that is not inside another one."""
    return f"is not inside {window}"


def overlaps_window(window: str) -> str:
    """Problem: an idle baseline during the load."""
    return f"ends after {window} has started"


def long_think_time(think_time_s: float, window_s: float) -> str:
    """Problem: a think time that lets no thread send two requests."""
    return f"is {think_time_s:.4g} s, and the window is {window_s:.4g} s"


def other_offset(offset_ns: int, low_ns: int, high_ns: int) -> str:
    """Problem: a clock offset that was not measured."""
    return f"is {offset_ns}, but clock has {low_ns} to {high_ns} with the uncertainty"


def offset_of_one_clock(offset_ns: int) -> str:
    """Problem: an offset between the clocks of one machine."""
    return f"is {offset_ns}, but boot_id is the client's: they are one machine with one clock"


def shared_log(other: str) -> str:
    """Problem: two loads with one log."""
    return f"is the log of {other}, too"


def reversed_window(start: int, end: int) -> str:
    """Problem: a window of no length."""
    return f"ends ({end}) before it starts ({start})"


def other_format(actual: str | None, expected: str) -> str:
    """Problem: a manifest of another version; ``actual`` is None where it has no format."""
    if actual is None:
        return f"format is missing; expected {expected}"
    return f"format is {actual}; this version reads {expected}"


def differs_from_folder(value: str, folder: str) -> str:
    """Problem: a name in a manifest that is not its folder's."""
    return f"is {value} but the folder is {folder}; the name of the folder is used"


def other_in_folder(value: str, folder: str) -> str:
    """Problem: facts.json of another role."""
    return f"is {value}, but the folder is {folder}"


def other_in_run(value: str, other: str) -> str:
    """Problem: another value in facts.json or study.json than in run.json."""
    return f"is {value}, but run.json has {other}"


def other_in_run_of(value: str, run: str, other: str) -> str:
    """Problem: another value in study.json than in the run.json of a run."""
    return f"is {value}, but run.json of {run} has {other}"


def unknown_role(role: str) -> str:
    """Problem: a virtual server in a role that run.json does not have."""
    return f"is {role}, which is not a key of roles"


def no_virtual_server(name: str) -> str:
    """Problem: a run that measures a virtual server that study.json does not have."""
    return f"is {name}, which is not a key of virtual_servers"


def not_a_log_path(value: str) -> str:
    """Problem: a load generator's log outside the run."""
    return f"must have the form role/name.log (got {value})"


def also_exists(other: str) -> str:
    """Problem: one log in two compression formats."""
    return f"not read; {other} exists too"


def lists_missing_runs(names: str) -> str:
    """Problem: runs of study.json without a folder."""
    return f"lists runs that do not exist: {names}"


def missing_run(run: str) -> str:
    """Problem: a run of study.json without a folder."""
    return f"is {run}, which does not exist"


def unknown_study(name: str, studies: list[str]) -> str:
    """Error: a study that does not exist."""
    return f"unknown study {name!r}; choose from {', '.join(studies) or 'none'}"


def unknown_run(run: str, hint: str) -> str:
    """Error: a run that does not exist."""
    return f"unknown run {run}; {hint}"


def nearest_names(names: list[str]) -> str:
    """Hint: runs with similar names."""
    return f"nearest: {', '.join(names)}"


def number_of_runs(count: int, first: str) -> str:
    """Hint where no name is similar."""
    return f"there are {count} runs, the first is {first}"
