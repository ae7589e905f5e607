"""Messages of the parsers: reasons for rejected lines, warnings and errors."""

from __future__ import annotations

# Rejected lines, all logs
TRUNCATED = "truncated: the file ends within this line"
MALFORMED_TICK = "malformed #T line"
TOO_LARGE = "number exceeds 64 bits"
IMPOSSIBLE = "counter above what this machine can have counted"
DUPLICATE_IN_REPORT = "duplicate line in report"
DUPLICATE_IN_SNAPSHOT = "duplicate line in snapshot"
NUL_BYTES = "NUL bytes in the line"

# A log that has grown
NOT_ONLY_GROWN = "other changes than more text at its end"

# Rejected lines of top
NOT_TOP_LINE = "not a line of top"
TOP_ROW_WITHOUT_NAMES = "row without column names in its snapshot"
TOP_MISFIT = "value does not fit its column"
DUPLICATE_PID = "duplicate row of PID {} in snapshot"
DUPLICATE_KIND = "duplicate {} line in snapshot"
FIELD_COUNT = "{} fields under {} column names"
NAMES_WITHOUT_PID = "column names without PID"
NAMES_OF_NO_TABLE = "column names of no table of top"

# Rejected lines of iotop
NOT_IOTOP_LINE = "not a line of iotop"
IOTOP_MISFIT = "fields do not match the column names"
IOTOP_UNKNOWN_NAMES = "unknown column names"
IOTOP_ROW_WITH_UNKNOWN_NAMES = "row under unknown column names"
MALFORMED_TOTALS = "malformed totals line"
MIXED_SIZES = "rate and accumulated value in one line: truncated"
DUPLICATE_TASK = "duplicate row of a task in snapshot"

# Rejected lines of block.log
NOT_DEVICE_LINE = "not a line of device counters"
DEVICE_FIELD_COUNT = "{} fields; expected 4, 11, 15, 17 or more"
NUMBERS_WITHOUT_NAME = "numbers without a device's name, where other lines have one"
FOUR_FIELDS = "4 fields; only all partitions of a kernel before 2.6.25 have them"
NEGATIVE_COUNTER = "negative counter"
DUPLICATE_DEVICE = "duplicate line of {} in snapshot"

# Rejected lines of httperf and sysbench
NOT_READ = "not read"
MALFORMED_JSON = "not an object of sysbench.report_json"

# Rejected lines of tasks.log
BEFORE_FIRST_TICK = "line before the first #T line: no time"
UNKNOWN_RECORD = "unknown record type: not cpu, p, i, t, c, v or x"

# Rejected lines of the servers' logs
BEFORE_FIRST_COMMAND = "line before the first command"
ERROR_LOG_LINE = "line of the server's error log"
SLOW_LOG_LINE = "line of the slow query log"
DAMAGED_HEAD = "damaged first line of a command"
OTHER_PREFIX = "the text in front differs from that of the other lines: another source"
NOT_STATEMENT_TEXT = "no command, and not part of a statement"
NOT_ACCESS_FORMAT = "not in common or combined log format"

# Logs that are not what they should be
WIDE_CHARACTERS = "UTF-16 without a byte order mark, or UTF-32; convert it to UTF-8 with iconv"
CURSOR_MOVEMENTS = (
    "terminal escape codes that move the cursor within a line: a screen, not a log; "
    "record with top -b, iotop -b or without a terminal"
)
NOT_TOP_LOG = "not a top log"
NOT_IOTOP_LOG = "not an iotop log"
NOT_TASKS_LOG = "not a tasks.log: no #T line"
NOT_GENERAL_LOG = "not a general query log: no line starts a command"
SLOW_QUERY_LOG = "a slow query log, not a general query log"
SERVER_ERROR_LOG = "the server's error log, not a general query log"

# What a file looks like
KIND_NAMES = {
    "top": "top's output",
    "iotop": "iotop's output",
    "block": "counters of block devices",
    "tasks": "a tasks.log of the collectors",
    "httperf": "httperf's report",
    "sysbench": "sysbench's report",
    "access": "a web server's access log",
    "general": "MySQL's general log",
}
EMPTY_FILE = "an empty file"
BINARY_FILE = "a binary file"
JSON_FILE = "JSON"
CSV_FILE = "comma-separated values"
UNKNOWN_FILE = "text of no known kind"

# Warnings
EMPTY = "the file is empty"
BLANK = "the file has only blank lines"
NUL_IN_LOG = "NUL bytes in the log (crash or full file system)"
ONLY_HEADERS = "only headers and lines that are not read"
NO_END = "no #END line: the recording is truncated"
TICK_WITHOUT_TIME = "malformed #T line: the time of its snapshot is unknown"
CLOCK_BACK = "system clock went backwards"
NO_DATE = "no date in the log and none given: times are unknown"
NO_CLOCK = "no time of day in the log: times are unknown"
TIMES_OF_PREFIX = "no date in the log: times are those in front of its lines"
NO_TIMES = "no times in the log"
UTC_ASSUMED = "no time zone given: UTC assumed"
UNTERMINATED = "the last line is unterminated: the log may be truncated"
LAST_NUMBER_UNKNOWN = "the last line is unterminated: its last number may be truncated and is null"
AS_PLAIN_TEXT = "; read as plain text"
NOT_COMPRESSED = f"not compressed, contrary to its name{AS_PLAIN_TEXT}"
DELAY_ACCOUNTING_OFF = "delay accounting was off: SWAPIN and IO are unknown"
FIRST_NUMBER_IS_TID = "no column names: the first number is read as TID (with -P it is a PID)"
GUESSED_SNAPSHOTS = "no line between snapshots: a new one starts where a task is repeated"


