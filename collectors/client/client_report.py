"""Errors in the reports of httperf and sysbench: a load that was not served as planned."""

import re

import texts

MAX_LINE_BYTES = 1 << 16
MAX_LINES = 10000000
MAX_FATAL = 3  # lines that are quoted
RATE_TOLERANCE = 0.1  # between the rate that was sent and the plan's
NUMBER = rb"([0-9]+(?:[.,][0-9]+)?)"
TOTAL = re.compile(rb"^Total: connections [0-9]+ requests ([0-9]+) replies ([0-9]+) ")
REQUEST_RATE = re.compile(rb"^Request rate: " + NUMBER + rb" req/s")
ERRORS = re.compile(rb"^Errors: ((?:[a-z-]+ [0-9]+ ?)+)")
STATUS = re.compile(rb"^Reply status: .*4xx=([0-9]+) 5xx=([0-9]+)")
SYSBENCH_COUNT = re.compile(rb"^\s+(ignored errors|reconnects):\s+([0-9]+)\b")
THREADS = re.compile(rb"^Number of threads: ([0-9]+)")
FATAL = re.compile(rb"^(FATAL: .*|ALERT: .*|PANIC: .*)")


def find_errors(path, workload):
    """The errors that a load generator's log reports, and where its load is not the workload's, as a list."""
    errors, fatal = [], []
    with open(path, "rb") as f:
        for _ in range(MAX_LINES):
            line = f.readline(MAX_LINE_BYTES)
            if not line:
                break
            m = FATAL.match(line)
            if m:
                fatal.append(m.group(1).decode("utf-8", "replace").strip())
            else:
                errors.extend(find_error(line, workload))
    if fatal:
        shown = "; ".join(text[:200] for text in fatal[:MAX_FATAL])
        more = texts.MORE % (len(fatal) - MAX_FATAL) if len(fatal) > MAX_FATAL else ""
        errors.insert(0, shown + more)
    return errors


def find_error(line, workload):
    """The errors of one line of a report."""
    m = ERRORS.match(line)
    if m:
        words = m.group(1).decode("ascii").split()
        counts = [(words[k], int(words[k + 1])) for k in range(0, len(words) - 1, 2)]
        named = ["%d %s" % (count, name) for name, count in counts if count and name != "total"]
        return [texts.REPORT_ERRORS % ", ".join(named)] if named else []
    m = TOTAL.match(line)
    if m and int(m.group(2)) < int(m.group(1)):
        return [texts.FEWER_REPLIES % (int(m.group(2)), int(m.group(1)))]
    m = STATUS.match(line)
    if m and int(m.group(1)) + int(m.group(2)):
        return [texts.BAD_STATUS % (int(m.group(1)), int(m.group(2)))]
    m = SYSBENCH_COUNT.match(line)
    if m and int(m.group(2)):
        return [texts.SYSBENCH_ERRORS[m.group(1).decode()] % int(m.group(2))]
    m = THREADS.match(line)
    if m and workload.get("population") not in (None, int(m.group(1))):
        return [texts.SENT_THREADS % (int(m.group(1)), workload["population"])]
    m = REQUEST_RATE.match(line)
    if m and workload.get("rate_per_s"):
        rate = float(m.group(1).replace(b",", b"."))
        allowed = max(RATE_TOLERANCE * workload["rate_per_s"], 0.05)  # httperf prints one decimal
        if abs(rate - workload["rate_per_s"]) > allowed:
            return [texts.SENT_RATE % (rate, workload["rate_per_s"])]
    return []