def not_a_line_of(tool: str) -> str:
    """Reject, or error where it holds for every line."""
    return f"not a line of {tool}"


def foreign_top(program: str) -> str:
    """Error: a log of a program that looks like top."""
    return f"output of {program}, not of top of procps or BusyBox"


def several_sources(names: list[str]) -> str:
    """Warning: prefixes of hosts, containers or files that follow one another, or of merged access logs."""
    return f"lines of several sources: {', '.join(names)}"


def sources_alternate(names: list[str]) -> str:
    """Error: lines of several hosts or containers, mixed, which the text in front of them shows."""
    return (
        f"lines of several sources ({', '.join(names)}) alternate: separate them, "
        f"for example with grep -w -e {names[0]}"
    )


def spliced_clocks(count: int) -> str:
    """Warning: the line of the clock and another line that became one."""
    return f"{count} clock lines with more text: lines were joined, the second one is lost"


def spliced_rows(count: int) -> str:
    """Warning: two lines that became one."""
    return f"{count} commands contain the beginning of another line: lines were joined, the second one is lost"


def impossible_memory(count: int) -> str:
    """Warning: parts of the memory that exceed its total."""
    return f"{count} snapshots with more memory in use than there is: those values are unknown"


def not_understood(kind: str) -> str:
    """Reject: a summary line of top with a label that its language does not have, or without numbers."""
    return f"{kind} line with unknown labels"


def impossible_counters(file: str, count: int, line: int) -> str:
    """Damage: records of tasks.log that cannot be used; ``line`` is the first."""
    return f"{file}: counters that are impossible in {count:,} lines, the first is line {line:,}"


def malformed_record(kind: str) -> str:
    """Reject: a record of tasks.log with other fields than its type has."""
    return f"malformed {kind} line"


def unknown_language(names: list[str] | tuple[str, ...]) -> str:
    """Reject or error: column names of top in a language without translation."""
    return f"column names in an unknown language: {' '.join(names)}"


def duplicate_names(names: list[str]) -> str:
    """Reject: a line of column names with a name twice."""
    return f"duplicate column names: {' and '.join(names)}"


def ambiguous_hour(zone: str | None) -> str:
    """Warning: end of daylight saving time."""
    return f"an hour that occurs twice in {zone}: resolved from neighbouring snapshots"


def missing_hour(zone: str | None) -> str:
    """Warning: start of daylight saving time."""
    return f"an hour that does not exist in {zone}: times are unknown"


def gap(reason: str) -> str:
    """Warning: a ``#GAP`` line."""
    return f"gap in the recording: {reason or 'no reason given'}"


def repeated_tick(seq: int) -> str:
    """Warning: sequence numbers that do not increase."""
    return f"tick {seq} repeated or out of order: concatenated recordings"


def other_recording(file: str) -> str:
    """Warning: a segment of another boot, or one that overlaps the segment before it."""
    return f"does not continue {file}: different recording"


def missing_snapshots(count: int, file: str) -> str:
    """Warning: sequence numbers that are missing between two segments."""
    return f"{count} snapshots missing between {file} and this segment"


def no_report(tool: str) -> str:
    """Warning: a load generator that was killed."""
    return f"{tool} was started but the log has no report"


def not_readable(reason: str, times: int, processes: int) -> str:
    """Warning: files of /proc that the collector could not read."""
    return (
        f"not readable by the collector ({reason or 'no reason given'}): "
        f"{times} times, {processes} processes"
    )


def unknown_columns(names: list[str]) -> str:
    """Warning: columns of top that no table has."""
    return f"unknown columns ignored: {' '.join(names)}"


def nameless_device(name: str) -> str:
    """Warning: lines of block.log without a device name."""
    return f"lines without a device name: device {name}"


def not_block_but(tool: str) -> str:
    """Error: the output of another tool that has numbers of disks."""
    return f"output of {tool}, not counters of /sys/block/*/stat or /proc/diskstats"


def in_flight_unknown(count: int) -> str:
    """Warning: a fault of old kernels."""
    return f"{count} impossible numbers of requests in flight: null"


def zone_abbreviation(zones: list[str]) -> str:
    """Warning: times with the abbreviation of a zone, and no zone given."""
    return f"times in {', '.join(zones)}: the offset is not known without --tz; times are unknown"


def more_fields(max_fields: int) -> str:
    """Warning: a kernel that prints more fields than this version reads."""
    return f"more than {max_fields} fields; further fields ignored"


def commands_without_time(count: int) -> str:
    """Warning: commands of a general log whose time is null."""
    return f"{count} commands without a time"


def invalid_encoding(codec: str) -> str:
    """Warning: bytes that are no text."""
    return f"bytes that are not {codec.upper()}, replaced by U+FFFD"


def trailing_bytes(count: int, codec: str) -> str:
    """Warning: a compressed file with something else after it."""
    return f"{count} bytes after the {codec} stream ignored"


def damaged_stream(codec: str, error: Exception) -> str:
    """Warning: a compressed file that is readable up to some place."""
    return f"damaged {codec} stream ({error}); read up to the damage"


def truncated_stream(codec: str) -> str:
    """Warning: a compressed file without its end."""
    return f"{codec} stream is truncated; read up to its end"


def unsupported_compression(codec: str) -> str:
    """Error: a file in another compression format."""
    return f"compressed with {codec}; supported: gzip, Zstandard"


def too_large(max_bytes: int) -> str:
    """Error: a longer text than is allowed."""
    return f"its text has more than {size_text(max_bytes)}; to read it, raise --max-expanded"


def line_too_long(max_bytes: int) -> str:
    """Error: a line that no tool writes."""
    return f"line of more than {size_text(max_bytes)}: not a log, or damaged"


def not_enough_memory(count: int, needed: int, available: int) -> str:
    """Error: a text of ``count`` bytes or more, of which the tables do not fit into the memory."""
    return (
        f"not enough memory: {size_text(count)} of text need {size_text(needed)}, "
        f"{size_text(available)} are available; split the log, or read it where more is available"
    )


OUT_OF_MEMORY = "not enough memory to parse it; split the log, or read it where more is available"


def size_text(count: int) -> str:
    """A number of bytes in the largest decimal unit that it has, with three digits."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count} bytes"


def date_out_of_range(date: object, first: int, last: int) -> str:
    """Error: a day that no log is of."""
    return f"{date}: a date of the years {first} to {last} is expected"


def invalid_date(date: object) -> str:
    """Error: a date that does not exist."""
    return f"invalid date {date!r}; use YYYY-MM-DD"


def unknown_zone(zone: object) -> str:
    """Error: a time zone that does not exist."""
    return f"unknown time zone {zone!r}; use an IANA name, for example Europe/Berlin"


def looks_like(description: str) -> str:
    """Error: a file of another kind than the one that was asked for."""
    return f"this looks like {description}"


def not_a_known_log(description: str, kinds: list[str]) -> str:
    """Error: a file of none of the kinds that are read."""
    return f"{looks_like(description)}, which is not read; the kinds are {', '.join(kinds)}"


def unknown_kind(kind: str, kinds: list[str]) -> str:
    """Error: a log kind without a parser."""
    return f"unknown log kind {kind!r}; choose from {', '.join(kinds)}"


def parser_failed(kind: str, error: BaseException) -> str:
    """Error: a fault of a parser."""
    return f"the {kind} parser failed: {type(error).__name__}: {error}"


def line_not_accounted(kind: str, times: int) -> str:
    """Error: a line that a parser dropped or counted more than once."""
    return f"the {kind} parser has {'counted this line twice' if times else 'lost this line'}"


def counts_differ(kind: str) -> str:
    """Error: record lines, headers and rejects that do not add up to the lines."""
    return f"the {kind} parser's line counts do not add up"


# Access logs: formats and response times

GIVE_FORMAT = "give the format with --format"
AMBIGUOUS_CLIENT = "client, identity and user cannot be separated"
NOT_GIVEN_FORMAT = "not in the format given"
NOT_JSON_OBJECT = "not a JSON object"
NOT_ACCESS_LOGGER = "of a logger of errors or handlers, not of the access log"
NOT_JSON_REQUEST = "JSON object without a status and a request"
NOT_ACCESS_LOG = "not an access log: no line in common or combined log format"
OTHER_ACCESS_FORMAT = f"no line in common or combined log format; {GIVE_FORMAT}"
NO_LINE_IN_FORMAT = "no line is in the format given"
NO_JSON_REQUEST = f"JSON without a known key of a request and its status; {GIVE_FORMAT}"


def unknown_directive(directive: str) -> str:
    """Error: a directive of LogFormat that Apache does not have."""
    return f"unknown directive {directive} in the format"


def unknown_time_code(code: str, directive: str) -> str:
    """Error: a code of strftime that is not read."""
    return f"{code} in {directive} of the format is not supported"


def not_separated(first: str, second: str) -> str:
    """Error: two values of a format without text between them."""
    return f"no text between {first} and {second} in the format: they cannot be separated"


def format_without_directive(text: str) -> str:
    """Error: a format in which nothing is a field of a request."""
    return f"no directive (%h …) and no variable ($remote_addr …) of a request in the format {text[:60]!r}"


def unknown_variable(name: str) -> str:
    """Warning: a variable that nginx itself does not have; modules and ``map`` define others."""
    return f"unknown variable ${name} in the format: not read"


def ambiguous_duration(lines: int) -> str:
    """Warning: a number that may be a response time, in a unit that the log does not show."""
    return (
        f"numbers after the known fields, or durations of unknown unit ({lines} lines): not read; "
        f"{GIVE_FORMAT}"
    )
